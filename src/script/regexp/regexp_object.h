/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Objects of regular expressions in Lua, as the files of their methods share them. All functions
 * may raise (class.h).
 */
#pragma once

#include "script/regexp/regexp_impl.h"

#include <lauxlib.h>

enum regexp_kind { KIND_REGEXP, KIND_SINK, KIND_SET, KIND_SET_SINK, N_KINDS };

struct regexp_object {
	uint64_t magic;
	enum regexp_kind kind;
	uint64_t seq; /* of a sink: regexp_step() */
	union {
		struct regexp *re;
		struct regexp_sink sink;
		struct regexp_set *set;
		struct regexp_set_sink *set_sink;
	};
};

/* Pushes the metatable of a kind. */
void regexp_push_kind(lua_State *L, enum regexp_kind kind);
/* Pushes an empty object. */
struct regexp_object *regexp_push_object(lua_State *L, enum regexp_kind kind);
/* Returns the object at 1, which must be of a kind; `what` opens the message. */
struct regexp_object *regexp_check_object(lua_State *L, enum regexp_kind kind, const char *what);
/* Makes the object at the top keep the one at idx alive. */
void regexp_keep_alive(lua_State *L, int idx);
/* Returns the expressions' part of the state. */
struct regexp_lib *regexp_check_lib(lua_State *L);
/* Returns the options at idx: a number of flags, letters ("ix"), or nothing. */
unsigned regexp_check_options(lua_State *L, int idx, const char *what);
/* Raises the error of a pattern that was not compiled, by the result r. */
void regexp_compile_failed(lua_State *L, int r, const struct regexp_error *err,
			   const char *pattern);
/* Makes the metatable of a kind with its methods. */
void regexp_open_kind(lua_State *L, enum regexp_kind kind, const luaL_Reg *methods);

/* Called for re:set, which makes sets; regexp_open_sets() makes their kinds (regexp_set_lua.c). */
int regexp_re_set(lua_State *L);
void regexp_open_sets(lua_State *L);
