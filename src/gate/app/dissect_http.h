/* SPDX-License-Identifier: MPL-2.0 */
/*
 * http in the engine: the current message for listeners of its events, and its changes. A head
 * waits until it is complete and the listeners have seen it; bodies are forwarded as they arrive.
 * Writers change exactly the octets of their field, in the stream. They return -EROFS under
 * pass-through, -EINVAL outside of request and response or for a value that is not allowed there,
 * -USHER_E_LIMIT; values read before a write are void after it.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"
#include "wire/http.h"

/* Returns the current head, during request and response, and the octets that its offsets are in;
 * NULL outside. */
const struct http_head *gate_http_head(const struct gate *g, struct span *ret_octets);
/* Returns the octets of the current body, during request_data and response_data. They may be
 * changed; their number only after gate_http_free_length(). */
struct gate_view *gate_http_body(const struct gate *g);
/*
 * Allows the body's length to change, during request and response. The body is forwarded in chunks
 * (RFC 9112 7.1), or to a peer of HTTP/1.0 until the connection closes, and the head is changed
 * accordingly. Returns 1; 0: there is no body. -EPROTONOSUPPORT: HTTP/1.0 and the connection stays
 * open, or its request has a body. Else -EROFS, -EINVAL, -USHER_E_LIMIT.
 */
int gate_http_free_length(struct gate *g) must_check;
/*
 * Returns the request or response of a flow's current exchange, and the octets that its offsets are
 * in. During its own event it can be written (*ret_live); later it is the message as forwarded.
 * NULL: there is none at this time, it was longer than 2 KiB, there was no room to keep it, or
 * later events had no listener.
 */
const struct http_head *gate_http_message(struct gate *g, const struct flow *f, bool response,
					  struct span *ret_octets, bool *ret_live);
/* Returns a number that differs for each raised event. */
const uint32_t *gate_http_generation(const struct gate *g);
/* Reads the head of the answered request, as forwarded, during response and response_data. False:
 * it was not kept. */
bool gate_http_request(const struct gate *g, const struct flow *f, struct http_head *ret,
		       struct span *ret_octets);

/* Returns the place of the follower of a direction's body (dissect.h), until it ends. NULL:
 * none. */
void **gate_http_script(const struct flow *f, enum gate_direction d);

/* Returns a part of the start line; p == NULL: this kind of message has none. */
struct span gate_http_part(const struct gate *g, enum http_part part);
int gate_http_set_part(struct gate *g, enum http_part part, struct span with) must_check;
/* Returns the value of the first field of a name; p == NULL: there is none. */
struct span gate_http_field(const struct gate *g, struct span name);
/* Sets a field in the place of the first one of its name, and removes the others; a new field
 * stands behind all others. -EPERM: Content-Length and Transfer-Encoding decide where the body
 * ends, which does not change. */
int gate_http_set_field(struct gate *g, struct span name, struct span value) must_check;
/* Removes all fields of a name. Returns how many. */
int gate_http_remove_field(struct gate *g, struct span name) must_check;

int gate_http_init(struct gate *g, const struct gate_opts *o) must_check;
void gate_http_fini(struct gate *g);
void gate_http_begin(struct gate_walk *w, struct flow *f);
void gate_http_end(struct gate_walk *w, struct flow *f);
uint32_t gate_http_data(struct gate_view *v);
