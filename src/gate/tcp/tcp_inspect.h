/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For dissect_tcp.c: the inspection of a segment.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Inspects the current segment, which fits its connection at the place `kind`. Returns how the walk
 * ends: GATE_ACCEPT, GATE_DROP, or GATE_HOLD, where a copy is kept. */
int tcp_inspect(struct gate_walk *w, struct tcp_conn *c, enum tcp_segment kind) must_check;
