/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests and their answers, for the functions of routes. A request lives until its answer is
 * sent; texts and body are borrowed from it. One thread: that of the event loop.
 */
#pragma once

#include "base/span.h"
#include "control/plane.h"

struct http_header;
struct http_request;

struct http_answer {
	unsigned status;  /* 200 */
	const char *type; /* content type */
	struct span body;
	bool fixed; /* body lives as long as the program: it is not copied */
	const struct http_header *headers;
	size_t n_headers;
	struct control_stream stream; /* next not NULL: in place of body */
};

const char *http_path(const struct http_request *r);
/* Returns a header, an argument of the query; NULL: absent. */
const char *http_header(const struct http_request *r, const char *name);
const char *http_query(const struct http_request *r, const char *name);
/* Returns http_opts.agent of the request's socket. */
bool http_plays_agent(const struct http_request *r);
struct span http_body(const struct http_request *r);
const struct control_requester *http_requester(const struct http_request *r);

/* Answers. Call one function for each request. */
void http_answer(struct http_request *r, const struct http_answer *a);
/* Answers with Kea's map: {"result": status, "text": text}. */
void http_refuse(struct http_request *r, unsigned status, const char *text);
/* Keeps the request for a later answer. Calls cancelled when the request ends before: it must not
 * be answered then. */
void http_later(struct http_request *r, void (*cancelled)(void *ctx), void *ctx);

/* Answers a request to a control plane with Kea's envelope. */
void http_answer_command(struct http_request *r, struct control_plane *p);
