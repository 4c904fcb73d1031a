/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Explanations of LuaJIT's errors. "attempt to call field 'logg' (a nil value)" gets the class or
 * table that has no such member, and its nearest name: tables of ours and of the libraries have an
 * __index that notes the name. "bad argument #1 to '?'" gets the name of the function, which LuaJIT
 * knows only when Lua has called it.
 */
#include "script/state/script_impl.h"
#include "script/state/state_open.h"

#include "base/nearest.h"

#include <lauxlib.h>
#include <stdio.h>

/* Keys of a table that are looked at, and the longest message that is explained: a script may have
 * made both. */
enum { KEYS_MAX = 500, MESSAGE_MAX = 1000 };

/* In the registry: the tables with their names; the table that was asked last for a member that it
 * has not. */
static const char key_watched, key_asked;

/* Notes the name at 2, which the table at 1 has not. May be called with any arguments. */
int script_table_missed(lua_State *L)
{
	struct script *s = script_of(L);

	if (lua_type(L, 1) != LUA_TTABLE || lua_type(L, 2) != LUA_TSTRING)
		return 0;
	s->missed.cls = NULL;
	(void)snprintf(s->missed.name, sizeof(s->missed.name), "%s", lua_tostring(L, 2));
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_asked);
	lua_pushvalue(L, 1);
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 0;
}

void script_watch_table(lua_State *L, const char *name)
{
	script_push_key(L, &key_watched);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushlightuserdata(L, (void *)(uintptr_t)&key_watched);
		lua_pushvalue(L, -2);
		lua_rawset(L, LUA_REGISTRYINDEX);
	}
	lua_pushvalue(L, -2);
	lua_pushstring(L, name);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	if (!lua_getmetatable(L, -1)) {
		lua_createtable(L, 0, 1);
		lua_pushvalue(L, -1);
		(void)lua_setmetatable(L, -3);
	}
	lua_pushliteral(L, "__index");
	lua_rawget(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pushcfunction(L, script_table_missed);
		lua_setfield(L, -3, "__index");
	}
	lua_pop(L, 2);
}

void script_open_missed(lua_State *L)
{
	static const char *const libraries[] = {"string", "table", "math", "bit", "coroutine"};
	char name[64];

	for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
		lua_getglobal(L, libraries[i]);
		if (lua_istable(L, -1))
			script_watch_table(L, libraries[i]);
		lua_pop(L, 1);
	}
	script_push_haka(L);
	script_watch_table(L, "haka");
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (lua_istable(L, -1)) {
			(void)snprintf(name, sizeof(name), "haka.%s", lua_tostring(L, -2));
			script_watch_table(L, name);
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* Returns the key of the table at the top that is nearest to a name; NULL: none is near. The table
 * keeps it. */
static const char *nearest_key(lua_State *L, const char *name, unsigned *n)
{
	struct nearest near = nearest_init(name);
	int table = lua_gettop(L);

	lua_pushnil(L);
	for (unsigned i = 0; i < KEYS_MAX && lua_next(L, table); i++, ++*n) {
		lua_pop(L, 1);
		if (lua_type(L, -1) == LUA_TSTRING)
			nearest_take(&near, lua_tostring(L, -1));
	}
	lua_settop(L, table);
	return near.found;
}

static void push_hint(lua_State *L, const char *what, const char *name, const char *near)
{
	if (near)
		lua_pushfstring(L, ": %s has no '%s' (did you mean '%s'?)", what, name, near);
	else
		lua_pushfstring(L, ": %s has no '%s'", what, name);
}

/* Replaces the watched table at the top by one whose unknown members it supplies and which has a
 * near name; returns it. */
static const char *nearest_in_front(lua_State *L, const char *name, unsigned *n)
{
	int asked = lua_gettop(L), watched = asked - 1;
	const char *near = NULL;

	lua_pushnil(L);
	while (!near && lua_next(L, watched)) {
		lua_pop(L, 1);
		if (!lua_getmetatable(L, -1))
			continue;
		lua_pushliteral(L, "__index");
		lua_rawget(L, -2);
		lua_replace(L, -2);
		if (lua_rawequal(L, -1, asked)) {
			lua_pushvalue(L, -2);
			near = nearest_key(L, name, n);
			if (near)
				lua_replace(L, asked);
		}
		lua_settop(L, asked + 1);
	}
	lua_settop(L, asked);
	return near;
}

/* Pushes the sentence about the table that was asked last. False: there is none. */
static bool push_table_missed(lua_State *L, const char *name, unsigned *n)
{
	int top = lua_gettop(L);
	const char *near;

	script_push_key(L, &key_watched);
	script_push_key(L, &key_asked);
	if (!lua_istable(L, -1) || !lua_istable(L, -2)) {
		lua_settop(L, top);
		return false;
	}
	near = nearest_key(L, name, n);
	if (!near)
		near = nearest_in_front(L, name, n);
	lua_pushvalue(L, -1);
	lua_rawget(L, -3);
	push_hint(L, lua_tostring(L, -1), name, near);
	lua_replace(L, top + 1);
	lua_settop(L, top + 1);
	return true;
}

/* Pushes a near name for "attempt to call global 'prin' (a nil value)". False: the message is
 * another one, or no global has a near name. */
static bool push_global_missed(lua_State *L, const char *text, unsigned *n)
{
	const char *at = strstr(text, " global '"), *end = at ? strchr(at + 9, '\'') : NULL, *near;
	char name[NEAREST_NAME_MAX];

	if (!end || (size_t)(end - at - 9) >= sizeof(name))
		return false;
	(void)snprintf(name, sizeof(name), "%.*s", (int)(end - at - 9), at + 9);
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	near = nearest_key(L, name, n);
	lua_pop(L, 1);
	if (near)
		lua_pushfstring(L, " (did you mean '%s'?)", near);
	return near != NULL;
}

static void explain_nil(lua_State *L, unsigned *n)
{
	const struct script *s = script_of(L);
	const char *text = lua_tostring(L, -1);
	char quoted[sizeof(s->missed.name) + 2];

	if (!strstr(text, "attempt to ") || !strstr(text, "a nil value") ||
	    strstr(text, "did you mean") || strstr(text, " has no "))
		return;
	(void)snprintf(quoted, sizeof(quoted), "'%s'", s->missed.name);
	if (strstr(text, " global '")) {
		if (push_global_missed(L, text, n))
			lua_concat(L, 2);
	} else if (!s->missed.name[0] || !strstr(text, quoted)) {
		return;
	} else if (s->missed.cls) {
		lua_pushliteral(L, ": ");
		script_push_missed(L, s->missed.cls, s->missed.name);
		lua_concat(L, 3);
	} else if (push_table_missed(L, s->missed.name, n)) {
		lua_concat(L, 2);
	}
}

/* Returns the key of the function at `function` in the table at the top; NULL: it is not there. */
static const char *key_of(lua_State *L, int function, unsigned *n)
{
	const char *name = NULL;
	int table = lua_gettop(L);

	lua_pushnil(L);
	for (unsigned i = 0; !name && i < KEYS_MAX && lua_next(L, table); i++, ++*n) {
		if (lua_type(L, -2) == LUA_TSTRING && lua_rawequal(L, -1, function))
			name = lua_tostring(L, -2);
		lua_pop(L, 1);
	}
	lua_settop(L, table);
	return name;
}

static const char *name_of(lua_State *L, int function, unsigned *n)
{
	const char *name;
	int top = lua_gettop(L);

	lua_pushvalue(L, LUA_GLOBALSINDEX);
	name = key_of(L, function, n);
	script_push_key(L, &key_watched);
	if (!name && lua_istable(L, -1)) {
		lua_pushnil(L);
		while (!name && lua_next(L, top + 2)) {
			lua_pop(L, 1);
			name = key_of(L, function, n);
		}
	}
	lua_settop(L, top);
	return name;
}

void script_name_function(lua_State *L, const char *name)
{
	const char *text = lua_tostring(L, -1), *at = strstr(text, " to '?' (");

	if (!at || !strstr(text, "bad argument #"))
		return;
	lua_pushlstring(L, text, (size_t)(at - text));
	lua_pushfstring(L, " to '%s'%s", name, at + sizeof(" to '?'") - 1);
	lua_concat(L, 2);
	lua_replace(L, -2);
}

unsigned script_explain(lua_State *L, int function)
{
	const char *name;
	unsigned n = 0;

	if (lua_type(L, -1) != LUA_TSTRING || lua_objlen(L, -1) > MESSAGE_MAX)
		return 0;
	explain_nil(L, &n);
	if (function && strstr(lua_tostring(L, -1), " to '?' (") &&
	    (name = name_of(L, function, &n)) != NULL)
		script_name_function(L, name);
	return n;
}
