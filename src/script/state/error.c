/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The message handler of all protected calls: it gives each message a place, and explains it
 * (missed.c).
 */
#include "script/state/script_impl.h"
#include "script/state/state_open.h"

#include <lauxlib.h>
#include <stdio.h>

static void find_place(lua_State *L, char *out, size_t n)
{
	const struct script *s = script_of(L);

	/* not in Lua of our own: the script has called it */
	if (!script_find_line(L, true, out, n))
		(void)snprintf(out, n, "%s", s->where ? s->where : "?:0");
}

const char *script_visible(lua_State *L)
{
	size_t n;
	const char *text = lua_tolstring(L, -1, &n), *zero;
	luaL_Buffer b uninit;

	if (!memchr(text, 0, n))
		return text;
	luaL_buffinit(L, &b);
	while ((zero = memchr(text, 0, n)) != NULL) {
		luaL_addlstring(&b, text, (size_t)(zero - text));
		luaL_addlstring(&b, "\\x00", 4);
		n -= (size_t)(zero - text) + 1;
		text = zero + 1;
	}
	luaL_addlstring(&b, text, n);
	luaL_pushresult(&b);
	lua_replace(L, -2);
	return lua_tostring(L, -1);
}

/* Called while the stack of the error still stands. Runs no Lua. */
static int complete_message(lua_State *L)
{
	char place[128];
	lua_Debug ar;

	if (lua_type(L, 1) == LUA_TLIGHTUSERDATA)
		return 1;
	lua_settop(L, 1);
	if (lua_isstring(L, 1)) {
		(void)script_visible(L);
		/* the function that raised the error is below this one */
		if (lua_getstack(L, 1, &ar) && lua_getinfo(L, "f", &ar))
			lua_insert(L, 1);
		(void)script_explain(L, lua_gettop(L) > 1 ? 1 : 0);
		lua_replace(L, 1);
		lua_settop(L, 1);
	}
	if (!lua_isstring(L, 1)) {
		find_place(L, place, sizeof(place));
		lua_pushfstring(L, "%s: (the error is a %s)", place, luaL_typename(L, 1));
	} else if (!script_has_place(lua_tostring(L, 1))) {
		find_place(L, place, sizeof(place));
		lua_pushfstring(L, "%s: %s", place, lua_tostring(L, 1));
	}
	return 1;
}

void script_open_errors(lua_State *L)
{
	lua_pushcfunction(L, complete_message);
	script_of(L)->on_error = luaL_ref(L, LUA_REGISTRYINDEX);
}
