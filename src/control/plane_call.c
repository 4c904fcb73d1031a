/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One request from its members to its answer: checks, functions of the row, audit line.
 */
#include "control/plane_impl.h"

#include "base/clock.h"
#include "config/json/json.h"
#include "control/args.h"
#include "control/plane_count.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct control_requester control_peer(int fd)
{
	struct control_requester from = {.transport = "unix", .uid = (uid_t)-1};
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && len == sizeof(cred)) {
		from.uid = cred.uid;
		from.pid = cred.pid;
	}
	return from;
}

/* Returns the first member that no request has; NULL: none. The last ones are for Kea's other
 * daemons. */
static const char *find_unknown_member(const struct json *request)
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

/* Returns the refusal of a request that names another service than this one, or NULL. Tools for
 * Kea's control agent name the service always; the empty name is the receiver itself. */
static struct json *refuse_service(const struct control_plane *p, const struct json *request,
				   struct arena *a)
{
	const struct json *list = json_get(request, "service");

	if (!list || !p->o.service)
		return NULL;
	if (list->type != JSON_LIST)
		return control_answer(a, CONTROL_ERROR, "'service' must be a list, this is %s",
				      json_type_name(list->type));
	for (const struct json *s = list->first; s; s = s->next) {
		if (s->type != JSON_STRING)
			return control_answer(a, CONTROL_ERROR, "'service' must hold strings");
		if (s->n && strcmp(s->s, p->o.service) != 0)
			return control_answer(a, CONTROL_ERROR,
					      "'service' names '%s': this server is '%s'", s->s,
					      p->o.service);
	}
	return NULL;
}

const char *control_requester_text(const struct control_requester *from,
				   char text[CONTROL_REQUESTER_LEN])
{
	size_t n = CONTROL_REQUESTER_LEN;

	if (from->address)
		(void)snprintf(text, n, "%s%s%s", from->user ? from->user : "",
			       from->user ? " from " : "", from->address);
	else if (from->uid == (uid_t)-1)
		(void)snprintf(text, n, "an unknown user");
	else
		(void)snprintf(text, n, "uid %u, pid %d", from->uid, (int)from->pid);
	return text;
}

/* Logs a command that changes state, with its author and its result. */
static void log_audit(const struct control_plane *p, const struct control_call *c, int64_t result)
{
	char author[CONTROL_REQUESTER_LEN], text[320];

	(void)snprintf(text, sizeof(text), "command '%.64s' of %s over %s: result %lld", c->name,
		       control_requester_text(c->from, author), c->from->transport,
		       (long long)result);
	if (p->o.write_line)
		p->o.write_line(p->o.program, CONTROL_LINE_AUDIT, text);
}

static void log_received(const struct control_plane *p, const struct control_call *c)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "received command '%s'", c->name);
	if (p->o.write_line)
		p->o.write_line(p->o.program, CONTROL_LINE_RECEIVED, text);
}

/* Returns the refusal of a known command, or NULL. */
static struct json *refuse_call(const struct control_plane *p, const struct control_command *row,
				const struct control_call *c)
{
	const char *reason;
	char text[512];

	if (row->access == CONTROL_WRITE && c->from->read_only)
		return control_answer(c->arena, CONTROL_ERROR,
				      "'%s' changes state, and the requester has read access only",
				      row->name);
	reason = p->o.refuse ? p->o.refuse(p->o.program, row->needs) : NULL;
	if (reason)
		return control_answer(c->arena, CONTROL_ERROR, "%s", reason);
	if (control_args_check(row->args, c->args, text, sizeof(text)) < 0)
		return control_answer(c->arena, CONTROL_ERROR, "%s", text);
	return NULL;
}

static const char invalid[] = "Error during command processing: invalid command: ";

/* Returns the name of a value's type, without an article. */
static const char *name_type(const struct json *v)
{
	static const char *const names[] =
		{[JSON_NULL] = "null", [JSON_BOOL] = "boolean",	 [JSON_INT] = "integer",
		 [JSON_REAL] = "real", [JSON_STRING] = "string", [JSON_LIST] = "list",
		 [JSON_MAP] = "map"};

	return names[v->type];
}

/* Returns the refusal of a request whose members are not those of a command, or NULL. */
static struct json *refuse_members(const struct json *request, const struct control_call *c)
{
	const char *unknown;

	if (!json_get(request, "command"))
		return control_answer(c->arena, CONTROL_ERROR,
				      "%sdoes not contain mandatory 'command'", invalid);
	if (!c->name || strlen(c->name) != json_get(request, "command")->n)
		return control_answer(c->arena, CONTROL_ERROR,
				      "%sexpected 'command' to be a string, got %s instead",
				      invalid, name_type(json_get(request, "command")));
	unknown = find_unknown_member(request);
	if (unknown)
		return control_answer(c->arena, CONTROL_ERROR, "%sunsupported parameter '%s'",
				      invalid, unknown);
	return NULL;
}

struct control_call control_call_begin(const struct control_plane *p, const struct json *request,
				       const struct control_requester *from, struct arena *arena)
{
	return (struct control_call){.program = p->o.program,
				     .name = json_get_str(request, "command"),
				     .args = json_get(request, "arguments"),
				     .arena = arena,
				     .from = from,
				     .start_ns = clock_mono_ns(&clock_system)};
}

/* Counts an answer. Names that are no command are counted as one, "": strangers choose them. */
static void count_call(const struct control_plane *p, const char *command,
		       const struct control_call *c, const struct json *answer)
{
	int64_t result = CONTROL_OK;

	(void)json_get_int(answer, "result", &result);
	control_count(p->counts, command, c->from->transport, result,
		      clock_mono_ns(&clock_system) - c->start_ns);
}

/* Logs the arrival of a call, and returns its row; or NULL with the refusal in *ret_refusal. */
static const struct control_command *find_called(const struct control_plane *p,
						 const struct json *request, struct control_call *c,
						 struct json **ret_refusal)
{
	const struct control_command *row;

	*ret_refusal = refuse_members(request, c);
	if (*ret_refusal)
		return NULL;
	log_received(p, c);
	row = control_row_find(p, c->name);
	if (c->args && c->args->type != JSON_MAP && row && row->args[0] == '*')
		*ret_refusal = control_answer(c->arena, CONTROL_ERROR, "arguments must be a map");
	else if (c->args && c->args->type != JSON_MAP && !(row && row->any_args))
		*ret_refusal = control_answer(c->arena, CONTROL_ERROR,
					      "invalid command '%s': expected 'arguments' to be "
					      "a map, got %s instead",
					      c->name, name_type(c->args));
	else
		*ret_refusal = refuse_service(p, request, c->arena);
	if (*ret_refusal)
		return NULL;
	if (!row)
		*ret_refusal = control_answer(c->arena, CONTROL_UNSUPPORTED,
					      "'%s' command not supported.", c->name);
	return row;
}

struct json *control_call_check(const struct control_plane *p, const struct json *request,
				struct control_call *c, const struct control_command **ret_row)
{
	struct json *refusal;
	const struct control_command *row = find_called(p, request, c, &refusal);

	if (!row) {
		count_call(p, "", c, refusal);
		return refusal;
	}
	c->ctx = row->ctx;
	refusal = refuse_call(p, row, c);
	if (refusal)
		return control_call_end(p, row, c, refusal);
	*ret_row = row;
	return NULL;
}

struct json *control_call_end(const struct control_plane *p, const struct control_command *row,
			      struct control_call *c, struct json *answer)
{
	int64_t result = CONTROL_OK;

	if (!answer)
		answer = row->fn(c);
	if (p->o.processed && !c->stream.next)
		answer = p->o.processed(c, answer);
	if (row->access == CONTROL_WRITE) {
		(void)json_get_int(answer, "result", &result);
		log_audit(p, c, result);
	}
	count_call(p, row->name, c, answer);
	return answer;
}

struct json *control_plane_answer_now(struct control_plane *p, const struct json *request,
				      const struct control_requester *from, struct arena *arena,
				      struct control_stream *ret_stream)
{
	struct control_call c = control_call_begin(p, request, from, arena);
	const struct control_command *row = NULL;
	struct json *answer = control_call_check(p, request, &c, &row);

	if (!answer) {
		if (row->work)
			row->work(&c);
		answer = control_call_end(p, row, &c, NULL);
	}
	if (c.free_result)
		c.free_result(c.result);
	if (p->o.flush_lines)
		p->o.flush_lines(p->o.program);
	*ret_stream = c.stream;
	return answer;
}
