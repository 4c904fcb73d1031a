/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fragments in the engine: frames are held until the datagram is whole, which is then inspected as
 * one packet, and forwarded in the frames it came in.
 */
#pragma once

#include "gate/engine/dissect.h"

struct held;
struct ipv4_hdr;

/* Returns the longest payload of a piece, a multiple of eight octets. */
uint32_t fragment_len(const struct held *list);
/* Sends a datagram of the gate's own in fragments of at most `step` octets of payload, as if `like`
 * had been accepted. span: the frame, with its IPv4 header at l3 and payload at l4. */
void fragment_inject(struct gate *g, const struct frame *like, struct span datagram, uint16_t l3,
		     uint16_t l4, uint32_t step);
/* Sends a datagram that a rule made longer than the MTU of its way out in fragments. False: it is
 * not longer. A datagram that must not be fragmented (RFC 791 2.3) is dropped: GATE_DROP_TOO_LONG.
 */
bool fragment_release_longer(struct gate *g, struct gate_packet *p);
/* Sends a packet that a rule made, in fragments if it is longer than the MTU. 0, or -errno:
 * -EMSGSIZE if it must not be fragmented. */
int fragment_inject_created(struct gate *g, const struct gate_packet *p) must_check;
/* Gives all frames of a reassembled datagram their verdict; a changed one is forwarded in
 * fragments. */
void fragment_release_all(struct gate *g, struct gate_packet *p, int how);
/* Adds the fragment of the walk. DISSECT_IPV4: the packet is the whole datagram now. Else: how the
 * walk of this frame ends. */
int fragment_reassemble(struct gate_walk *w, const struct ipv4_hdr *ip);
