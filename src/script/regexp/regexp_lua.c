/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Regular expressions for scripts, matched by PCRE2 (regexp.c): re:compile and re:match of
 * require('regexp/pcre').re; regexp:match, :create_sink; sink:feed, :ispartial;
 * haka.regexp_result(). Positions are octets from 0; `last` is the first behind the match, as Haka
 * has it.
 */
#include "script/regexp/regexp_object.h"

#include "script/buffer/buffer.h"
#include "script/state/lua_sources.h"
#include "script/state/script_impl.h"

static const char key_re_match;

/* Compiles the pattern at idx: the object at the top. */
static struct regexp_object *compile_at(lua_State *L, int idx, unsigned options, const char *what)
{
	struct span pattern = script_check_span(L, idx, what);
	struct regexp_object *o = regexp_push_object(L, KIND_REGEXP);
	struct regexp_error err;
	int r;

	script_charge(L, 1000 + pattern.n * 16);
	r = regexp_compile(regexp_check_lib(L), pattern, options, &o->re, &err);
	if (r < 0)
		regexp_compile_failed(L, r, &err, (const char *)pattern.p);
	return o;
}

static int re_compile(lua_State *L)
{
	(void)compile_at(L, 2, regexp_check_options(L, 3, "re:compile: options"), "re:compile");
	return 1;
}

/* Matches the subject at idx. Strings: text, first, last. */
static int match_subject(lua_State *L, const struct regexp *re, int idx, bool createsub,
			 const char *what)
{
	struct regexp_result where = {0};
	struct span subject;
	int r;

	if (lua_type(L, idx) != LUA_TSTRING) {
		r = regexp_match_buffer(L, re, idx, createsub);
		if (r < 0)
			script_expected(L, idx, what, "string, sub or iterator");
		return r;
	}
	subject = script_check_span(L, idx, what);
	r = regexp_match(re, subject, 0, script_regexp_steps(L), &where);
	script_regexp_charge(L, subject.n, r);
	if (r == 0) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushlstring(L, (const char *)subject.p + where.first, where.last - where.first);
	lua_pushnumber(L, (double)where.first);
	lua_pushnumber(L, (double)where.last);
	return 3;
}

/* Called for re:match_subject(pattern, subject [, options [, createsub]]). */
static int re_match(lua_State *L)
{
	const struct regexp_object *o;

	lua_settop(L, 5);
	o = compile_at(L, 2, regexp_check_options(L, 4, "re:match: options"), "re:match: pattern");
	return match_subject(L, o->re, 3, lua_toboolean(L, 5), "re:match");
}

/* Called for regexp:match_subject(subject [, createsub [, readonly]]); readonly has no effect here.
 */
static int regexp_match_lua(lua_State *L)
{
	const struct regexp_object *o = regexp_check_object(L, KIND_REGEXP, "regexp:match");

	return match_subject(L, o->re, 2, lua_toboolean(L, 3), "regexp:match");
}

/* Called for step(sink, iterator, createsub): returns whether that is all, and the result. */
static int match_step(lua_State *L)
{
	struct regexp_object *o = regexp_check_object(L, KIND_SINK, "regexp:match");
	bool done = regexp_step(L, 2, &o->sink, &o->seq, lua_toboolean(L, 3));

	lua_pushboolean(L, done);
	lua_insert(L, -2);
	return 2;
}

/* Called for waits(regexp or nil, subject): returns whether the subject is an iterator that waits.
 */
static int match_waits(lua_State *L)
{
	if (!lua_isnil(L, 1))
		(void)regexp_check_object(L, KIND_REGEXP, "regexp:match");
	lua_pushboolean(L, script_test(L, 2, &script_class_blocking) != NULL);
	return 1;
}

static int regexp_create_sink(lua_State *L)
{
	const struct regexp_object *o = regexp_check_object(L, KIND_REGEXP, "regexp:create_sink");
	struct regexp_object *sink = regexp_push_object(L, KIND_SINK);

	regexp_sink_init(&sink->sink, o->re);
	regexp_keep_alive(L, 1);
	return 1;
}

static int regexp_result_new(lua_State *L)
{
	lua_createtable(L, 0, 2);
	return 1;
}

/* Called for sink:feed(string [, eof [, result]]): returns whether there is a match, and its place
 * in the stream. */
static int sink_feed(lua_State *L)
{
	struct regexp_object *o = regexp_check_object(L, KIND_SINK, "sink:feed");
	struct regexp_result where = {0};
	struct span piece;
	int r;

	lua_settop(L, 4);
	piece = script_check_octets(L, 2, "sink:feed");
	r = regexp_feed(&o->sink, piece, lua_toboolean(L, 3), script_regexp_steps(L), &where);
	script_regexp_charge(L, piece.n + o->sink.len, r);
	lua_pushboolean(L, r);
	if (r == 0)
		return 1;
	if (lua_istable(L, 4)) {
		lua_pushvalue(L, 4);
	} else {
		(void)regexp_result_new(L);
	}
	lua_pushnumber(L, (double)where.first);
	lua_setfield(L, -2, "first");
	lua_pushnumber(L, (double)where.last);
	lua_setfield(L, -2, "last");
	return 2;
}

/* Called for sink:partial(): returns the position in the stream where a match may have begun; nil
 * if none has. */
static int sink_partial(lua_State *L)
{
	const struct regexp_sink *k = &regexp_check_object(L, KIND_SINK, "sink:partial")->sink;

	if (!k->partial)
		return 0;
	lua_pushnumber(L, (double)(k->base + k->from));
	return 1;
}

static int sink_ispartial(lua_State *L)
{
	lua_pushboolean(L, regexp_check_object(L, KIND_SINK, "sink:ispartial")->sink.partial);
	return 1;
}

static int sink_truncated(lua_State *L)
{
	lua_pushboolean(L, regexp_check_object(L, KIND_SINK, "sink:truncated")->sink.truncated);
	return 1;
}

static void set_constants(lua_State *L)
{
	lua_pushinteger(L, REGEXP_CASE_INSENSITIVE);
	lua_setfield(L, -2, "CASE_INSENSITIVE");
	lua_pushinteger(L, REGEXP_EXTENDED);
	lua_setfield(L, -2, "EXTENDED");
}

/* Opens the module regexp/pcre. */
int script_open_regexp(lua_State *L)
{
	static const luaL_Reg functions[] = {{"compile", re_compile},
					     {"set", regexp_re_set},
					     {NULL, NULL}};

	lua_newtable(L);
	set_constants(L);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	script_push_key(L, &key_re_match);
	lua_setfield(L, -2, "match");
	set_constants(L);
	script_watch_table(L, "re");
	lua_setfield(L, -2, "re");
	return 1;
}

/* Makes both functions `match`, which wait where they have to. */
static void open_matches(lua_State *L)
{
	if (script_load(L, lua_source_find("core/regexp")->text, "=[usher]") != 0)
		(void)lua_error(L);
	lua_pushcfunction(L, regexp_match_lua);
	lua_pushcfunction(L, re_compile);
	lua_pushcfunction(L, re_match);
	lua_pushcfunction(L, regexp_create_sink);
	lua_pushcfunction(L, match_step);
	lua_pushcfunction(L, match_waits);
	lua_call(L, 6, 2);
	script_set_key(L, &key_re_match);
	regexp_push_kind(L, KIND_REGEXP);
	lua_getfield(L, -1, "__index");
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, "match");
	lua_pop(L, 3);
}

void script_open_regexp_kinds(lua_State *L)
{
	static const luaL_Reg regexp[] = {{"create_sink", regexp_create_sink}, {NULL, NULL}};
	static const luaL_Reg sink[] = {{"feed", sink_feed},
					{"ispartial", sink_ispartial},
					{"partial", sink_partial},
					{"truncated", sink_truncated},
					{NULL, NULL}};

	regexp_open_kind(L, KIND_REGEXP, regexp);
	regexp_open_kind(L, KIND_SINK, sink);
	regexp_open_sets(L);
	open_matches(L);
	script_push_haka(L);
	lua_pushcfunction(L, regexp_result_new);
	lua_setfield(L, -2, "regexp_result");
	lua_pop(L, 1);
}
