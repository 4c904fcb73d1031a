/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Answers: their headers, a body in memory or a stream of pieces. A suspended request is resumed
 * when it has its answer.
 */
#include "http/request_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 32768 };

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
	(void)MHD_add_response_header(response, name, value);
}

/* Adds the headers of every answer, unless the answer or the configuration has its own. */
static void add_headers(const struct http_request *r, struct MHD_Response *response)
{
	static const struct http_header usual[] = {
		{"Cache-Control", "no-store"},
		{"X-Content-Type-Options", "nosniff"},
	};
	char text[256];

	for (size_t i = 0; i < r->config->n_headers; i++)
		add_header(response, r->config->headers[i].name, r->config->headers[i].value);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (!MHD_get_response_header(response, usual[i].name))
			add_header(response, usual[i].name, usual[i].value);
	if (r->status == MHD_HTTP_UNAUTHORIZED) {
		(void)snprintf(text, sizeof(text), "Basic realm=\"%s\"", r->config->realm);
		add_header(response, "WWW-Authenticate", text);
	}
	if (r->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		add_header(response, "Allow", "GET, HEAD");
	if (r->conn->l->closing)
		add_header(response, "Connection", "close");
}

void http_respond(struct http_request *r, struct MHD_Response *response, unsigned status)
{
	r->answered = true;
	r->response = response;
	r->status = status;
	r->failed = !response;
	if (response) {
		add_headers(r, response);
		r->conn->l->counts.requests[status / 100 % HTTP_CLASSES]++;
	} else {
		http_drop(r->conn->l, HTTP_DROP_MEMORY, r->conn->address);
	}
	if (!r->suspended)
		return;
	r->suspended = false;
	MHD_resume_connection(r->conn->mhd);
}

/* A streamed answer: pieces that wait to be sent. */
struct pieces {
	struct control_stream stream;
	struct buf out;
	size_t sent;
};

static ssize_t read_piece(void *pieces, uint64_t pos, char *to, size_t max)
{
	struct pieces *s = pieces;
	size_t n;

	(void)pos;
	while (s->sent == s->out.len) {
		buf_reset(&s->out);
		s->sent = 0;
		if (s->out.failed)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (!s->stream.next)
			return MHD_CONTENT_READER_END_OF_STREAM;
		if (!s->stream.next(s->stream.ctx, &s->out)) {
			s->stream.fini(s->stream.ctx);
			s->stream.next = NULL;
		}
	}
	n = s->out.len - s->sent < max ? s->out.len - s->sent : max;
	memcpy(to, s->out.p + s->sent, n);
	s->sent += n;
	return (ssize_t)n;
}

static void free_pieces(void *pieces)
{
	struct pieces *s = pieces;

	if (s->stream.next)
		s->stream.fini(s->stream.ctx);
	buf_fini(&s->out);
	free(s);
}

static struct MHD_Response *stream_response(const struct control_stream *stream)
{
	struct pieces *s = calloc(1, sizeof(*s));
	struct MHD_Response *response = NULL;

	if (s) {
		s->stream = *stream;
		buf_init(&s->out);
		response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_piece, s,
							     free_pieces);
	}
	if (response)
		return response;
	stream->fini(stream->ctx);
	free(s);
	return NULL;
}

void http_answer(struct http_request *r, const struct http_answer *a)
{
	struct MHD_Response *response;
	bool head = strcasecmp(r->method, "HEAD") == 0;

	/* libmicrohttpd would send the end of a stream behind a head that has no body */
	if (a->stream.next && head)
		a->stream.fini(a->stream.ctx);
	if (a->stream.next && !head)
		response = stream_response(&a->stream);
	else
		response = MHD_create_response_from_buffer(a->body.n, (void *)(uintptr_t)a->body.p,
							   a->fixed ? MHD_RESPMEM_PERSISTENT
								    : MHD_RESPMEM_MUST_COPY);
	if (response)
		add_header(response, "Content-Type", a->type);
	for (size_t i = 0; response && i < a->n_headers; i++)
		add_header(response, a->headers[i].name, a->headers[i].value);
	http_respond(r, response, a->status);
}

void http_refuse(struct http_request *r, unsigned status, const char *text)
{
	char body[HTTP_TEXT_MAX + 64];
	int n = snprintf(body, sizeof(body), "{ \"result\": %u, \"text\": \"%.*s\" }", status,
			 HTTP_TEXT_MAX, text);
	struct http_answer a = {.status = status,
				.type = "application/json",
				.body = span_of(body, (size_t)n)};

	http_answer(r, &a);
}
