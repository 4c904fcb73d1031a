/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where a packet's octets are written (new frames are written by net/created.c, net/fragment.c and
 * the tcp floor). Writers mark the parts that they changed; the dissectors' send functions complete
 * lengths and checksums, each for its own header.
 */
#pragma once

#include "base/span.h"
#include "gate/engine/dissect.h"

/* Overwrites n octets at off, which lie within the packet. -EROFS: pass-through; -ERANGE: beyond
 * it. */
int verdict_write(struct gate *g, struct gate_packet *p, uint32_t off, const void *octets, size_t n)
	must_check;
/* Puts `with` in the place of n octets at off; octets behind them move. -EROFS; -ERANGE: n octets
 * are not there; -EMSGSIZE: an IPv4 datagram cannot be so long. `with` may not lie in the packet.
 */
int verdict_splice(struct gate *g, struct gate_packet *p, uint32_t off, size_t n, struct span with)
	must_check;
/* Writes the Internet checksum at off, over n octets at from and the partial sum `sum`. */
void verdict_checksum(struct gate_packet *p, uint32_t off, uint32_t sum, uint32_t from, uint32_t n);
void verdict_be16(struct gate_packet *p, uint32_t off, uint16_t v);
void verdict_be32(struct gate_packet *p, uint32_t off, uint32_t v);
