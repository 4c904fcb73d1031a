/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Segments that the gate itself sends within a connection.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Sends a duplicate acknowledgement to the sender of the current segment, which waits for lost
 * ones. Its receiver would send it if it had got the segment (RFC 5681 4.2, RFC 2018 4): so the
 * sender need not wait for its time-out. */
void gate_tcp_ack_missing(const struct gate_walk *w, struct tcp_conn *c);
/* Sends a RST to both ends, if the current packet belongs to the flow: the connection is over for
 * them too. */
void gate_tcp_reset(const struct gate_walk *w, struct flow *f);
/* Sends a RST to the receiver of direction d only. */
void gate_tcp_reset_to(const struct gate_walk *w, struct flow *f, enum gate_direction d);
