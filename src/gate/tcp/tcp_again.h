/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For tcp_inspect.c: segments with octets that came before.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Forwards a retransmission of n octets as the first copy was forwarded. Returns how the walk ends.
 */
int tcp_forward_again(struct gate_walk *w, struct tcp_conn *c, uint32_t n) must_check;
/*
 * Handles the octets before the number `before` in a segment that has new ones, too: the old are
 * forwarded like the first copy, in a segment of their own, and leave this one. GATE_ACCEPT: the
 * segment is one of new octets now, behind *ret_skip old ones. Else: how the walk ends.
 */
int tcp_strip_overlap(struct gate_walk *w, struct tcp_conn *c, uint32_t before, uint32_t *ret_skip)
	must_check;
