/* SPDX-License-Identifier: MPL-2.0 */
/*
 * JSON and Lua. Depth is bounded in both directions, so a table that contains itself ends with an
 * error; the number of values is bounded by the budget of the call.
 */
#include "script/library/json_value.h"

#include "base/ip.h"
#include "config/json/json.h"
#include "script/state/class.h"
#include "script/values/addr.h"

#include <lauxlib.h>
#include <math.h>

enum { DEPTH_MAX = JSON_MAX_DEPTH, CHARGE = 16 };

/* Integers beyond have no exact form in a Lua number. */
static const double exact_max = 9007199254740992.0;

void script_push_json(lua_State *L, const struct json *v)
{
	int i = 0;

	luaL_checkstack(L, 4, "arguments are nested too deeply");
	script_charge(L, CHARGE);
	switch (v->type) {
	case JSON_NULL:
		lua_pushnil(L);
		break;
	case JSON_BOOL:
		lua_pushboolean(L, v->b);
		break;
	case JSON_INT:
		lua_pushnumber(L, (double)v->i);
		break;
	case JSON_REAL:
		lua_pushnumber(L, v->r);
		break;
	case JSON_STRING:
		lua_pushlstring(L, v->s, v->n);
		break;
	case JSON_LIST:
		lua_createtable(L, (int)v->count, 0);
		for (const struct json *e = v->first; e; e = e->next) {
			script_push_json(L, e);
			lua_rawseti(L, -2, ++i);
		}
		break;
	case JSON_MAP:
	default:
		lua_createtable(L, 0, (int)v->count);
		for (const struct json *e = v->first; e; e = e->next) {
			lua_pushstring(L, e->key);
			script_push_json(L, e);
			lua_rawset(L, -3);
		}
		break;
	}
}

static struct json *make_value(lua_State *L, int idx, struct arena *a, unsigned depth);

static struct json *make_text(lua_State *L, int idx, struct arena *a)
{
	size_t n;
	const char *s = lua_tolstring(L, idx, &n);

	if (memchr(s, '\0', n))
		luaL_error(L, "a text with an octet of value 0 has no form in JSON");
	return json_strn(a, s, n);
}

static struct json *make_number(lua_State *L, int idx, struct arena *a)
{
	double v = lua_tonumber(L, idx);

	if (!isfinite(v))
		luaL_error(L, "the number %f has no form in JSON", v);
	return fabs(v) <= exact_max && floor(v) == v ? json_int(a, (int64_t)v) : json_real(a, v);
}

static struct json *make_list(lua_State *L, int idx, struct arena *a, unsigned depth)
{
	struct json *list = json_list(a);
	size_t n = lua_objlen(L, idx);

	for (size_t i = 1; i <= n; i++) {
		lua_rawgeti(L, idx, (int)i);
		(void)json_add(a, list, NULL, make_value(L, lua_gettop(L), a, depth));
		lua_pop(L, 1);
	}
	return list;
}

static struct json *make_map(lua_State *L, int idx, struct arena *a, unsigned depth)
{
	struct json *map = json_map(a);

	lua_pushnil(L);
	while (lua_next(L, idx)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "a table with keys of type %s and others has no form in JSON",
				   luaL_typename(L, -2));
		if (strlen(lua_tostring(L, -2)) != lua_objlen(L, -2))
			luaL_error(L, "a key with an octet of value 0 has no form in JSON");
		(void)json_add(a, map, lua_tostring(L, -2), make_value(L, lua_gettop(L), a, depth));
		lua_pop(L, 1);
	}
	return map;
}

/* Returns whether a table has only the keys 1 to n, of which there is one. */
static bool is_list(lua_State *L, int idx)
{
	size_t n = lua_objlen(L, idx), count = 0;

	lua_pushnil(L);
	while (n && lua_next(L, idx)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TNUMBER || ++count > n) {
			lua_pop(L, 1);
			return false;
		}
	}
	if (!n)
		lua_pop(L, 1);
	return n && count == n;
}

static struct json *make_value(lua_State *L, int idx, struct arena *a, unsigned depth)
{
	char text[IP_TEXT_LEN];
	uint32_t addr;

	luaL_checkstack(L, 4, "the answer is nested too deeply");
	script_charge(L, CHARGE);
	if (depth > DEPTH_MAX)
		luaL_error(L, "the answer is nested too deeply (%d levels)", DEPTH_MAX);
	switch (lua_type(L, idx)) {
	case LUA_TBOOLEAN:
		return json_bool(a, lua_toboolean(L, idx));
	case LUA_TNUMBER:
		return make_number(L, idx, a);
	case LUA_TSTRING:
		return make_text(L, idx, a);
	case LUA_TTABLE:
		return is_list(L, idx) ? make_list(L, idx, a, depth + 1)
				       : make_map(L, idx, a, depth + 1);
	default:
		if (!script_is_addr(L, idx, &addr))
			luaL_error(L, "a value of type %s has no form in JSON",
				   luaL_typename(L, idx));
		return json_str(a, ip_text(addr, text));
	}
}

struct json *script_to_json(lua_State *L, int idx, struct arena *arena)
{
	return make_value(L, idx, arena, 0);
}
