/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The sender of an ARP packet with our address as sender address has the address. While the client
 * probes, another host's probe for the address (sender 0.0.0.0) conflicts too, because both would
 * take it. Once the address is ours, the kernel answers such a probe. Probes of hosts are
 * broadcast; switches that track devices send them by unicast to the known host, which is harmless.
 * Frames with our own hardware address came back by a loop.
 */
#include "client/core/arp_check.h"

#include "wire/arp.h"
#include "wire/eth.h"

static bool is_probed(const struct client *c)
{
	return (c->state == CLIENT_REQUESTING || c->state == CLIENT_PROBING ||
		c->state == CLIENT_REBOOTING) &&
	       c->probe_end_ns;
}

static bool is_used(const struct client *c)
{
	return c->configured && (c->state == CLIENT_BOUND || c->state == CLIENT_RENEWING ||
				 c->state == CLIENT_REBINDING);
}

/* Returns whether a packet is the answer of the remembered station, by both of its addresses
 * (RFC 4436 2.1). */
static bool is_node(const struct client *c, const struct arp_packet *a)
{
	return c->state == CLIENT_REBOOTING && c->node && a->op == ARP_REPLY && a->spa == c->node &&
	       memcmp(a->sha, c->node_mac, sizeof(a->sha)) == 0;
}

static bool is_probe_for(const struct arp_packet *a, uint32_t address)
{
	return a->op == ARP_REQUEST && a->spa == 0 && a->tpa == address;
}

enum client_drop client_arp_check(const struct client *c, struct span frame,
				  enum client_event *ret_event)
{
	struct rd r = rd_init(frame);
	struct arp_packet a;
	struct eth_hdr eth;

	if (!eth_read(&r, &eth) || eth.type != ETH_TYPE_ARP || !arp_read(&r, &a))
		return CLIENT_DROP_ARP_MALFORMED;
	if ((a.op != ARP_REQUEST && a.op != ARP_REPLY) || eth_is_group(a.sha))
		return CLIENT_DROP_ARP_MALFORMED;
	if (memcmp(a.sha, c->link.mac, sizeof(a.sha)) == 0)
		return CLIENT_DROP_ARP_OWN;
	if (is_probed(c) && (a.spa == c->offer.address ||
			     (eth_is_group(eth.dst) && is_probe_for(&a, c->offer.address))))
		*ret_event = CLIENT_EV_PROBE_CONFLICT;
	else if (is_used(c) && a.spa == c->lease.address)
		*ret_event = CLIENT_EV_ARP_CONFLICT;
	else if (is_node(c, &a))
		*ret_event = CLIENT_EV_NODE_FOUND;
	else
		return CLIENT_DROP_ARP_OTHER;
	return CLIENT_DROP_NONE;
}
