/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Listeners of programs without a configuration file: from the options of a command line.
 */
#pragma once

#include "http/http.h"

struct http_args {
	const char *listen; /* "127.0.0.1:8000", "[::1]:8000" */
	const char *users;  /* a file with a line "user:password" for each user, behind "read-only "
			       for read access; NULL */
	const char *cert, *key; /* PEM files; NULL: no TLS */
	const char *trust;	/* of clients' certificates; NULL: none is needed */
};

/* Opens a listener. o: routes, ctx, log and realm are set. Returns 0, or negative with the reason
 * in text. */
int http_open_args(struct loop *loop, const struct http_args *a, struct http_opts *o,
		   struct http_listener **ret, char text[HTTP_TEXT_MAX]) must_check;
