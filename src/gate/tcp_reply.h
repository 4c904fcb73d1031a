/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For dissect_tcp.c: what the gate itself says within a connection.
 */
#pragma once

#include "gate/tcp_conn.h"

/* The segment at hand waits for others, which were lost: its sender is told, as its receiver would tell it if it had got the
 * segment (RFC 5681 4.2, RFC 2018 4), so that it need not run into a time-out. */
void gate_tcp_tell_missing(struct gate *g, const struct gate_packet *p, struct tcp_conn *c);
