/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For the files of a segment's way: keeps copies of segments in their stream.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

/* Returns the frame of a packet as it stands, without padding. */
struct frame tcp_frame_of(const struct gate_packet *p);
/* Stores the offsets of a packet's headers in its copy, which are needed to send it later. */
void tcp_note_offsets(const struct gate_packet *p, struct held *h);
/* Keeps data of a packet behind the pending data of its direction: sequence numbers from `from` on,
 * the sender's. 0; -USHER_E_LIMIT: no room. */
int tcp_keep_data(struct gate *g, const struct gate_packet *p, struct tcp_conn *c, uint32_t from,
		  struct span data) must_check;
/* Keeps the data of the current segment, behind `skip` octets. 0; -USHER_E_LIMIT: no room. */
int tcp_keep_segment(struct gate_walk *w, struct tcp_conn *c, uint32_t skip) must_check;
