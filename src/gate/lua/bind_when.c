/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fields for the conditions of a rule (`when`): of packets and flows at every event, of the message
 * at those of dhcp.
 */
#include "gate/lua/bind_impl.h"

#include "base/error.h"
#include "gate/app/dissect_dhcp.h"

/* --- Packets and flows ------------------------------------------------------------------------ */

static const struct packet *condition_packet(const void *ctx)
{
	const struct bind_occasion *o = ctx;

	return &o->walk->p->p;
}

/* Returns the direction of the shown data, or of the packet. */
static uint64_t direction_of(const void *ctx)
{
	const struct gate_walk *w = ((const struct bind_occasion *)ctx)->walk;

	return w->view ? w->view->direction : w->p ? w->p->direction : GATE_UP;
}

#define FIELD(name, value)                           \
	static uint64_t when_##name(const void *ctx) \
	{                                            \
		return (value);                      \
	}
FIELD(src, condition_packet(ctx)->src)
FIELD(dst, condition_packet(ctx)->dst)
FIELD(srcport, condition_packet(ctx)->sport)
FIELD(dstport, condition_packet(ctx)->dport)
FIELD(vlan, condition_packet(ctx)->vlan_id)
FIELD(len, condition_packet(ctx)->len)
FIELD(proto, ((const struct bind_occasion *)ctx)->walk->p->proto)
FIELD(port, ((const struct bind_occasion *)ctx)->walk->p->frame.port)
FIELD(direction, direction_of(ctx))
FIELD(flow_srcip, ((const struct bind_occasion *)ctx)->f->key.src)
FIELD(flow_dstip, ((const struct bind_occasion *)ctx)->f->key.dst)
FIELD(flow_srcport, ((const struct bind_occasion *)ctx)->f->key.sport)
FIELD(flow_dstport, ((const struct bind_occasion *)ctx)->f->key.dport)
#undef FIELD

static bool has_packet(const void *ctx)
{
	return ((const struct bind_occasion *)ctx)->walk->p != NULL;
}

static bool has_network(const void *ctx)
{
	const struct bind_occasion *o = ctx;

	return o->walk->p && o->walk->p->p.l4 != PACKET_NO_LAYER;
}

static bool has_transport(const void *ctx)
{
	const struct bind_occasion *o = ctx;

	return o->walk->p && o->walk->p->p.app != PACKET_NO_LAYER;
}

static bool has_flow(const void *ctx)
{
	return ((const struct bind_occasion *)ctx)->f != NULL;
}

static int parse_direction(const char *text, uint64_t *ret)
{
	if (strcmp(text, "up") != 0 && strcmp(text, "down") != 0)
		return -USHER_E_UNKNOWN;
	*ret = text[0] == 'u' ? GATE_UP : GATE_DOWN;
	return 0;
}

static const char *direction_text(uint64_t v)
{
	return v == GATE_UP ? "up" : "down";
}

/* --- DHCP messages ---------------------------------------------------------------------------- */

static const struct dhcp4_msg *msg_of(const void *ctx)
{
	return gate_dhcp_msg(((const struct bind_occasion *)ctx)->walk->g);
}

#define FIELD(name, value)                           \
	static uint64_t when_##name(const void *ctx) \
	{                                            \
		return (value);                      \
	}
FIELD(type, dhcp4_msg_type(msg_of(ctx)))
FIELD(chaddr, script_dhcp_chaddr(msg_of(ctx)))
FIELD(ciaddr, msg_of(ctx)->ciaddr)
FIELD(giaddr, msg_of(ctx)->giaddr)
FIELD(hops, msg_of(ctx)->hops)
FIELD(secs, msg_of(ctx)->secs)
#undef FIELD

static bool has_type(const void *ctx)
{
	return dhcp4_msg_type(msg_of(ctx)) != DHCP4_NOTYPE;
}

static bool has_chaddr(const void *ctx)
{
	return script_dhcp_has_chaddr(msg_of(ctx));
}

/* --- The tables ------------------------------------------------------------------------------- */

#define PACKET_ROWS                                                                            \
	{"src", when_src, has_network, NULL, SCRIPT_FIELD_ADDRESS, NULL},                      \
		{"dst", when_dst, has_network, NULL, SCRIPT_FIELD_ADDRESS, NULL},              \
		{"proto", when_proto, has_network, NULL, SCRIPT_FIELD_NUMBER, NULL},           \
		{"srcport", when_srcport, has_transport, NULL, SCRIPT_FIELD_NUMBER, NULL},     \
		{"dstport", when_dstport, has_transport, NULL, SCRIPT_FIELD_NUMBER, NULL},     \
		{"vlan", when_vlan, has_packet, NULL, SCRIPT_FIELD_NUMBER, NULL},              \
		{"len", when_len, has_packet, NULL, SCRIPT_FIELD_NUMBER, NULL},                \
		{"port", when_port, has_packet, NULL, SCRIPT_FIELD_NUMBER, NULL},              \
		{"direction",	  when_direction,    has_flow,                                 \
		 parse_direction, SCRIPT_FIELD_TEXT, direction_text},                          \
		{"client", when_flow_srcip, has_flow, NULL, SCRIPT_FIELD_ADDRESS, NULL},       \
		{"server", when_flow_dstip, has_flow, NULL, SCRIPT_FIELD_ADDRESS, NULL},       \
		{"client_port", when_flow_srcport, has_flow, NULL, SCRIPT_FIELD_NUMBER, NULL}, \
	{                                                                                      \
		"server_port", when_flow_dstport, has_flow, NULL, SCRIPT_FIELD_NUMBER, NULL    \
	}

const struct script_filter_field bind_when[] = {PACKET_ROWS, {0}};

const struct script_filter_field bind_when_dhcp[] = {
	{"type", when_type, has_type, script_dhcp_parse_type, SCRIPT_FIELD_TEXT,
	 script_dhcp_type_text},
	{"chaddr", when_chaddr, has_chaddr, script_dhcp_parse_chaddr, SCRIPT_FIELD_NUMBER, NULL},
	{"ciaddr", when_ciaddr, NULL, NULL, SCRIPT_FIELD_ADDRESS, NULL},
	{"giaddr", when_giaddr, NULL, NULL, SCRIPT_FIELD_ADDRESS, NULL},
	{"hops", when_hops, NULL, NULL, SCRIPT_FIELD_NUMBER, NULL},
	{"secs", when_secs, NULL, NULL, SCRIPT_FIELD_NUMBER, NULL},
	PACKET_ROWS,
	{0},
};
#undef PACKET_ROWS
