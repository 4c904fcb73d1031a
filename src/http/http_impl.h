/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP from inside. A listener (http_listen.c) accepts connections itself, so that it can choose
 * which of them end, and hands them to a server of libmicrohttpd. When the TLS texts change, a new
 * server takes the new connections; the old one lives until its last connection ends.
 */
#pragma once

#include "http/http.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct arena;
struct http_auth;
struct http_config;
struct http_request;

enum { HTTP_ADDRESS_LEN = INET6_ADDRSTRLEN };

/* A server of libmicrohttpd. */
struct http_server {
	struct http_listener *l;
	struct http_server *next;
	struct MHD_Daemon *d;
	struct loop_source *source;
	struct loop_timer *timer;
	unsigned n_conns;
	bool running, again;
};

/* HTTP_WAIT: for a request. HTTP_BODY: its head has come. HTTP_BUSY: it is being answered. */
enum http_phase { HTTP_WAIT, HTTP_BODY, HTTP_BUSY };

struct http_conn {
	struct http_listener *l;
	struct http_server *server;
	struct http_conn *next;
	struct MHD_Connection *mhd;   /* NULL: not begun */
	struct http_request *request; /* NULL: none */
	int fd;
	char address[HTTP_ADDRESS_LEN];
	enum http_phase phase;
	int64_t since_ns;		/* of the phase */
	bool served;			/* it has had an answer */
	bool ended;			/* shut down: libmicrohttpd closes it */
	bool named;			/* subject and issuer are known */
	char subject[128], issuer[128]; /* common names of its verified certificate; "": none */
};

/* Causes for which a connection ends before its client ends it. */
enum http_drop {
#define DROP(symbol, id, reason, sentence) HTTP_DROP_##symbol,
#include "http/drop.def"
#undef DROP
	HTTP_DROP_N
};

enum { HTTP_CLASSES = 6 };

/* Counters, for http_metrics(). */
struct http_counts {
	uint64_t accepted, drops[HTTP_DROP_N];
	uint64_t requests[HTTP_CLASSES]; /* answered, by the first digit of the status */
	uint64_t without_user, wrong_user;
};

struct http_listener {
	struct http_opts o; /* limits, routes, log; its texts are in config */
	struct http_config *config;
	char address[HTTP_ADDRESS_LEN];
	uint16_t port;
	struct loop *loop;
	int fd;
	struct loop_source *source;
	struct loop_timer *sweep;
	struct http_server *servers; /* the first takes new connections */
	struct http_conn *conns;
	unsigned n_conns; /* that are not ended */
	size_t held;
	struct http_auth *auth;
	struct http_counts counts;
	bool closing;
};

/* The parts of the options that a reload replaces; counted, because requests in progress use them.
 */
struct http_config {
	unsigned uses;
	bool agent;
	struct arena *arena;
	const char *realm, *cert, *key, *trust;
	int64_t expires_s; /* of the certificate, since 1970 */
	const struct http_header *headers;
	size_t n_headers;
	const struct http_user *users;
	size_t n_users;
};

int http_config_new(const struct http_opts *o, struct http_config **ret) must_check;
void http_config_drop(struct http_config *c);

/* Frees servers that are not used any more, and the listener if it is closed and nothing is left.
 * Last call of a callback of the loop. */
void http_reap(struct http_listener *l);

int http_server_new(struct http_listener *l, struct http_server **ret) must_check;
void http_server_free(struct http_server *s);
/* Lets libmicrohttpd work, and sets its timer. */
void http_server_run(struct http_server *s);
/* Counts and logs a connection that is to end. */
void http_drop(struct http_listener *l, enum http_drop d, const char *address);
const char *http_drop_reason(enum http_drop d);
/* Ends a connection: libmicrohttpd sees the end and closes it. */
void http_conn_end(struct http_conn *c);
