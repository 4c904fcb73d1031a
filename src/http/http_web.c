/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The page's files and headers. Its policy allows scripts, styles and requests of its own origin
 * only.
 */
#include "base/attr.h"
#include "base/buf.h"
#include "config/json/json.h"
#include "http/http.h"
#include "http/request.h"
#include "http/web.h"

#include <microhttpd.h>

#include <string.h>

static const char policy
	[] = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
	     "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

static const struct http_web_file *find_file(const char *path)
{
	for (const struct http_web_file *f = http_web_files; f->path; f++)
		if (strcmp(f->path, path) == 0)
			return f;
	return NULL;
}

void http_answer_web(void *ctx, struct http_request *r)
{
	const struct http_web_file *f = find_file(http_path(r));
	const char *have = http_header(r, "If-None-Match"),
		   *accept = http_header(r, "Accept-Encoding");
	bool packed = accept && strstr(accept, "gzip");
	struct http_header headers[] = {
		{"ETag", f ? f->etag : ""},
		{"Cache-Control", "no-cache"},
		{"Vary", "Accept-Encoding"},
		{"Content-Security-Policy", policy},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
		{"X-Frame-Options", "DENY"},
		{"Content-Encoding", "gzip"},
	};
	struct http_answer a = {.status = MHD_HTTP_OK, .fixed = true, .headers = headers};

	(void)ctx;
	if (!f) {
		http_refuse(r, MHD_HTTP_NOT_FOUND, "Not Found");
		return;
	}
	a.type = f->type;
	a.n_headers = ARRAY_LEN(headers) - !packed;
	a.body = packed ? f->packed : f->plain;
	if (have && strstr(have, f->etag)) {
		a.status = MHD_HTTP_NOT_MODIFIED;
		a.n_headers = ARRAY_LEN(headers) - 1;
		a.body = SPAN_NULL;
	}
	http_answer(r, &a);
}

void http_answer_json(struct http_request *r, const struct json *v)
{
	struct http_answer a = {.status = MHD_HTTP_OK, .type = "application/json"};
	struct buf out;

	buf_init(&out);
	json_write(v, false, &out);
	a.body = span_of(out.p, out.len);
	if (out.failed)
		http_refuse(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
	else
		http_answer(r, &a);
	buf_fini(&out);
}
