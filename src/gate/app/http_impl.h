/* SPDX-License-Identifier: MPL-2.0 */
/*
 * http from inside: the dissector, and changes of its heads by listeners.
 */
#pragma once

#include "gate/app/dissect_http.h"
#include "gate/engine/slots.h"

enum {
	HTTP_MAX_ASKED = 64,
	HTTP_KEPT_LEN = 2048,  /* of a head, as long as its message or the answer is on its way */
	HTTP_MAX_KEPT = 16384, /* of those, in all */
	HTTP_MAX_PIPED = 4,    /* of requests of one connection */
	HTTP_GATE_FLAGS = HTTP_ALLOW_LF | HTTP_ALLOW_FOLD,
	HTTP_ASKED_OLD = 0x80,	   /* with the method: by HTTP/1.0, ... */
	HTTP_ASKED_CLOSE = 0x40,   /* ... and the connection closes behind the answer */
	HTTP_ASKED_UPGRADE = 0x20, /* ... or continues in another protocol (RFC 9110 7.8) */
	HTTP_ASKED_METHOD = 0x1f,
};

/* Treatment of a body whose length may change. */
enum http_body {
	HTTP_BODY_FIXED,     /* it may not */
	HTTP_BODY_FREE,	     /* it ends with the connection */
	HTTP_BODY_TO_CHUNKS, /* it had a length, and is forwarded in chunks */
	HTTP_BODY_CHUNKS,    /* in chunks, which are cut anew */
};

struct http_kept {
	struct http_kept *next;
	uint16_t len;
	uint8_t slot; /* of its request in `asked` */
	uint8_t octets[HTTP_KEPT_LEN];
};

struct http_flow {
	struct http_parser parser[2];  /* by enum gate_direction */
	uint8_t asked[HTTP_MAX_ASKED]; /* enum http_method of requests without an answer, a ring */
	void *script[2];	       /* gate_http_script() */
	uint8_t first, n, n_kept;
	uint8_t body[2];	  /* enum http_body */
	struct http_kept *kept;	  /* heads of those requests, the first one first */
	struct http_kept *answer; /* head of the response whose body is on its way */
};

/* A kept head, read when somebody asks. */
struct http_old {
	const struct http_kept *kept;
	uint32_t generation;
	bool good;
	struct http_head head;
};

struct gate_http {
	struct slots flows, kept;
	struct http_head head;	/* of the current message */
	struct gate_view *view; /* where it is; NULL: no event is raised */
	uint32_t at;		/* offset in it */
	struct gate_view *body; /* the current data; NULL: no such event is raised */
	uint32_t generation;
	struct http_old old[2]; /* request, response */
};

static inline struct gate_http *gate_http_of(const struct gate *g)
{
	return g->apps[DISSECT_HTTP];
}

/* Returns the request that is answered next; NULL: its head was not kept. */
struct http_kept *http_kept_first(const struct http_flow *s);
/* Handles a step of a body whose length may change: n octets at `at`, of the data or around it.
 * *ret_n: how many they are afterwards. False: it was impossible, and the flow is over. */
bool http_body_data(struct gate_view *v, uint32_t at, uint32_t n, uint32_t *ret_n);
bool http_body_framing(struct gate_view *v, uint32_t at, uint32_t n, bool trailer, uint32_t *ret_n);
/* Shows n octets of a body to the listeners. False: they are not forwarded. */
bool http_raise_data(struct gate_view *v, uint32_t at, uint32_t n, uint32_t *ret_n);
/* Replaces Content-Length by Transfer-Encoding, or by nothing. 0, or negative as edits of streams.
 */
int http_edit_length(struct gate *g, bool chunks) must_check;
