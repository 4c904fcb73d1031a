/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCP messages as rules see them: the fields of RFC 2131 2 by their names, options by code. To read; the rest of
 * the packet is that of udp.
 */
#include "gate/bind_class.h"

#include <lauxlib.h>

#define FIELD(name)                                                                                                    \
	static int get_##name(lua_State *L, void *obj)                                                                 \
	{                                                                                                              \
		lua_pushnumber(L, bind_gate(obj)->dhcp.name);                                                          \
		return 1;                                                                                              \
	}
#define ADDRESS(name)                                                                                                  \
	static int get_##name(lua_State *L, void *obj)                                                                 \
	{                                                                                                              \
		script_push_addr(L, bind_gate(obj)->dhcp.name);                                                        \
		return 1;                                                                                              \
	}

FIELD(op)
FIELD(htype)
FIELD(hlen)
FIELD(hops)
FIELD(xid)
FIELD(secs)
FIELD(flags)
ADDRESS(ciaddr)
ADDRESS(yiaddr)
ADDRESS(siaddr)
ADDRESS(giaddr)

static int get_chaddr(lua_State *L, void *obj)
{
	const struct dhcp4_msg *m = &bind_gate(obj)->dhcp;

	lua_pushlstring(L, (const char *)m->chaddr, m->hlen);
	return 1;
}

static int get_type(lua_State *L, void *obj)
{
	lua_pushnumber(L, dhcp4_msg_type(&bind_gate(obj)->dhcp));
	return 1;
}

static const struct script_field fields[] = {
	{"op", get_op, NULL},	      {"htype", get_htype, NULL},   {"hlen", get_hlen, NULL},
	{"hops", get_hops, NULL},     {"xid", get_xid, NULL},	    {"secs", get_secs, NULL},
	{"bootp_flags", get_flags, NULL},
	{"ciaddr", get_ciaddr, NULL}, {"yiaddr", get_yiaddr, NULL}, {"siaddr", get_siaddr, NULL},
	{"giaddr", get_giaddr, NULL}, {"chaddr", get_chaddr, NULL}, {"message_type", get_type, NULL},
	{0},
};

static int method_option(lua_State *L)
{
	struct gate_packet *p = script_check(L, 1, &bind_class_dhcp);
	lua_Integer code = luaL_checkinteger(L, 2);
	const struct dhcp4_option *o;

	luaL_argcheck(L, code > 0 && code < 255, 2, "an option's code is 1 to 254");
	o = dhcp4_opt(&bind_gate(p)->dhcp, (uint8_t)code);
	if (!o)
		return 0;
	lua_pushlstring(L, o->data.n ? (const char *)o->data.p : "", o->data.n);
	return 1;
}

static void *same(void *obj)
{
	return obj;
}

static const struct script_method methods[] = {{"option", method_option}, {0}};
const struct script_class bind_class_dhcp = {
	.name = "dhcp", .fields = fields, .methods = methods, .parent = &bind_class_udp, .to_parent = same};
