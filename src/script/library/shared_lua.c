/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.shared(name, [{max =, ttl =}]): tables of script/library/shared.h in Lua. t[key] and t[key]
 * = value, and the operations that are one step for all workers: t:add(), t:swap(). Keys and values
 * are nil, booleans, numbers, addresses and texts.
 */
#include "script/values/addr.h"
#include "script/state/class.h"
#include "script/library/library_impl.h"

#include "base/error.h"

#include <lauxlib.h>

static const struct script_class class_shared;

/* --- Values ----------------------------------------------------------------------------------- */

static struct shared_value check_value(lua_State *L, int idx, const char *what)
{
	struct shared_value v = {.type = SHARED_NIL};
	uint32_t addr;

	switch (lua_type(L, idx)) {
	case LUA_TNIL:
	case LUA_TNONE:
		break;
	case LUA_TBOOLEAN:
		v = (struct shared_value){.type = SHARED_BOOLEAN, .number = lua_toboolean(L, idx)};
		break;
	case LUA_TNUMBER:
		v = (struct shared_value){.type = SHARED_NUMBER, .number = lua_tonumber(L, idx)};
		break;
	case LUA_TSTRING:
		v = (struct shared_value){.type = SHARED_TEXT,
					  .text = script_check_span(L, idx, what)};
		if (v.text.n > SHARED_TEXT_MAX)
			luaL_error(L, "%s: at most %d octets of text expected, got %d", what,
				   SHARED_TEXT_MAX, (int)v.text.n);
		script_charge(L, v.text.n / 16);
		break;
	default:
		if (!script_is_addr(L, idx, &addr))
			script_expected(L, idx, what, "boolean, number, text or address");
		v = (struct shared_value){.type = SHARED_ADDRESS, .number = addr};
	}
	return v;
}

static struct shared_value check_key(lua_State *L, int idx)
{
	struct shared_value v = check_value(L, idx, "shared: key");

	if (v.type == SHARED_NIL || (v.type == SHARED_NUMBER && v.number != v.number))
		luaL_error(L, "shared: key: boolean, number, text or address expected, got %s",
			   v.type == SHARED_NIL ? "nil" : "NaN");
	return v;
}

static void push_value(lua_State *L, const struct shared_value *v)
{
	switch (v->type) {
	case SHARED_NIL:
		lua_pushnil(L);
		break;
	case SHARED_BOOLEAN:
		lua_pushboolean(L, v->number != 0);
		break;
	case SHARED_NUMBER:
		lua_pushnumber(L, v->number);
		break;
	case SHARED_ADDRESS:
		script_push_addr(L, (uint32_t)v->number);
		break;
	case SHARED_TEXT:
		lua_pushlstring(L, v->text.n ? (const char *)v->text.p : "", v->text.n);
		break;
	}
}

static int64_t read_clock(lua_State *L)
{
	return clock_wall_ns(&script_of(L)->clock);
}

static void check_result(lua_State *L, int r)
{
	if (r < 0)
		luaL_error(L, "shared: %s",
			   r == -USHER_E_LIMIT	? "the tables that workers share are full"
			   : r == -USHER_E_TYPE ? "add: the value is no number"
						: usher_strerror(r));
}

/* --- Methods ---------------------------------------------------------------------------------- */

static int push_member(lua_State *L, struct shared_table *t, int key_at)
{
	struct shared_value key = check_key(L, key_at), v;

	check_result(L,
		     shared_get(t, &key, read_clock(L), &script_of(L)->library->shared_text, &v));
	push_value(L, &v);
	return 1;
}

static void store_member(lua_State *L, struct shared_table *t, int key_at)
{
	struct shared_value key = check_key(L, key_at),
			    v = check_value(L, key_at + 1, "shared: value");

	check_result(L, shared_set(t, &key, &v, read_clock(L)));
}

static int method_get(lua_State *L)
{
	return push_member(L, script_check(L, 1, &class_shared), 2);
}

static int method_set(lua_State *L)
{
	store_member(L, script_check(L, 1, &class_shared), 2);
	return 0;
}

/* Called for t:add(key, [n]): returns the sum. */
static int method_add(lua_State *L)
{
	struct shared_table *t = script_check(L, 1, &class_shared);
	struct shared_value key = check_key(L, 2);
	double sum = 0;

	check_result(L, shared_add(t, &key, luaL_optnumber(L, 3, 1), read_clock(L), &sum));
	lua_pushnumber(L, sum);
	return 1;
}

/* Called for t:swap(key, expected, value): returns true if the value was the expected one. */
static int method_swap(lua_State *L)
{
	struct shared_table *t = script_check(L, 1, &class_shared);
	struct shared_value key = check_key(L, 2),
			    expected = check_value(L, 3, "swap: the expected value"),
			    v = check_value(L, 4, "swap: value");
	int r = shared_swap(t, &key, &expected, &v, read_clock(L));

	check_result(L, r);
	lua_pushboolean(L, r);
	return 1;
}

static int method_count(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)shared_count(script_check(L, 1, &class_shared),
						     read_clock(L)));
	return 1;
}

/* Steps through a copy of a table. Upvalues: list of keys and values, place in it. */
static int next_pair(lua_State *L)
{
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));

	lua_pushinteger(L, at + 2);
	lua_replace(L, lua_upvalueindex(2));
	lua_rawgeti(L, lua_upvalueindex(1), (int)at);
	lua_rawgeti(L, lua_upvalueindex(1), (int)at + 1);
	return 2;
}

/* Called for shared_pairs(t): returns the entries at one moment, oldest first. */
static int shared_pairs(lua_State *L)
{
	struct shared_table *t = script_check(L, 1, &class_shared);
	struct script *s = script_of(L);
	struct shared_value key, value;
	uint32_t n = 0;
	size_t at = 0;

	script_charge(L, 4 * (uint64_t)shared_count(t, read_clock(L)));
	check_result(L, shared_copy(t, read_clock(L), &s->library->shared_text, &n));
	lua_createtable(L, (int)(2 * n), 0);
	for (int i = 1; shared_next(&s->library->shared_text, &at, &key, &value); i += 2) {
		push_value(L, &key);
		lua_rawseti(L, -2, i);
		push_value(L, &value);
		lua_rawseti(L, -2, i + 1);
	}
	lua_pushinteger(L, 1);
	lua_pushcclosure(L, next_pair, 2);
	return 1;
}

static const struct script_method methods[] = {
	{"get", method_get},   {"set", method_set},	{"add", method_add},
	{"swap", method_swap}, {"count", method_count}, {0},
};

static int index_shared(lua_State *L, void *obj)
{
	return push_member(L, obj, 2);
}

static bool set_shared(lua_State *L, void *obj)
{
	store_member(L, obj, 2);
	return true;
}

static const luaL_Reg meta[] = {{"__len", method_count}, {"__pairs", shared_pairs}, {NULL, NULL}};

static const struct script_class class_shared = {.name = "shared",
						 .methods = methods,
						 .index = index_shared,
						 .newindex = set_shared,
						 .meta = meta};

/* --- haka.shared ------------------------------------------------------------------------------ */

static double check_limit(lua_State *L, const char *name, double max)
{
	double v = 0;

	if (lua_type(L, 2) == LUA_TTABLE) {
		lua_getfield(L, 2, name);
		if (!lua_isnil(L, -1)) {
			v = script_check_number(L, -1, name);
			if (!(v > 0 && v <= max))
				luaL_error(
					L,
					"haka.shared: %s: a number above 0, at most %f, expected",
					name, max);
		}
		lua_pop(L, 1);
	}
	return v;
}

static int haka_shared(lua_State *L)
{
	struct span name = script_check_span(L, 1, "haka.shared: name");
	struct shared_limits l = {0};
	struct shared_table *t;
	int r;

	if (name.n == 0 || name.n >= SHARED_NAME_LEN || strlen((const char *)name.p) != name.n)
		return luaL_error(L, "haka.shared: name: 1 to %d octets of text expected",
				  SHARED_NAME_LEN - 1);
	if (!lua_isnoneornil(L, 2) && lua_type(L, 2) != LUA_TTABLE)
		script_expected(L, 2, "haka.shared: limits", "table");
	l.max = (uint32_t)check_limit(L, "max", UINT32_MAX);
	l.ttl_ns = (int64_t)(check_limit(L, "ttl", 1e9) * 1e9);
	r = shared_table_open(script_of(L)->library->shared, (const char *)name.p, &l, &t);
	if (r == -USHER_E_EXISTS)
		return luaL_error(L, "haka.shared: '%s' is there with other limits",
				  (const char *)name.p);
	if (r == -USHER_E_LIMIT)
		return luaL_error(L, "haka.shared: more than %d tables", SHARED_TABLES);
	check_result(L, r);
	script_push(L, &class_shared, t, NULL);
	return 1;
}

int script_open_shared(struct script *s)
{
	int r = script_class_register(s, &class_shared);

	return r < 0 ? r : script_haka_function(s, "shared", haka_shared, NULL);
}
