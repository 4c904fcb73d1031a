/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The files of the page for browsers (web/), compiled in. A browser keeps them and asks whether
 * they have changed.
 */
#pragma once

#include "base/span.h"

struct http_request;
struct json;

struct http_web_file {
	const char *path, *type, *etag; /* path NULL: the end of the table */
	struct span plain, packed;	/* packed: by gzip */
};

extern const struct http_web_file http_web_files[];

/* Answers with the file of the request's path; ctx is not used. */
void http_answer_web(void *ctx, struct http_request *r);
/* Answers with a JSON text, for the page's scripts. */
void http_answer_json(struct http_request *r, const struct json *v);
