/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For dissect_tcp.c: parts of a segment that its receiver reads otherwise than as octets of the stream in their place are taken
 * out, so that what a rule is shown is what the receiver reads.
 */
#pragma once

#include "gate/tcp_conn.h"

/* Removes what may not stay in the segment at hand, of an inspected connection. 0; -USHER_E_LIMIT: it cannot be written. */
int gate_tcp_clean(struct gate *g, struct gate_packet *p) must_check;
/* Removes octets that the receiver has acknowledged from the segment at hand, of an inspected connection. 0; -USHER_E_LIMIT: it cannot
 * be written. */
int gate_tcp_trim(struct gate *g, struct gate_packet *p, const struct tcp_conn *c) must_check;
