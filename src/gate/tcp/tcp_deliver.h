/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the files of a segment's way: delivery of a stream's pending data.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Shows the present data. Returns how much of it may be forwarded. It may have grown or shrunk; v
 * has its place. The flow may be dropped. */
uint32_t gate_tcp_deliver(struct gate_view *v);
/* Called when no new data arrives. Returns how much pending data may be forwarded if listeners hold
 * it back; 0: no change. The flow may be dropped. */
uint32_t gate_tcp_repeated(struct gate_walk *w, struct flow *f, enum gate_direction d);
