/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sends segments. Sequence and acknowledgement numbers are translated into the
 * receiver's number space.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Returns the length of the longest segment, its options included, that leaves with the headers of
 * a frame in direction d: the receiver's MSS, and the room that the MTU of the way out leaves for
 * it. data: the frame, whose network header is at l3 and TCP header at l4. */
uint32_t gate_tcp_room(struct gate *g, const struct tcp_conn *c, enum gate_direction d,
		       const struct frame *f, const uint8_t *data, uint32_t l3, uint32_t l4);
/* Returns the length of the longest segment that the receiver of d takes, as far as is known. */
uint32_t gate_tcp_mss(const struct tcp_conn *c, enum gate_direction d);
/* Translates the acknowledgement of the current header into the receiver's numbers. */
void gate_tcp_translate_ack(struct gate_walk *w, const struct tcp_conn *c);
/* Translates sequence number and acknowledgement of the current segment into the receiver's
 * numbers. */
void gate_tcp_translate(struct gate_walk *w, const struct tcp_conn *c);
/* Releases the first n pending octets (all, if there are fewer), in the segments that were held for
 * them. */
void gate_tcp_let_go(struct gate *g, struct tcp_conn *c, enum gate_direction d, uint32_t n);
/* Sends octets from a number on, in segments of at most `room`, made from the headers of h. */
void gate_tcp_emit(struct gate *g, struct tcp_conn *c, enum gate_direction d, struct held *h,
		   uint32_t out, struct span octets, uint32_t room);
