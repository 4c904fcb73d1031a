/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A request from inside (http_request.c), and the calls of libmicrohttpd that lead to it.
 */
#pragma once

#include "base/buf.h"
#include "http/http_impl.h"
#include "http/request.h"

struct http_request {
	struct http_conn *conn;
	const char *method, *path;
	const struct http_route *route; /* NULL: none */
	void *route_ctx;
	struct http_config *config; /* of its head; counted */
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

/* Called by libmicrohttpd for the head of a request, for pieces of its body, at its end, and when
 * it is resumed. */
enum MHD_Result http_on_request(void *listener, struct MHD_Connection *mhd, const char *path,
				const char *method, const char *version, const char *data,
				size_t *n, void **request);
/* Called by libmicrohttpd when a request is over. */
void http_on_completed(void *listener, struct MHD_Connection *mhd, void **request,
		       enum MHD_RequestTerminationCode code);

/* Sets the names of the client's certificate in from. They are read once a connection. */
void http_peer_names(struct http_request *r);
/* Returns 0, or the status that refuses a command; NULL: the path. */
unsigned http_authorize(const struct http_request *r, const char *command);
/* Gives the request the response that it waits for. NULL: memory is out, and the connection ends.
 */
void http_respond(struct http_request *r, struct MHD_Response *response, unsigned status);
