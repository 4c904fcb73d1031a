/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The checks run in the order of cost: a flood of foreign packets (a busy segment, an attacker)
 * ends at the fixed part, before an option is read. RFC 2131 4.1, 4.4; RFC 6842 (client
 * identifier); RFC 8925 (IPv6-only).
 */
#include "client/core/accept.h"

#include "base/cursor.h"
#include "client/core/fsm.h"
#include "client/core/message.h"
#include "wire/dhcp4_scan.h"
#include "wire/option_codes.h"

enum { HTYPE_ETHERNET = 1, V6ONLY_MIN_S = 300, V6ONLY_MAX_S = 86400 };

/* Returns the first instance of an option in the options field: the valid one of a code that may
 * stand once only. */
static struct span first_instance(struct span msg, uint8_t code)
{
	struct rd r = rd_init(span_sub(msg, DHCP4_MIN_LEN, msg.n));
	struct dhcp4_option o;

	while (dhcp4_scan_next(&r, &o))
		if (o.code == code)
			return o.data;
	return SPAN_NULL;
}

/* Replaces an option that RFC 3396 joined from repeated instances by its first instance. Applies
 * to options of a fixed size. */
static void unjoin_option(struct dhcp4_msg *m, struct span msg, uint8_t code, size_t len)
{
	struct span joined = dhcp4_opt_data(m, code);
	struct span first;

	if (joined.n <= len)
		return;
	first = first_instance(msg, code);
	if (first.n == len)
		m->opts[m->pos[code] - 1].data = first;
}

static enum client_drop check_station(const struct packet *p)
{
	if (p->flags & PACKET_OTHERHOST)
		return CLIENT_DROP_OTHER_STATION;
	if (p->vlan_id)
		return CLIENT_DROP_OTHER_VLAN;
	/* a UDP socket checks the port itself */
	if (!(p->flags & PACKET_NO_L2) && p->dport != DHCP4_CLIENT_PORT)
		return CLIENT_DROP_OTHER_PORT;
	return CLIENT_DROP_NONE;
}

static bool xid_ours(const struct client *c, uint32_t xid)
{
	return (c->xact.active && c->xact.xid == xid) || (c->inform.active && c->inform.xid == xid);
}

static enum client_drop check_header(const struct client *c, struct span msg)
{
	struct rd r = rd_init(msg);
	uint8_t op = rd_u8(&r);
	uint8_t htype = rd_u8(&r);
	uint8_t hlen = rd_u8(&r);
	struct span chaddr;
	struct span type;
	uint32_t xid;

	(void)rd_u8(&r); /* hops */
	xid = rd_be32(&r);
	(void)rd_bytes(&r, 20);
	chaddr = rd_bytes(&r, DHCP4_CHADDR_LEN);
	(void)rd_bytes(&r, DHCP4_SNAME_LEN + DHCP4_FILE_LEN);
	if (msg.n < DHCP4_MIN_LEN)
		return CLIENT_DROP_SHORT;
	if (op != DHCP4_BOOTREPLY)
		return CLIENT_DROP_OP;
	if (rd_be32(&r) != DHCP4_MAGIC)
		return CLIENT_DROP_COOKIE;
	if (htype != HTYPE_ETHERNET)
		return CLIENT_DROP_HTYPE;
	if (hlen != sizeof(c->link.mac))
		return CLIENT_DROP_HLEN;
	/* the ten octets behind the address are ignored */
	if (!span_eq(span_sub(chaddr, 0, sizeof(c->link.mac)),
		     span_of(c->link.mac, sizeof(c->link.mac))))
		return CLIENT_DROP_CHADDR;
	type = first_instance(msg, DHCP4_OPT_MESSAGE_TYPE);
	/* RFC 3203 6, RFC 6704: the server chooses the xid; without authentication the message
	 * is an attack */
	if (type.n == 1 && type.p[0] == DHCP4_FORCERENEW)
		return CLIENT_DROP_FORCERENEW;
	return xid_ours(c, xid) ? CLIENT_DROP_NONE : CLIENT_DROP_XID;
}

static bool asked_for(const struct client *c, uint8_t code)
{
	for (size_t i = 0; i < c->opts->n_prl; i++)
		if (c->opts->prl[i] == code)
			return true;
	return false;
}

/* Returns whether the network is IPv6-only: the option was requested and is present. Sets the
 * pause, of five minutes to a day: a longer one would let one forged OFFER last. RFC 8925 3.2. */
static bool is_v6only(const struct client *c, struct client_msg *msg)
{
	uint32_t s;

	if (!asked_for(c, DHCP4_OPT_V6_ONLY_PREFERRED) ||
	    !dhcp4_opt_u32(&msg->m, DHCP4_OPT_V6_ONLY_PREFERRED, &s))
		return false;
	msg->v6only_s = s < V6ONLY_MIN_S ? V6ONLY_MIN_S : s > V6ONLY_MAX_S ? V6ONLY_MAX_S : s;
	return true;
}

/* Sets the event of a message. Returns CLIENT_DROP_NONE, or the reason to drop the message: type
 * missing, not for clients, or unexpected in this state. */
static enum client_drop classify_message(const struct client *c, struct client_msg *msg)
{
	uint8_t type;

	if (!dhcp4_opt_u8(&msg->m, DHCP4_OPT_MESSAGE_TYPE, &type))
		return CLIENT_DROP_NO_TYPE;
	msg->type = (enum dhcp4_type)type;
	if (type == DHCP4_OFFER)
		msg->event = CLIENT_EV_OFFER;
	else if (type == DHCP4_ACK)
		msg->event = CLIENT_EV_ACK;
	else if (type == DHCP4_NAK)
		msg->event = CLIENT_EV_NAK;
	else
		return CLIENT_DROP_TYPE;
	if (c->inform.active && msg->m.xid == c->inform.xid) {
		if (type != DHCP4_ACK)
			return CLIENT_DROP_UNEXPECTED;
		msg->event = CLIENT_EV_INFORM_ACK;
	} else if (type != DHCP4_NAK && is_v6only(c, msg) &&
		   client_fsm(c->state, CLIENT_EV_V6ONLY).action) {
		msg->event = CLIENT_EV_V6ONLY;
	}
	return client_fsm(c->state, msg->event).action ? CLIENT_DROP_NONE : CLIENT_DROP_UNEXPECTED;
}

/* Checks that a returned client identifier is the one that was sent (RFC 6842 3). */
static enum client_drop check_identity(const struct client *c, const struct dhcp4_msg *m)
{
	const struct dhcp4_option *echo = dhcp4_opt(m, DHCP4_OPT_CLIENT_ID);
	uint8_t buf[CLIENT_ID_MAC_LEN];
	struct span ours = client_identifier(c, buf);

	if (echo && ours.n && !span_eq(echo->data, ours))
		return CLIENT_DROP_CLIENT_ID;
	return CLIENT_DROP_NONE;
}

/* Checks the server identifier: present, unicast, and of the chosen server where the state has
 * one. */
static enum client_drop check_server(const struct client *c, struct client_msg *msg)
{
	if (!dhcp4_opt_u32(&msg->m, DHCP4_OPT_SERVER_ID, &msg->server_id) || !msg->server_id)
		return CLIENT_DROP_NO_SERVER_ID;
	if (!client_address_is_unicast(msg->server_id))
		return CLIENT_DROP_BAD_SERVER_ID;
	/* RFC 2131 4.3.2: a REQUEST names the chosen server; ACK and NAK of other servers do not
	 * answer it */
	if (c->state == CLIENT_REQUESTING && msg->server_id != c->offer.server_id)
		return CLIENT_DROP_OTHER_SERVER;
	/* only our server decides a renewal by NAK; an ACK of its partner (failover,
	 * multi-homed) is accepted */
	if (c->state == CLIENT_RENEWING && msg->event == CLIENT_EV_NAK &&
	    msg->server_id != c->lease.server_id)
		return CLIENT_DROP_OTHER_SERVER;
	return CLIENT_DROP_NONE;
}

static uint32_t wanted_address(const struct client *c, enum client_event e)
{
	if (e == CLIENT_EV_OFFER)
		return 0;
	return c->state == CLIENT_REQUESTING ? c->offer.address : c->lease.address;
}

static enum client_drop check_lease(const struct client *c, struct client_msg *msg,
				    struct client_lease *l)
{
	struct client_lease_terms t = {
		.want = wanted_address(c, msg->event),
		.mask = c->opts->default_mask,
		.link_mtu = c->link.mtu,
	};

	if (msg->event == CLIENT_EV_NAK || msg->event == CLIENT_EV_V6ONLY)
		return CLIENT_DROP_NONE;
	msg->lease = l;
	if (msg->event == CLIENT_EV_INFORM_ACK)
		return client_lease_read_options(&msg->m, c->link.mtu, l);
	/* a renewed lease keeps its mask if the server does not repeat it */
	if (!t.mask && (c->state == CLIENT_RENEWING || c->state == CLIENT_REBINDING))
		t.mask = c->lease.mask;
	return client_lease_read(&msg->m, &t, l);
}

enum client_drop client_accept(const struct client *c, struct packet *p,
			       struct client_lease *ret_lease, struct client_msg *ret)
{
	struct span bytes = packet_app(p);
	enum client_drop d = check_station(p);

	ret->lease = NULL;
	ret->v6only_s = 0;
	ret->odd_port = p->sport != DHCP4_SERVER_PORT;
	ret->broadcast = p->flags & PACKET_BROADCAST;
	if (d == CLIENT_DROP_NONE)
		d = check_header(c, bytes);
	if (d != CLIENT_DROP_NONE)
		return d;
	if (dhcp4_decode(bytes, DHCP4_TOLERANT, &p->arena, &ret->m) < 0)
		return CLIENT_DROP_MALFORMED;
	unjoin_option(&ret->m, bytes, DHCP4_OPT_MESSAGE_TYPE, 1);
	unjoin_option(&ret->m, bytes, DHCP4_OPT_SERVER_ID, 4);
	unjoin_option(&ret->m, bytes, DHCP4_OPT_LEASE_TIME, 4);
	unjoin_option(&ret->m, bytes, DHCP4_OPT_SUBNET_MASK, 4);
	d = classify_message(c, ret);
	if (d == CLIENT_DROP_NONE)
		d = check_identity(c, &ret->m);
	if (d == CLIENT_DROP_NONE)
		d = check_server(c, ret);
	if (d == CLIENT_DROP_NONE)
		d = check_lease(c, ret, ret_lease);
	if (d != CLIENT_DROP_NONE || !ret->lease)
		return d;
	ret_lease->server_ip = p->src;
	memcpy(ret_lease->server_mac, p->l2_src, sizeof(ret_lease->server_mac));
	return CLIENT_DROP_NONE;
}
