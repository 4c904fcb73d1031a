/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The answers and arguments of commands, shared by all of them.
 */
#include "server/manage/command.h"

#include "base/buf.h"
#include "base/error.h"
#include "hook/hook.h"
#include "lease/lease_store.h"
#include "server/core/snapshot.h"

#include <stdarg.h>
#include <stdio.h>

struct json *command_ok(struct control_call *c, struct json *arguments, const char *fmt, ...)
{
	struct json *m = json_map(c->arena);
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_add(c->arena, m, "result", json_int(c->arena, CONTROL_OK));
	if (text[0])
		(void)json_add(c->arena, m, "text", json_str(c->arena, text));
	if (arguments)
		(void)json_add(c->arena, m, "arguments", arguments);
	return m;
}

struct json *command_fail(struct control_call *c, const char *fmt, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return control_answer(c->arena, CONTROL_ERROR, "%s", text);
}

/* Callouts of command_processed receive a complete answer. */
static bool wants_whole(struct control_call *c)
{
	struct snapshot *s = server_snapshot(&daemon_of(c)->srv);
	bool whole = s && hook_any(s->hooks, HOOK_COMMAND_PROCESSED);

	snapshot_unref(s);
	return whole;
}

static struct json *collect_stream(struct control_call *c, const struct control_stream *s)
{
	struct json_opts o = {.file = ""};
	struct config_error err = {0};
	struct json *answer;
	struct buf b;

	buf_init(&b);
	while (s->next(s->ctx, &b))
		continue;
	/* strings are borrowed from the text */
	if (b.failed || json_parse(span_str(arena_strndup(c->arena, b.p, b.len)), &o, c->arena,
				   &answer, &err) < 0)
		answer = command_fail(c, "out of memory");
	buf_fini(&b);
	s->fini(s->ctx);
	return answer;
}

struct json *command_stream(struct control_call *c, const struct control_stream *s)
{
	if (wants_whole(c))
		return collect_stream(c, s);
	c->stream = *s;
	return command_ok(c, NULL, "%s", "");
}

const char *command_str(const struct control_call *c, const char *name)
{
	return json_get_str(c->args, name);
}

bool command_int(const struct control_call *c, const char *name, int64_t *ret)
{
	return json_get_int(c->args, name, ret);
}

bool command_bool(const struct control_call *c, const char *name, bool *ret)
{
	return json_get_bool(c->args, name, ret);
}

struct json *command_durable(struct control_call *c, uint64_t seq)
{
	struct lease_store *s = daemon_of(c)->srv.store;
	int r = s && seq ? lease_store_wait(s, seq, 5 * NS_PER_S) : 0;

	return r < 0 ? command_fail(c, "the change is not on disk: %s", usher_strerror(r)) : NULL;
}
