/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.time(seconds), haka.network_time(): nanoseconds since the epoch in a userdata. Text is of
 * the local zone.
 */
#include "script/values/moment.h"

#include "script/state/class.h"
#include "script/state/script_impl.h"
#include "script/values/values_impl.h"

#include <lauxlib.h>
#include <math.h>
#include <time.h>

#define TIME_MAGIC 0xb38ce10f4d5a6e27ULL

struct moment {
	uint64_t magic;
	int64_t ns;
};

static const char key_meta;

void script_push_time(lua_State *L, int64_t ns)
{
	struct moment *m = lua_newuserdata(L, sizeof(*m));

	*m = (struct moment){TIME_MAGIC, ns};
	script_push_key(L, &key_meta);
	(void)lua_setmetatable(L, -2);
}

bool script_is_time(lua_State *L, int idx, int64_t *ret_ns)
{
	const struct moment *m = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx) : NULL;

	if (!m || lua_objlen(L, idx) != sizeof(*m) || m->magic != TIME_MAGIC)
		return false;
	*ret_ns = m->ns;
	return true;
}

static int64_t convert_seconds(lua_State *L, double seconds, const char *what)
{
	if (!(fabs(seconds) < 9e9)) /* nanoseconds must fit; not a number does not */
		luaL_error(L, "%s: %f seconds is out of range", what, seconds);
	/* whole seconds apart: together they have more digits than a double */
	return (int64_t)floor(seconds) * NS_PER_S +
	       (int64_t)llround((seconds - floor(seconds)) * 1e9);
}

int64_t script_check_time(lua_State *L, int idx, const char *what)
{
	int64_t ns;

	if (script_is_time(L, idx, &ns))
		return ns;
	if (lua_type(L, idx) != LUA_TNUMBER)
		script_expected(L, idx, what, "time or number of seconds");
	return convert_seconds(L, lua_tonumber(L, idx), what);
}

static int haka_time(lua_State *L)
{
	script_push_time(L, script_check_time(L, 1, "haka.time"));
	return 1;
}

static int haka_network_time(lua_State *L)
{
	script_push_time(L, clock_wall_ns(&script_of(L)->clock));
	return 1;
}

static int64_t floor_seconds(int64_t ns)
{
	return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

static int time_index(lua_State *L)
{
	int64_t ns = script_check_time(L, 1, "time");
	const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	if (strcmp(key, "secs") == 0)
		lua_pushnumber(L, (double)floor_seconds(ns));
	else if (strcmp(key, "nsecs") == 0)
		lua_pushnumber(L, (double)(ns - floor_seconds(ns) * NS_PER_S));
	else if (strcmp(key, "seconds") == 0)
		lua_pushnumber(L, (double)ns / 1e9);
	else
		return 0;
	return 1;
}

static int time_newindex(lua_State *L)
{
	return luaL_error(L, "a time cannot be changed");
}

static int time_tostring(lua_State *L)
{
	time_t s = (time_t)floor_seconds(script_check_time(L, 1, "time"));
	char text[64];
	struct tm tm;

	(void)localtime_r(&s, &tm);
	(void)strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm);
	lua_pushstring(L, text);
	return 1;
}

static int time_eq(lua_State *L)
{
	lua_pushboolean(L, script_check_time(L, 1, "time") == script_check_time(L, 2, "time"));
	return 1;
}

static int time_lt(lua_State *L)
{
	lua_pushboolean(L, script_check_time(L, 1, "time") < script_check_time(L, 2, "time"));
	return 1;
}

static int time_le(lua_State *L)
{
	lua_pushboolean(L, script_check_time(L, 1, "time") <= script_check_time(L, 2, "time"));
	return 1;
}

/* Called for time - time, which is a number of seconds, and time - seconds, which is a time. */
static int time_sub(lua_State *L)
{
	int64_t a = script_check_time(L, 1, "time");
	int64_t b = script_check_time(L, 2, "time");

	if (lua_type(L, 2) == LUA_TNUMBER)
		script_push_time(L, a - b);
	else
		lua_pushnumber(L, (double)(a - b) / 1e9);
	return 1;
}

static int time_add(lua_State *L)
{
	script_push_time(L, script_check_time(L, 1, "time") + script_check_time(L, 2, "time"));
	return 1;
}

void script_open_time(lua_State *L)
{
	static const luaL_Reg meta[] = {
		{"__index", time_index},
		{"__newindex", time_newindex},
		{"__tostring", time_tostring},
		{"__eq", time_eq},
		{"__lt", time_lt},
		{"__le", time_le},
		{"__sub", time_sub},
		{"__add", time_add},
		{NULL, NULL},
	};

	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta);
	lua_newtable(L);
	luaL_setfuncs(L, meta, 0);
	lua_pushliteral(L, "time");
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
	script_push_haka(L);
	lua_pushcfunction(L, haka_time);
	lua_setfield(L, -2, "time");
	lua_pushcfunction(L, haka_network_time);
	lua_setfield(L, -2, "network_time");
	lua_pop(L, 1);
}
