/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Streamed rules: a coroutine for each stream and listener, kept in a table by stream. It is
 * resumed by each raise of its stream until it has ended, and forgotten with the stream.
 */
#include "script/rules/rules_impl.h"

#include <lauxlib.h>

static const char key_streams;

static void push_streams(lua_State *L)
{
	script_push_key(L, &key_streams);
}

/* Pushes the coroutine of (stream, listener): a thread, false when it has ended, nil when there is
 * none. */
static void push_coroutine(lua_State *L, const struct event_step *st)
{
	push_streams(L);
	lua_pushlightuserdata(L, (void *)(uintptr_t)st->r->stream);
	lua_rawget(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushlightuserdata(L, (void *)(uintptr_t)st->r->stream);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	lua_replace(L, -2);
	lua_rawgeti(L, -1, st->l->self);
}

/* Runs a step of a streamed rule, in a protected call. Argument 1: struct step. */
static int streamed_step(lua_State *L)
{
	const struct event_step *st = lua_touserdata(L, 1);
	lua_State *co;
	int n = 0;
	int status;

	push_coroutine(L, st); /* 2: the stream's table, 3 */
	if (lua_isboolean(L, 3))
		return 0;
	if (lua_isnil(L, 3)) {
		lua_settop(L, 2);
		co = lua_newthread(L);
		lua_pushvalue(L, 3);
		lua_rawseti(L, 2, st->l->self);
		lua_rawgeti(co, LUA_REGISTRYINDEX, st->l->eval);
		n = st->r->push ? st->r->push(L, st->r->ctx, true) : 0;
		lua_xmove(L, co, n);
	}
	co = lua_tothread(L, 3);
	st->s->L = co;
	status = lua_resume(co, n);
	st->s->L = L;
	if (status == LUA_YIELD) {
		lua_settop(co, 0);
		return 0;
	}
	lua_pushboolean(L, 0);
	lua_rawseti(L, 2, st->l->self);
	if (status == 0)
		return 0;
	lua_xmove(co, L, 1);
	return lua_error(L);
}

bool event_follows(struct script *s, const struct listener *l, const void *stream)
{
	lua_State *L = s->L;
	int top = lua_gettop(L);
	bool is;

	if (!l->streamed || !stream)
		return false;
	push_streams(L);
	script_push_pointer(s, stream);
	lua_rawget(L, -2);
	if (lua_istable(L, -1))
		lua_rawgeti(L, -1, l->self);
	is = lua_isthread(L, -1);
	lua_settop(L, top);
	return is;
}

void script_stream_forget(struct script *s, const void *stream)
{
	lua_State *L = s->L;

	push_streams(L);
	script_push_pointer(s, stream);
	lua_rawget(L, -2);
	if (!lua_isnil(L, -1)) { /* the key is there: nothing is allocated */
		script_push_pointer(s, stream);
		lua_pushnil(L);
		lua_rawset(L, -4);
	}
	lua_pop(L, 2);
}

void event_streams_open(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_streams);
	lua_newtable(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
	lua_pushcfunction(L, streamed_step);
	script_of(L)->rules->events.streamed_step = luaL_ref(L, LUA_REGISTRYINDEX);
}
