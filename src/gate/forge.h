/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets that rules make: header by header, in a few places of their own, for as long as the packet at hand is looked at.
 * They go out at once, or come in again as if they had been captured. All results are 0 or negative.
 */
#pragma once

#include "gate/dissect.h"

enum {
	FORGED_MAX = 16,	/* at a time */
	FORGED_DEPTH = 4,	/* how often what was made for a packet that was made may come in */
	FORGED_RUN = 256,	/* that come in for one captured packet */
};

/* An empty one, or with len octets of value 0, which leaves the way the packet at hand would: NULL: there are too many. */
struct gate_packet *gate_forge(struct gate *g, uint32_t len) must_check;
/* Puts a header of that dissector before what it carries so far. -EINVAL: it cannot stand there; -ENOENT: there is no
 * packet at hand to take the link's header from; -EMSGSIZE. */
int gate_forge_header(struct gate *g, struct gate_packet *p, enum gate_dissector d) must_check;
/* The places, 0 to FORGED_MAX - 1, and which one a packet has. */
struct gate_packet *gate_forged_at(struct gate *g, unsigned i);
unsigned gate_forged_index(const struct gate_packet *p);
/* It leaves by that port. */
void gate_forged_by(struct gate_packet *p, unsigned port);
/* Lengths and checksums are made, and it is gone. -EROFS: the gate only looks on; others: the source refused it. */
int gate_forged_send(struct gate *g, struct gate_packet *p) must_check;
/* It comes in behind the packet at hand. What comes in too often is dropped by name. */
void gate_forged_inject(struct gate *g, struct gate_packet *p);
void gate_forged_drop(struct gate_packet *p);

/* A captured packet goes out now, from where it is, and nobody behind sees it. -EPERM: it is a segment of a connection,
 * which goes by itself, or on its way already. */
int gate_send_now(struct gate *g, struct gate_packet *p) must_check;

/* Of gate.c: those that wait come in; then all places are free. */
struct frame *gate_forged_next(struct gate *g);
void gate_forged_end(struct gate *g);
/* Makes all of its headers right. */
void gate_make_right(struct gate *g, struct gate_packet *p);
int gate_forge_new(struct gate *g) must_check;
void gate_forge_free(struct gate *g);
