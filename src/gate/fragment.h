/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fragments in the engine: frames are held until the datagram is whole, which then walks on as one
 * packet, and goes on in the frames it came in.
 */
#pragma once

#include "gate/dissect.h"

struct ipv4_hdr;

/* DISSECT_IPV4: *p is the whole datagram. Else how the walk of this frame ends. */
int gate_reassemble(struct gate *g, struct gate_packet *p, const struct ipv4_hdr *ip);
