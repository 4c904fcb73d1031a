/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which way a frame leaves a learning switch (IEEE 802.1D 7.8): by the port its destination was
 * last seen on, by all others if that is not known. A table of fixed size; a newer address
 * displaces an older one.
 */
#pragma once

#include "base/span.h"

enum { SWITCH_SIZE = 4096, SWITCH_AGE_S = 300 };

struct switch_table {
	struct {
		uint8_t mac[6];
		uint16_t port;
		int64_t seen_ns;
	} at[SWITCH_SIZE];
};

/* Remembers where the frame's sender is. */
void switch_learn(struct switch_table *t, struct span frame, uint16_t port, int64_t now_ns);
/* Returns the ports (a bit each, of n) by which a frame that came in by `port` leaves: never its
 * own. */
uint32_t switch_ports(const struct switch_table *t, struct span frame, uint16_t port, unsigned n,
		      int64_t now_ns);
