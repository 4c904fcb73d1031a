/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fragments in the engine: frames are held until the datagram is whole, which then walks on as one
 * packet, and goes on in the frames it came in.
 */
#pragma once

#include "gate/dissect.h"

struct ipv4_hdr;

/* The longest payload of a piece, a multiple of eight octets. */
uint32_t gate_fragment_len(const struct held *list);
/* Sends a datagram of the gate's own in fragments of at most `step` octets of payload, as if `like` had been accepted. span: the frame, with
 * its IPv4 header at l3 and payload at l4. */
void gate_inject_fragments(struct gate *g, const struct frame *like, struct span datagram, uint16_t l3, uint16_t l4, uint32_t step);
/* DISSECT_IPV4: *p is the whole datagram. Else how the walk of this frame ends. */
int gate_reassemble(struct gate *g, struct gate_packet *p, const struct ipv4_hdr *ip);
