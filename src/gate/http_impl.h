/* SPDX-License-Identifier: MPL-2.0 */
/*
 * http from inside: the dissector, and what listeners do to its heads.
 */
#pragma once

#include "gate/dissect_http.h"
#include "gate/slots.h"

enum {
	HTTP_MAX_ASKED = 64,
	HTTP_KEPT_LEN = 2048,	/* of a request's head, until it is answered */
	HTTP_MAX_KEPT = 16384,	/* of those, in all */
	HTTP_GATE_FLAGS = HTTP_ALLOW_LF | HTTP_ALLOW_FOLD,
};

struct http_flow {
	struct http_parser parser[2];	/* by enum gate_direction */
	uint8_t asked[HTTP_MAX_ASKED];	/* enum http_method of requests without an answer, a ring */
	void *script[2];		/* gate_http_script() */
	uint8_t first, n;
	uint16_t kept_len;
	uint8_t *kept;			/* head of the first of them; NULL: not kept */
};

struct gate_http {
	struct slots flows, kept;
	struct http_head head;		/* of the message at hand */
	struct gate_view *view;		/* where it is; NULL: no event is told */
	uint32_t at;			/* offset in it */
	struct gate_view *body;		/* the data at hand; NULL: no such event is told */
};

static inline struct gate_http *gate_http_of(const struct gate *g)
{
	return g->apps[DISSECT_HTTP];
}
