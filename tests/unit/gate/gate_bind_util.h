/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A gate with rules in Lua for tests. The output of rules is in gb.said. Header only: each test has
 * its own.
 */
#pragma once

#include "gate_util.h"

#include "gate/lua/bind.h"

#include <stdio.h>

struct gb {
	struct gt t;
	struct gate_bind *bind;
	struct script_error err;
	uint8_t buf[GT_CAP];
	char said[8192];
};

static inline void gb_say(void *ctx, struct span line)
{
	struct gb *b = ctx;
	size_t at = strlen(b->said);

	(void)snprintf(b->said + at, sizeof(b->said) - at, "%.*s\n", (int)line.n,
		       (const char *)line.p);
}

static inline void gb_open(struct gb *b, bool pass_through, bool fail_open)
{
	struct script_opts so = {.print = gb_say, .ctx = b};
	struct gate_opts o;

	gt_opts(&o);
	o.pass_through = pass_through;
	o.fail_open = fail_open;
	gt_open(&b->t, &o, DISSECT_RAW);
	assert_int_equal(gate_bind_new(b->t.g, &so, &b->bind, &b->err), 0);
	b->said[0] = '\0';
}

static inline void gb_close(struct gb *b)
{
	gate_bind_free(b->bind);
	gt_close(&b->t);
}

static inline void gb_rules(struct gb *b, const char *text)
{
	int r = gate_bind_run_text(b->bind, span_str(text), &b->err);

	if (r < 0)
		print_error("%s\n", b->err.text);
	assert_int_equal(r, 0);
}

static inline void gb_said(struct gb *b, const char *text)
{
	assert_string_equal(b->said, text);
	b->said[0] = '\0';
}

/* It was said, among other things. */
static inline void gb_said_with(struct gb *b, const char *text)
{
	if (!strstr(b->said, text))
		print_error("said: %s\nnot: %s\n", b->said, text);
	assert_non_null(strstr(b->said, text));
	b->said[0] = '\0';
}
