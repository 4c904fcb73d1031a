/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For implementers of captures: the table every back end fills, and the head of its object.
 * The lifetime is the user's: open gives a whole object, close frees it.
 */
#pragma once

#include "capture/capture.h"

struct capture_ops {
	const char *name;
	int (*recv)(struct capture *c, struct packet **pkts, size_t n);
	/* sets every tx's result; count of those that went out, never negative */
	int (*send)(struct capture *c, struct capture_tx *tx, size_t n);
	int (*fd)(const struct capture *c);	      /* NULL: none to poll */
	bool (*pending)(const struct capture *c);     /* NULL: never */
	unsigned (*backlog)(const struct capture *c); /* NULL: unknown */
	bool (*ended)(const struct capture *c);	      /* NULL: never */
	/* adds the counters of the back end; NULL: none. capture.c counts the rest */
	void (*stats)(const struct capture *c, struct capture_stats *ret);
	void (*close)(struct capture *c);
};

struct capture {
	const struct capture_ops *ops;
	struct capture_stats stats;
};

enum { CAPTURE_BATCH = 64 };

/* Puts a frame into a reset packet; octets beyond its slot are cut off, and the packet is
 * flagged. */
void capture_fill(struct packet *p, struct span frame, int ifindex, int64_t ts_ns);
/* Writes the Ethernet frame of tx to buf. Its destination is tx->dst_mac if to_mac is set. Else the
 * limited broadcast goes to every station, and other datagrams to dst_mac. Returns the length, or 0
 * if buf is too short. */
size_t capture_frame(const struct capture_tx *tx, const uint8_t src_mac[6],
		     const uint8_t dst_mac[6], uint8_t *buf, size_t cap) must_check;
