/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The layers below IPv4: the frame as captured, Ethernet, VLAN tags, ARP.
 */
#include "gate/engine/dissect.h"
#include "wire/arp.h"
#include "wire/eth.h"

enum { COOKED_LEN = 16, COOKED_PROTO_OFF = 14, NULL_LEN = 4, AF_INET_BSD = 2 };

static int next_of_type(const struct gate *g, uint16_t type)
{
	switch (type) {
	case ETH_TYPE_IPV4:
		return gate_next_dissector(g, DISSECT_IPV4);
	case ETH_TYPE_ARP:
		return gate_next_dissector(g, DISSECT_ARP);
	default:
		return GATE_ACCEPT;
	}
}

/* Continues behind a header of `len` octets that is not Ethernet's. */
static int raw_network(struct gate_walk *w, uint16_t len, uint16_t type)
{
	struct gate_packet *p = w->p;

	if (p->p.len < len)
		return gate_undecided(w, GATE_DROP_FRAME_CUT);
	p->eth_type = type;
	p->p.l3 = len;
	return next_of_type(w->g, type);
}

static uint16_t null_type(const struct gate_packet *p)
{
	struct rd r = gate_rd(p, 0);
	uint32_t family = rd_be32(&r);

	/* in the byte order of the machine that captured */
	return family == AF_INET_BSD || family == (uint32_t)AF_INET_BSD << 24 ? ETH_TYPE_IPV4 : 0;
}

static uint16_t cooked_type(const struct gate_packet *p)
{
	struct rd r = gate_rd(p, COOKED_PROTO_OFF);

	return rd_be16(&r);
}

/* Returns the dissector behind the header of a link that is not Ethernet. */
static cold_fn int receive_other_link(struct gate_walk *w)
{
	switch (w->p->frame.link) {
	case FRAME_IPV4:
		return raw_network(w, 0, ETH_TYPE_IPV4);
	case FRAME_COOKED:
		return raw_network(w, COOKED_LEN, cooked_type(w->p));
	default:
		return raw_network(w, NULL_LEN, null_type(w->p));
	}
}

int receive_raw(struct gate_walk *w)
{
	struct gate *g = w->g;
	const struct gate_packet *p = w->p;

	if (p->frame.flags & FRAME_TRUNCATED && g->keep_snapped && g->recorded) {
		g->counters.snapped++;
		return GATE_ACCEPT;
	}
	if (p->frame.flags & FRAME_TRUNCATED)
		return gate_undecided(w, GATE_DROP_FRAME_CUT);
	if (!gate_raise(w, EVENT_RAW_receive_packet, NULL))
		return GATE_DROP;
	return likely(p->frame.link == FRAME_ETHERNET) ? gate_next_dissector(g, DISSECT_ETHERNET)
						       : receive_other_link(w);
}

/* Reads the VLANs of the tags. Tags of VLAN 0 have a priority only, and hosts remove any number of
 * them. False: more than two VLANs. */
static bool read_vlans(struct gate_packet *p, const struct eth_hdr *eth)
{
	unsigned n = 0;

	for (size_t i = 0; i < eth->n_tags; i++) {
		uint32_t id = eth_vlan_id(eth->tci[i]);

		if (id)
			p->vlans |= n < 2 ? id << (n * 12) : 0;
		n += id != 0;
	}
	p->p.vlan_id = p->vlans & 0xfff;
	return n <= 2;
}

int receive_ethernet(struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	struct rd r = gate_rd(p, 0);
	struct eth_hdr eth;

	if (!eth_read(&r, &eth))
		return gate_undecided(w, p->p.len < ETH_HDR_LEN ? GATE_DROP_ETHERNET_HEADER
								: GATE_DROP_VLAN_HEADER);
	p->p.l2 = 0;
	p->p.l3 = (uint16_t)(p->p.len - rd_left(&r));
	p->eth_type = eth.type;
	p->n_tags = eth.n_tags;
	memcpy(p->p.l2_src, eth.src, ETH_ADDR_LEN);
	memcpy(p->p.l2_dst, eth.dst, ETH_ADDR_LEN);
	if (eth_is_group(eth.dst))
		p->p.flags |= PACKET_BROADCAST;
	p->many_tags = unlikely(eth.n_tags) && (!read_vlans(p, &eth) || eth_is_tag(eth.type));
	if (!gate_raise(w, EVENT_ETHERNET_receive_packet, NULL))
		return GATE_DROP;
	if (p->many_tags)
		return gate_undecided(w, GATE_DROP_VLAN_TAGS);
	return eth.n_tags && gate_loaded(w->g, DISSECT_VLAN) ? DISSECT_VLAN
							     : next_of_type(w->g, p->eth_type);
}

int receive_vlan(struct gate_walk *w)
{
	if (!gate_raise(w, EVENT_VLAN_receive_packet, NULL))
		return GATE_DROP;
	return next_of_type(w->g, w->p->eth_type);
}

int receive_arp(struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	struct rd r = gate_rd(p, p->p.l3);
	struct arp_packet arp;

	if (!arp_read(&r, &arp))
		return gate_undecided(w, GATE_DROP_ARP_HEADER);
	p->p.src = arp.spa;
	p->p.dst = arp.tpa;
	p->end = p->p.l3 + ARP_LEN;
	return gate_raise(w, EVENT_ARP_receive_packet, NULL) ? GATE_ACCEPT : GATE_DROP;
}
