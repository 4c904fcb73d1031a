/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Flows in Lua: tcp_connection and udp_connection. Scripts may keep fields of their own in them.
 */
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_impl.h"
#include "gate/tcp/tcp_conn.h"
#include "gate/tcp/tcp_reply.h"
#include "wire/ipv4.h"

#include <lauxlib.h>

#define GET_ADDR(name, field)                                             \
	static int get_##name(lua_State *L, void *obj)                    \
	{                                                                 \
		script_push_addr(L, (((const struct flow *)obj)->field)); \
		return 1;                                                 \
	}
/* of the outermost tag (gate_packet.vlans) */
enum { VLAN_IDS = 4096 };

#define GET_NUMBER(name, field)                                                     \
	static int get_##name(lua_State *L, void *obj)                              \
	{                                                                           \
		lua_pushnumber(L, (lua_Number)(((const struct flow *)obj)->field)); \
		return 1;                                                           \
	}
GET_ADDR(srcip, key.src)
GET_ADDR(dstip, key.dst)
GET_NUMBER(srcport, key.sport)
GET_NUMBER(dstport, key.dport)
GET_NUMBER(vlan, key.vlan % VLAN_IDS)
GET_NUMBER(id, id)
GET_NUMBER(in_pkts, packets[GATE_UP])
GET_NUMBER(out_pkts, packets[GATE_DOWN])
GET_NUMBER(in_bytes, octets[GATE_UP])
GET_NUMBER(out_bytes, octets[GATE_DOWN])

static int get_state(lua_State *L, void *obj)
{
	const struct flow *f = obj;

	if (f->key.proto == IPV4_PROTO_TCP && f->transport)
		lua_pushstring(L, tcp_state_name(gate_tcp(f)->track.state));
	else
		lua_pushstring(L, f->dropped ? "dropped" : "established");
	return 1;
}

static int get_flow_name(lua_State *L, void *obj)
{
	const struct flow *f = obj;

	lua_pushstring(L, f->key.proto == IPV4_PROTO_TCP ? "tcp_connection" : "udp_connection");
	return 1;
}

static int end_by_rule(lua_State *L, struct flow *f)
{
	struct gate_packet *p = bind_packet_of(bind_of(L), f);

	f->dropped = true;
	if (p)
		gate_drop(p, GATE_DROP_RULE);
	return 0;
}

/* Returns the packet of argument 2, or the current one; NULL: there is none. */
static struct gate_packet *argument_packet(lua_State *L)
{
	return lua_isnoneornil(L, 2) ? bind_of(L)->walk->p
				     : script_check(L, 2, bind_packet_class(DISSECT_RAW));
}

/* Called for drop(), which drops the flow, and drop(packet), which drops just a datagram of the
 * flow. */
static int flow_drop(lua_State *L)
{
	struct flow *f = script_check(L, 1, &bind_class_flow);

	if (lua_isnoneornil(L, 2))
		return end_by_rule(L, f);
	gate_drop(argument_packet(L), GATE_DROP_RULE);
	return 0;
}

static struct flow *check_established(lua_State *L, const char *what)
{
	struct flow *f = script_check(L, 1, &bind_class_flow);

	if (f->key.proto != IPV4_PROTO_TCP || !f->transport ||
	    gate_tcp(f)->track.state != TCP_ESTABLISHED)
		(void)luaL_error(L,
				 "flow:%s: only a TCP connection that is established can be reset",
				 what);
	return f;
}

static int flow_reset(lua_State *L)
{
	struct flow *f = check_established(L, "reset");

	gate_tcp_reset(bind_of(L)->walk, f);
	return end_by_rule(L, f);
}

/* Called for halfreset(['up' or 'down']): resets one end only, which is the server by default. */
static int flow_halfreset(lua_State *L)
{
	struct flow *f = check_established(L, "halfreset");
	const char *to = luaL_optstring(L, 2, "up");

	if (strcmp(to, "up") != 0 && strcmp(to, "down") != 0)
		return luaL_error(L, "flow:halfreset: 'up' or 'down' expected, got '%s'", to);
	gate_tcp_reset_to(bind_of(L)->walk, f, to[0] == 'u' ? GATE_UP : GATE_DOWN);
	return end_by_rule(L, f);
}

/* Called for send([packet]): a datagram is sent now. */
static int flow_send(lua_State *L)
{
	const struct flow *f = script_check(L, 1, &bind_class_flow);
	struct gate_packet *p = argument_packet(L);

	if (f->key.proto != IPV4_PROTO_UDP || !p || p->flow != f || p->created ||
	    gate_send_now(bind_of(L)->walk) < 0)
		return luaL_error(
			L, "flow:send: only a datagram of the flow that is looked at can be sent");
	return 0;
}

/* Called for parent([n or name]): the parent of an application is the flow, then the current packet
 * and those below it. */
static int flow_parent(lua_State *L)
{
	struct flow *f = script_check(L, 1, &bind_class_flow);
	struct gate_packet *p = bind_packet_of(bind_of(L), f);
	bool udp = f->key.proto == IPV4_PROTO_UDP, app = script_class_of(L, 1) != &bind_class_flow;
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
	uint64_t up = name		      ? 0
		      : lua_isnoneornil(L, 2) ? 1
					      : script_check_uint(L, 2, GATE_MAX_DEPTH, "parent");

	if (name ? app && strcmp(name, gate_dissector_name((enum gate_dissector)f->app)) == 0
		 : up == 0) {
		lua_pushvalue(L, 1);
		return 1;
	}
	if (name ? strcmp(name, udp ? "udp_connection" : "tcp_connection") == 0 : up == app) {
		bind_push_flow(L, f);
		return 1;
	}
	if (!p) {
		lua_pushnil(L);
		return 1;
	}
	lua_settop(L, 2);
	if (!name) {
		lua_pushnumber(L, (lua_Number)(up - app - 1));
		lua_replace(L, 2);
	}
	script_push(L, bind_packet_class(udp ? DISSECT_UDP : DISSECT_TCP), p, &p->generation);
	lua_replace(L, 1);
	return bind_parent(L);
}

static const struct script_field fields[] = {
	{"srcip", get_srcip, NULL},
	{"dstip", get_dstip, NULL},
	{"srcport", get_srcport, NULL},
	{"dstport", get_dstport, NULL},
	{"vlan", get_vlan, NULL},
	{"id", get_id, NULL},
	{"in_pkts", get_in_pkts, NULL},
	{"out_pkts", get_out_pkts, NULL},
	{"in_bytes", get_in_bytes, NULL},
	{"out_bytes", get_out_bytes, NULL},
	{"state", get_state, NULL},
	{"name", get_flow_name, NULL},
	{0},
};

static const struct script_method methods[] = {{"drop", flow_drop},	      {"reset", flow_reset},
					       {"halfreset", flow_halfreset}, {"send", flow_send},
					       {"parent", flow_parent},	      {0}};

const struct script_class bind_class_flow = {
	.name = "flow",
	.fields = fields,
	.methods = methods,
	.flags = SCRIPT_CLASS_EXTENSIBLE,
};

void bind_push_flow(lua_State *L, struct flow *f)
{
	f->script = 1;
	script_push(L, &bind_class_flow, f, &f->generation);
}
