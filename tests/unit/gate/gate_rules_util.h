/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An engine with a rule file, and its output. Header only.
 */
#pragma once

#include "gate_tcp_util.h"

#include "gate/lua/bind.h"

#include <stdio.h>

static struct gt t;
static struct gate_bind *bind;
static char said[65536];
static struct gt_conn c;

static void say(void *ctx, struct span line)
{
	size_t at = strlen(said);

	(void)ctx;
	(void)snprintf(said + at, sizeof(said) - at, "%.*s\n", (int)line.n, (const char *)line.p);
}

struct open_opts {
	bool pass_through, fail_open;
	uint64_t instructions;
	uint32_t max_streams; /* 0: the usual */
};

static void open_gate(struct open_opts how)
{
	struct script_opts so = {.print = say, .instructions = how.instructions};
	struct script_error err;
	struct gate_opts o;

	gt_opts(&o);
	o.pass_through = how.pass_through;
	o.fail_open = how.fail_open;
	o.max_streams = how.max_streams ? how.max_streams : o.max_streams;
	gt_open(&t, &o, DISSECT_RAW);
	if (gate_bind_new(t.g, &so, &bind, &err) < 0)
		fail_msg("%s", err.text);
	said[0] = '\0';
}

static void close_gate(void)
{
	gate_bind_free(bind);
	gt_close(&t);
}

static void rules(const char *text)
{
	struct script_error err = {0};

	if (gate_bind_run_text(bind, span_str(text), &err) < 0)
		fail_msg("%s", err.text);
}

/* Returns the output since the last call. */
static const char *heard(void)
{
	static char text[sizeof(said)];

	memcpy(text, said, sizeof(text));
	said[0] = '\0';
	return text;
}
