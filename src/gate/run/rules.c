/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rule files are run once a worker; an error of one is reported with file and line, and the gate
 * does not start.
 */
#include "gate/run/rules.h"

#include "base/buf.h"
#include "base/error.h"
#include "gate/lua/bind.h"
#include "gate/run/command.h"
#include "gate/engine/gate.h"
#include "script/rules/alert.h"
#include "script/library/shared.h"

#include <errno.h>
#include <unistd.h>

int gate_rules_init(struct gate_rules *r, const struct gate_args *a, struct log *log,
		    const struct hash_key *key)
{
	static const enum alert_format formats[] = {ALERT_PRETTY, ALERT_ONELINE, ALERT_JSON};
	const char *path = a->alert;
	int e;

	*r = (struct gate_rules){.args = a, .log = log};
	e = alert_ring_new(&r->ring);
	if (e == 0)
		e = shared_store_new(0, key, &r->shared);
	if (e < 0)
		return e;
	if (path && strcmp(path, "syslog") == 0) {
		r->syslog = true;
		return 0;
	}
	if (path && strcmp(path, "-") == 0)
		path = NULL;
	e = alert_file_open(path, formats[a->alert_format], &r->alerts);
	if (e < 0)
		(void)fprintf(stderr, "usher-gate: --alert: %s: %s\n",
			      path ? path : "standard output", usher_strerror(e));
	return e;
}

void gate_rules_fini(struct gate_rules *r)
{
	shared_store_free(r->shared);
	r->shared = NULL;
	alert_ring_free(r->ring);
	r->ring = NULL;
	alert_file_close(r->alerts);
	r->alerts = NULL;
}

unsigned gate_rules_sinks(struct gate_rules *r, struct script_alert_sink *ret)
{
	ret[0] = alert_ring_sink(r->ring);
	ret[1] = r->syslog ? alert_syslog_sink() : alert_file_sink(r->alerts);
	return GATE_ALERT_SINKS;
}

static int add_sinks(struct gate_rules *r, struct script *s)
{
	struct script_alert_sink sinks[GATE_ALERT_SINKS];
	unsigned n = gate_rules_sinks(r, sinks);
	int e = 0;

	for (unsigned i = 0; i < n && e == 0; i++)
		e = script_alert_sink(s, &sinks[i]);
	return e;
}

/* Reads a line of standard input, for haka.interactive_rule(). */
static bool ask_person(void *ctx, const char *prompt, struct buf *line)
{
	int c;

	(void)ctx;
	(void)fflush(stdout);
	if (isatty(STDIN_FILENO)) {
		(void)fputs(prompt, stderr);
		(void)fflush(stderr);
	}
	while ((c = getchar()) != EOF && c != '\n')
		buf_char(line, (char)c);
	return c != EOF || line->len > 0;
}

int gate_rules_load(struct gate_rules *r, struct gate *g, unsigned worker, struct gate_bind **ret)
{
	struct script_opts so = {
		.profile = r->args->trusted ? SCRIPT_TRUSTED : SCRIPT_RESTRICTED,
		.instructions = (uint64_t)r->args->instructions,
		.memory = (size_t)r->args->memory_mb << 20,
		.thread = worker,
		.log = r->log,
		.clock = gate_clock(g),
		.shared = r->shared,
		.prompt = r->interactive ? ask_person : NULL,
		.refuse_command = gate_command_refuse,
	};
	const char *paths[2];
	struct script_error err = {0};
	int e;

	*ret = NULL;
	if (r->args->modules)
		paths[so.n_paths++] = r->args->modules;
	paths[so.n_paths++] = USHER_GATE_MODULES;
	so.paths = paths;
	for (unsigned i = 0; i < DISSECT_N; i++)
		if (r->args->loaded & UINT32_C(1) << i)
			gate_load(g, (enum gate_dissector)i);
	if (!r->args->rules)
		return 0;
	e = gate_bind_new(g, &so, ret, &err);
	if (e == 0)
		e = add_sinks(r, gate_bind_script(*ret));
	if (e == 0)
		e = gate_bind_run(*ret, r->args->rules, &err);
	if (e < 0) {
		(void)fprintf(stderr, "usher-gate: %s\n",
			      err.text[0] ? err.text : usher_strerror(e));
		gate_bind_free(*ret);
		*ret = NULL;
	}
	return e;
}
