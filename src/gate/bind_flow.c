/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Flows in Lua: tcp_connection and udp_connection. Scripts may keep fields of their own in them.
 */
#include "gate/bind_class.h"
#include "gate/tcp_conn.h"
#include "wire/ipv4.h"

#include <lauxlib.h>

#define GET_ADDR(name, field)                                                                      \
	static int get_##name(lua_State *L, void *obj)                                             \
	{                                                                                          \
		script_push_addr(L, ((const struct flow *)obj)->field);                            \
		return 1;                                                                          \
	}
#define GET_NUMBER(name, field)                                                                    \
	static int get_##name(lua_State *L, void *obj)                                             \
	{                                                                                          \
		lua_pushnumber(L, (lua_Number)((const struct flow *)obj)->field);                  \
		return 1;                                                                          \
	}
GET_ADDR(srcip, key.src)
GET_ADDR(dstip, key.dst)
GET_NUMBER(srcport, key.sport)
GET_NUMBER(dstport, key.dport)
GET_NUMBER(vlan, key.vlan)
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

static int get_name(lua_State *L, void *obj)
{
	const struct flow *f = obj;

	lua_pushstring(L, f->key.proto == IPV4_PROTO_TCP ? "tcp_connection" : "udp_connection");
	return 1;
}

static int method_drop(lua_State *L)
{
	struct flow *f = script_check(L, 1, &bind_class_flow);
	struct gate *g = bind_gate_of(L);

	f->dropped = true;
	if (g->pkt.flow == f)
		gate_drop(&g->pkt, GATE_DROP_RULE);
	return 0;
}

static int method_reset(lua_State *L)
{
	struct flow *f = script_check(L, 1, &bind_class_flow);
	struct gate *g = bind_gate_of(L);

	if (f->key.proto != IPV4_PROTO_TCP || !f->transport || gate_tcp(f)->track.state != TCP_ESTABLISHED)
		return luaL_error(L, "flow:reset: only a TCP connection that is established can be reset");
	gate_tcp_reset(g, f);
	f->dropped = true;
	if (g->pkt.flow == f)
		gate_drop(&g->pkt, GATE_DROP_RULE);
	return 0;
}

static const struct script_field fields[] = {
	{"srcip", get_srcip, NULL},	  {"dstip", get_dstip, NULL},	    {"srcport", get_srcport, NULL},
	{"dstport", get_dstport, NULL},	  {"vlan", get_vlan, NULL},	    {"id", get_id, NULL},
	{"in_pkts", get_in_pkts, NULL},	  {"out_pkts", get_out_pkts, NULL}, {"in_bytes", get_in_bytes, NULL},
	{"out_bytes", get_out_bytes, NULL}, {"state", get_state, NULL},	    {"name", get_name, NULL},
	{0},
};

static const struct script_method methods[] = {{"drop", method_drop}, {"reset", method_reset}, {0}};

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
