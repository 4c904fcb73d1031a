/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For dissect_tcp.c: showing what is pending of a stream.
 */
#pragma once

#include "gate/tcp_conn.h"

/* Shows what there is; how much of it may go on. It may be more or less than before, and v says
 * where it is. The flow may be dropped. */
uint32_t gate_tcp_show(struct gate *g, struct gate_view *v);
/* Shows what is pending of a direction and lets go of what may go; end: no more comes, and all of it goes. The flow may be dropped. */
void gate_tcp_advance(struct gate *g, struct flow *f, enum gate_direction d, bool end);
/* Segments of p's direction that came ahead, now that octets before them are there. */
void gate_tcp_follow(struct gate *g, const struct gate_packet *p, struct tcp_conn *c);
/* Nothing new of what is pending comes. If that is because listeners hold it back, so much of it may go on; 0: nothing changes. The
 * flow may be dropped. */
uint32_t gate_tcp_repeated(struct gate *g, struct flow *f, enum gate_direction d);
/* The same, and it goes on. False: the flow is dropped. */
bool gate_tcp_unstick(struct gate *g, struct flow *f, enum gate_direction d);
/* Keeps the data of the segment at hand, behind `skip` octets. 0; -USHER_E_LIMIT: no room. */
int gate_tcp_keep(struct gate *g, struct gate_packet *p, struct tcp_conn *c,
                  uint32_t skip) must_check;
