/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP and HTTPS for the management thread, over libmicrohttpd and GnuTLS: listeners in the event
 * loop, basic authentication, bounds of connections, sizes and times, answers at once, later or as
 * an endless stream of events. Routes say which function answers a request. One thread: that of the
 * event loop. Requests and their answers: request.h.
 *
 * A connection that has not sent a whole request within 10 s, was idle for 30 s between requests,
 * or takes nothing of its answer for 10 s is closed. When all places are taken, a new connection
 * takes the place of the oldest one without a request.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct control_requester;
struct http_listener;
struct http_request;
struct log;
struct loop;

enum { HTTP_TEXT_MAX = 512 };

struct http_user {
	const char *name, *password;
	bool read_only; /* commands that change state are refused */
};

struct http_header {
	const char *name, *value;
};

/* fn answers with one of the functions of request.h, at once or later. */
struct http_route {
	const char *method; /* "GET" (and HEAD), "POST" */
	const char *path;   /* "/metrics"; "*" at the end: all that begin so */
	bool open;	    /* answered without authentication */
	bool page;	    /* for browsers: without authentication the Host must be an address or
			       "localhost" */
	void (*fn)(void *ctx, struct http_request *r);
};

/* A table of routes with the context of their functions. */
struct http_routes {
	const struct http_route *rows;
	size_t n;
	void *ctx;
};

/* Texts are copied, tables are borrowed. */
struct http_opts {
	const char *address; /* a literal IPv4 or IPv6 address */
	uint16_t port;
	const char *realm;
	const struct http_user *users; /* none: everybody may */
	size_t n_users;
	const struct http_header *headers; /* of every answer */
	size_t n_headers;
	const char *cert, *key; /* PEM texts; NULL: no TLS */
	const char *trust; /* PEM text: a client needs a certificate that one of these signed; NULL:
			      none */
	struct http_routes routes; /* of the program; looked up first */
	struct http_routes page;   /* http_page_routes() */
	/* Returns 0, or the status that refuses a request: 401 or 403. command: its name; NULL: the
	 * request is for the path. Not called for open routes. ctx: of routes. NULL: none is
	 * refused. */
	unsigned (*authorize)(void *ctx, const struct control_requester *from, const char *command,
			      const char *path);
	struct log *log;
	bool agent;		  /* for http_plays_agent() */
	unsigned max_connections; /* 0: 64 */
	unsigned max_per_address; /* 0: 16 */
	size_t max_request;	  /* octets of a body; 0: 32 MiB */
	size_t max_held;	  /* octets of all bodies; 0: 96 MiB */
};

/* Reads a regular file of at most 1 MiB into the arena. NULL: it cannot be read, for the reason in
 * *ret_error (-errno). */
char *http_read_text(struct arena *a, const char *path, int *ret_error);
/* Reads a file of certificates, or all those of a directory. */
const char *http_read_trust(struct arena *a, const char *path, int *ret_error);
/* Checks TLS texts and whether they belong together. Returns 0, or -USHER_E_CONFIG and the reason
 * in text. ret_expires: seconds since 1970. */
int http_tls_check(const struct http_opts *o, int64_t *ret_expires, char text[HTTP_TEXT_MAX])
	must_check;
bool http_is_address(const char *address); /* a literal IPv4 or IPv6 address */
/* Returns 0 if the address and port could be bound now, or -errno. Changes nothing. */
int http_check(const char *address, uint16_t port) must_check;
int http_open(struct loop *loop, const struct http_opts *o, struct http_listener **ret) must_check;
/* Replaces users, headers, realm and TLS texts. Connections stay; those that are open keep their
 * certificate. Returns 0 or a negative error, after which the old ones stay. */
int http_update(struct http_listener *l, const struct http_opts *o) must_check;
bool http_is(const struct http_listener *l, const char *address, uint16_t port);
/* Returns the address and port of the options. */
const char *http_address(const struct http_listener *l);
uint16_t http_port(const struct http_listener *l);
/* Returns the port that is open; another one than that of the options only if that is 0. */
uint16_t http_open_port(const struct http_listener *l);
bool http_has_tls(const struct http_listener *l);
/* Stops listening. Idle connections end now, requests in progress are answered, and then the
 * listener is freed, in the loop. */
void http_close(struct http_listener *l);
/* Closes all connections and frees the listener. Not from a route. Accepts NULL. */
void http_free(struct http_listener *l);
