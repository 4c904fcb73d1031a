/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP from inside. A listener (http_listen.c) accepts connections itself, so that it can choose
 * which of them end, and hands them to a server of libmicrohttpd. When the TLS texts change, a new
 * server takes the new connections; the old one lives until its last connection ends.
 */
#pragma once

#include "base/buf.h"
#include "http/http.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct arena;
struct http_auth;
struct http_config;

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
	int64_t since_ns; /* of the phase */
	bool served;	  /* it has had an answer */
	bool ended;	  /* shut down: libmicrohttpd closes it */
};

struct http_request {
	struct http_conn *conn;
	const char *method, *path;
	const struct http_route *route; /* NULL: none */
	struct http_config *config;	/* of its head; counted */
	struct buf in;
	size_t held;	  /* octets counted in the listener's sum */
	unsigned refused; /* a status that is the answer once the body has been read; 0: none */
	bool dispatched, suspended, answered;
	bool failed; /* memory is out: the connection ends */
	struct MHD_Response *response;
	unsigned status;
	struct control_requester from;
	char user[128];
	struct loop_timer *delay; /* of a late refusal; NULL: none */
	void (*cancelled)(void *ctx);
	void *ctx;
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
	bool closing;
};

/* The parts of the options that a reload replaces; counted, because requests in progress use them.
 */
struct http_config {
	unsigned uses;
	bool agent;
	struct arena *arena;
	const char *realm, *cert, *key, *trust;
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
/* Ends a connection: libmicrohttpd sees the end and closes it. */
void http_conn_end(struct http_conn *c);

/* Called by libmicrohttpd for the head of a request, for pieces of its body, at its end, and when
 * it is resumed. */
enum MHD_Result http_on_request(void *listener, struct MHD_Connection *mhd, const char *path,
				const char *method, const char *version, const char *data,
				size_t *n, void **request);
/* Called by libmicrohttpd when a request is over. */
void http_on_completed(void *listener, struct MHD_Connection *mhd, void **request,
		       enum MHD_RequestTerminationCode code);

/* Gives the request the response that it waits for. NULL: memory is out, and the connection ends.
 */
void http_respond(struct http_request *r, struct MHD_Response *response, unsigned status);

int http_auth_new(struct http_auth **ret) must_check;
void http_auth_free(struct http_auth *a);
/* Returns the user of an Authorization header (NULL: none was sent), or NULL. *ret_delay: the
 * refusal is to be late, because several came from this address. */
const struct http_user *http_auth_find(struct http_auth *a, const struct http_config *c,
				       const char *header, const char *address, bool *ret_delay);
