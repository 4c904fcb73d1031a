/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Numbers are decimal, addresses dotted quads, hardware addresses and client identifiers pairs of
 * lower-case digits with colons, options "0x" and upper-case digits. Names are as the client sent
 * them: a script must not evaluate them.
 */
#include "library/run_script.h"

#include "base/ip.h"
#include "config/config.h"
#include "lease/lease.h"
#include "packet/packet.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <stdio.h>

enum { HTYPE_ETHERNET = 1, MAC_LEN = 6, CLIENT_ID_MIN = 2 };

void run_script_put(struct buf *env, const char *name, const char *value)
{
	buf_str(env, name);
	buf_char(env, '=');
	buf_str(env, value);
	buf_char(env, '\0');
}

/* Begins a variable <prefix>_<name>. */
static void begin_value(struct buf *env, const char *prefix, const char *name)
{
	buf_str(env, prefix);
	buf_char(env, '_');
	buf_str(env, name);
	buf_char(env, '=');
}

static void put_text(struct buf *env, const char *prefix, const char *name, const char *value)
{
	begin_value(env, prefix, name);
	buf_str(env, value);
	buf_char(env, '\0');
}

static void put_number(struct buf *env, const char *prefix, const char *name, int64_t value)
{
	begin_value(env, prefix, name);
	buf_number(env, value);
	buf_char(env, '\0');
}

static void put_address(struct buf *env, const char *prefix, const char *name, uint32_t addr)
{
	char ip[IP_TEXT_LEN];

	put_text(env, prefix, name, ip_text(addr, ip));
}

static void put_pairs(struct buf *env, const char *prefix, const char *name, struct span octets)
{
	begin_value(env, prefix, name);
	buf_hex(env, octets, ':');
	buf_char(env, '\0');
}

/* Puts a hardware address and its type; type below 0: there is none. */
static void put_hardware(struct buf *env, const char *prefix, const char *name, struct span hw,
			 int type)
{
	char type_name[32];

	put_pairs(env, prefix, name, type < 0 ? SPAN_NULL : hw);
	(void)snprintf(type_name, sizeof(type_name), "%s_TYPE", name);
	if (type < 0)
		put_text(env, prefix, type_name, "");
	else
		put_number(env, prefix, type_name, type);
}

static void put_octets(struct buf *env, const char *name, struct span octets)
{
	buf_str(env, name);
	buf_str(env, octets.n ? "=0x" : "=");
	for (size_t i = 0; i < octets.n; i++)
		buf_printf(env, "%02X", octets.p[i]);
	buf_char(env, '\0');
}

static void put_agent_options(struct buf *env, const struct dhcp4_msg *q)
{
	const struct dhcp4_option *rai = dhcp4_opt(q, DHCP4_OPT_AGENT_OPTIONS);
	struct span sub;

	if (!rai)
		return;
	put_octets(env, "QUERY4_OPTION_82", rai->data);
	if (dhcp4_subopt(rai->data, 1, &sub))
		put_octets(env, "QUERY4_OPTION_82_SUB_OPTION_1", sub);
	if (dhcp4_subopt(rai->data, 2, &sub))
		put_octets(env, "QUERY4_OPTION_82_SUB_OPTION_2", sub);
}

/* Puts the addresses of the frame; a packet of a UDP socket has none. */
static void put_frame(struct buf *env, const struct packet *pkt)
{
	int type = pkt && !(pkt->flags & PACKET_NO_L2) ? HTYPE_ETHERNET : -1;

	put_hardware(env, "QUERY4", "LOCAL_HWADDR", pkt ? span_of(pkt->l2_dst, MAC_LEN) : SPAN_NULL,
		     type);
	put_hardware(env, "QUERY4", "REMOTE_HWADDR",
		     pkt ? span_of(pkt->l2_src, MAC_LEN) : SPAN_NULL, type);
}

/* Puts the addresses, ports and the interface that the query came with. */
static void put_transport(struct buf *env, const usher_call *call)
{
	const struct packet *pkt = call->packet;

	put_address(env, "QUERY4", "LOCAL_ADDR", usher_destination(call));
	put_number(env, "QUERY4", "LOCAL_PORT", pkt ? pkt->dport : 0);
	put_address(env, "QUERY4", "REMOTE_ADDR", usher_source(call));
	put_number(env, "QUERY4", "REMOTE_PORT", pkt ? pkt->sport : 0);
	put_number(env, "QUERY4", "IFACE_INDEX", pkt ? pkt->ifindex : 0);
	put_text(env, "QUERY4", "IFACE_NAME", usher_interface(call));
}

/* Puts the variables of a query that is absent. */
static void put_no_query(struct buf *env)
{
	static const char *const names[] = {"TYPE",	     "TXID",
					    "LOCAL_ADDR",    "LOCAL_PORT",
					    "REMOTE_ADDR",   "REMOTE_PORT",
					    "IFACE_INDEX",   "IFACE_NAME",
					    "HOPS",	     "SECS",
					    "FLAGS",	     "CIADDR",
					    "SIADDR",	     "YIADDR",
					    "GIADDR",	     "RELAYED",
					    "HWADDR",	     "HWADDR_TYPE",
					    "LOCAL_HWADDR",  "LOCAL_HWADDR_TYPE",
					    "REMOTE_HWADDR", "REMOTE_HWADDR_TYPE"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		put_text(env, "QUERY4", names[i], "");
}

void run_script_put_query(struct buf *env, usher_call *call)
{
	const struct dhcp4_msg *q = call->query;

	if (!q) {
		put_no_query(env);
		return;
	}
	put_text(env, "QUERY4", "TYPE", dhcp4_type_name(dhcp4_msg_type(q)));
	put_number(env, "QUERY4", "TXID", q->xid);
	put_transport(env, call);
	put_number(env, "QUERY4", "HOPS", q->hops);
	put_number(env, "QUERY4", "SECS", q->secs);
	put_number(env, "QUERY4", "FLAGS", q->flags);
	put_address(env, "QUERY4", "CIADDR", q->ciaddr);
	put_address(env, "QUERY4", "SIADDR", q->siaddr);
	put_address(env, "QUERY4", "YIADDR", q->yiaddr);
	put_address(env, "QUERY4", "GIADDR", q->giaddr);
	put_text(env, "QUERY4", "RELAYED", q->giaddr ? "true" : "false");
	put_hardware(env, "QUERY4", "HWADDR", span_of(q->chaddr, q->hlen), q->htype);
	put_frame(env, call->packet);
	put_agent_options(env, q);
}

void run_script_put_subnet(struct buf *env, usher_call *call)
{
	const struct config_subnet *s = call->subnet_id
						? config_subnet_by_id(call->cfg, call->subnet_id)
						: NULL;

	if (!s) {
		put_text(env, "SUBNET4", "ID", "");
		put_text(env, "SUBNET4", "NAME", "");
		put_text(env, "SUBNET4", "PREFIX", "");
		put_text(env, "SUBNET4", "PREFIX_LEN", "");
		return;
	}
	put_number(env, "SUBNET4", "ID", s->id);
	put_text(env, "SUBNET4", "NAME", s->text);
	put_address(env, "SUBNET4", "PREFIX", s->prefix);
	put_number(env, "SUBNET4", "PREFIX_LEN", s->prefix_len);
}

void run_script_put_client(struct buf *env, usher_call *call)
{
	const struct dhcp4_msg *q = call->query;
	const struct dhcp4_option *id = q ? dhcp4_opt(q, DHCP4_OPT_CLIENT_ID) : NULL;
	struct span cid = id && id->data.n >= CLIENT_ID_MIN ? id->data : SPAN_NULL;

	put_pairs(env, "PKT4", "CLIENT_ID", cid);
	put_hardware(env, "PKT4", "HWADDR", q ? span_of(q->chaddr, q->hlen) : SPAN_NULL,
		     q ? q->htype : -1);
}

static const char *state_text(const struct lease *l)
{
	switch ((enum lease_state)l->state) {
	case LEASE_DECLINED:
		return "declined";
	case LEASE_RECLAIMED:
		return "expired-reclaimed";
	case LEASE_RELEASED:
		return "released";
	case LEASE_ASSIGNED:
	case LEASE_OFFERED:
		break;
	}
	return "default";
}

/* Returns the hardware type of a lease. Leases do not keep it: it is that of the client whose query
 * this is, else Ethernet. */
static int hardware_type(const usher_call *call, const struct lease *l)
{
	const struct dhcp4_msg *q = call->query;

	if (q && span_eq(lease_hw(l), span_of(q->chaddr, q->hlen)))
		return q->htype;
	return HTYPE_ETHERNET;
}

static void put_no_lease(struct buf *env, const char *prefix)
{
	static const char *const names[] = {"ADDRESS",	 "CLTT",	   "HOSTNAME",
					    "HWADDR",	 "HWADDR_TYPE",	   "STATE",
					    "SUBNET_ID", "VALID_LIFETIME", "CLIENT_ID"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		put_text(env, prefix, names[i], "");
}

void run_script_put_lease(struct buf *env, usher_call *call, const char *prefix,
			  const struct lease *l)
{
	if (!l) {
		put_no_lease(env, prefix);
		return;
	}
	put_address(env, prefix, "ADDRESS", l->addr);
	put_number(env, prefix, "CLTT", l->cltt);
	put_text(env, prefix, "HOSTNAME", l->hostname);
	put_hardware(env, prefix, "HWADDR", lease_hw(l), hardware_type(call, l));
	put_text(env, prefix, "STATE", state_text(l));
	put_number(env, prefix, "SUBNET_ID", l->subnet_id);
	put_number(env, prefix, "VALID_LIFETIME", l->valid_lft);
	put_pairs(env, prefix, "CLIENT_ID", lease_client_id(l));
}

void run_script_put_leases(struct buf *env, usher_call *call, const char *prefix,
			   const struct lease *l)
{
	char first[32];

	put_number(env, prefix, "SIZE", l != NULL);
	(void)snprintf(first, sizeof(first), "%s_AT0", prefix);
	if (l)
		run_script_put_lease(env, call, first, l);
}
