/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The globals of a state. A RESTRICTED one gets the libraries that touch nothing but values, and of
 * those the names on the list below; the functions that can catch an error come from
 * lua/core/sandbox.lua, which lets no limit be caught. Both profiles get functions of Lua 5.2 that
 * Debian's LuaJIT lacks: pairs() with __pairs, ipairs() of lists of ours, table.pack and
 * table.unpack. `#` of a table cannot be taught: without 5.2 compatibility LuaJIT never asks __len
 * of a table.
 */
#include "script/state/lua_sources.h"
#include "script/library/library_impl.h"
#include "script/values/values_impl.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

enum { CAPTURED_MAX = 4 << 20 };

static const struct library {
	const char *name;
	lua_CFunction open;
	const char *keep; /* " a b c " */
} libraries[] = {
	{"", luaopen_base,
	 " _G _VERSION assert error getmetatable ipairs next pcall rawequal rawget rawset select "
	 "setmetatable tonumber "
	 "tostring type unpack xpcall haka "},
	{LUA_TABLIBNAME, luaopen_table, " concat insert maxn remove sort foreach foreachi getn "},
	{LUA_STRLIBNAME, luaopen_string,
	 " byte char find format gmatch gsub len lower match rep reverse sub upper "},
	{LUA_MATHLIBNAME, luaopen_math,
	 " abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 "
	 "max min mod modf pi pow rad "
	 "random randomseed sin sinh sqrt tan tanh "},
	{LUA_BITLIBNAME, luaopen_bit,
	 " arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex "},
};

/* Removes the names that are not in the list from the table on top. */
static void keep_only(lua_State *L, const char *keep)
{
	char word[64];

	lua_pushnil(L);
	while (lua_next(L, -2)) {
		lua_pop(L, 1);
		(void)snprintf(word, sizeof(word), " %s ", lua_tostring(L, -1));
		if (!strstr(keep, word)) {
			lua_pushvalue(L, -1);
			lua_pushnil(L);
			lua_rawset(L, -4); /* clearing an entry does not disturb lua_next */
		}
	}
}

static void open_restricted(lua_State *L)
{
	lua_getglobal(L, "haka");
	for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
		lua_pushcfunction(L, libraries[i].open);
		lua_pushstring(L, libraries[i].name);
		lua_call(L, 1, 0);
	}
	/* before anything is removed: sandbox.lua takes the functions that it wraps from there */
}

static void strip_libraries(lua_State *L)
{
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	lua_getfield(L, -1, "coroutine");
	keep_only(L, " create isyieldable resume running status wrap yield ");
	lua_pop(L, 1);
	for (size_t i = 1; i < ARRAY_LEN(libraries); i++) {
		lua_getfield(L, -1, libraries[i].name);
		keep_only(L, libraries[i].keep);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void strip_globals(lua_State *L)
{
	char keep[512];

	(void)snprintf(keep, sizeof(keep), "%s%s", libraries[0].keep,
		       "table string math bit coroutine ");
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	keep_only(L, keep);
	lua_pop(L, 1);
	/* the registry's _LOADED keeps references that nothing of ours hands out */
	lua_pushliteral(L, "");
	(void)lua_getmetatable(L, -1);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_pop(L, 2);
}

static int base_pairs(lua_State *L)
{
	luaL_checkany(L, 1);
	if (luaL_getmetafield(L, 1, "__pairs")) {
		script_check_stack(L, "pairs");
		lua_pushvalue(L, 1);
		lua_call(L, 1, 3);
		return 3;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static int push_next(lua_State *L)
{
	lua_Integer i = luaL_checkinteger(L, 2) + 1;

	lua_settop(L, 1);
	lua_pushinteger(L, i);
	lua_pushinteger(L, i);
	lua_gettable(L, 1);
	return lua_isnil(L, -1) ? 0 : 2;
}

/* Called for ipairs(). Objects of ours that are lists have a length. Upvalue 1: LuaJIT's function,
 * which takes tables only. */
static int base_ipairs(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TUSERDATA && luaL_getmetafield(L, 1, "__len")) {
		lua_pushcfunction(L, push_next);
		lua_pushvalue(L, 1);
		lua_pushinteger(L, 0);
		return 3;
	}
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, 3);
	return 3;
}

static int table_pack(lua_State *L)
{
	int n = lua_gettop(L);

	lua_createtable(L, n, 1);
	lua_insert(L, 1);
	lua_pushinteger(L, n);
	lua_setfield(L, 1, "n");
	for (int i = n; i > 0; i--)
		lua_rawseti(L, 1, i);
	return 1;
}

static int base_print(lua_State *L)
{
	struct script *s = script_of(L);
	int n = lua_gettop(L);
	size_t len;
	const char *line;

	lua_getglobal(L, "tostring");
	for (int i = 1; i <= n; i++) {
		lua_pushvalue(L, n + 1);
		lua_pushvalue(L, i);
		lua_call(L, 1, 1);
		if (!lua_isstring(L, -1))
			return luaL_error(L, "print: 'tostring' must return a string");
		if (i < n)
			lua_pushliteral(L, "\t");
		luaL_checkstack(L, 4, "print");
	}
	lua_concat(L, lua_gettop(L) - n - 1);
	line = lua_tolstring(L, -1, &len);
	if (s->library->captured && s->library->captured->len + len > CAPTURED_MAX)
		return luaL_error(L, "print: more than %d octets", CAPTURED_MAX);
	if (s->library->captured)
		(buf_add(s->library->captured, line, len), buf_char(s->library->captured, '\n'));
	else if (s->library->print)
		s->library->print(s->library->ctx, span_of(line, len));
	else
		(void)(fwrite(line, 1, len, stdout) == len && putchar('\n'));
	return 0;
}

/* Called for rethrow_error(error [, function]): raises an error that no script may catch again;
 * returns others with names added. */
static int rethrow_error(lua_State *L)
{
	bool function = lua_type(L, 2) == LUA_TFUNCTION;

	script_rethrow(L, 1);
	lua_settop(L, 2);
	lua_pushvalue(L, 1);
	script_charge(L, script_explain(L, function ? 2 : 0));
	return 1;
}

/* Called when a coroutine is about to run: C functions that it calls enter Lua on its stack. */
static int begin_resume(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTHREAD);
	script_check_stack(L, "coroutine");
	script_of(L)->L = lua_tothread(L, 1);
	return 0;
}

static int end_resume(lua_State *L)
{
	script_of(L)->L = L;
	return 0;
}

/* Reads the pieces that a reader function returns, as one string on the stack. */
static void read_pieces(lua_State *L)
{
	script_check_stack(L, "load");
	lua_pushliteral(L, "");
	for (;;) {
		lua_pushvalue(L, 1);
		lua_call(L, 0, 1);
		if (lua_isnil(L, -1) || (lua_isstring(L, -1) && lua_objlen(L, -1) == 0))
			break;
		if (lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "load: the reader function must return a string");
		lua_concat(L, 2);
	}
	lua_pop(L, 1);
	lua_replace(L, 1);
}

/* Called for load(text or function [, name [, mode [, environment]]]): takes text only, in every
 * mode. */
static int base_load(lua_State *L)
{
	struct span text;
	int env = lua_isnoneornil(L, 4) ? 0 : 4;

	lua_settop(L, 4);
	/* LuaJIT's lua_setfenv takes a value of any type for a table */
	if (env)
		luaL_checktype(L, env, LUA_TTABLE);
	if (lua_type(L, 1) == LUA_TFUNCTION)
		read_pieces(L);
	text.p = (const uint8_t *)luaL_checklstring(L, 1, &text.n);
	script_charge(L, text.n);
	if (script_load(L, text, luaL_optstring(L, 2, lua_tostring(L, 1))) != 0) {
		script_rethrow(L, -1);
		lua_pushnil(L);
		lua_insert(L, -2);
		return 2;
	}
	if (env) {
		lua_pushvalue(L, env);
		(void)lua_setfenv(L, -2);
	}
	return 1;
}

/* Runs sandbox.lua with the functions that it wraps. */
static void run_wrappers(lua_State *L)
{
	const struct lua_source *source = lua_source_find("core/sandbox");

	if (script_load(L, source->text, "=[usher]") != 0)
		(void)lua_error(L);
	lua_pushcfunction(L, rethrow_error);
	lua_pushcfunction(L, begin_resume);
	lua_pushcfunction(L, end_resume);
	lua_call(L, 3, 0);
}

void script_open_sandbox(lua_State *L)
{
	const struct script *s = script_of(L);

	if (s->profile == SCRIPT_RESTRICTED)
		open_restricted(L);
	lua_settop(L, 0);
	run_wrappers(L);
	if (s->profile == SCRIPT_RESTRICTED) {
		strip_libraries(L);
		script_open_strings(L);
		strip_globals(L);
		lua_pushcfunction(L, base_load);
		lua_pushvalue(L, -1);
		lua_setglobal(L, "load");
		lua_setglobal(L, "loadstring");
	}
	lua_getglobal(L, "next");
	lua_pushcclosure(L, base_pairs, 1);
	lua_setglobal(L, "pairs");
	lua_getglobal(L, "ipairs");
	lua_pushcclosure(L, base_ipairs, 1);
	lua_setglobal(L, "ipairs");
	lua_pushcfunction(L, base_print);
	lua_setglobal(L, "print");
	lua_getglobal(L, "table");
	lua_pushcfunction(L, table_pack);
	lua_setfield(L, -2, "pack");
	lua_getglobal(L, "unpack");
	lua_setfield(L, -2, "unpack");
	lua_settop(L, 0);
}
