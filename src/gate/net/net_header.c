/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The IPv4 header for the floors above (RFC 791 3.1): addresses, completion, pseudo header, room.
 */
#include "gate/net/net.h"

#include "gate/engine/verdict.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

void net_complete(struct gate *g, struct gate_packet *p)
{
	(void)g;
	if (p->dirty & DIRTY_LENGTH)
		verdict_be16(p, p->p.l3 + (uint32_t)IPV4_LEN_OFF, (uint16_t)(p->end - p->p.l3));
	if (p->dirty & (DIRTY_L3 | DIRTY_LENGTH))
		verdict_checksum(p, p->p.l3 + (uint32_t)IPV4_CSUM_OFF, 0, p->p.l3, p->l3_len);
}

void net_read_addresses(struct gate_packet *p)
{
	struct rd r = rd_init(span_of(p->p.data + p->p.l3 + IPV4_SRC_OFF, 8));

	p->p.src = rd_be32(&r);
	p->p.dst = rd_be32(&r);
}

void net_write_addresses(struct gate_packet *p)
{
	verdict_be32(p, p->p.l3 + (uint32_t)IPV4_SRC_OFF, p->p.src);
	verdict_be32(p, p->p.l3 + (uint32_t)IPV4_DST_OFF, p->p.dst);
}

uint32_t net_pseudo_sum(const struct gate_packet *p, uint32_t len)
{
	return checksum_pseudo(p->p.src, p->p.dst, p->proto, len);
}

uint32_t net_room(struct gate *g, const struct frame *f, const uint8_t *data, uint32_t l3)
{
	struct rd r = rd_init(span_of(data, l3));
	bool tagged;
	uint32_t room;

	(void)rd_bytes(&r, 2 * (size_t)ETH_ADDR_LEN);
	tagged = rd_be16(&r) == ETH_TYPE_VLAN && rd_ok(&r);
	room = frames_room(g->frames, f, tagged);
	return room > l3 ? room - l3 : 0;
}

uint32_t net_owner(const struct gate *g, const struct flow_key *k)
{
	return hash_u32(k->src ^ g->seed);
}

/* --- Checksums of UDP and TCP ------------------------------------------------------------------- */

/* Returns whether a checksum is the sum over the pseudo header only. Captures made on the sending
 * machine show that where hardware was to make the checksum. On a wire it is wrong, and no receiver
 * takes it. */
static bool is_left_to_hardware(const struct gate_packet *p, struct span datagram,
				uint32_t csum_off)
{
	struct rd r = rd_init(span_sub(datagram, csum_off, 2));
	uint16_t inverse = checksum_fold(net_pseudo_sum(p, (uint32_t)datagram.n));

	return (rd_be16(&r) ^ inverse) == UINT16_MAX;
}

enum gate_checksum net_checksum(const struct gate *g, struct gate_packet *p)
{
	struct rd r = gate_rd(p, p->p.l4);
	struct span datagram = rd_bytes(&r, (size_t)p->l4_len + p->p.app_len);

	bool tcp = p->proto == IPV4_PROTO_TCP;

	if (p->checksum != CHECKSUM_UNKNOWN)
		return (enum gate_checksum)p->checksum;
	if (g->ignore_checksums || p->frame.flags & FRAME_CSUM_NOT_READY ||
	    (tcp ? tcp_csum_ok(p->p.src, p->p.dst, datagram)
		 : udp_csum_ok(p->p.src, p->p.dst, datagram)) ||
	    (g->recorded && is_left_to_hardware(p, datagram, tcp ? TCP_CSUM_OFF : UDP_CSUM_OFF)))
		p->checksum = CHECKSUM_GOOD;
	else
		p->checksum = CHECKSUM_BAD;
	return (enum gate_checksum)p->checksum;
}
