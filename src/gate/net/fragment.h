/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fragments in the engine: frames are held until the datagram is whole, which is then inspected as
 * one packet, and forwarded in the frames it came in.
 */
#pragma once

#include "gate/engine/dissect.h"

struct ipv4_hdr;

/* The longest payload of a piece, a multiple of eight octets. */
uint32_t gate_fragment_len(const struct held *list);
/* Sends a datagram of the gate's own in fragments of at most `step` octets of payload, as if `like`
 * had been accepted. span: the frame, with its IPv4 header at l3 and payload at l4. */
void gate_inject_fragments(struct gate *g, const struct frame *like, struct span datagram,
			   uint16_t l3, uint16_t l4, uint32_t step);
/* Sends a datagram that a rule made longer than the MTU of its way out in fragments. False: it is
 * not longer. A datagram that must not be fragmented (RFC 791 2.3) is dropped: GATE_DROP_TOO_LONG.
 */
bool gate_release_longer(struct gate *g, struct gate_packet *p);
/* Sends a packet that a rule made, in fragments if it is longer than the MTU. 0, or -errno:
 * -EMSGSIZE if it must not be fragmented. */
int gate_inject_made(struct gate *g, const struct gate_packet *p) must_check;
/* Returns the length of the longest IPv4 datagram that can leave as the frame does, whose IPv4
 * header is at l3. */
uint32_t gate_datagram_room(struct gate *g, const struct frame *f, const uint8_t *data,
			    uint32_t l3);
/* DISSECT_IPV4: *p is the whole datagram. Else how the walk of this frame ends. */
int gate_reassemble(struct gate *g, struct gate_packet *p, const struct ipv4_hdr *ip);
