/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.grammar and haka.state_machine: languages made of Lua functions that run in an environment
 * of their own. They are written in Lua (lua/core/) and loaded when a script first asks for them:
 * most do not, and a server has many states. This file has the one operation that Lua lacks in a
 * restricted profile: to give a function its environment.
 */
#include "script/buffer/buffer.h"
#include "script/state/lua_sources.h"
#include "script/library/library_impl.h"
#include "script/rules/rules_impl.h"

#include <lauxlib.h>
#include <string.h>

/*
 * Called for with_environment(function, table): calls the function, which sees the table as its
 * globals meanwhile. The function gets its own globals back afterwards, also after an error;
 * functions that it made keep the table.
 */
static int run_in_environment(lua_State *L)
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

/* Called for part(name, ...): runs another file of lua/core. */
static int run_part(lua_State *L)
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

/* Called for narrow(sub): octets that others insert at its beginning or end do not belong to it.
 * Returns the sub. The fields of a grammar's result lie side by side. */
static int narrow_sub(lua_State *L)
{
	((struct script_sub *)script_check(L, 1, &script_class_sub))->narrow = true;
	lua_settop(L, 1);
	return 1;
}

/* Pushes three functions for Lua of our own: with_environment, part, narrow. */
static void push_tools(lua_State *L)
{
	lua_pushcfunction(L, run_in_environment);
	lua_pushcfunction(L, run_part);
	lua_pushcfunction(L, narrow_sub);
}

/* Runs the part of lua/core for a name: a function of script_lazy(). Upvalue 1: the name. */
static int load_language(lua_State *L)
{
	int n;

	script_check_stack(L, "haka");
	lua_pushcfunction(L, run_part);
	lua_pushstring(L, strcmp(lua_tostring(L, lua_upvalueindex(1)), "grammar") == 0
				  ? "core/grammar"
				  : "core/machine");
	push_tools(L);
	n = script_push_timer_functions(L);
	lua_call(L, 4 + n, 1);
	return 1;
}

void script_open_languages(lua_State *L)
{
	script_lazy(L, "grammar", load_language);
	script_lazy(L, "state_machine", load_language);
}
