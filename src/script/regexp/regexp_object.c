/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Objects of regular expressions in Lua: one userdata for all kinds, which frees the part that
 * PCRE2 or Vectorscan made.
 */
#include "script/regexp/regexp_object.h"
#include "script/state/script_impl.h"

#include "base/error.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#define OBJECT_MAGIC 0x38f1c07be59d26a4ULL

static const char *const kind_names[] = {"regexp", "regexp sink", "regexp set", "regexp set sink"};
static const char key_meta[N_KINDS];
void regexp_push_kind(lua_State *L, enum regexp_kind kind)
{
	script_push_key(L, &key_meta[kind]);
}

struct regexp_object *regexp_push_object(lua_State *L, enum regexp_kind kind)
{
	struct regexp_object *o = lua_newuserdata(L, sizeof(*o));

	*o = (struct regexp_object){.magic = OBJECT_MAGIC, .kind = kind};
	script_push_key(L, &key_meta[kind]);
	(void)lua_setmetatable(L, -2);
	return o;
}

static struct regexp_object *to_object(lua_State *L, int idx)
{
	struct regexp_object *o = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx) : NULL;

	return o && lua_objlen(L, idx) == sizeof(*o) && o->magic == OBJECT_MAGIC ? o : NULL;
}

struct regexp_object *regexp_check_object(lua_State *L, enum regexp_kind kind, const char *what)
{
	struct regexp_object *o = to_object(L, 1);

	if (!o || o->kind != kind)
		script_expected(L, 1, what, kind_names[kind]);
	return o;
}

void regexp_keep_alive(lua_State *L, int idx)
{
	lua_createtable(L, 1, 0);
	lua_pushvalue(L, idx);
	lua_rawseti(L, -2, 1);
	(void)lua_setfenv(L, -2);
}

static int free_object(lua_State *L)
{
	struct regexp_object *o = to_object(L, 1);

	if (!o)
		return 0;
	switch (o->kind) {
	case KIND_REGEXP:
		regexp_free(o->re);
		o->re = NULL;
		break;
	case KIND_SINK:
		regexp_sink_fini(&o->sink);
		break;
	case KIND_SET:
		regexp_set_free(o->set);
		o->set = NULL;
		break;
	case KIND_SET_SINK:
		regexp_set_sink_free(o->set_sink);
		o->set_sink = NULL;
		break;
	case N_KINDS:
		break;
	}
	return 0;
}

struct regexp_lib *regexp_check_lib(lua_State *L)
{
	struct regexp_lib *lib = regexp_lib_of(script_of(L));

	if (!lib)
		luaL_error(L, "regexp: not enough memory");
	return lib;
}

unsigned regexp_check_options(lua_State *L, int idx, const char *what)
{
	unsigned options = 0;

	if (lua_isnoneornil(L, idx))
		return 0;
	if (lua_type(L, idx) != LUA_TSTRING)
		return (unsigned)script_check_uint(L, idx,
						   REGEXP_CASE_INSENSITIVE | REGEXP_EXTENDED, what);
	for (const char *c = lua_tostring(L, idx); *c; c++) {
		if (*c != 'i' && *c != 'x')
			luaL_error(L, "%s: no option '%s' (i, x)", what, c);
		options |= *c == 'i' ? REGEXP_CASE_INSENSITIVE : REGEXP_EXTENDED;
	}
	return options;
}

void regexp_compile_failed(lua_State *L, int r, const struct regexp_error *err, const char *pattern)
{
	char text[320];

	(void)snprintf(text, sizeof(text), "regexp: '%.60s%s': %s at octet %zu", pattern,
		       strlen(pattern) > 60 ? "…" : "", err->text, err->offset);
	if (r == -USHER_E_SYNTAX)
		luaL_error(L, "%s", text);
	if (r == -USHER_E_LIMIT)
		luaL_error(L, "regexp: more than %d patterns", REGEXP_PATTERNS_MAX);
	luaL_error(L, "regexp: not enough memory");
}

void regexp_open_kind(lua_State *L, enum regexp_kind kind, const luaL_Reg *methods)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta[kind]);
	lua_createtable(L, 0, 3);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, free_object);
	lua_setfield(L, -2, "__gc");
	lua_pushstring(L, kind_names[kind]);
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
}
