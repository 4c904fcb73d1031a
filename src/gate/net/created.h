/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets that rules create: header by header, in a few places of their own, for the duration of
 * the current packet. They are sent at once, or injected as if they had been captured. All results
 * are 0 or negative.
 */
#pragma once

#include "gate/engine/dissect.h"

enum {
	CREATED_MAX = 16,  /* at a time */
	CREATED_DEPTH = 4, /* levels of injected packets that rules create for injected packets */
	CREATED_RUN = 256, /* injected packets for one captured packet */
};

/* Creates an empty packet, or one with len octets of value 0, which is sent like the current
 * packet. NULL: there are too many. */
struct gate_packet *created_new_packet(struct gate_walk *w, uint32_t len) must_check;
/* Puts a header of that dissector before the contents so far. -EINVAL: it cannot stand there;
 * -ENOENT: there is no current packet to copy the link header from; -EMSGSIZE. */
int created_add_header(const struct gate_walk *w, struct gate_packet *p, enum gate_dissector d)
	must_check;
/* Returns the packet in place i, 0 to CREATED_MAX - 1. */
struct gate_packet *created_at(struct gate *g, unsigned i);
/* Returns the place of a packet. */
unsigned created_index(const struct gate_packet *p);
/* Sets the port by which it leaves. */
void created_set_port(struct gate_packet *p, unsigned port);
/* Completes lengths and checksums, and sends it; its place is free afterwards. -EROFS: the gate is
 * passive; others: the source refused it. */
int created_send(struct gate *g, struct gate_packet *p) must_check;
/* Injects it behind the current packet. Beyond CREATED_DEPTH and CREATED_RUN packets are dropped by
 * name. */
void created_inject(const struct gate_walk *w, struct gate_packet *p);
void created_drop(struct gate_packet *p);

/* --- For the floor's assembly (net.c) --------------------------------------------------------- */

/* Returns the next injected packet, with its levels of injection; then all places but those of
 * waiting packets are free. NULL: none. */
const struct frame *created_next(struct gate *g, uint8_t *ret_hops);
int created_new(struct gate *g) must_check;
void created_free(struct gate *g);
