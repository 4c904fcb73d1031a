/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Services of the gate for lua/core/dissector.lua, besides registration: events of its own, which
 * rules listen to like any others, and the end of packets and flows.
 */
#include "gate/lua/bind_dissect.h"

#include "base/error.h"
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_impl.h"
#include "gate/net/created.h"
#include "gate/engine/plugin.h"
#include "wire/ipv4.h"

#include <lauxlib.h>

/* Called for define_event(dissector, name, streamed): returns the event's number. */
static int host_define_event(lua_State *L)
{
	unsigned id = 0;
	int r = script_event_define(script_of(L), luaL_checkstring(L, 1), luaL_checkstring(L, 2),
				    lua_toboolean(L, 3) ? SCRIPT_EVENT_STREAMED : 0, &id);

	if (r == -USHER_E_EXISTS)
		return luaL_error(L, "register_event: dissector '%s' has an event '%s' already",
				  lua_tostring(L, 1), lua_tostring(L, 2));
	if (r < 0)
		return luaL_error(L, "register_event: '%s': %s", lua_tostring(L, 2),
				  r == -USHER_E_LIMIT ? "too many events, or its name is too long"
						      : usher_strerror(r));
	lua_pushinteger(L, (lua_Integer)id);
	return 1;
}

/* A raise from Lua: the arguments are tables of the registry. */
struct raising {
	struct gate_bind *bind;
	int args, streamed_args, n;
};

static int push_args(lua_State *L, void *ctx, bool streamed)
{
	const struct raising *r = ctx;
	int table;

	lua_rawgeti(L, LUA_REGISTRYINDEX, streamed ? r->streamed_args : r->args);
	table = lua_gettop(L);
	for (int i = 1; i <= r->n; i++)
		lua_rawgeti(L, table, i);
	lua_remove(L, table);
	return r->n;
}

static bool is_packet_stopped(void *ctx)
{
	const struct gate_packet *p = ((const struct raising *)ctx)->bind->walk->p;

	return p && (p->stopped || (p->flow && p->flow->dropped));
}

/* Called for raise(number, {arguments}, n, [{arguments of coroutines}, stream]): returns nil,
 * "abort" or "fault". */
static int host_raise(lua_State *L)
{
	struct script *s = script_of(L);
	unsigned id = (unsigned)luaL_checkint(L, 1);
	struct raising w = {.bind = bind_of(L),
			    .streamed_args = LUA_NOREF,
			    .n = luaL_checkint(L, 3)};
	struct script_raise r = {.ctx = &w, .push = push_args, .stopped = is_packet_stopped};
	unsigned what;

	luaL_checktype(L, 2, LUA_TTABLE);
	if (!script_event_known(s, id))
		return luaL_error(L, "trigger: there is no such event");
	if (!script_event_any(s, id))
		return 0;
	if (w.n < 0 || w.n > SCRIPT_ARGS)
		return luaL_error(L, "trigger: an event has at most %d arguments",
				  (int)SCRIPT_ARGS);
	lua_settop(L, 5); /* all of it stays alive meanwhile */
	if (lua_isuserdata(L, 5))
		r.stream = lua_touserdata(L, 5);
	if (lua_istable(L, 4)) {
		lua_pushvalue(L, 4);
		w.streamed_args = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_pushvalue(L, 2);
	w.args = luaL_ref(L, LUA_REGISTRYINDEX);
	what = script_raise(s, id, &r);
	luaL_unref(L, LUA_REGISTRYINDEX, w.args);
	luaL_unref(L, LUA_REGISTRYINDEX, w.streamed_args);
	if (what == 0)
		return 0;
	lua_pushstring(L, what & SCRIPT_RAISE_FAULT ? "fault" : "abort");
	return 1;
}

/* Called for piece(pieces, name, sub or nil): puts the next piece of a streamed event behind the
 * pieces before it. Returns an iterator that waits. Rules that follow it see copies, which they
 * cannot write. */
static int host_piece(lua_State *L)
{
	struct script_sub *piece = lua_isnoneornil(L, 3) ? NULL
							 : script_check(L, 3, &script_class_sub);
	struct script_buffer *b;
	struct span there;
	uint64_t held;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checkany(L, 2);
	lua_settop(L, 3);
	lua_pushvalue(L, 2);
	lua_rawget(L, 1);
	if (lua_isnil(L, 4)) {
		lua_settop(L, 3);
		script_push_memory(L, SPAN_NULL);
		lua_pushvalue(L, 2);
		lua_pushvalue(L, 4);
		lua_rawset(L, 1);
	}
	b = ((struct script_sub *)script_check(L, 4, &script_class_vbuffer))->buffer;
	if (!script_buffer_is_memory(b))
		return luaL_error(L, "trigger: '_pieces' is the dissector's own");
	b->finished = piece == NULL;
	held = script_buffer_held(b);
	(void)b->ops->octets(b, &there);
	held = held - b->base < there.n ? held - b->base : there.n;
	/* no coroutine waits for earlier octets, but with a mark */
	if (held && b->ops->replace(L, 4, b, 0, held, SPAN_NULL) == 0)
		script_buffer_changed(b, b->base, held, 0);
	(void)b->ops->octets(b, &there);
	if (piece) {
		struct span with = script_sub_octets(L, piece, "trigger");

		if (b->ops->replace(L, 4, b, there.n, 0, with) == 0)
			script_buffer_changed(b, b->base + there.n, 0, with.n);
	}
	b->read_only = true;
	script_push_iter(L, 4, b, b->base + there.n, SCRIPT_BUFFER_END, true);
	return 1;
}

/* Called for forget(stream): releases its coroutines. */
static int host_forget(lua_State *L)
{
	if (lua_isuserdata(L, 1))
		script_stream_forget(script_of(L), lua_touserdata(L, 1));
	return 0;
}

static struct gate_packet *test_packet(lua_State *L, int idx)
{
	return script_test(L, idx, bind_packet_class(DISSECT_RAW));
}

/* Called for drop(flow or packet, "rule", "failed" or "parse"): returns whether it is forwarded all
 * the same. */
static int host_drop(lua_State *L)
{
	struct gate *g = bind_gate_of(L);
	struct flow *f = script_test(L, 1, &bind_class_flow);
	struct gate_packet *p = f ? bind_packet_of(bind_of(L), f) : test_packet(L, 1);
	const char *how = luaL_checkstring(L, 2);
	enum gate_drop why = how[0] == 'r'   ? GATE_DROP_SCRIPT_DISSECTOR
			     : how[0] == 'f' ? GATE_DROP_RULE_FAILED
					     : GATE_DROP_SCRIPT_PARSE;

	if (how[0] != 'r' && g->fail_open) {
		g->counters.failed_open++;
		g->counters.drops[why]++;
		lua_pushboolean(L, 1);
		return 1;
	}
	if (f)
		f->dropped = true;
	if (p && p->created)
		created_drop(p);
	else if (p)
		gate_drop(p, why);
	lua_pushboolean(L, 0);
	return 1;
}

/* Called for is_gone(flow or packet): returns whether it was dropped. */
static int host_is_gone(lua_State *L)
{
	const struct flow *f = script_test(L, 1, &bind_class_flow);
	const struct gate_packet *p = f ? bind_packet_of(bind_of(L), f) : test_packet(L, 1);

	lua_pushboolean(L, (f && f->dropped) || (p && p->stopped));
	return 1;
}

/* Called for below(flow or packet, steps or name): returns the packet so many layers down, or of
 * that layer. */
static int host_below(lua_State *L)
{
	struct flow *f = script_test(L, 1, &bind_class_flow);
	struct gate_packet *p = f ? bind_packet_of(bind_of(L), f) : test_packet(L, 1);
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
	lua_Integer n = name ? 1 : luaL_checkint(L, 2);
	const struct script_class *c = &bind_class_udp;

	if (f)
		c = bind_packet_class(f->key.proto == IPV4_PROTO_UDP ? DISSECT_UDP : DISSECT_TCP);
	else if (p)
		c = script_class_of(L, 1);
	if (f)
		n--;
	if (name && f &&
	    strcmp(name, f->key.proto == IPV4_PROTO_UDP ? "udp_connection" : "tcp_connection") ==
		    0) {
		lua_pushvalue(L, 1);
		return 1;
	}
	while (p && c && (name ? strcmp(c->name, name) != 0 : n-- > 0))
		c = c->parent;
	if (!p || !c)
		return 0;
	script_push(L, c, p, &p->generation);
	return 1;
}

void bind_dissect_host(lua_State *L)
{
	static const luaL_Reg functions[] = {{"define_event", host_define_event},
					     {"raise", host_raise},
					     {"piece", host_piece},
					     {"forget", host_forget},
					     {"drop", host_drop},
					     {"is_gone", host_is_gone},
					     {"below", host_below},
					     {NULL, NULL}};

	luaL_setfuncs(L, functions, 0);
}
