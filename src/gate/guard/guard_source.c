/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Checks the sender of every frame of a port that is not trusted. ARP (RFC 826, RFC 5227) and IP
 * sources are compared with the bindings; frames that could carry either past these checks are
 * refused.
 */
#include "base/ip.h"
#include "gate/guard/guard_impl.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

enum {
	ETH_TYPE_FIRST = 0x0600, /* below: a length, and 802.2 */
	SNAP = 0xaaaa,
	SNAP_REST = 4, /* control, OUI */
	PROTO_IGMP = 2,
};
enum {
	LINK_LOCAL = 0xa9fe0000,
	LINK_LOCAL_BITS = 16,
	LOCAL_GROUPS = 0xe0000000,
	LOCAL_GROUPS_BITS = 24
};

static bool link_local(const struct guard *gd, uint32_t ip)
{
	return gd->o.allow_link_local && (ip & ip_mask(LINK_LOCAL_BITS)) == LINK_LOCAL;
}

/*
 * Judges a frame whose sender's address is not checked: neither IPv4 nor ARP, ARP probes, reports
 * of groups, link-local addresses, checks that are off. Such a frame still teaches a switch the
 * place of its sender. It must not draw away the traffic of a client with a lease at another port.
 */
static bool judge_station(struct guard *gd, struct gate_packet *p)
{
	bool elsewhere = false, in_use = false;

	for (const struct guard_binding *b = NULL;
	     (b = guard_bindings_of(gd->bindings, p->vlans, p->p.l2_src, b)) != NULL;) {
		if (b->port == p->frame.port || b->port == GUARD_ANY_PORT)
			return true;
		elsewhere = true;
		in_use |= b->fixed || gd->gate->now_ns - b->seen_ns < gd->o.in_use_ns;
	}
	if (!elsewhere)
		return true;
	if (in_use)
		return guard_refuse(gd, p, GATE_DROP_GUARD_IN_USE);
	/* it may have moved, and will ask for its lease: nothing to be alarmed at */
	gate_drop(p, GATE_DROP_GUARD_IN_USE);
	return false;
}

/* Returns whether the address is the sender's own. */
static bool is_owner(struct guard *gd, const struct gate_packet *p, uint32_t ip)
{
	struct guard_binding *b = guard_bindings_find(gd->bindings, p->vlans, ip);

	if (!b || !guard_binding_fits(b, p->p.l2_src, p->frame.port))
		return false;
	/* the server's list does not name a client's port: it is this one */
	if (b->port == GUARD_ANY_PORT && !b->fixed)
		guard_set_port(gd, b, p->frame.port);
	b->seen_ns = gd->gate->now_ns;
	return true;
}

/* Returns whether an address needs no lease. */
static bool is_free(struct guard *gd, const struct gate_packet *p, uint32_t ip)
{
	return link_local(gd, ip) ||
	       (guard_port_of(gd, p)->role == GUARD_SHARED && guard_is_server_ip(gd, ip));
}

static bool judge_arp(struct guard *gd, struct gate_packet *p)
{
	struct guard_port *port = guard_port_of(gd, p);
	struct rd r = gate_rd(p, p->p.l3);
	struct arp_packet arp;

	if (!arp_read(&r, &arp) || (arp.op != ARP_REQUEST && arp.op != ARP_REPLY))
		return guard_refuse(gd, p, GATE_DROP_GUARD_ARP_FORM);
	p->p.src = arp.spa;
	if (!guard_rate_ok(&gd->o.arp, port->arp_paid_ns, gd->gate->now_ns))
		return guard_refuse(gd, p, GATE_DROP_GUARD_ARP_RATE);
	guard_rate_take(&gd->o.arp, &port->arp_paid_ns, gd->gate->now_ns);
	if (memcmp(arp.sha, p->p.l2_src, sizeof(arp.sha)) != 0)
		return guard_refuse(gd, p, GATE_DROP_GUARD_ARP_MAC);
	/* RFC 5227 2.1: a probe claims no address */
	if (!gd->o.check_arp || port->role == GUARD_RELAY ||
	    (arp.spa == 0 && arp.op == ARP_REQUEST) || is_free(gd, p, arp.spa))
		return judge_station(gd, p);
	return is_owner(gd, p, arp.spa) || guard_refuse(gd, p, GATE_DROP_GUARD_ARP_ADDRESS);
}

/* Returns whether a frame carries IP or ARP where the dissectors do not look for it, and some hosts
 * do. */
static bool hidden(const struct gate_packet *p)
{
	struct rd r = gate_rd(p, p->p.l3);
	uint16_t type, saps = rd_be16(&r);

	(void)rd_bytes(&r, SNAP_REST);
	type = rd_be16(&r);
	return p->eth_type < ETH_TYPE_FIRST && saps == SNAP && rd_ok(&r) &&
	       (type == ETH_TYPE_IPV4 || type == ETH_TYPE_ARP);
}

bool guard_judge_frame(struct guard *gd, struct gate_packet *p)
{
	if (eth_is_group(p->p.l2_src))
		return guard_refuse(gd, p, GATE_DROP_GUARD_SOURCE_MAC);
	if (guard_is_server_mac(gd, p->p.l2_src))
		return guard_refuse(gd, p, GATE_DROP_GUARD_SERVER_MAC);
	if (p->many_tags)
		return guard_refuse(gd, p, GATE_DROP_GUARD_TAGS);
	if (hidden(p))
		return guard_refuse(gd, p, GATE_DROP_GUARD_SNAP);
	if (p->eth_type == ETH_TYPE_ARP)
		return judge_arp(gd, p);
	return p->eth_type == ETH_TYPE_IPV4 || judge_station(gd, p);
}

static bool is_fragment(const struct gate_packet *p)
{
	struct rd r = gate_rd(p, p->p.l3 + (uint32_t)IPV4_FRAG_OFF);

	return rd_be16(&r) & (IPV4_MF | IPV4_OFFSET_MASK);
}

/* Judges a fragment: only whole datagrams can be judged. The gate drops fragments that cannot be
 * put together unless it fails open, and a rule may ask for single fragments: the guard refuses
 * both. */
bool guard_judge_fragment(struct guard *gd, struct gate_packet *p, bool leaving)
{
	if (!is_fragment(p) || (!leaving && !gd->gate->fail_open))
		return true;
	return guard_refuse(gd, p, GATE_DROP_GUARD_FRAGMENT);
}

bool guard_is_message(const struct gate_packet *p)
{
	struct rd r = gate_rd(p, p->p.l4 + (uint32_t)UDP_DPORT_OFF);
	uint16_t dport = rd_be16(&r);

	return p->proto == IPV4_PROTO_UDP &&
	       (dport == DHCP4_SERVER_PORT || dport == DHCP4_CLIENT_PORT);
}

bool guard_judge_ipv4(struct guard *gd, struct gate_packet *p)
{
	bool report = p->p.src == 0 && p->proto == PROTO_IGMP &&
		      (p->p.dst & ip_mask(LOCAL_GROUPS_BITS)) == LOCAL_GROUPS;

	/* judged as messages: a request without a lease yet, a server where none may be */
	if (is_fragment(p) || guard_is_message(p))
		return true;
	/* RFC 3376 4.2.13: hosts report their groups before they have an address */
	if (!gd->o.check_source || guard_port_of(gd, p)->role == GUARD_RELAY || report ||
	    is_free(gd, p, p->p.src))
		return judge_station(gd, p);
	return is_owner(gd, p, p->p.src) || guard_refuse(gd, p, GATE_DROP_GUARD_ADDRESS);
}
