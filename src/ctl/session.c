/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Errors are texts, because each transport knows more than a number can say.
 */
#include "ctl/session.h"

#include "base/error.h"
#include "config/json/json.h"
#include "ctl/args.h"
#include "ctl/lease_rows.h"
#include "ctl/password.h"
#include "ctl/session_impl.h"
#include "ctl/sink.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of a parsed answer: a configuration, a page of leases. */
#define ANSWER_BYTES ((size_t)1 << 30)

int ctl_session_fail(struct ctl_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(s->error, sizeof(s->error), fmt, ap);
	va_end(ap);
	return -1;
}

/* Splits USER[:PASSWORD]; a password that is not there comes from the environment or a person. */
static int take_user(struct ctl_session *s, const char *text)
{
	size_t n = strcspn(text, ":");
	const char *env = getenv("USHER_PASSWORD");
	int r;

	s->user = strndup(text, n);
	if (text[n])
		s->password = strdup(text + n + 1);
	else if (env)
		s->password = strdup(env);
	else if ((r = ctl_password_ask(text, &s->password)) < 0)
		return ctl_session_fail(
			s, "--user: no password: %s; USER:PASSWORD or $USHER_PASSWORD has it",
			usher_strerror(r));
	return s->user && s->password ? 0 : ctl_session_fail(s, "out of memory");
}

int ctl_session_open(const struct ctl_args *a, struct ctl_session *s)
{
	const char *const files[] = {a->ca, a->cert, a->key};
	static const char *const options[] = {"--ca", "--cert", "--key"};

	*s = (struct ctl_session){
		.program = a->program,
		.socket = a->socket,
		.url = a->url,
		.ca = a->ca,
		.cert = a->cert,
		.key = a->key,
		.timeout_s = a->timeout_s,
		.events = -1,
	};
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (files[i] && access(files[i], R_OK) < 0)
			return ctl_session_fail(s, "%s %s: %m", options[i], files[i]);
	return a->user ? take_user(s, a->user) : 0;
}

void ctl_session_close(struct ctl_session *s)
{
	ctl_http_close(s->http);
	s->http = NULL;
	if (s->events >= 0)
		(void)close(s->events);
	s->events = -1;
	free(s->user);
	if (s->password)
		explicit_bzero(s->password, strlen(s->password));
	free(s->password);
	s->user = s->password = NULL;
}

void ctl_session_request(const struct ctl_session *s, const char *command, const struct json *args,
			 struct buf *out)
{
	struct json name = {.type = JSON_STRING};

	name.s = command;
	name.n = strlen(command);
	buf_str(out, "{\"command\": ");
	json_write(&name, false, out);
	/* Kea's control agent forwards to a server that is named */
	if (s->url && s->program == CTL_SERVER)
		buf_str(out, ", \"service\": [\"dhcp4\"]");
	if (args) {
		buf_str(out, ", \"arguments\": ");
		json_write(args, false, out);
	}
	buf_char(out, '}');
}

int ctl_transfer_take(struct ctl_transfer *t, const char *p, size_t n)
{
	ctl_progress_add(&t->progress, n);
	t->result = t->sink->take(t->sink, p, n);
	return t->result;
}

int ctl_session_send(struct ctl_session *s, const struct buf *request, struct ctl_sink *to)
{
	struct ctl_transfer t = {.session = s, .request = request, .sink = to};
	int r;

	s->error[0] = '\0';
	if (request->failed)
		return ctl_session_fail(s, "out of memory");
	ctl_progress_begin(&t.progress, s->quiet);
	r = s->url ? ctl_http_send(&t) : ctl_unix_send(&t);
	ctl_progress_end(&t.progress);
	if (t.result == -USHER_E_SYNTAX)
		return ctl_session_fail(s, "%s: the answer is not that of a command",
					s->url ? s->url : s->socket);
	if (t.result < 0)
		return ctl_session_fail(s, "%s: %s", s->url ? s->url : s->socket,
					usher_strerror(t.result));
	return r;
}

/* Takes the map out of a list of one, the envelope over HTTP. NULL: it is no answer. */
static struct json *open_envelope(struct json *answer)
{
	if (answer->type == JSON_LIST)
		answer = answer->count == 1 ? answer->first : NULL;
	return answer && answer->type == JSON_MAP ? answer : NULL;
}

int ctl_session_ask(struct ctl_session *s, const struct buf *request, struct ctl_lease_rows *rows,
		    struct arena *arena, struct json **ret)
{
	struct json_opts o = {.file = "answer", .max_depth = 128};
	struct config_error err = {0};
	struct ctl_collector c;
	struct json *answer = NULL;
	int r;

	ctl_collector_init(&c, ANSWER_BYTES);
	if (rows)
		rows->next = &c.sink;
	r = ctl_session_send(s, request, rows ? &rows->sink : &c.sink);
	if (r == 0 && json_parse(span_of(c.text.p, c.text.len), &o, arena, &answer, &err) < 0)
		r = ctl_session_fail(s, "the answer is not JSON: %s", err.text);
	ctl_collector_fini(&c);
	if (r < 0)
		return r;
	*ret = open_envelope(answer);
	return *ret ? 0 : ctl_session_fail(s, "the answer is not that of a command");
}
