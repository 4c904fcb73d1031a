/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.grammar and haka.state_machine: languages made of Lua functions that run in an environment
 * of their own. They are written in Lua (lua/core/) and loaded when a script first asks for them:
 * most do not, and a server has many states. This file has the one operation that Lua lacks in a
 * restricted profile: to give a function its environment.
 */
#include "script/buffer/buffer.h"
#include "script/state/lua_sources.h"
#include "script/state/script_impl.h"
#include "script/rules/timer_impl.h"

#include <lauxlib.h>
#include <string.h>

/*
 * with_environment(function, table): calls the function, which sees the table as its globals
 * meanwhile. The function gets its own back afterwards, also after an error; functions that it made
 * keep the table.
 */
static int with_environment(lua_State *L)
{
	int status;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	luaL_checktype(L, 2, LUA_TTABLE);
	if (lua_iscfunction(L, 1))
		return luaL_error(L, "a function written in Lua expected");
	script_check_stack(L, "environment");
	lua_settop(L, 2);
	lua_getfenv(L, 1);
	lua_pushvalue(L, 2);
	(void)lua_setfenv(L, 1);
	lua_pushvalue(L, 1);
	status = lua_pcall(L, 0, 0, 0);
	lua_pushvalue(L, 3);
	(void)lua_setfenv(L, 1);
	if (status != 0) {
		lua_pushvalue(L, 4);
		return lua_error(L);
	}
	return 0;
}

/* part(name, ...): runs another file of lua/core. */
static int part(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const struct lua_source *source = lua_source_find(name);
	int n = lua_gettop(L);
	int status;

	if (!source || strncmp(name, "core/", 5) != 0)
		return luaL_error(L, "no such part: %s", name);
	status = script_load(L, source->text, "=[usher]");
	if (status != 0)
		return lua_error(L);
	lua_replace(L, 1);
	lua_call(L, n - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* narrow(sub) -> sub: octets that others insert at its beginning or end do not belong to it. The
 * fields of a grammar's result lie side by side. */
static int narrow(lua_State *L)
{
	((struct script_sub *)script_check(L, 1, &script_class_sub))->narrow = true;
	lua_settop(L, 1);
	return 1;
}

void script_push_language_tools(lua_State *L)
{
	lua_pushcfunction(L, with_environment);
	lua_pushcfunction(L, part);
	lua_pushcfunction(L, narrow);
}

static int load_part(lua_State *L, const char *name)
{
	const struct script *s = script_of(L);

	lua_pushcfunction(L, part);
	lua_pushstring(L, name);
	script_push_language_tools(L);
	if (s->has_timers) {
		script_push_timer_functions(L);
		lua_call(L, 6, 1);
	} else {
		lua_call(L, 4, 1);
	}
	return 1;
}

void script_run_part(lua_State *L, const char *name, int nargs, int nresults)
{
	const struct lua_source *source = lua_source_find(name);

	script_check_stack(L, name);
	if (!source || script_load(L, source->text, "=[usher]") != 0)
		(void)lua_error(L);
	lua_insert(L, -1 - nargs);
	lua_call(L, nargs, nresults);
}

static const char key_lazy;

static void push_lazy(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_lazy);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

void script_lazy(lua_State *L, const char *name, lua_CFunction fn)
{
	push_lazy(L);
	lua_pushstring(L, name);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

/* haka.<name>: modules that are loaded at their first use. */
static int haka_index(lua_State *L)
{
	static const struct {
		const char *name, *part;
	} parts[] = {{"grammar", "core/grammar"}, {"state_machine", "core/machine"}};
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";

	luaL_checktype(L, 1, LUA_TTABLE);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (strcmp(parts[i].name, name) != 0)
			continue;
		script_check_stack(L, "haka");
		(void)load_part(L, parts[i].part);
		lua_pushvalue(L, 2);
		lua_pushvalue(L, -2);
		lua_rawset(L, 1);
		return 1;
	}
	push_lazy(L);
	lua_pushvalue(L, 2);
	lua_rawget(L, -2);
	if (lua_isnil(L, -1))
		return script_table_missed(L);
	lua_call(L, 0, 1);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, 1);
	return 1;
}

void script_open_languages(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_lazy);
	lua_newtable(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
	script_push_haka(L);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, haka_index);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	(void)lua_setmetatable(L, -2);
	lua_pop(L, 1);
}
