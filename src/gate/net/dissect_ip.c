/* SPDX-License-Identifier: MPL-2.0 */
/*
 * IPv4, ICMP and UDP, each datagram by itself. Every length comes from the octets and is checked
 * against the one around it (RFC 791 3.1, RFC 768, RFC 792).
 */
#include "base/error.h"
#include "gate/engine/verdict.h"
#include "gate/net/fragment.h"
#include "gate/net/net.h"
#include "wire/checksum.h"
#include "wire/dhcp4.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

enum {
	ICMP_HDR_LEN = 4,
	ICMP_CSUM_OFF = 2,
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
 * Completes a checksum that the frame's sender left to the kernel, unless it is that of the
 * datagram's transport. Any other one would be written over octets that rules have seen, in a
 * tunnel or where a guest asks for it: so it is made here, before. False: that is impossible,
 * because the frame is to be cut.
 */
static noinline_fn bool finish_checksum(struct gate_packet *p, const struct ipv4_hdr *ip)
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

static int read_ipv4(struct gate_walk *w, struct ipv4_hdr *ip)
{
	const struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct rd r = gate_rd(p, p->p.l3);
	int e = ipv4_read(&r, ip);

	if (e < 0)
		return gate_undecided(w, GATE_DROP_IPV4_HEADER);
	if (!ip->csum_ok && !g->ignore_checksums && !(p->frame.flags & FRAME_CSUM_NOT_READY))
		return gate_undecided(w, GATE_DROP_IPV4_CHECKSUM);
	if (ip->total_len > p->p.len - p->p.l3)
		return gate_undecided(w, GATE_DROP_IPV4_LENGTH);
	p->l3_len = ip->hdr_len;
	p->p.l4 = (uint16_t)(p->p.l3 + ip->hdr_len);
	p->end = (uint32_t)p->p.l3 + ip->total_len;
	p->proto = ip->proto;
	p->p.src = ip->src;
	p->p.dst = ip->dst;
	if (p->frame.flags & FRAME_CSUM_NOT_READY && !finish_checksum(p, ip))
		return gate_undecided(w, p->proto == IPV4_PROTO_TCP ? GATE_DROP_TCP_CHECKSUM
								    : GATE_DROP_UDP_CHECKSUM);
	return DISSECT_IPV4;
}

/* Reassembles the datagram of a fragment, unless fragments are kept apart. Returns the next
 * dissector, or the end of the walk. */
static noinline_fn int receive_fragment(struct gate_walk *w, const struct ipv4_hdr *ip)
{
	int next;

	if (w->p->keep_fragments)
		return GATE_ACCEPT;
	next = fragment_reassemble(w, ip);
	if (next < 0)
		return next;
	if (!gate_raise(w, EVENT_IPV4_receive_packet_reassembled, NULL))
		return GATE_DROP;
	return next_of_proto(w->g, w->p->proto);
}

int receive_ipv4(struct gate_walk *w)
{
	struct ipv4_hdr ip;
	int next = read_ipv4(w, &ip);

	if (next < 0)
		return next;
	if (!gate_raise(w, EVENT_IPV4_receive_packet, NULL))
		return GATE_DROP;
	if (unlikely(ipv4_is_fragment(&ip)))
		return receive_fragment(w, &ip);
	return next_of_proto(w->g, ip.proto);
}

int receive_icmp(struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	if (p->end - p->p.l4 < ICMP_HDR_LEN)
		return gate_undecided(w, GATE_DROP_ICMP_HEADER);
	p->l4_len = ICMP_HDR_LEN;
	p->p.app = (uint16_t)(p->p.l4 + ICMP_HDR_LEN);
	p->p.app_len = (uint16_t)(p->end - p->p.app);
	return gate_raise(w, EVENT_ICMP_receive_packet, NULL) ? GATE_ACCEPT : GATE_DROP;
}

void send_icmp(struct gate *g, struct gate_packet *p)
{
	(void)g;
	if (p->dirty & (DIRTY_L4 | DIRTY_APP | DIRTY_LENGTH))
		verdict_checksum(p, p->p.l4 + (uint32_t)ICMP_CSUM_OFF, 0, p->p.l4,
				 p->end - p->p.l4);
}

int receive_udp(struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	struct rd r = gate_rd(p, p->p.l4);
	uint32_t left = p->end - p->p.l4;
	struct udp_hdr udp;

	if (!udp_read(&r, &udp) || udp.len < UDP_HDR_LEN || udp.len > left)
		return gate_undecided(w, GATE_DROP_UDP_HEADER);
	p->l4_len = UDP_HDR_LEN;
	p->p.sport = udp.sport;
	p->p.dport = udp.dport;
	p->p.app = (uint16_t)(p->p.l4 + UDP_HDR_LEN);
	p->p.app_len = (uint16_t)(udp.len - UDP_HDR_LEN);
	if (!gate_raise(w, EVENT_UDP_receive_packet, NULL))
		return GATE_DROP;
	if (gate_loaded(w->g, DISSECT_DHCP) &&
	    (udp.dport == DHCP4_SERVER_PORT || udp.dport == DHCP4_CLIENT_PORT))
		return DISSECT_DHCP;
	return gate_next_dissector(w->g, DISSECT_UDP_CONNECTION);
}

void send_udp(struct gate *g, struct gate_packet *p)
{
	uint32_t len = (uint32_t)p->l4_len + p->p.app_len;
	uint32_t at = p->p.l4 + (uint32_t)UDP_CSUM_OFF;
	struct rd r = gate_rd(p, at);

	if (p->dirty & DIRTY_LENGTH)
		verdict_be16(p, p->p.l4 + (uint32_t)UDP_LEN_OFF, (uint16_t)len);
	if (p->frame.flags & FRAME_CSUM_NOT_READY && frames_offload(g->frames)) {
		verdict_be16(p, at, (uint16_t)~checksum_fold(net_pseudo_sum(p, len)));
		return;
	}
	/* a sender that made none has none (RFC 768) */
	if (rd_be16(&r) == 0 || p->checksum == CHECKSUM_BAD)
		return;
	verdict_checksum(p, at, net_pseudo_sum(p, len), p->p.l4, len);
	r = gate_rd(p, at);
	/* zero would mean: none */
	if (rd_be16(&r) == 0)
		verdict_be16(p, at, UINT16_MAX);
}
