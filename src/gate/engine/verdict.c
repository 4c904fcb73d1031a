/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writing into packets. A packet that keeps its length is written where it lies; one that grows or
 * shrinks moves to the engine's scratch once, and is spliced there.
 */
#include "gate/engine/verdict.h"

#include "wire/checksum.h"
#include "wire/ipv4.h"

#include <errno.h>

enum { IP_MAX_LEN = 65535 };

static uint8_t part_of(const struct gate_packet *p, uint32_t off)
{
	if (p->p.app != PACKET_NO_LAYER && off >= p->p.app)
		return DIRTY_APP;
	if (p->p.l4 != PACKET_NO_LAYER && off >= p->p.l4)
		return DIRTY_L4;
	if (p->p.l3 != PACKET_NO_LAYER && off >= p->p.l3)
		return DIRTY_L3;
	return DIRTY_L2;
}

/* Checks the checksum before the first octet is written. */
static void check_checksum(const struct gate *g, struct gate_packet *p)
{
	if (p->p.app != PACKET_NO_LAYER &&
	    (p->proto == IPV4_PROTO_UDP || p->proto == IPV4_PROTO_TCP))
		(void)g->net->checksum(g, p);
}

int verdict_write(struct gate *g, struct gate_packet *p, uint32_t off, const void *octets, size_t n)
{
	if (g->pass_through && !p->created)
		return -EROFS;
	if (off > p->p.len || n > p->p.len - off)
		return -ERANGE;
	check_checksum(g, p);
	memcpy(p->p.data + off, octets, n);
	p->dirty |= part_of(p, off);
	return 0;
}

static void move_to_scratch(struct gate *g, struct gate_packet *p)
{
	if (p->p.data == g->scratch || p->created)
		return;
	memcpy(g->scratch, p->p.data, p->p.len);
	p->p.data = g->scratch;
	p->p.cap = FRAME_MAX_LEN;
}

int verdict_splice(struct gate *g, struct gate_packet *p, uint32_t off, size_t n, struct span with)
{
	uint32_t end = p->p.l3 == PACKET_NO_LAYER ? p->p.len : p->end;
	uint32_t from = p->p.l3 == PACKET_NO_LAYER ? 0 : p->p.l3;
	uint8_t *d;

	if (g->pass_through && !p->created)
		return -EROFS;
	if (off > end || n > end - off)
		return -ERANGE;
	if (end - from - n + with.n > IP_MAX_LEN)
		return -EMSGSIZE;
	check_checksum(g, p);
	move_to_scratch(g, p);
	d = p->p.data + off;
	memmove(d + with.n, d + n, end - off - n);
	if (with.n)
		memcpy(d, with.p, with.n);
	end = (uint32_t)(end - n + with.n);
	p->dirty |= part_of(p, off) | (with.n != n ? DIRTY_LENGTH : 0);
	if (p->p.app != PACKET_NO_LAYER && off >= p->p.app)
		p->p.app_len = (uint16_t)(p->p.app_len - n + with.n);
	/* octets behind the datagram were padding */
	p->end = p->p.len = end;
	return 0;
}

void verdict_be16(struct gate_packet *p, uint32_t off, uint16_t v)
{
	p->p.data[off] = (uint8_t)(v >> 8);
	p->p.data[off + 1] = (uint8_t)v;
}

void verdict_be32(struct gate_packet *p, uint32_t off, uint32_t v)
{
	verdict_be16(p, off, (uint16_t)(v >> 16));
	verdict_be16(p, off + 2, (uint16_t)v);
}

void verdict_checksum(struct gate_packet *p, uint32_t off, uint32_t sum, uint32_t from, uint32_t n)
{
	verdict_be16(p, off, 0);
	verdict_be16(p, off, checksum_fold(checksum_add(sum, span_of(p->p.data + from, n))));
}
