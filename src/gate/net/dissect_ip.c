/* SPDX-License-Identifier: MPL-2.0 */
/*
 * IPv4, ICMP and UDP, each datagram by itself. Every length comes from the octets and is checked
 * against the one around it (RFC 791 3.1, RFC 768, RFC 792).
 */
#include "base/error.h"
#include "gate/engine/dissect.h"
#include "gate/net/fragment.h"
#include "gate/engine/verdict.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

enum {
	IPV4_LEN_OFF = 2,
	IPV4_CSUM_OFF = 10,
	ICMP_HDR_LEN = 4,
	ICMP_CSUM_OFF = 2,
	UDP_LEN_OFF = 4,
	UDP_CSUM_OFF = 6,
	TCP_CSUM_OFF = 16,
};

static int next_of_proto(const struct gate *g, uint8_t proto)
{
	switch (proto) {
	case IPV4_PROTO_ICMP:
		return gate_next_dissector(g, DISSECT_ICMP);
	case IPV4_PROTO_UDP:
		return gate_next_dissector(g, DISSECT_UDP);
	case IPV4_PROTO_TCP:
		return gate_next_dissector(g, DISSECT_TCP);
	default:
		return GATE_ACCEPT;
	}
}

/*
 * A frame of which a checksum is still to be made: is it that of the datagram's transport? Another
 * one would be written over octets that rules have seen, in a tunnel or where a guest says so: it
 * is made here, before. False: it cannot be, of one that is to be cut.
 */
static bool finish_checksum(struct gate_packet *p, const struct ipv4_hdr *ip)
{
	const struct frame_offload *o = &p->frame.offload;
	uint32_t at = (uint32_t)o->csum_start + o->csum_offset;
	bool known = (p->proto == IPV4_PROTO_TCP && o->csum_offset == TCP_CSUM_OFF) ||
		     (p->proto == IPV4_PROTO_UDP && o->csum_offset == UDP_CSUM_OFF);
	uint16_t sum;

	if (!(o->flags & FRAME_OFFLOAD_CSUM) ||
	    (known && o->csum_start == p->p.l4 && !ipv4_is_fragment(ip)))
		return true;
	if (o->gso_type || at + 2 > p->p.len)
		return false;
	sum = checksum_fold(
		checksum_add(0, span_of(p->p.data + o->csum_start, p->p.len - o->csum_start)));
	p->p.data[at] = (uint8_t)(sum >> 8);
	p->p.data[at + 1] = (uint8_t)sum;
	p->frame.flags &= (uint8_t)~FRAME_CSUM_NOT_READY;
	p->p.flags &= (uint8_t)~PACKET_CSUM_NOT_READY;
	p->frame.offload.flags = 0;
	return true;
}

static int read_ipv4(struct gate *g, struct gate_packet *p, struct ipv4_hdr *ip)
{
	struct rd r = gate_rd(p, p->p.l3);
	int e = ipv4_read(&r, ip);

	if (e < 0)
		return gate_undecided(g, p, GATE_DROP_IPV4_HEADER);
	if (!ip->csum_ok && !g->ignore_checksums && !(p->frame.flags & FRAME_CSUM_NOT_READY))
		return gate_undecided(g, p, GATE_DROP_IPV4_CHECKSUM);
	if (ip->total_len > p->p.len - p->p.l3)
		return gate_undecided(g, p, GATE_DROP_IPV4_LENGTH);
	p->l3_len = ip->hdr_len;
	p->p.l4 = (uint16_t)(p->p.l3 + ip->hdr_len);
	p->end = (uint32_t)p->p.l3 + ip->total_len;
	p->proto = ip->proto;
	p->p.src = ip->src;
	p->p.dst = ip->dst;
	if (p->frame.flags & FRAME_CSUM_NOT_READY && !finish_checksum(p, ip))
		return gate_undecided(g, p,
				      p->proto == IPV4_PROTO_TCP ? GATE_DROP_TCP_CHECKSUM
								 : GATE_DROP_UDP_CHECKSUM);
	return DISSECT_IPV4;
}

int receive_ipv4(struct gate *g, struct gate_packet *p)
{
	struct ipv4_hdr ip;
	int next = read_ipv4(g, p, &ip);

	if (next < 0)
		return next;
	if (!gate_raise(g, EVENT_IPV4_receive_packet, p, NULL))
		return GATE_DROP;
	if (ipv4_is_fragment(&ip) && !p->keep_fragments) {
		next = gate_reassemble(g, p, &ip);
		if (next < 0)
			return next;
		if (!gate_raise(g, EVENT_IPV4_receive_packet_reassembled, p, NULL))
			return GATE_DROP;
	} else if (ipv4_is_fragment(&ip)) {
		return GATE_ACCEPT;
	}
	return next_of_proto(g, p->proto);
}

void send_ipv4(struct gate *g, struct gate_packet *p)
{
	(void)g;
	if (p->dirty & DIRTY_LENGTH)
		verdict_be16(p, p->p.l3 + (uint32_t)IPV4_LEN_OFF, (uint16_t)(p->end - p->p.l3));
	if (p->dirty & (DIRTY_L3 | DIRTY_LENGTH))
		verdict_checksum(p, p->p.l3 + (uint32_t)IPV4_CSUM_OFF, 0, p->p.l3, p->l3_len);
}

int receive_icmp(struct gate *g, struct gate_packet *p)
{
	if (p->end - p->p.l4 < ICMP_HDR_LEN)
		return gate_undecided(g, p, GATE_DROP_ICMP_HEADER);
	p->l4_len = ICMP_HDR_LEN;
	p->p.app = (uint16_t)(p->p.l4 + ICMP_HDR_LEN);
	p->p.app_len = (uint16_t)(p->end - p->p.app);
	return gate_raise(g, EVENT_ICMP_receive_packet, p, NULL) ? GATE_ACCEPT : GATE_DROP;
}

void send_icmp(struct gate *g, struct gate_packet *p)
{
	(void)g;
	if (p->dirty & (DIRTY_L4 | DIRTY_APP | DIRTY_LENGTH))
		verdict_checksum(p, p->p.l4 + (uint32_t)ICMP_CSUM_OFF, 0, p->p.l4,
				 p->end - p->p.l4);
}

/* The sum over the pseudo header only: where hardware was to make the checksum, captures made on
 * the sending machine show it. On a wire it is wrong, and no receiver takes it. */
static bool left_to_hardware(const struct gate_packet *p, struct span datagram, uint32_t csum_off)
{
	struct rd r = rd_init(span_sub(datagram, csum_off, 2));
	uint16_t inverse = checksum_fold(checksum_pseudo(p->p.src, p->p.dst, p->proto, datagram.n));

	return (rd_be16(&r) ^ inverse) == UINT16_MAX;
}

enum gate_checksum gate_checksum(const struct gate *g, struct gate_packet *p)
{
	struct rd r = gate_rd(p, p->p.l4);
	struct span datagram = rd_bytes(&r, (size_t)p->l4_len + p->p.app_len);

	bool tcp = p->proto == IPV4_PROTO_TCP;

	if (p->checksum != CHECKSUM_UNKNOWN)
		return (enum gate_checksum)p->checksum;
	if (g->ignore_checksums || p->frame.flags & FRAME_CSUM_NOT_READY ||
	    (tcp ? tcp_csum_ok(p->p.src, p->p.dst, datagram)
		 : udp_csum_ok(p->p.src, p->p.dst, datagram)) ||
	    (g->recorded && left_to_hardware(p, datagram, tcp ? TCP_CSUM_OFF : UDP_CSUM_OFF)))
		p->checksum = CHECKSUM_GOOD;
	else
		p->checksum = CHECKSUM_BAD;
	return (enum gate_checksum)p->checksum;
}

int receive_udp(struct gate *g, struct gate_packet *p)
{
	struct rd r = gate_rd(p, p->p.l4);
	uint32_t left = p->end - p->p.l4;
	struct udp_hdr udp;

	if (!udp_read(&r, &udp) || udp.len < UDP_HDR_LEN || udp.len > left)
		return gate_undecided(g, p, GATE_DROP_UDP_HEADER);
	p->l4_len = UDP_HDR_LEN;
	p->p.sport = udp.sport;
	p->p.dport = udp.dport;
	p->p.app = (uint16_t)(p->p.l4 + UDP_HDR_LEN);
	p->p.app_len = (uint16_t)(udp.len - UDP_HDR_LEN);
	if (!gate_raise(g, EVENT_UDP_receive_packet, p, NULL))
		return GATE_DROP;
	if (gate_loaded(g, DISSECT_DHCP) &&
	    (udp.dport == DHCP4_SERVER_PORT || udp.dport == DHCP4_CLIENT_PORT))
		return DISSECT_DHCP;
	return gate_next_dissector(g, DISSECT_UDP_CONNECTION);
}

void send_udp(struct gate *g, struct gate_packet *p)
{
	uint32_t len = (uint32_t)p->l4_len + p->p.app_len;
	uint32_t at = p->p.l4 + (uint32_t)UDP_CSUM_OFF;
	struct rd r = gate_rd(p, at);

	if (p->dirty & DIRTY_LENGTH)
		verdict_be16(p, p->p.l4 + (uint32_t)UDP_LEN_OFF, (uint16_t)len);
	if (p->frame.flags & FRAME_CSUM_NOT_READY && frames_offload(g->frames)) {
		verdict_be16(p, at,
			     (uint16_t)~checksum_fold(
				     checksum_pseudo_udp(p->p.src, p->p.dst, len)));
		return;
	}
	/* a sender that made none has none (RFC 768) */
	if (rd_be16(&r) == 0 || p->checksum == CHECKSUM_BAD)
		return;
	verdict_checksum(p, at, checksum_pseudo_udp(p->p.src, p->p.dst, len), p->p.l4, len);
	r = gate_rd(p, at);
	/* zero would mean: none */
	if (rd_be16(&r) == 0)
		verdict_be16(p, at, UINT16_MAX);
}

int receive_tcp(struct gate *g, struct gate_packet *p)
{
	struct rd r = gate_rd(p, p->p.l4);

	if (tcp_read(&r, &g->tcp) < 0)
		return gate_undecided(g, p, GATE_DROP_TCP_HEADER);
	p->l4_len = g->tcp.hdr_len;
	p->p.sport = g->tcp.sport;
	p->p.dport = g->tcp.dport;
	p->p.app = (uint16_t)(p->p.l4 + p->l4_len);
	p->p.app_len = (uint16_t)(p->end - p->p.app);
	if (!gate_raise(g, EVENT_TCP_receive_packet, p, NULL))
		return GATE_DROP;
	/* a rule may have written numbers or flags; the header's length is unchanged */
	r = gate_rd(p, p->p.l4);
	if (p->dirty & DIRTY_L4 && tcp_read(&r, &g->tcp) < 0)
		return gate_undecided(g, p, GATE_DROP_TCP_HEADER);
	return gate_next_dissector(g, DISSECT_TCP_CONNECTION);
}

void send_tcp(struct gate *g, struct gate_packet *p)
{
	uint32_t len = (uint32_t)p->l4_len + p->p.app_len;
	uint32_t at = p->p.l4 + (uint32_t)TCP_CSUM_OFF;
	uint32_t pseudo = checksum_pseudo(p->p.src, p->p.dst, IPV4_PROTO_TCP, len);

	if (p->frame.flags & FRAME_CSUM_NOT_READY && frames_offload(g->frames))
		verdict_be16(p, at, (uint16_t)~checksum_fold(pseudo));
	else if (p->checksum != CHECKSUM_BAD)
		verdict_checksum(p, at, pseudo, p->p.l4, len);
}
