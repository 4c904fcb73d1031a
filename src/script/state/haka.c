/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table `haka`: functions that the modules and hosts put there, members that are made when a
 * script first asks for them, and Lua of our own.
 */
#include "script/state/script_impl.h"
#include "script/state/state_open.h"

#include "script/state/lua_sources.h"

#include <lauxlib.h>

struct named_function {
	const char *name;
	lua_CFunction fn;
	void *ud;
};

static int add_function(lua_State *L)
{
	const struct named_function *f = lua_touserdata(L, 1);

	script_push_haka(L);
	lua_pushlightuserdata(L, f->ud);
	lua_pushcclosure(L, f->fn, 1);
	lua_setfield(L, -2, f->name);
	return 0;
}

int script_haka_function(struct script *s, const char *name, lua_CFunction fn, void *ud)
{
	struct script_error err;

	return script_protect(s, add_function, &(struct named_function){name, fn, ud}, &err);
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
	script_push_key(L, &key_lazy);
}

void script_lazy(lua_State *L, const char *name, lua_CFunction fn)
{
	push_lazy(L);
	lua_pushstring(L, name);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, name);
	lua_pop(L, 1);
}

/* Called for haka.<name>: makes a member at its first use. */
static int haka_index(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
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

static int haka_abort(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&script_keys.abort);
	return lua_error(L);
}

void script_open_haka(lua_State *L)
{
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_setglobal(L, "haka");
	lua_pushlightuserdata(L, (void *)(uintptr_t)&script_keys.haka);
	lua_pushvalue(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
	lua_pushcfunction(L, haka_abort);
	lua_setfield(L, -2, "abort");
	lua_pop(L, 1);
}

void script_open_lazy(lua_State *L)
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
