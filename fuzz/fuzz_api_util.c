/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The functions that scripts can get at, found by a walk over globals, metatables, upvalues and the
 * objects of the current event, and calls of them as the input says.
 */
#include "fuzz_api_util.h"

#include "fuzz.h"

#include <lauxlib.h>

enum { CALLS_MAX = 60, ARGS_MAX = 6 };

struct input {
	const uint8_t *p;
	size_t n;
};

static struct input in;
static unsigned n_found;
static const char key_functions, key_values, key_seen;

unsigned fuzz_api_pick(unsigned n)
{
	unsigned v;

	if (!in.n)
		return 0;
	v = *in.p++;
	in.n--;
	if (n > 256 && in.n) {
		v = v << 8 | *in.p++;
		in.n--;
	}
	return v % n;
}

/* --- The walk --------------------------------------------------------------------------------- */

static void push_list(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

static void append(lua_State *L, const char *key)
{
	push_list(L, key);
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
	lua_pop(L, 1);
}

/* Was the value at the top walked before? It is now. */
static bool seen(lua_State *L)
{
	bool r;

	push_list(L, &key_seen);
	lua_pushvalue(L, -2);
	lua_rawget(L, -2);
	r = !lua_isnil(L, -1);
	lua_pop(L, 1);
	lua_pushvalue(L, -2);
	lua_pushboolean(L, 1);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	return r;
}

static void walk(lua_State *L, unsigned depth);

static void walk_table(lua_State *L, unsigned depth)
{
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		walk(L, depth);
		lua_pop(L, 1);
	}
}

/* The value at the top, which stays. */
static void walk(lua_State *L, unsigned depth)
{
	int type = lua_type(L, -1);

	if (depth == 0 || (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA) ||
	    !lua_checkstack(L, 20) || seen(L))
		return;
	if (type == LUA_TFUNCTION && lua_iscfunction(L, -1))
		append(L, &key_functions);
	if (type == LUA_TUSERDATA)
		append(L, &key_values);
	if (type == LUA_TTABLE)
		walk_table(L, depth - 1);
	/* those of functions in C are out of a script's reach: the function behind a wrapper, for
	 * example */
	for (int i = 1;
	     type == LUA_TFUNCTION && !lua_iscfunction(L, -1) && lua_getupvalue(L, -1, i); i++) {
		walk(L, depth - 1);
		lua_pop(L, 1);
	}
	if (lua_getmetatable(L, -1)) {
		walk(L, depth - 1);
		lua_pop(L, 1);
	}
}

/* --- Calls ------------------------------------------------------------------------------------ */

static void push_number(lua_State *L)
{
	static const double numbers[] = {0,
					 1,
					 -1,
					 2,
					 3,
					 0.5,
					 255,
					 256,
					 65535,
					 65536,
					 2147483647,
					 2147483648.0,
					 -2147483648.0,
					 4294967295.0,
					 4294967296.0,
					 9007199254740992.0,
					 1e300,
					 -1e300,
					 0.0 / 0.0,
					 1.0 / 0.0};

	lua_pushnumber(L, numbers[fuzz_api_pick(sizeof(numbers) / sizeof(numbers[0]))]);
}

static void push_text(lua_State *L)
{
	static const char *const texts[] = {"",
					    "a",
					    "drop",
					    "accept",
					    "begin",
					    "end",
					    "udp",
					    "tcp_connection",
					    "receive_packet",
					    "name",
					    "192.0.2.1",
					    "192.0.2.0/24",
					    "%s%s%s",
					    "[a-z]+",
					    "(",
					    "all",
					    "core/util",
					    "streamed",
					    "request",
					    "\\x",
					    "%x00"};
	size_t n = fuzz_api_pick(sizeof(texts) / sizeof(texts[0]) + 2);

	if (n < sizeof(texts) / sizeof(texts[0]))
		lua_pushstring(L, texts[n]);
	else
		lua_pushlstring(L, (const char *)in.p, in.n < 40 ? in.n : 40);
}

static void push_of(lua_State *L, const char *key)
{
	push_list(L, key);
	if (lua_objlen(L, -1))
		lua_rawgeti(L, -1, 1 + (int)fuzz_api_pick((unsigned)lua_objlen(L, -1)));
	else
		lua_pushnil(L);
	lua_remove(L, -2);
}

static void push_any(lua_State *L, unsigned depth)
{
	static const char *const keys[] = {"n",	       "id",	  "name",	 "on",
					   "eval",     "options", "events",	 "_pieces",
					   "action",   "type",	  "src",	 "dst",
					   "severity", "sources", "description", "streamed",
					   "when",     "port",	  "start_time"};

	switch (fuzz_api_pick(depth ? 12 : 9)) {
	case 0:
		lua_pushnil(L);
		break;
	case 1:
		lua_pushboolean(L, (int)fuzz_api_pick(2));
		break;
	case 2:
	case 3:
		push_number(L);
		break;
	case 4:
		push_text(L);
		break;
	case 5:
		(void)lua_newthread(L);
		break;
	case 6:
		push_of(L, &key_functions);
		break;
	case 7:
	case 8:
		push_of(L, &key_values);
		break;
	default:
		lua_newtable(L);
		for (unsigned n = fuzz_api_pick(5); n > 0; n--) {
			if (fuzz_api_pick(2))
				lua_pushstring(L,
					       keys[fuzz_api_pick(sizeof(keys) / sizeof(keys[0]))]);
			else
				lua_pushinteger(L, (lua_Integer)fuzz_api_pick(4));
			push_any(L, depth - 1);
			lua_rawset(L, -3);
		}
		break;
	}
}

static void one_call(lua_State *L)
{
	int top = lua_gettop(L), n = (int)fuzz_api_pick(ARGS_MAX);

	push_of(L, &key_functions);
	for (int i = 0; i < n; i++)
		push_any(L, 2);
	if (lua_isfunction(L, top + 1) && lua_pcall(L, n, LUA_MULTRET, 0) == 0)
		for (int i = top + 1; i <= lua_gettop(L) && i < top + 4; i++) {
			lua_pushvalue(L, i);
			walk(L, 2); /* its results are arguments of the next calls */
			lua_pop(L, 1);
		}
	lua_settop(L, top);
}

int fuzz_api_probe(lua_State *L)
{
	unsigned calls = 0;

	for (const char *const *k =
		     (const char *const[]){&key_functions, &key_values, &key_seen, NULL};
	     *k; k++) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)*k);
		lua_newtable(L);
		lua_rawset(L, LUA_REGISTRYINDEX);
	}
	for (int i = 1; i <= lua_gettop(L); i++) {
		lua_pushvalue(L, i);
		walk(L, 12);
		lua_pop(L, 1);
	}
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	walk(L, 12);
	lua_pop(L, 1);
	push_list(L, &key_functions);
	n_found = (unsigned)lua_objlen(L, -1);
	lua_pop(L, 1);
	while (in.n && calls++ < CALLS_MAX)
		one_call(L);
	return 0;
}

unsigned fuzz_api_found(void)
{
	return n_found;
}

void fuzz_api_begin(const uint8_t *data, size_t size)
{
	in = (struct input){data, size};
	n_found = 0;
}
