/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sets of patterns in Lua: re:set, set:match, set:create_sink, set:engine; sink:feed.
 * Vectorscan or PCRE2 do the work (regexp_set.c).
 */
#include "script/regexp/regexp_object.h"

#include "script/buffer/buffer.h"

#include <string.h>
#include <sys/param.h>

/* Called for re:set({pattern, ...} [, options]). */
int regexp_re_set(lua_State *L)
{
	unsigned options = regexp_check_options(L, 3, "re:set: options");
	struct regexp_lib *lib = regexp_check_lib(L);
	struct regexp_error err = {0};
	struct regexp_object *o;
	struct span *patterns;
	size_t which = 0;
	size_t n;
	int r;

	if (lua_type(L, 2) != LUA_TTABLE)
		script_expected(L, 2, "re:set", "list of patterns");
	n = lua_objlen(L, 2);
	if (n == 0 || n > REGEXP_PATTERNS_MAX)
		return luaL_error(L, "re:set: %d patterns (1 to %d)", (int)n, REGEXP_PATTERNS_MAX);
	patterns = lua_newuserdata(L, n * sizeof(*patterns));
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, 2, (int)i + 1);
		patterns[i] = script_check_span(L, -1, "re:set: pattern"); /* the table keeps it */
		script_charge(L, 1000 + patterns[i].n * 16 +
					 100 * MIN(regexp_weight((const char *)patterns[i].p), 64));
		lua_pop(L, 1);
	}
	o = regexp_push_object(L, KIND_SET);
	r = regexp_set_new(lib, patterns, n, options, false, &o->set, &err, &which);
	if (r < 0)
		regexp_compile_failed(L, r, &err, (const char *)patterns[which].p);
	return 1;
}

/* Pushes the numbers of the patterns with a hit, as a list; nil if there are none. */
static int push_hits(lua_State *L, const bool *hits, size_t n, int found)
{
	int k = 0;

	if (found == 0) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, found, 0);
	for (size_t i = 0; i < n; i++) {
		if (hits[i]) {
			lua_pushinteger(L, (lua_Integer)i + 1);
			lua_rawseti(L, -2, ++k);
		}
	}
	return 1;
}

static int set_match(lua_State *L)
{
	struct regexp_object *o = regexp_check_object(L, KIND_SET, "set:match");
	struct span subject = script_check_octets(L, 2, "set:match");
	size_t n = regexp_set_size(o->set);
	bool *hits = lua_newuserdata(L, n);
	int r;

	memset(hits, 0, n);
	r = regexp_set_match(o->set, subject, script_regexp_steps(L), hits);
	script_regexp_charge(L, subject.n, r);
	return push_hits(L, hits, n, r);
}

static int set_create_sink(lua_State *L)
{
	const struct regexp_object *o = regexp_check_object(L, KIND_SET, "set:create_sink");
	struct regexp_object *sink = regexp_push_object(L, KIND_SET_SINK);

	regexp_keep_alive(L, 1);
	script_charge(L, regexp_set_size(o->set));
	if (regexp_set_sink_new(o->set, &sink->set_sink) < 0)
		return luaL_error(L, "set:create_sink: not enough memory");
	return 1;
}

static int set_engine(lua_State *L)
{
	lua_pushstring(L, regexp_set_engine(regexp_check_object(L, KIND_SET, "set:engine")->set));
	return 1;
}

/* Called for sink:feed(string [, eof]): returns the patterns found by now that were not found
 * before. */
static int set_sink_feed(lua_State *L)
{
	struct regexp_object *o = regexp_check_object(L, KIND_SET_SINK, "sink:feed");
	struct span piece = script_check_octets(L, 2, "sink:feed");
	size_t n = regexp_set_sink_size(o->set_sink);
	bool *hits;
	int r;

	lua_settop(L, 3); /* before more comes where eof is looked for */
	hits = lua_newuserdata(L, n);
	r = regexp_set_feed(o->set_sink, piece, lua_toboolean(L, 3), script_regexp_steps(L), hits);
	script_regexp_charge(L, piece.n, r);
	return push_hits(L, hits, n, r);
}

void regexp_open_sets(lua_State *L)
{
	static const luaL_Reg set[] = {{"match", set_match},
				       {"create_sink", set_create_sink},
				       {"engine", set_engine},
				       {NULL, NULL}};
	static const luaL_Reg set_sink[] = {{"feed", set_sink_feed}, {NULL, NULL}};

	regexp_open_kind(L, KIND_SET, set);
	regexp_open_kind(L, KIND_SET_SINK, set_sink);
}
