/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows are pointers in the order of their names, so that list-commands and the look-up need no
 * second form. Requests are few and short: the look-up compares strings.
 */
#include "control/plane.h"

#include "base/error.h"
#include "config/json/json.h"
#include "control/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct control_plane {
	struct control_plane_opts o;
	const struct control_command **rows; /* [n_rows], by name */
	size_t n_rows;
};

struct json *control_answer(struct arena *a, int result, const char *fmt, ...)
{
	struct json *m = json_map(a);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_add(a, m, "result", json_int(a, result));
	(void)json_add(a, m, "text", json_str(a, text));
	return m;
}

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

int control_plane_new(const struct control_plane_opts *o, struct control_plane **ret)
{
	struct control_plane *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->o = *o;
	*ret = p;
	return 0;
}

void control_plane_free(struct control_plane *p)
{
	if (!p)
		return;
	free(p->rows);
	free(p);
}

/* --- Rows ------------------------------------------------------------------------------------- */

/* Returns the first row whose name is not before the given one. */
static size_t find_place(const struct control_plane *p, const char *name)
{
	size_t low = 0, high = p->n_rows;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(p->rows[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct control_command *find_row(const struct control_plane *p, const char *name)
{
	size_t i = find_place(p, name);

	return i < p->n_rows && strcmp(p->rows[i]->name, name) == 0 ? p->rows[i] : NULL;
}

/* Checks the syntax of a description of arguments. Returns 0 or -USHER_E_SYNTAX. */
static int check_description(const char *description)
{
	struct control_arg arg;
	unsigned alternative = 0;
	size_t at = 0;
	int r;

	do
		r = control_args_next(description, &at, &alternative, &arg);
	while (r == 1);
	return r;
}

/* Returns 0 if all n rows can be added. */
static int check_rows(const struct control_plane *p, const struct control_command *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = check_description(rows[i].args);

		if (r < 0)
			return r;
		if (find_row(p, rows[i].name))
			return -USHER_E_EXISTS;
		for (size_t k = 0; k < i; k++)
			if (strcmp(rows[k].name, rows[i].name) == 0)
				return -USHER_E_EXISTS;
	}
	return 0;
}

int control_plane_add(struct control_plane *p, const struct control_command *rows, size_t n)
{
	const struct control_command **grown;
	int r = check_rows(p, rows, n);

	if (r < 0 || n == 0)
		return r;
	grown = reallocarray(p->rows, p->n_rows + n, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->rows = grown;
	for (size_t i = 0; i < n; i++) {
		size_t at = find_place(p, rows[i].name);

		memmove(&p->rows[at + 1], &p->rows[at], (p->n_rows - at) * sizeof(*p->rows));
		p->rows[at] = &rows[i];
		p->n_rows++;
	}
	return 0;
}

void control_plane_remove(struct control_plane *p, const void *ctx)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_rows; i++)
		if (p->rows[i]->ctx != ctx)
			p->rows[kept++] = p->rows[i];
	p->n_rows = kept;
}

void control_plane_each(const struct control_plane *p,
			void (*fn)(void *ctx, const struct control_command *row), void *ctx)
{
	for (size_t i = 0; i < p->n_rows; i++)
		fn(ctx, p->rows[i]);
}

/* --- Requests --------------------------------------------------------------------------------- */

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

/* Writes the author of a request: "uid 0, pid 12", "admin from 192.0.2.1". */
static void format_requester(const struct control_requester *from, char *text, size_t n)
{
	if (from->address)
		(void)snprintf(text, n, "%s%s%s", from->user ? from->user : "",
			       from->user ? " from " : "", from->address);
	else if (from->uid == (uid_t)-1)
		(void)snprintf(text, n, "an unknown user");
	else
		(void)snprintf(text, n, "uid %u, pid %d", from->uid, (int)from->pid);
}

/* Logs a command that changes state, with its author and its result. */
static void log_audit(const struct control_plane *p, const struct control_call *c, int64_t result)
{
	char author[160], text[320];

	format_requester(c->from, author, sizeof(author));
	(void)snprintf(text, sizeof(text), "command '%.64s' of %s over %s: result %lld", c->name,
		       author, c->from->transport, (long long)result);
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

static struct json *run_row(struct control_plane *p, const struct control_command *row,
			    struct control_call *c)
{
	struct json *answer = refuse_call(p, row, c);
	int64_t result = CONTROL_OK;

	c->ctx = row->ctx;
	if (!answer)
		answer = row->fn(c);
	if (p->o.processed && !c->stream.next)
		answer = p->o.processed(c, answer);
	if (row->access == CONTROL_WRITE) {
		(void)json_get_int(answer, "result", &result);
		log_audit(p, c, result);
	}
	return answer;
}

/* Answers a request whose command is *c. */
static struct json *answer_call(struct control_plane *p, const struct json *request,
				struct control_call *c)
{
	const struct control_command *row;
	const char *unknown;
	struct json *answer;

	if (!c->name || strlen(c->name) != json_get(request, "command")->n)
		return control_answer(c->arena, CONTROL_ERROR,
				      "a command is {\"command\": \"name\", \"arguments\": {…}}: "
				      "there is no string 'command'");
	unknown = find_unknown_member(request);
	if (unknown)
		return control_answer(c->arena, CONTROL_ERROR,
				      "received command contains unsupported parameter '%s'",
				      unknown);
	log_received(p, c);
	if (c->args && c->args->type != JSON_MAP)
		return control_answer(c->arena, CONTROL_ERROR,
				      "'arguments' must be a map, this is %s",
				      json_type_name(c->args->type));
	answer = refuse_service(p, request, c->arena);
	if (answer)
		return answer;
	row = find_row(p, c->name);
	if (!row)
		return control_answer(c->arena, CONTROL_UNSUPPORTED, "'%s' command not supported",
				      c->name);
	return run_row(p, row, c);
}

static struct control_call begin_call(const struct control_plane *p, const struct json *request,
				      const struct control_requester *from, struct arena *arena)
{
	return (struct control_call){.program = p->o.program,
				     .name = json_get_str(request, "command"),
				     .args = json_get(request, "arguments"),
				     .arena = arena,
				     .from = from};
}

struct json *control_plane_answer(struct control_plane *p, const struct json *request,
				  const struct control_requester *from, struct arena *arena,
				  struct control_stream *ret_stream)
{
	struct control_call c = begin_call(p, request, from, arena);
	struct json *answer = answer_call(p, request, &c);

	if (p->o.flush_lines)
		p->o.flush_lines(p->o.program);
	*ret_stream = c.stream;
	return answer;
}

struct json *control_plane_invalid(struct control_plane *p, const struct json *request,
				   const struct config_problems *problems,
				   const struct control_requester *from, struct arena *arena)
{
	struct control_call c = begin_call(p, request, from, arena);

	return p->o.invalid ? p->o.invalid(&c, problems) : NULL;
}
