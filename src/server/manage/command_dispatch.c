/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The dispatcher of commands: the table of commands.def, and the functions that a control channel
 * calls.
 */
#include "server/manage/command.h"

#include "base/log.h"
#include "hook/hook.h"
#include "lease/lease_store.h"
#include "server/core/snapshot.h"

#include <string.h>
#include <unistd.h>

enum command_needs { NEEDS_NOTHING, NEEDS_LEASES };

static const struct {
	const char *name;
	struct json *(*fn)(struct command *c);
	enum command_needs needs;
} commands[] = {
#define COMMAND(name, fn, needs, does, args) {name, fn, NEEDS_##needs},
#include "server/manage/commands.def"
#undef COMMAND
};

struct json *command_list(struct command *c)
{
	struct json *l = json_list(c->arena);

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)json_add(c->arena, l, NULL, json_str(c->arena, commands[i].name));
	return command_ok(c, l, "%s", "");
}

/* Calls command_processed, where callouts see the command and may replace its answer. */
static struct json *call_processed(struct command *c, const char *name, struct json *answer)
{
	struct snapshot *s = server_snapshot(&c->d->srv);
	struct usher_call call = {.point = HOOK_COMMAND_PROCESSED,
				  .arena = c->arena,
				  .command = name,
				  .command_args = c->args,
				  .answer = answer};

	if (s && hook_any(s->hooks, HOOK_COMMAND_PROCESSED)) {
		call.cfg = s->cfg;
		(void)hook_call(s->hooks, &call);
	}
	snapshot_unref(s);
	return call.answer;
}

/* Returns the first member that no request has; NULL: none. The last known ones are for Kea's
 * other daemons. */
static const char *unknown_member(const struct json *request)
{
	static const char *const known[] = {"command", "arguments", "service", "remote-address",
					    "remote-port"};

	for (const struct json *m = request->first; m; m = m->next) {
		size_t i = 0;

		while (i < ARRAY_LEN(known) && strcmp(known[i], m->key) != 0)
			i++;
		if (i == ARRAY_LEN(known))
			return m->key;
	}
	return NULL;
}

/* Returns the refusal of a command that needs the leases while they are still being loaded. */
static struct json *refuse_early(struct command *c, enum command_needs needs)
{
	const struct lease_store *s = c->d->srv.store;

	if (needs == NEEDS_LEASES && s && lease_store_opening(s))
		return command_fail(c, "the lease file is still being loaded");
	return NULL;
}

static struct json *answer_command(void *daemon, const struct json *request, struct arena *arena)
{
	struct server_daemon *d = daemon;
	struct command c = {.d = d, .args = json_get(request, "arguments"), .arena = arena};
	const char *name = json_get_str(request, "command");
	const char *unknown;
	struct json *answer;

	if (!name || strlen(name) != json_get(request, "command")->n)
		return control_answer(arena, CONTROL_ERROR,
				      "a command is {\"command\": \"name\", \"arguments\": {…}}: "
				      "there is no string 'command'");
	unknown = unknown_member(request);
	if (unknown)
		return command_fail(&c, "received command contains unsupported parameter '%s'",
				    unknown);
	log_msg(d->srv.log, LOG_COMMAND_RECEIVED, "received command '%s'", name);
	if (c.args && c.args->type != JSON_MAP)
		return command_fail(&c, "'arguments' must be a map, this is %s",
				    json_type_name(c.args->type));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		answer = refuse_early(&c, commands[i].needs);
		if (!answer)
			answer = commands[i].fn(&c);
		return call_processed(&c, name, answer);
	}
	return control_answer(arena, CONTROL_UNSUPPORTED, "'%s' command not supported", name);
}

/* Answers a command. Its log lines are written before its answer, unless an output hangs. */
static struct json *handle_request(void *daemon, const struct json *request, struct arena *arena)
{
	struct server_daemon *d = daemon;
	struct json *answer = answer_command(daemon, request, arena);

	log_flush(d->srv.log, 20 * NS_PER_MS);
	return answer;
}

static void note_requester(void *daemon, uid_t uid)
{
	struct server_daemon *d = daemon;

	d->untrusted = uid != 0 && uid != geteuid();
}

static bool take_stream(void *daemon, struct control_stream *ret)
{
	struct server_daemon *d = daemon;

	*ret = d->stream;
	d->stream = (struct control_stream){0};
	return ret->next != NULL;
}

const struct daemon_commands server_commands = {
	.handle = handle_request,
	.invalid = command_invalid,
	.take_stream = take_stream,
	.from = note_requester,
};
