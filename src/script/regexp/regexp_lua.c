/* SPDX-License-Identifier: MPL-2.0 */
/*
 * require('regexp/pcre').re for Lua: re:compile, re:match, re:set; regexp:match, :create_sink;
 * sink:feed, :ispartial; haka.regexp_result(). Positions are octets from 0; `last` is the first
 * behind the match, as Haka has it.
 */
#include "script/regexp/regexp.h"

#include "script/buffer/buffer.h"
#include "script/state/lua_sources.h"
#include "script/regexp/regexp_impl.h"
#include "script/state/script_impl.h"

#include "base/error.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/param.h>

enum kind { KIND_REGEXP, KIND_SINK, KIND_SET, KIND_SET_SINK, N_KINDS };

#define OBJECT_MAGIC 0x38f1c07be59d26a4ULL

struct object {
	uint64_t magic;
	enum kind kind;
	uint64_t seq; /* of a sink: regexp_step() */
	union {
		struct regexp *re;
		struct regexp_sink sink;
		struct regexp_set *set;
		struct regexp_set_sink *set_sink;
	};
};

static const char *const kind_names[] = {"regexp", "regexp sink", "regexp set", "regexp set sink"};
static const char key_meta[N_KINDS];
static const char key_re_match;

static struct object *push_object(lua_State *L, enum kind kind)
{
	struct object *o = lua_newuserdata(L, sizeof(*o));

	*o = (struct object){.magic = OBJECT_MAGIC, .kind = kind};
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta[kind]);
	lua_rawget(L, LUA_REGISTRYINDEX);
	(void)lua_setmetatable(L, -2);
	return o;
}

static struct object *to_object(lua_State *L, int idx)
{
	struct object *o = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx) : NULL;

	return o && lua_objlen(L, idx) == sizeof(*o) && o->magic == OBJECT_MAGIC ? o : NULL;
}

static struct object *check_object(lua_State *L, enum kind kind, const char *what)
{
	struct object *o = to_object(L, 1);

	if (!o || o->kind != kind)
		script_expected(L, 1, what, kind_names[kind]);
	return o;
}

/* The object at the top keeps the one at idx alive. */
static void keep_alive(lua_State *L, int idx)
{
	lua_createtable(L, 1, 0);
	lua_pushvalue(L, idx);
	lua_rawseti(L, -2, 1);
	(void)lua_setfenv(L, -2);
}

static int object_gc(lua_State *L)
{
	struct object *o = to_object(L, 1);

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

static struct regexp_lib *check_lib(lua_State *L)
{
	struct regexp_lib *lib = regexp_lib_of(script_of(L));

	if (!lib)
		luaL_error(L, "regexp: not enough memory");
	return lib;
}

uint32_t script_regexp_steps(lua_State *L)
{
	const struct script *s = script_of(L);

	if (s->profile == SCRIPT_TRUSTED || s->limits.depth == 0 || s->limits.left > REGEXP_STEPS)
		return REGEXP_STEPS;
	return s->limits.left > 1 ? (uint32_t)s->limits.left : 1;
}

void script_regexp_charge(lua_State *L, size_t n, int result)
{
	script_charge(L, 16 + n / 4);
	if (result == -USHER_E_LIMIT) {
		uint32_t steps = script_regexp_steps(L);

		script_charge(L, steps);
		luaL_error(L, "regexp: more than %d steps in one match", (int)steps);
	}
	if (result == -ENOMEM)
		luaL_error(L, "regexp: not enough memory");
	if (result < 0)
		luaL_error(L, "regexp: cannot be matched");
}

/* A number of flags, or letters ("ix"). */
static unsigned check_options(lua_State *L, int idx, const char *what)
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

static void compile_failed(lua_State *L, int r, const struct regexp_error *err, const char *pattern)
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

/* Compiles the pattern at idx: the object at the top. */
static struct object *compile(lua_State *L, int idx, unsigned options, const char *what)
{
	struct span pattern = script_check_span(L, idx, what);
	struct object *o = push_object(L, KIND_REGEXP);
	struct regexp_error err;
	int r;

	script_charge(L, 1000 + pattern.n * 16);
	r = regexp_compile(check_lib(L), pattern, options, &o->re, &err);
	if (r < 0)
		compile_failed(L, r, &err, (const char *)pattern.p);
	return o;
}

static int re_compile(lua_State *L)
{
	(void)compile(L, 2, check_options(L, 3, "re:compile: options"), "re:compile");
	return 1;
}

/* Matches the subject at idx. Strings: text, first, last. */
static int match(lua_State *L, const struct regexp *re, int idx, bool createsub, const char *what)
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

/* re:match(pattern, subject [, options [, createsub]]) */
static int re_match(lua_State *L)
{
	const struct object *o;

	lua_settop(L, 5);
	o = compile(L, 2, check_options(L, 4, "re:match: options"), "re:match: pattern");
	return match(L, o->re, 3, lua_toboolean(L, 5), "re:match");
}

/* regexp:match(subject [, createsub [, readonly]]); the last says nothing here */
static int regexp_match_lua(lua_State *L)
{
	const struct object *o = check_object(L, KIND_REGEXP, "regexp:match");

	return match(L, o->re, 2, lua_toboolean(L, 3), "regexp:match");
}

/* step(sink, iterator, createsub) -> is that all?, result */
static int match_step(lua_State *L)
{
	struct object *o = check_object(L, KIND_SINK, "regexp:match");
	bool done = regexp_step(L, 2, &o->sink, &o->seq, lua_toboolean(L, 3));

	lua_pushboolean(L, done);
	lua_insert(L, -2);
	return 2;
}

/* waits(regexp or nil, subject): is it an iterator that waits? */
static int match_waits(lua_State *L)
{
	if (!lua_isnil(L, 1))
		(void)check_object(L, KIND_REGEXP, "regexp:match");
	lua_pushboolean(L, script_test(L, 2, &script_class_blocking) != NULL);
	return 1;
}

static int regexp_create_sink(lua_State *L)
{
	const struct object *o = check_object(L, KIND_REGEXP, "regexp:create_sink");
	struct object *sink = push_object(L, KIND_SINK);

	regexp_sink_init(&sink->sink, o->re);
	keep_alive(L, 1);
	return 1;
}

static int regexp_result_new(lua_State *L)
{
	lua_createtable(L, 0, 2);
	return 1;
}

/* sink:feed(string [, eof [, result]]): whether there is a match, and where in the stream */
static int sink_feed(lua_State *L)
{
	struct object *o = check_object(L, KIND_SINK, "sink:feed");
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

/* sink:partial(): the position in the stream where a match may have begun; nil if none has. */
static int sink_partial(lua_State *L)
{
	const struct regexp_sink *k = &check_object(L, KIND_SINK, "sink:partial")->sink;

	if (!k->partial)
		return 0;
	lua_pushnumber(L, (double)(k->base + k->from));
	return 1;
}

static int sink_ispartial(lua_State *L)
{
	lua_pushboolean(L, check_object(L, KIND_SINK, "sink:ispartial")->sink.partial);
	return 1;
}

static int sink_truncated(lua_State *L)
{
	lua_pushboolean(L, check_object(L, KIND_SINK, "sink:truncated")->sink.truncated);
	return 1;
}

/* re:set({pattern, ...} [, options]) */
static int re_set(lua_State *L)
{
	unsigned options = check_options(L, 3, "re:set: options");
	struct regexp_lib *lib = check_lib(L);
	struct regexp_error err = {0};
	struct object *o;
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
	o = push_object(L, KIND_SET);
	r = regexp_set_new(lib, patterns, n, options, false, &o->set, &err, &which);
	if (r < 0)
		compile_failed(L, r, &err, (const char *)patterns[which].p);
	return 1;
}

/* The numbers of the patterns that hits says, as a list; nil if there are none. */
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
	struct object *o = check_object(L, KIND_SET, "set:match");
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
	const struct object *o = check_object(L, KIND_SET, "set:create_sink");
	struct object *sink = push_object(L, KIND_SET_SINK);

	keep_alive(L, 1);
	script_charge(L, regexp_set_size(o->set));
	if (regexp_set_sink_new(o->set, &sink->set_sink) < 0)
		return luaL_error(L, "set:create_sink: not enough memory");
	return 1;
}

static int set_engine(lua_State *L)
{
	lua_pushstring(L, regexp_set_engine(check_object(L, KIND_SET, "set:engine")->set));
	return 1;
}

/* sink:feed(string [, eof]): the patterns found by now that were not before */
static int set_sink_feed(lua_State *L)
{
	struct object *o = check_object(L, KIND_SET_SINK, "sink:feed");
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

static void new_kind(lua_State *L, enum kind kind, const luaL_Reg *methods)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta[kind]);
	lua_createtable(L, 0, 3);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, object_gc);
	lua_setfield(L, -2, "__gc");
	lua_pushstring(L, kind_names[kind]);
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
}

static void set_constants(lua_State *L)
{
	lua_pushinteger(L, REGEXP_CASE_INSENSITIVE);
	lua_setfield(L, -2, "CASE_INSENSITIVE");
	lua_pushinteger(L, REGEXP_EXTENDED);
	lua_setfield(L, -2, "EXTENDED");
}

/* The module regexp/pcre. */
int script_open_regexp(lua_State *L)
{
	static const luaL_Reg functions[] = {{"compile", re_compile},
					     {"set", re_set},
					     {NULL, NULL}};

	lua_newtable(L);
	set_constants(L);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_re_match);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_setfield(L, -2, "match");
	set_constants(L);
	script_watch_table(L, "re");
	lua_setfield(L, -2, "re");
	return 1;
}

/* The two `match`, which wait where they have to. */
static void open_match(lua_State *L)
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
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_re_match);
	lua_insert(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta[KIND_REGEXP]);
	lua_rawget(L, LUA_REGISTRYINDEX);
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
	static const luaL_Reg set[] = {{"match", set_match},
				       {"create_sink", set_create_sink},
				       {"engine", set_engine},
				       {NULL, NULL}};
	static const luaL_Reg set_sink[] = {{"feed", set_sink_feed}, {NULL, NULL}};

	new_kind(L, KIND_REGEXP, regexp);
	new_kind(L, KIND_SINK, sink);
	new_kind(L, KIND_SET, set);
	new_kind(L, KIND_SET_SINK, set_sink);
	open_match(L);
	script_push_haka(L);
	lua_pushcfunction(L, regexp_result_new);
	lua_setfield(L, -2, "regexp_result");
	lua_pop(L, 1);
}
