/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For dissect_tcp.c: octets that a capture file lacks. On a wire a gate waits for them; in a
 * recording they will not come, and all that is behind them would never be looked at.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Called for each packet of the connection. Where segments of either direction wait for octets that
 * are not in the file, octets of value 0 stand in for those: they are shown, counted
 * (gate_counters.gaps), and not written. */
void gate_tcp_fill_gaps(struct gate_walk *w, struct tcp_conn *c);
