/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ipv4.addr and ipv4.network. The values that exist are in a table with weak values, under a
 * number: an address its own (as int), a network its address and (bits + 1) * 2^32.
 */
#include "script/values/addr.h"

#include "script/state/script_impl.h"
#include "script/values/values_impl.h"

#include "base/ip.h"

#include <lauxlib.h>
#include <stdio.h>

#define VALUE_MAGIC 0x51a0c4be7720d93fULL

enum kind { KIND_ADDR, KIND_NETWORK };

struct value {
	uint64_t magic;
	uint32_t addr;
	uint8_t kind;
	uint8_t bits;
};

/* The registry's tables: the values, and the metatable of each kind. */
static const char key_values;
static const char key_meta[2];

static const struct value *to_value(lua_State *L, int idx, enum kind kind)
{
	const struct value *v = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx) : NULL;

	return v && lua_objlen(L, idx) == sizeof(*v) && v->magic == VALUE_MAGIC && v->kind == kind
		       ? v
		       : NULL;
}

static const struct value *find_value(lua_State *L, int idx)
{
	const struct value *v = to_value(L, idx, KIND_ADDR);

	return v ? v : to_value(L, idx, KIND_NETWORK);
}

static double make_number(const struct value *v)
{
	return v->kind == KIND_ADDR ? (double)(int)v->addr
				    : (double)(v->bits + 1) * 4294967296.0 + v->addr;
}

static void push_value(lua_State *L, struct value v)
{
	struct value *fresh;
	double n = make_number(&v);

	script_push_key(L, &key_values);
	lua_pushnumber(L, n);
	lua_rawget(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		fresh = lua_newuserdata(L, sizeof(*fresh));
		*fresh = v;
		fresh->magic = VALUE_MAGIC;
		script_push_key(L, &key_meta[v.kind]);
		(void)lua_setmetatable(L, -2);
		lua_pushnumber(L, n);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	lua_remove(L, -2);
}

void script_push_addr(lua_State *L, uint32_t addr)
{
	push_value(L, (struct value){.kind = KIND_ADDR, .addr = addr});
}

void script_push_network(lua_State *L, struct script_net net)
{
	push_value(L, (struct value){.kind = KIND_NETWORK,
				     .addr = net.net & ip_mask(net.bits),
				     .bits = (uint8_t)net.bits});
}

bool script_is_addr(lua_State *L, int idx, uint32_t *ret)
{
	const struct value *v = to_value(L, idx, KIND_ADDR);

	if (v)
		*ret = v->addr;
	return v != NULL;
}

bool script_is_network(lua_State *L, int idx, struct script_net *ret)
{
	const struct value *v = to_value(L, idx, KIND_NETWORK);

	if (v)
		*ret = (struct script_net){v->addr, v->bits};
	return v != NULL;
}

static uint32_t parse_addr(lua_State *L, const char *what, const char *s, size_t n)
{
	uint32_t addr = 0;

	if (ip_parse(s, n, &addr) < 0)
		luaL_error(L, "%s: '%s' is no IPv4 address", what, s);
	return addr;
}

uint32_t script_check_addr(lua_State *L, int idx, const char *what)
{
	uint32_t addr;
	size_t n;
	const char *s;

	if (script_is_addr(L, idx, &addr))
		return addr;
	if (lua_type(L, idx) != LUA_TSTRING)
		script_expected(L, idx, what, "IPv4 address");
	s = lua_tolstring(L, idx, &n);
	return parse_addr(L, what, s, n);
}

/* Called for addr("10.0.0.1"), addr(0x0a000001), addr(10, 0, 0, 1) and addr(address). */
static int addr_new(lua_State *L)
{
	uint32_t addr = 0;

	if (lua_gettop(L) > 1) {
		for (int i = 1; i <= 4; i++)
			addr = addr << 8 | (uint32_t)script_check_uint(L, i, 255, "ipv4.addr");
	} else if (lua_type(L, 1) == LUA_TNUMBER) {
		addr = (uint32_t)script_check_uint(L, 1, UINT32_MAX, "ipv4.addr");
	} else {
		addr = script_check_addr(L, 1, "ipv4.addr");
	}
	script_push_addr(L, addr);
	return 1;
}

/* Called for network("10.0.0.0/8") and network(address or text, bits). */
static int network_new(lua_State *L)
{
	struct script_net net = {0};
	const char *slash;
	const char *s;
	int left = 0;

	if (lua_gettop(L) > 1) {
		net.net = script_check_addr(L, 1, "ipv4.network");
		net.bits = (unsigned)script_check_uint(L, 2, 32, "ipv4.network: bits");
	} else {
		s = (const char *)script_check_span(L, 1, "ipv4.network").p;
		slash = strchr(s, '/');
		if (!slash || sscanf(slash, "/%2u%n", &net.bits, &left) != 1 || slash[left] ||
		    net.bits > 32)
			return luaL_error(L, "ipv4.network: '%s' is no network (10.0.0.0/8)", s);
		net.net = parse_addr(L, "ipv4.network", s, (size_t)(slash - s));
	}
	script_push_network(L, net);
	return 1;
}

static int push_value_text(lua_State *L)
{
	const struct value *v = find_value(L, 1);
	char text[IP_TEXT_LEN];

	if (!v)
		script_expected(L, 1, "tostring", "IPv4 address or network");
	if (v->kind == KIND_ADDR)
		lua_pushstring(L, ip_text(v->addr, text));
	else
		lua_pushfstring(L, "%s/%d", ip_text(v->addr, text), (int)v->bits);
	return 1;
}

static int compare_values(lua_State *L)
{
	const struct value *a = find_value(L, 1);
	const struct value *b = find_value(L, 2);

	lua_pushboolean(L, a && b && make_number(a) == make_number(b));
	return 1;
}

static int compare_addrs(lua_State *L, bool or_equal)
{
	const struct value *a = to_value(L, 1, KIND_ADDR);
	const struct value *b = to_value(L, 2, KIND_ADDR);

	if (!a || !b)
		return luaL_error(L, "an IPv4 address can only be compared with another");
	lua_pushboolean(L, or_equal ? a->addr <= b->addr : a->addr < b->addr);
	return 1;
}

static int addr_lt(lua_State *L)
{
	return compare_addrs(L, false);
}

static int addr_le(lua_State *L)
{
	return compare_addrs(L, true);
}

static int addr_index(lua_State *L)
{
	const struct value *v = to_value(L, 1, KIND_ADDR);
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	if (!v)
		script_expected(L, 1, "index", "IPv4 address");
	if (strcmp(key, "packed") != 0)
		return 0;
	lua_pushnumber(L, v->addr);
	return 1;
}

static int network_contains(lua_State *L)
{
	struct script_net net;
	uint32_t addr;

	if (!script_is_network(L, 1, &net))
		script_expected(L, 1, "network:contains", "IPv4 network as object");
	addr = script_check_addr(L, 2, "network:contains");
	lua_pushboolean(L, (addr & ip_mask(net.bits)) == net.net);
	return 1;
}

static int network_index(lua_State *L)
{
	const struct value *v = to_value(L, 1, KIND_NETWORK);
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	if (!v)
		script_expected(L, 1, "index", "IPv4 network");
	if (strcmp(key, "contains") == 0)
		lua_pushcfunction(L, network_contains);
	else if (strcmp(key, "net") == 0)
		script_push_addr(L, v->addr);
	else if (strcmp(key, "mask") == 0)
		lua_pushinteger(L, v->bits); /* as in Haka: how many bits it has */
	else if (strcmp(key, "bits") == 0)
		lua_pushinteger(L, v->bits);
	else
		return 0;
	return 1;
}

static int refuse_change(lua_State *L)
{
	return luaL_error(L, "IPv4 addresses and networks cannot be changed");
}

static void make_key_table(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_insert(L, -3);
	lua_rawset(L, LUA_REGISTRYINDEX); /* the table stays on the stack */
}

static void make_meta(lua_State *L, enum kind kind, const char *name, const luaL_Reg *functions)
{
	make_key_table(L, &key_meta[kind]);
	luaL_setfuncs(L, functions, 0);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 1);
}

void script_open_addr(lua_State *L)
{
	static const luaL_Reg of_addr[] = {
		{"__tostring", push_value_text},
		{"__eq", compare_values},
		{"__lt", addr_lt},
		{"__le", addr_le},
		{"__index", addr_index},
		{"__newindex", refuse_change},
		{NULL, NULL},
	};
	static const luaL_Reg of_network[] = {
		{"__tostring", push_value_text},
		{"__eq", compare_values},
		{"__index", network_index},
		{"__newindex", refuse_change},
		{NULL, NULL},
	};

	make_key_table(L, &key_values);
	lua_newtable(L);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	(void)lua_setmetatable(L, -2);
	lua_pop(L, 1);
	make_meta(L, KIND_ADDR, "addr", of_addr);
	make_meta(L, KIND_NETWORK, "network", of_network);
}

void script_push_ipv4(lua_State *L)
{
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, addr_new);
	lua_setfield(L, -2, "addr");
	lua_pushcfunction(L, network_new);
	lua_setfield(L, -2, "network");
}

int script_open_ipv4(lua_State *L)
{
	script_push_ipv4(L);
	return 1;
}
