/* SPDX-License-Identifier: MPL-2.0 */
/*
 * require('protocol/<name>'): loads the dissector and gives its table, of ipv4 with addresses,
 * networks and checksums. The names that older rule files use are there too.
 */
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_impl.h"
#include "gate/engine/app.h"
#include "wire/checksum.h"

#include <lauxlib.h>
#include <stdio.h>

static const char key_sum;

/* --- Checksums (RFC 1071) over several pieces ------------------------------------------------- */

struct sum {
	uint32_t sum;
	bool odd; /* the piece before ended in the middle of a word */
};

/* Returns the octets of a text, or of a buffer by its asstring(); they stay on the stack. */
static struct span check_octets(lua_State *L, int idx, const char *what)
{
	if (lua_type(L, idx) == LUA_TUSERDATA) {
		lua_getfield(L, idx, "asstring");
		if (!lua_isfunction(L, -1))
			script_expected(L, idx, what, "text or buffer");
		lua_pushvalue(L, idx);
		lua_call(L, 1, 1);
		return script_check_span(L, lua_gettop(L), what);
	}
	return script_check_span(L, idx, what);
}

static void add_octets(lua_State *L, struct sum *s, struct span octets)
{
	script_charge(L, octets.n / 16);
	if (s->odd && octets.n) {
		s->sum = (uint32_t)(uint16_t)~checksum_fold(s->sum) + octets.p[0];
		octets = span_sub(octets, 1, octets.n);
		s->odd = false;
	}
	s->sum = (uint16_t)~checksum_fold(checksum_add(s->sum, octets));
	s->odd ^= octets.n & 1;
}

static struct sum *check_sum(lua_State *L)
{
	struct sum *s = lua_touserdata(L, 1);
	bool good = s && lua_getmetatable(L, 1);

	if (good) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)&key_sum);
		lua_rawget(L, LUA_REGISTRYINDEX);
		good = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
	}
	if (!good)
		script_expected(L, 1, "inet_checksum", "object of ipv4.inet_checksum()");
	return s;
}

static int sum_process(lua_State *L)
{
	struct sum *s = check_sum(L);

	add_octets(L, s, check_octets(L, 2, "inet_checksum: process"));
	return 0;
}

static int sum_reduce(lua_State *L)
{
	lua_pushinteger(L, checksum_fold(check_sum(L)->sum));
	return 1;
}

static int sum_new(lua_State *L)
{
	struct sum *s = lua_newuserdata(L, sizeof(*s));

	*s = (struct sum){0};
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_sum);
	lua_rawget(L, LUA_REGISTRYINDEX);
	(void)lua_setmetatable(L, -2);
	return 1;
}

static int sum_compute(lua_State *L)
{
	struct sum s = {0};

	add_octets(L, &s, check_octets(L, 1, "inet_checksum_compute"));
	lua_pushinteger(L, checksum_fold(s.sum));
	return 1;
}

static void open_sums(lua_State *L)
{
	static const luaL_Reg methods[] = {{"process", sum_process},
					   {"reduce", sum_reduce},
					   {NULL, NULL}};

	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_sum);
	lua_createtable(L, 0, 2);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushliteral(L, "inet_checksum");
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
}

/* --- Modules ---------------------------------------------------------------------------------- */

/* Pushes the module: addresses and so on, and behind them all members of the dissector (events,
 * policies, create). */
static void push_ipv4(lua_State *L)
{
	static const luaL_Reg sums[] = {{"inet_checksum", sum_new},
					{"inet_checksum_compute", sum_compute},
					{NULL, NULL}};

	script_push_ipv4(L);
	luaL_setfuncs(L, sums, 0);
	lua_createtable(L, 0, 2);
	script_push_dissector(L, gate_dissector_name(DISSECT_IPV4));
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	(void)lua_setmetatable(L, -2);
}

static int open_protocol(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const char *last = strrchr(name, '/');
	enum gate_dissector d;

	last = last ? last + 1 : name;
	d = gate_dissector_find(strcmp(last, "packet") == 0 ? "raw" : last);
	if (d == DISSECT_N)
		return luaL_error(L, "%s: no such protocol", name);
	gate_load(bind_gate_of(L), d);
	if (d == DISSECT_IPV4)
		push_ipv4(L);
	else
		script_push_dissector(L, gate_dissector_name(d));
	return 1;
}

static int install_port(lua_State *L)
{
	enum gate_dissector d = (enum gate_dissector)lua_tointeger(L, lua_upvalueindex(1));
	uint64_t port = script_check_uint(L, 1, UINT16_MAX, "install rule: port");
	struct gate *g = bind_gate_of(L);

	if (gate_app_port(g, d, (uint16_t)port) < 0)
		return luaL_error(L, "install rule: no more ports");
	gate_load(g, d);
	return 0;
}

static void add_install(lua_State *L, enum gate_dissector d, const char *name)
{
	script_push_dissector(L, gate_dissector_name(d));
	lua_pushinteger(L, (lua_Integer)d);
	lua_pushcclosure(L, install_port, 1);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

int bind_open_modules(lua_State *L)
{
	open_sums(L);
	add_install(L, DISSECT_HTTP, "install_tcp_rule");
	add_install(L, DISSECT_DNS, "install_udp_rule");
	/* Haka's name for the lowest layer */
	lua_getglobal(L, "haka");
	lua_getfield(L, -1, "dissectors");
	lua_pushliteral(L, "packet");
	script_push_dissector(L, gate_dissector_name(DISSECT_RAW));
	lua_rawset(L, -3);
	return 0;
}

int bind_modules(struct script *s)
{
	int r = script_module(s, "protocol/packet", open_protocol);
	char name[64];

	for (unsigned i = 0; i < DISSECT_N && r == 0; i++) {
		(void)snprintf(name, sizeof(name), "protocol/%s",
			       gate_dissector_name((enum gate_dissector)i));
		r = script_module(s, name, open_protocol);
	}
	return r;
}
