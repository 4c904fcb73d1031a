/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows of the server's commands for the management plane, and the functions that the plane
 * calls around them.
 */
#include "server/manage/command.h"

#include "base/log.h"
#include "hook/hook.h"
#include "lease/lease_store.h"
#include "server/core/snapshot.h"

#include <string.h>

enum { NEEDS_LEASES = 1 };

static const struct control_command commands[] = {
#define COMMAND(...) CONTROL_ROW(__VA_ARGS__)
#include "server/manage/commands.def"
#undef COMMAND
};

bool command_is_own(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return true;
	return false;
}

struct list {
	struct arena *arena;
	struct json *names;
	const struct control_requester *from;
	struct hook_registry *filter; /* NULL: all commands are named */
};

static void add_name(void *ctx, const struct control_command *row)
{
	struct list *l = ctx;
	struct hook_asked asked = {l->from, row->name, (int)row->access};

	if (l->filter && hook_access_hides(l->filter, &asked))
		return;
	(void)json_add(l->arena, l->names, NULL, json_str(l->arena, row->name));
}

struct json *command_list(struct control_call *c)
{
	struct list l = {.arena = c->arena, .names = json_list(c->arena), .from = c->from};
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);

	/* libraries decide about requests over HTTP alone */
	if (s && c->from->address)
		l.filter = s->hooks;
	control_plane_each(daemon_of(c)->plane, add_name, &l);
	snapshot_unref(s);
	return command_ok(c, l.names, "%s", "");
}

struct json *command_describe(struct control_call *c)
{
	const char *name = command_str(c, "name");
	struct json *list = control_plane_describe(daemon_of(c)->plane, name, c->arena);
	struct json *m = json_map(c->arena);

	if (!list && name)
		return control_answer(c->arena, CONTROL_EMPTY, "there is no command '%s'", name);
	(void)json_add(c->arena, m, "commands", list);
	return command_ok(c, m, "%s", "");
}

/* Calls command_processed, where callouts see the command and may replace its answer. */
static struct json *call_processed(struct control_call *c, struct json *answer)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	struct usher_call call = {.point = HOOK_COMMAND_PROCESSED,
				  .arena = c->arena,
				  .command_from = c->from,
				  .command = c->name,
				  .command_args = c->args,
				  .answer = answer};

	if (s && hook_any(s->hooks, HOOK_COMMAND_PROCESSED)) {
		call.cfg = s->cfg;
		(void)hook_call(s->hooks, &call);
	}
	snapshot_unref(s);
	return call.answer;
}

static const char *refuse_early(void *program, unsigned needs)
{
	const struct server_daemon *d = program;
	const struct lease_store *s = d->srv.store;

	return needs & NEEDS_LEASES && s && lease_store_opening(s)
		       ? "the lease file is still being loaded"
		       : NULL;
}

const struct daemon_commands server_commands = {
	.rows = commands,
	.n = ARRAY_LEN(commands),
	.is_command = command_is_own,
	.refuse = refuse_early,
	.processed = call_processed,
	.takes_problems = command_takes_problems,
};
