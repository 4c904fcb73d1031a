/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RECEIVE and SERVICE: whether the packet is complete and for this server, and whether the service
 * is enabled. A raw socket receives packets that an IP stack would refuse, so the checks of a stack
 * are made here: checksums and lengths (packet_decode), other stations' frames, other hosts'
 * addresses.
 */
#include "base/cursor.h"
#include "runtime/iface.h"
#include "server/core/server.h"
#include "server/stages/stages.h"
#include "wire/option_codes.h"

enum { IP_BROADCAST = 0xffffffffU };
/* RFC 2131 2, RFC 2132 3.1 and 3.2 */
enum { CIADDR_AT = 12, OPTIONS_AT = 240, OPT_PAD = 0, OPT_END = 255 };

/* Finds our address for this exchange: the one the client sent to, else the interface's. Returns
 * false if there is none. */
static bool find_local_addr(struct exchange *x)
{
	const struct iface *i = x->iface;
	uint32_t dst = x->pkt.dst;

	if (i && i->accept_any && dst != IP_BROADCAST) {
		x->local_addr = dst;
		return true;
	}
	if (dst != IP_BROADCAST && iface_owns(x->ifaces, dst)) {
		x->local_addr = dst;
		return true;
	}
	if (i && i->n_addrs) {
		x->local_addr = i->serve_addr ? i->serve_addr : i->addrs[0].addr;
		return dst == IP_BROADCAST || iface_is_broadcast(i, dst);
	}
	return false; /* no address of ours to answer from */
}

enum verdict stage_receive(struct exchange *x)
{
	enum drop d;

	stats_add(x->stats, METRIC_RECEIVED, 1);
	d = packet_decode(&x->pkt);
	if (d != DROP_NONE)
		return exchange_drop(x, d);
	if (x->pkt.dport != exchange_server(x)->server_port)
		return exchange_drop(x, DROP_NOT_OUR_PORT);
	if (x->pkt.flags & PACKET_OTHERHOST)
		return exchange_drop(x, DROP_NOT_OUR_FRAME);
	x->iface = iface_by_index(x->ifaces, x->pkt.ifindex);
	/* 802.1Q: a frame with a VLAN tag belongs to the interface of that VLAN, which receives
	 * it too, without the tag */
	if (x->pkt.vlan_id && !(x->iface && x->iface->accept_any))
		return exchange_drop(x, DROP_OTHER_VLAN);
	if (!find_local_addr(x))
		return exchange_drop(x, DROP_NOT_OUR_ADDRESS);
	if (x->pkt.dst == IP_BROADCAST || (x->iface && iface_is_broadcast(x->iface, x->pkt.dst)))
		x->pkt.flags |= PACKET_BROADCAST;
	x->raw = packet_app(&x->pkt);
	return VERDICT_CONTINUE;
}

/* Reads message type and ciaddr alone, without decoding the rest of the message. */
static enum dhcp4_type peek_type(struct rd r, uint32_t *ret_ciaddr)
{
	(void)rd_bytes(&r, CIADDR_AT);
	*ret_ciaddr = rd_be32(&r);
	(void)rd_bytes(&r, OPTIONS_AT - CIADDR_AT - 4);
	while (rd_left(&r) > 1) {
		uint8_t code = rd_u8(&r);
		uint8_t len = code == OPT_PAD || code == OPT_END ? 0 : rd_u8(&r);

		if (code == OPT_END)
			break;
		if (code == DHCP4_OPT_MESSAGE_TYPE && len == 1)
			return (enum dhcp4_type)rd_u8(&r);
		(void)rd_bytes(&r, len);
	}
	return DHCP4_NOTYPE;
}

/* Returns whether overload drops the packet: a client with a lease does not depend on it. */
static cold_fn bool is_shed(const struct exchange *x, enum shed shed)
{
	uint32_t ciaddr;
	enum dhcp4_type t = peek_type(rd_init(x->raw), &ciaddr);

	if (t == DHCP4_REQUEST)
		return shed == SHED_UNBOUND && !ciaddr;
	return t != DHCP4_RELEASE && t != DHCP4_DECLINE;
}

enum verdict stage_service(struct exchange *x)
{
	enum shed shed = x->shed;

	if (unlikely(shed != SHED_NOTHING) && is_shed(x, shed))
		return exchange_drop(x, DROP_OVERLOAD);
	if (atomic_load_explicit(&exchange_server(x)->disabled, memory_order_relaxed))
		return exchange_drop(x, DROP_SERVICE_DISABLED);
	return VERDICT_CONTINUE;
}
