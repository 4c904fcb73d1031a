/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For dissect_tcp.c: segments that the gate itself sends within a connection.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Sends a duplicate acknowledgement to the sender of the current segment, which waits for lost
 * ones. Its receiver would send it if it had got the segment (RFC 5681 4.2, RFC 2018 4): so the
 * sender need not wait for its time-out. */
void gate_tcp_ack_missing(struct gate *g, const struct gate_packet *p, struct tcp_conn *c);
