/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Outgoing HTTP(S) requests of a thread with an event loop, over libcurl. Nothing blocks: each
 * request has a deadline, and its end is reported by a callback. A destination that does not accept
 * connections is left alone for a time that doubles, with jitter; its requests wait meanwhile. All
 * functions belong to the loop's thread. Callbacks may add and cancel requests and free other
 * destinations than their own, but add none to their own when they are called with -ECANCELED.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdint.h>

struct loop;
struct outgoing;
struct outgoing_dest;
struct outgoing_request;

struct outgoing_opts {
	struct loop *loop;
	unsigned max_running; /* requests on their way; 0: 16 */
	unsigned max_waiting; /* requests that wait; 0: 1,024 */
	size_t max_answer;    /* octets of an answer; 0: 16 MiB */
};

/* A destination; the texts are copied. */
struct outgoing_dest_opts {
	const char *url;		  /* http:// or https:// */
	const char *user, *password;	  /* of basic authentication; NULL: none */
	const char *ca_file;		  /* NULL: the system's */
	const char *cert_file, *key_file; /* of the client; NULL: none */
	int64_t first_pause_ns;		  /* after the first failure; 0: 500 ms */
	int64_t longest_pause_ns;	  /* 0: 60 s */
	const void *owner;		  /* for outgoing_cancel_owner() */
};

struct outgoing_result {
	int error; /* 0: there is an answer; -ETIMEDOUT: none within the deadline; -EMSGSIZE: it is
		      too long; -ECANCELED; -EPROTO: another failure, such as a certificate that
		      is not trusted */
	const char *text; /* of the error, for people; "" */
	int status;	  /* HTTP status of the answer */
	struct span body; /* of the answer; valid until the callback returns */
};

typedef void (*outgoing_done)(void *ctx, const struct outgoing_result *r);

/* Returns 0, -ENOMEM or -errno. */
int outgoing_new(const struct outgoing_opts *o, struct outgoing **ret) must_check;
/* Cancels all requests, and frees all destinations. Accepts NULL. */
void outgoing_free(struct outgoing *o);
/* Adds a destination. Returns 0, -ENOMEM, or -EINVAL: the URL is neither http nor https. */
int outgoing_dest_new(struct outgoing *o, const struct outgoing_dest_opts *opts,
		      struct outgoing_dest **ret) must_check;
/* Cancels the requests of a destination, and frees it. Accepts NULL. */
void outgoing_dest_free(struct outgoing_dest *d);
/* Cancels all requests to the destinations of an owner, as a reload does. */
void outgoing_cancel_owner(struct outgoing *o, const void *owner);
/*
 * Sends a body of JSON by POST. done is called once, in a later round of the loop, or by a function
 * that cancels. A request that was not sent is tried again until the deadline; one that may have
 * been received is not. Returns 0; -ENOSPC: too many requests wait; -ENOMEM. ret may be NULL.
 */
int outgoing_post(struct outgoing_dest *d, struct span body, int64_t deadline_ns,
		  outgoing_done done, void *ctx, struct outgoing_request **ret) must_check;
/* Cancels a request whose callback has not been called: it is called with -ECANCELED. */
void outgoing_cancel(struct outgoing_request *r);
