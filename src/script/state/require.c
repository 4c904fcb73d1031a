/* SPDX-License-Identifier: MPL-2.0 */
/*
 * require(): modules that hosts registered by name, then text files of the search path: the
 * directory of the file that is run, then the configured ones. A name is words of letters, digits,
 * '_' and '-', joined by '/' or '.'; so it can name nothing outside. Each module is run once. In a
 * TRUSTED state LuaJIT's own require comes last.
 */
#include "script/state/script_impl.h"
#include "script/state/state_open.h"

#include "script/state/lua_sources.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_LEN = 1024, NAME_MAX_LEN = 128 };

static bool name_ok(const char *name, size_t n)
{
	if (n == 0 || n > NAME_MAX_LEN || strlen(name) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool join = name[i] == '/' || name[i] == '.';

		if (join && (i == 0 || i + 1 == n || name[i + 1] == '/' || name[i + 1] == '.'))
			return false;
		if (!join &&
		    !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
			    name[i]))
			return false;
	}
	return true;
}

/* Loads text that was read as a function onto the stack; frees it. Raises its error. */
static void load_taken(lua_State *L, char *text, size_t n, const char *path)
{
	char chunk[PATH_LEN + 1];
	int status;

	(void)snprintf(chunk, sizeof(chunk), "@%s", path);
	status = script_load(L, span_of(text, n), chunk);
	free(text);
	if (status != 0)
		(void)lua_error(L);
	script_charge(L, n);
}

/* Finds the file of a module and loads it onto the stack; its path is noted in tried if there is
 * none. */
static bool load_file(lua_State *L, const char *name, luaL_Buffer *tried)
{
	static const char *const endings[] = {".lua", "/init.lua"};
	const struct script *s = script_of(L);
	char path[PATH_LEN];

	for (size_t i = 0; i < s->n_paths; i++) {
		for (size_t e = 0; s->paths[i] && e < ARRAY_LEN(endings); e++) {
			const char *why;
			size_t n = 0;
			char *text;
			int at = snprintf(path, sizeof(path), "%s/", s->paths[i]);

			if (at < 0 || (size_t)at + strlen(name) + 16 > sizeof(path))
				continue;
			(void)snprintf(path + at, sizeof(path) - (size_t)at, "%s%s", name,
				       endings[e]);
			for (char *c = path + at; *c && c < path + at + strlen(name); c++)
				if (*c == '.')
					*c = '/';
			errno = 0;
			text = script_read_file(path, &n, &why);
			if (text) {
				load_taken(L, text, n, path);
				return true;
			}
			if (errno != ENOENT && errno != ENOTDIR)
				luaL_error(L, "require: %s: %s", path, why);
			luaL_addstring(tried, "\n\tno file ");
			luaL_addstring(tried, path);
		}
	}
	return false;
}

/* Pushes the function that makes a module. Raises when there is none. True: the module is one of
 * ours. */
static bool push_loader(lua_State *L, const char *name)
{
	luaL_Buffer tried uninit;

	const struct lua_source *source = strncmp(name, "core/", 5) != 0 ? lua_source_find(name)
									 : NULL;
	const struct span *text;
	char chunk[NAME_MAX_LEN + 4];

	script_push_key(L, &script_keys.modules);
	lua_getfield(L, -1, name);
	if (lua_isfunction(L, -1))
		return true;
	text = lua_isuserdata(L, -1) ? lua_touserdata(L, -1) : source ? &source->text : NULL;
	if (text) {
		(void)snprintf(chunk, sizeof(chunk), "=[%s]", name);
		if (script_load(L, *text, chunk) != 0)
			(void)lua_error(L);
		return true;
	}
	luaL_buffinit(L, &tried);
	if (load_file(L, name, &tried))
		return false;
	if (lua_isfunction(L, lua_upvalueindex(1))) {
		lua_pushvalue(L, lua_upvalueindex(1));
		return false;
	}
	luaL_pushresult(&tried);
	luaL_error(L, "module '%s' not found:%s", name, lua_tostring(L, -1));
	return false;
}

/* Called for require(name). Upvalue 1: LuaJIT's require, or nil. */
static int base_require(lua_State *L)
{
	size_t n;
	const char *name = luaL_checklstring(L, 1, &n);
	bool ours;

	if (!name_ok(name, n))
		return luaL_error(L,
				  "require: '%s' is no module name (letters, digits, '_', '-', "
				  "joined by '/' or '.')",
				  name);
	lua_settop(L, 1);
	script_push_key(L, &script_keys.loaded);
	lua_getfield(L, 2, name);
	if (lua_islightuserdata(L, -1))
		return luaL_error(L, "require: module '%s' requires itself", name);
	if (!lua_isnil(L, -1))
		return 1;
	script_check_stack(L, "require");
	ours = push_loader(L, name);
	lua_replace(L, 3);
	lua_settop(L, 3);
	/* while it loads: a mark, which no Lua sees */
	lua_pushlightuserdata(L, (void *)(uintptr_t)&script_keys.loaded);
	lua_setfield(L, 2, name);
	lua_pushvalue(L, 1);
	if (lua_pcall(L, 1, 1, 0) != 0) {
		lua_pushnil(L);
		lua_setfield(L, 2, name);
		return lua_error(L);
	}
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_pushboolean(L, 1);
	}
	if (ours && lua_istable(L, -1))
		script_watch_table(L, name);
	lua_pushvalue(L, -1);
	lua_setfield(L, 2, name);
	return 1;
}

static void new_key_table(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_newtable(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

void script_open_require(lua_State *L)
{
	new_key_table(L, &script_keys.loaded);
	new_key_table(L, &script_keys.modules);
	lua_getglobal(L, "require");
	lua_pushcclosure(L, base_require, 1);
	lua_setglobal(L, "require");
}

struct module {
	const char *name;
	lua_CFunction fn;
	struct span text;
};

static int add_module(lua_State *L)
{
	const struct module *m = lua_touserdata(L, 1);
	struct span *text;

	script_push_key(L, &script_keys.modules);
	if (m->fn) {
		lua_pushcfunction(L, m->fn);
	} else {
		text = lua_newuserdata(L, sizeof(*text));
		*text = m->text;
	}
	lua_setfield(L, -2, m->name);
	return 0;
}

int script_module(struct script *s, const char *name, lua_CFunction fn)
{
	struct script_error err;

	return script_protect(s, add_module, &(struct module){.name = name, .fn = fn}, &err);
}

int script_module_text(struct script *s, const char *name, struct span text)
{
	struct script_error err;

	return script_protect(s, add_module, &(struct module){.name = name, .text = text}, &err);
}
