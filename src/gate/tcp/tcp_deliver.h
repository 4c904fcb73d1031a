/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For dissect_tcp.c: delivery of a stream's pending data.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Shows the present data. Returns how much of it may be forwarded. It may have grown or shrunk; v
 * has its place. The flow may be dropped. */
uint32_t gate_tcp_deliver(struct gate *g, struct gate_view *v);
/* Shows the pending data of a direction and releases the allowed part; end: no more data comes, and
 * all is released. The flow may be dropped. */
void gate_tcp_advance(struct gate *g, struct flow *f, enum gate_direction d, bool end);
/* Segments of p's direction that came ahead, now that octets before them are there. */
void gate_tcp_follow(struct gate *g, const struct gate_packet *p, struct tcp_conn *c);
/* Called when no new data arrives. Returns how much pending data may be forwarded if listeners hold
 * it back; 0: no change. The flow may be dropped. */
uint32_t gate_tcp_repeated(struct gate *g, struct flow *f, enum gate_direction d);
/* Releases the data that gate_tcp_repeated() allows. False: the flow is dropped. */
bool gate_tcp_unstick(struct gate *g, struct flow *f, enum gate_direction d);
/* Keeps the data of the current segment, behind `skip` octets. 0; -USHER_E_LIMIT: no room. */
int gate_tcp_keep(struct gate *g, struct gate_packet *p, struct tcp_conn *c, uint32_t skip)
	must_check;
