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
struct gate_packet *gate_forge(struct gate *g, uint32_t len) must_check;
/* Puts a header of that dissector before the contents so far. -EINVAL: it cannot stand there;
 * -ENOENT: there is no current packet to copy the link header from; -EMSGSIZE. */
int gate_created_header(struct gate *g, struct gate_packet *p, enum gate_dissector d) must_check;
/* The places, 0 to CREATED_MAX - 1, and which one a packet has. */
struct gate_packet *gate_created_at(struct gate *g, unsigned i);
unsigned gate_created_index(const struct gate_packet *p);
/* It leaves by that port. */
void gate_created_by(struct gate_packet *p, unsigned port);
/* Lengths and checksums are made, and it is gone. -EROFS: the gate only looks on; others: the
 * source refused it. */
int gate_created_send(struct gate *g, struct gate_packet *p) must_check;
/* Injects it behind the current packet. Beyond CREATED_DEPTH and CREATED_RUN packets are dropped by
 * name. */
void gate_created_inject(struct gate *g, struct gate_packet *p);
void gate_created_drop(struct gate_packet *p);

/* A captured packet goes out now, from where it is, and nobody behind sees it. -EPERM: it is a
 * segment of a connection, which goes by itself, or on its way already. */
int gate_send_now(struct gate *g, struct gate_packet *p) must_check;

/* Of walk.c: those that wait come in; then all places are free. */
struct frame *gate_created_next(struct gate *g);
void gate_created_end(struct gate *g);
/* Makes all of its headers right. */
void gate_make_right(struct gate *g, struct gate_packet *p);
int gate_created_new(struct gate *g) must_check;
void gate_created_free(struct gate *g);
