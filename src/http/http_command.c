/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands over HTTP, with the envelope of Kea: a list with one answer for each command that was
 * received, a map with the status for each request that was not.
 */
#include "base/arena.h"
#include "config/json/json.h"
#include "config/json/problems.h"
#include "control/transport.h"
#include "http/request_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

/* Returns whether the content type is JSON. Forms and plain text are refused: the page of another
 * site can send them without asking. */
static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t n = sizeof(json) - 1;

	return type && strncasecmp(type, json, n) == 0 && strchr("; \t", type[n]) != NULL;
}

/* A streamed answer in a list. */
struct listed {
	struct control_stream inner;
	bool begun;
};

static bool next_listed(void *listed, struct buf *out)
{
	struct listed *s = listed;

	if (!s->begun)
		buf_str(out, "[ ");
	s->begun = true;
	if (s->inner.next(s->inner.ctx, out))
		return true;
	buf_str(out, " ]");
	return false;
}

static void end_listed(void *listed)
{
	struct listed *s = listed;

	s->inner.fini(s->inner.ctx);
	free(s);
}

static void answer_stream(struct http_request *r, const struct control_stream *stream)
{
	struct http_answer a = {.status = MHD_HTTP_OK, .type = "application/json"};
	struct listed *s = calloc(1, sizeof(*s));

	if (!s) {
		stream->fini(stream->ctx);
		http_respond(r, NULL, 0);
		return;
	}
	s->inner = *stream;
	a.stream = (struct control_stream){next_listed, end_listed, s};
	http_answer(r, &a);
}

/* Answers with a map; list: it stands in a list. */
static void answer_map(struct http_request *r, unsigned status, const struct json *map, bool list)
{
	struct http_answer a = {.status = status, .type = "application/json"};
	struct buf out;

	buf_init(&out);
	buf_str(&out, list ? "[ " : "");
	json_write_spaced(map, &out);
	buf_str(&out, list ? " ]" : "");
	a.body = span_of(out.p, out.len);
	if (out.failed)
		http_respond(r, NULL, 0);
	else
		http_answer(r, &a);
	buf_fini(&out);
}

/* A command whose answer comes later. */
struct waiting {
	struct http_request *r;
	struct control_pending *pending;
};

static void on_answer(void *waiting, const struct json *answer, const struct control_stream *stream)
{
	struct waiting *w = waiting;

	if (stream->next)
		answer_stream(w->r, stream);
	else
		answer_map(w->r, MHD_HTTP_OK, answer, true);
	free(w);
}

static void on_cancelled(void *waiting)
{
	struct waiting *w = waiting;

	control_plane_cancel(w->pending);
	free(w);
}

/* Refuses a request that is no command, with the places of its problems. */
static void refuse_request(struct http_request *r, struct control_request *q)
{
	struct json *answer;

	if (q->problems.n)
		answer = control_problems_answer(&q->arena, &q->problems,
						 "Bad Request: invalid JSON at ");
	else
		answer = control_answer(&q->arena, CONTROL_ERROR,
					"Bad Request: a command must be a map");
	json_get(answer, "result")->i = MHD_HTTP_BAD_REQUEST;
	answer_map(r, MHD_HTTP_BAD_REQUEST, answer, false);
	config_problems_fini(&q->problems);
	arena_fini(&q->arena);
}

void http_answer_command(struct http_request *r, struct control_plane *p)
{
	struct control_pending *pending;
	struct control_request q;
	struct waiting *w;
	unsigned status;

	if (!is_json(http_header(r, "Content-Type"))) {
		http_refuse(r, MHD_HTTP_BAD_REQUEST,
			    "Bad Request: the content type must be application/json");
		return;
	}
	control_request_parse(&q, http_body(r), DEPTH_MAX);
	q.from = r->from;
	w = calloc(1, sizeof(*w));
	if (!w || !q.root || q.root->type != JSON_MAP ||
	    (q.problems.n && !control_takes_problems(p, &q))) {
		refuse_request(r, &q);
		free(w);
		return;
	}
	status = http_authorize(r, json_get_str(q.root, "command"));
	if (status) {
		http_refuse(r, status, status == MHD_HTTP_FORBIDDEN ? "Forbidden" : "Unauthorized");
		config_problems_fini(&q.problems);
		arena_fini(&q.arena);
		free(w);
		return;
	}
	w->r = r;
	/* NULL: the answer was given, and w is gone */
	pending = control_plane_answer(p, &q, &(struct control_reply){on_answer, w});
	if (!pending)
		return;
	w->pending = pending;
	http_later(r, on_cancelled, w);
}
