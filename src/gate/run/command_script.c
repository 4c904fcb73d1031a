/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands of rule files (haka.command). Each worker has run the file, but requests are answered in
 * the state of worker 0, between two of its batches. Values of the other workers reach it by
 * haka.shared().
 */
#include "gate/run/command_impl.h"

#include "control/args.h"
#include "gate/lua/bind.h"
#include "script/library/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const own_names[] = {
#define COMMAND(name, ...) name,
#include "gate/run/commands.def"
#undef COMMAND
};

bool gate_command_refuse(void *ctx, const char *name, const char *args, char *why, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < ARRAY_LEN(own_names); i++) {
		if (strcmp(own_names[i], name) != 0)
			continue;
		(void)snprintf(why, n, "command '%s' is a command of the gate already", name);
		return true;
	}
	if (control_args_are_valid(args))
		return false;
	(void)snprintf(why, n,
		       "command '%s': the description of its arguments is malformed: '%.120s'",
		       name, args);
	return true;
}

/* A call of a command, for the thread of the worker. */
struct script_call {
	struct control_call *k;
	const char *from;
	struct json *answer;
	struct script_error err;
};

static void call_in_worker(void *ctx, const struct gate_worker_view *v)
{
	struct script_call *q = ctx;

	q->answer = script_command_run(gate_bind_script(v->bind), q->k->ctx, q->k->args, q->from,
				       q->k->arena, &q->err);
}

static struct json *run_script_command(struct control_call *k)
{
	char from[CONTROL_REQUESTER_LEN];
	struct script_call q = {.k = k, .from = control_requester_text(k->from, from)};

	if (!gate_of(k)->ask(gate_of(k)->ctx, 0, call_in_worker, &q))
		return command_no_answer(k, 0);
	return q.answer ? q.answer : control_answer(k->arena, CONTROL_ERROR, "%s", q.err.text);
}

/* Makes a row of each command of worker 0, whose state keeps the texts. */
static void list_commands(void *ctx, const struct gate_worker_view *v)
{
	struct gate_commands *g = ctx;
	const struct script_command *c;

	for (size_t i = 0; v->bind && (c = script_command_at(gate_bind_script(v->bind), i)) != NULL;
	     i++)
		g->script_rows[g->n_script_rows++] = (struct control_command){
			.name = c->name,
			.fn = run_script_command,
			.args = c->args,
			.help = c->help,
			.access = c->writes ? CONTROL_WRITE : CONTROL_READ,
			.ctx = (void *)(uintptr_t)c,
			.owner = g->script_rows,
		};
}

int gate_script_commands_add(struct gate_commands *g, struct control_plane *p)
{
	_Static_assert(ARRAY_LEN(g->script_rows) == SCRIPT_COMMANDS_MAX, "a row for each");

	if (!g->ask(g->ctx, 0, list_commands, g))
		return -ETIMEDOUT;
	return control_plane_add(p, g->script_rows, g->n_script_rows);
}
