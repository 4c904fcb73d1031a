/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the files of a segment's way: advances a stream. Each function may drop the flow.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Shows the pending data of a direction and releases the allowed part; end: no more data comes, and
 * all is released. */
void gate_tcp_advance(struct gate_walk *w, struct flow *f, enum gate_direction d, bool end);
/* Handles out-of-order segments of a direction that have become contiguous. */
void gate_tcp_follow(struct gate_walk *w, struct flow *f, enum gate_direction d);
/* Releases held data whose sender is stuck (gate_tcp_repeated()). False: the flow is dropped. */
bool gate_tcp_unstick(struct gate_walk *w, struct flow *f, enum gate_direction d);
/* Remembers octets that are about to be shown: later retransmissions are compared with them. A
 * passive gate cannot hold octets back, and the receivers of a recording have answered already. 0;
 * -USHER_E_LIMIT: no room. */
int tcp_remember(struct gate *g, struct tcp_conn *c, enum gate_direction d, uint32_t from,
		 struct span octets) must_check;
