/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For dissect_tcp.c: removes parts of a segment that its receiver does not read as octets of the
 * stream in their place, so that rules are shown exactly the octets that the receiver reads.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Removes such parts from the current segment, of an inspected connection. 0; -USHER_E_LIMIT: it
 * cannot be written. */
int gate_tcp_clean(struct gate_walk *w) must_check;
/* Removes octets that the receiver has acknowledged from the current segment, of an inspected
 * connection. 0; -USHER_E_LIMIT: it cannot be written. */
int gate_tcp_trim(struct gate_walk *w, const struct tcp_conn *c) must_check;
