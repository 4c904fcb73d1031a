/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Policies in Lua: the choice of the next dissector, and the treatment of TCP segments without a
 * connection. The engine asks in two places (walk.c): between two dissectors, and where it would
 * drop a packet that it cannot decide.
 */
#include "base/ip.h"
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_dissect.h"
#include "gate/lua/bind_impl.h"
#include "script/rules/alert.h"
#include "gate/engine/flow.h"
#include "script/rules/policy.h"
#include "wire/ipv4.h"

#include <lauxlib.h>
#include <stdio.h>

/* One decision. */
struct choice {
	struct gate_walk *walk;
	struct gate_packet *p;
	int next;
	bool dropped;
	bool flow;	 /* actions get the flow, not the packet */
	const char *why; /* in an alert; NULL: the policy's name */
};

#define FIELD(name, value)                                                     \
	static uint64_t get_##name(const void *ctx)                            \
	{                                                                      \
		const struct gate_packet *p = ((const struct choice *)ctx)->p; \
		return (value);                                                \
	}
FIELD(eth_type, p->eth_type)
FIELD(vlan, p->p.vlan_id)
FIELD(iface, p->frame.port)
FIELD(proto, p->proto)
FIELD(src, p->p.src)
FIELD(dst, p->p.dst)
FIELD(sport, p->p.sport)
FIELD(dport, p->p.dport)
FIELD(server_port, p->flow ? p->flow->key.dport : p->p.dport)
#undef FIELD

static const struct script_filter_field fields_LINK[] = {
	{.name = "proto", .get = get_eth_type},
	{.name = "vlan", .get = get_vlan},
	{.name = "iface", .get = get_iface},
	{0},
};
static const struct script_filter_field fields_NET[] = {
	{.name = "proto", .get = get_proto},
	{.name = "src", .get = get_src, .kind = SCRIPT_FIELD_ADDRESS},
	{.name = "dst", .get = get_dst, .kind = SCRIPT_FIELD_ADDRESS},
	{0},
};
static const struct script_filter_field fields_PORTS[] = {
	{.name = "srcport", .get = get_sport},
	{.name = "dstport", .get = get_dport},
	{.name = "srcip", .get = get_src, .kind = SCRIPT_FIELD_ADDRESS},
	{.name = "dstip", .get = get_dst, .kind = SCRIPT_FIELD_ADDRESS},
	{0},
};
static const struct script_filter_field fields_FLOW[] = {
	{.name = "port", .get = get_server_port},
	{.name = "srcport", .get = get_sport},
	{.name = "dstport", .get = get_dport},
	{.name = "srcip", .get = get_src, .kind = SCRIPT_FIELD_ADDRESS},
	{.name = "dstip", .get = get_dst, .kind = SCRIPT_FIELD_ADDRESS},
	{0},
};

enum policy {
#define POLICY(dissector, name, fields) POLICY_##dissector##_##name,
#include "gate/lua/policies.def"
#undef POLICY
	POLICY_N
};

static const struct {
	enum gate_dissector dissector;
	const char *name;
	const struct script_filter_field *fields;
} policies[POLICY_N] = {
#define POLICY(dissector, name, fields) {DISSECT_##dissector, #name, fields_##fields},
#include "gate/lua/policies.def"
#undef POLICY
};

/* Which policy is about the dissector behind a dissector, plus one. */
static const uint8_t next_policy[DISSECT_N] = {
	[DISSECT_RAW] = POLICY_RAW_next_dissector + 1,
	[DISSECT_ETHERNET] = POLICY_ETHERNET_next_dissector + 1,
	[DISSECT_VLAN] = POLICY_VLAN_next_dissector + 1,
	[DISSECT_ARP] = POLICY_ARP_next_dissector + 1,
	[DISSECT_IPV4] = POLICY_IPV4_next_dissector + 1,
	[DISSECT_ICMP] = POLICY_ICMP_next_dissector + 1,
	[DISSECT_UDP] = POLICY_UDP_next_dissector + 1,
	[DISSECT_DHCP] = POLICY_DHCP_next_dissector + 1,
	[DISSECT_DNS] = POLICY_DNS_next_dissector + 1,
	[DISSECT_HTTP] = POLICY_HTTP_next_dissector + 1,
	[DISSECT_TCP] = POLICY_TCP_next_dissector + 1,
	[DISSECT_UDP_CONNECTION] = POLICY_UDP_CONNECTION_next_dissector + 1,
	[DISSECT_TCP_CONNECTION] = POLICY_TCP_CONNECTION_next_dissector + 1,
};

/* The policy for packets that would be dropped for a reason, plus one. */
static const uint8_t drop_policy[GATE_DROP_N] = {
	[GATE_DROP_TCP_NO_CONNECTION] = POLICY_TCP_CONNECTION_no_connection_found + 1,
	[GATE_DROP_TCP_HANDSHAKE] = POLICY_TCP_CONNECTION_invalid_handshake + 1,
	[GATE_DROP_TCP_FLAGS] = POLICY_TCP_CONNECTION_unexpected_packet + 1,
	[GATE_DROP_TCP_WINDOW] = POLICY_TCP_CONNECTION_unexpected_packet + 1,
	[GATE_DROP_TCP_ACK] = POLICY_TCP_CONNECTION_unexpected_packet + 1,
	[GATE_DROP_TCP_RESET] = POLICY_TCP_CONNECTION_unexpected_packet + 1,
};

/* --- Deciding --------------------------------------------------------------------------------- */

static void drop_packet(void *ctx)
{
	struct choice *c = ctx;

	c->dropped = true;
	gate_drop(c->p, GATE_DROP_POLICY);
}

/* Describes one end of a packet as a field of an alert: its address, and its service if it has one.
 */
static void describe_end(lua_State *L, const struct gate_packet *p, uint32_t addr, uint16_t port,
			 const char *field)
{
	char text[IP_TEXT_LEN], service[16];
	bool tcp = p->proto == IPV4_PROTO_TCP;

	(void)snprintf(service, sizeof(service), "%s/%u", tcp ? "tcp" : "udp", port);
	lua_newtable(L);
	script_push_alert_node(L, false, ip_text(addr, text));
	lua_rawseti(L, -2, 1);
	if (tcp || p->proto == IPV4_PROTO_UDP) {
		script_push_alert_node(L, true, service);
		lua_rawseti(L, -2, 2);
	}
	lua_setfield(L, -2, field);
}

/* Describes a decision for an alert: sources, targets, and its reason. */
static void describe(lua_State *L, void *ctx)
{
	const struct choice *c = ctx;
	const struct gate_packet *p = c->p;

	/* Haka has no text for next_dissector */
	if (!c->why || p->p.l4 == PACKET_NO_LAYER)
		return;
	lua_pushstring(L, c->why);
	lua_setfield(L, -2, "description");
	describe_end(L, p, p->p.src, p->p.sport, "sources");
	describe_end(L, p, p->p.dst, p->p.dport, "targets");
}

static void push_policy_packet(lua_State *L, void *ctx)
{
	struct choice *c = ctx;
	enum gate_dissector d = (enum gate_dissector)(c->p->depth ? c->p->stack[c->p->depth - 1]
								  : DISSECT_RAW);

	if (c->flow) {
		bind_push_flow(L, c->p->flow);
		return;
	}
	if (!bind_packet_class(d))
		d = c->p->proto == IPV4_PROTO_UDP ? DISSECT_UDP : DISSECT_TCP;
	script_push(L, bind_packet_class(d), c->p, &c->p->generation);
}

static void drop_on_fault(void *ctx, const struct script_error *err)
{
	struct choice *c = ctx;

	(void)err;
	if (!c->walk->g->fail_open)
		gate_drop(c->p, GATE_DROP_RULE_FAILED);
}

/* Returns false if no entry matched. Else *c has the next step of the walk. */
static bool decide_policy(struct gate_bind *b, unsigned policy, struct choice *c)
{
	struct script_decision d = {.ctx = c,
				    .drop = drop_packet,
				    .push = push_policy_packet,
				    .describe = describe,
				    .on_fault = drop_on_fault};
	unsigned id = bind_policy_ids(b)[policy];
	struct gate_walk *before;
	unsigned r;

	if (!script_policy_any(gate_bind_script(b), id))
		return false;
	before = bind_enter(b, c->walk);
	r = script_policy_apply(gate_bind_script(b), id, &d);
	(void)bind_enter(b, before);
	if (r & SCRIPT_POLICY_ABORTED)
		gate_drop(c->p, GATE_DROP_RULE);
	return r;
}

static int on_next(void *ctx, struct gate_walk *w, enum gate_dissector from, int next)
{
	const struct gate_packet *p = w->p;
	struct choice c = {.walk = w, .p = w->p, .next = GATE_ACCEPT};

	if (!next_policy[from] || !decide_policy(ctx, next_policy[from] - 1U, &c))
		return next;
	return p->stopped ? GATE_DROP : c.next;
}

static bool on_new(void *ctx, struct gate_walk *w)
{
	const struct gate_packet *p = w->p;
	bool udp = p->flow->key.proto == IPV4_PROTO_UDP;
	struct choice c = {.walk = w,
			   .p = w->p,
			   .next = GATE_ACCEPT,
			   .flow = true,
			   .why = "new connection"};

	(void)decide_policy(ctx,
			    udp ? POLICY_UDP_CONNECTION_new_connection
				: POLICY_TCP_CONNECTION_new_connection,
			    &c);
	return !p->stopped && !p->flow->dropped;
}

/* Returns Haka's description of a drop. */
static const char *policy_text(enum gate_drop why)
{
	if (why == GATE_DROP_TCP_NO_CONNECTION)
		return "no connection found for tcp packet";
	return why == GATE_DROP_TCP_HANDSHAKE ? "invalid tcp establishement handshake"
					      : "unexpected tcp packet";
}

static bool on_undecided(void *ctx, struct gate_walk *w, enum gate_drop why, int *ret_how)
{
	const struct gate_packet *p = w->p;
	struct choice c = {.walk = w, .p = w->p, .next = GATE_ACCEPT, .why = policy_text(why)};

	if (!drop_policy[why] || !decide_policy(ctx, drop_policy[why] - 1U, &c))
		return false;
	*ret_how = p->stopped ? GATE_DROP : GATE_ACCEPT;
	return true;
}

/* --- haka.dissectors.x.install ---------------------------------------------------------------- */

static void install_next(void *ctx, void *data)
{
	struct choice *c = ctx;
	enum gate_dissector d = *(const enum gate_dissector *)data;

	gate_load(c->walk->g, d);
	c->next = (int)d;
}

/* Called for policies in Lua, as next_dissector of dissectors in Lua: (policy, object, values,
 * desc, number). */
static int call_install(lua_State *L)
{
	const int *number = lua_touserdata(L, -1);

	if (!lua_istable(L, 2))
		return luaL_error(L, "install: the packet of a dissector of the script expected");
	lua_pushinteger(L, *number);
	lua_setfield(L, 2, "_next");
	return 0;
}

struct script_action bind_install_action(const char *name, const int *number)
{
	return (struct script_action){name, install_next, (void *)(uintptr_t)number, call_install};
}

static const enum gate_dissector dissector_ids[DISSECT_N] = {
#define DISSECTOR(symbol, name, parents, receive, send, init, fini, tick, drain, flow_end, what) \
	[DISSECT_##symbol] = DISSECT_##symbol,
#include "gate/engine/dissectors.def"
#undef DISSECTOR
};

static const struct script_action installs[DISSECT_N] = {
#define DISSECTOR(symbol, name, parents, receive, send, init, fini, tick, drain, flow_end, what) \
	[DISSECT_##symbol] = {name ".install", install_next,                                     \
			      (void *)(uintptr_t)&dissector_ids[DISSECT_##symbol], NULL},
#include "gate/engine/dissectors.def"
#undef DISSECTOR
};

static int push_installs(lua_State *L)
{
	for (unsigned i = 0; i < DISSECT_N; i++) {
		script_push_dissector(L, gate_dissector_name((enum gate_dissector)i));
		script_push_action(L, &installs[i]);
		lua_setfield(L, -2, "install");
		lua_pop(L, 1);
	}
	return 0;
}

_Static_assert((int)POLICY_N <= (int)BIND_POLICIES, "room for their numbers");

int bind_policies_define(struct gate_bind *b, struct script_error *err)
{
	struct script *s = gate_bind_script(b);
	int r = 0;

	for (unsigned i = 0; i < POLICY_N && r == 0; i++)
		r = script_policy_define(s, gate_dissector_name(policies[i].dissector),
					 policies[i].name, policies[i].fields,
					 &bind_policy_ids(b)[i]);
	return r == 0 ? script_protect(s, push_installs, NULL, err) : r;
}

void bind_policies_begin(struct gate_bind *b, struct gate *g)
{
	for (unsigned i = 0; i < POLICY_N; i++) {
		if (!script_policy_any(gate_bind_script(b), bind_policy_ids(b)[i]))
			continue;
		gate_load(g, policies[i].dissector);
		g->on_next = on_next;
		g->on_undecided = on_undecided;
		g->on_new = on_new;
		g->policy_ctx = b;
	}
}
