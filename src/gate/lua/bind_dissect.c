/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Dissectors in Lua: haka.dissector.new{} registers one with the engine (plugin.h), whose calls are
 * handed to lua/core/dissector.lua. Each call is an outermost one of its own, with the limits of a
 * rule's; a failure ends the flow or packet as the gate's fallback says.
 */
#include "gate/lua/bind_dissect.h"

#include "base/error.h"
#include "base/log.h"
#include "gate/engine/app.h"
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_impl.h"
#include "gate/engine/plugin.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>

static const char key_engine;

/* A call of lua/core/dissector.lua's engine.<name>. */
struct call {
	struct gate_bind *b;
	const char *name;
	struct gate_walk *walk;
	struct gate_packet *p;
	struct flow *f;
	struct bind_stream *st;
	const struct gate_view *view;
	enum gate_direction d;
	int number; /* of the dissector */
	int next;   /* its result */
};

static void push_engine(lua_State *L, const char *name)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_engine);
	lua_rawget(L, LUA_REGISTRYINDEX);
	lua_getfield(L, -1, name);
	lua_replace(L, -2);
}

static void push_direction(lua_State *L, enum gate_direction d)
{
	lua_pushstring(L, d == GATE_UP ? "up" : "down");
}

/* Pushes the object below the current dissector: a packet, or the number of another of these. */
static void push_below(lua_State *L, struct gate_packet *p)
{
	int d = p->depth > 1 ? p->stack[p->depth - 2] : DISSECT_RAW;

	if (d >= GATE_FIRST_PLUGIN) {
		lua_pushinteger(L, d);
		return;
	}
	if (!bind_packet_class((enum gate_dissector)d))
		d = p->proto == IPV4_PROTO_UDP ? DISSECT_UDP : DISSECT_TCP;
	script_push(L, bind_packet_class((enum gate_dissector)d), p, &p->generation);
}

/* Calls the dissector's method in Lua, in a protected call. Argument 1: struct call. */
static int enter_lua(lua_State *L)
{
	struct call *c = lua_touserdata(L, 1);

	lua_settop(L, 0);
	push_engine(L, c->name);
	if (c->f)
		lua_pushnumber(L, (lua_Number)c->f->id);
	if (c->view || c->st) {
		push_direction(L, c->d);
		if (c->view)
			bind_push_stream(L, c->st, c->view, true);
	} else if (c->f && c->p) {
		script_push(L, &bind_class_udp, c->p, &c->p->generation);
		bind_push_payload(L, c->p, c->p->p.app, c->p->p.app_len);
		push_direction(L, (enum gate_direction)c->p->direction);
	} else if (c->number) {
		lua_pushinteger(L, c->number);
		if (c->p)
			push_below(L, c->p);
	}
	if (c->f && c->number) { /* a flow begins: number, id, flow */
		lua_insert(L, 2);
		bind_push_flow(L, c->f);
	}
	lua_call(L, lua_gettop(L) - 1, 1);
	c->next = lua_type(L, -1) == LUA_TNUMBER ? (int)lua_tointeger(L, -1) : GATE_ACCEPT;
	return 0;
}

/* Runs a call of a dissector in Lua. False: the packet or data is not forwarded. */
static bool run_call(struct call *c)
{
	const struct gate *g = c->walk->g;
	const struct gate_plugin *x = gate_plugin(g, c->number ? c->number : c->f ? c->f->app : 0);
	struct gate_walk *before = bind_enter(c->b, c->walk);
	struct script_error err;
	char text[SCRIPT_TEXT_LEN + GATE_PLUGIN_NAME_LEN + 16];
	int r = script_protect(c->b->script, enter_lua, c, &err);

	(void)bind_enter(c->b, before);
	if (r == SCRIPT_ABORTED) {
		if (c->walk->p)
			gate_drop(c->walk->p, GATE_DROP_RULE);
	} else if (r < 0) {
		(void)snprintf(text, sizeof(text), "dissector '%s': %s", x ? x->name : "?",
			       err.text);
		(void)bind_fault(c->b, c->walk, c->f, text);
		if (c->f && !g->fail_open)
			c->f->dropped = true;
	}
	return r == 0 || (r < 0 && g->fail_open);
}

/* --- Calls from the engine -------------------------------------------------------------------- */

static void begin_flow(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct call c = {.b = ctx, .name = "begin", .walk = w, .f = f, .number = f->app};

	(void)run_call(&c);
}

static void end_flow(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct call c = {.b = ctx, .name = "stop", .walk = w, .f = f};

	(void)run_call(&c);
}

static uint32_t deliver_data(void *ctx, struct gate_view *v)
{
	struct script_error err;
	struct bind_stream *st = bind_stream_begin(ctx, v, &err);
	struct call c = {.b = ctx,
			 .name = "data",
			 .walk = v->walk,
			 .f = v->flow,
			 .st = st,
			 .view = v,
			 .d = v->direction};
	bool ok = st ? run_call(&c) : bind_fault(ctx, v->walk, v->flow, err.text);

	if (st)
		bind_stream_deliver(st);
	if (!ok)
		v->flow->dropped = true;
	return ok && st ? bind_stream_go(st) : v->n;
}

bool bind_dissect_resume(struct gate_bind *b, struct gate_walk *w, struct flow *f,
			 struct bind_stream *st, enum gate_direction d)
{
	const struct gate_plugin *x = gate_plugin(w->g, f->app);
	struct call c = {.b = b, .name = "data", .walk = w, .f = f, .st = st, .d = d};

	return !x || x->ctx != b || run_call(&c);
}

static int deliver_datagram(void *ctx, struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	struct call c = {.b = ctx, .name = "datagram", .walk = w, .f = p->flow, .p = p};
	bool ok = run_call(&c);

	if (p->flow->dropped)
		gate_drop(p, GATE_DROP_FLOW_DROPPED);
	return ok && !p->stopped ? GATE_ACCEPT : GATE_DROP;
}

static int deliver_packet(void *ctx, struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	struct call c = {.b = ctx,
			 .name = "packet",
			 .walk = w,
			 .p = p,
			 .number = p->stack[p->depth - 1]};
	bool ok = run_call(&c);

	if (!ok || p->stopped)
		return GATE_DROP;
	return c.next == GATE_ACCEPT || gate_plugin(w->g, c.next) ? c.next : GATE_ACCEPT;
}

static bool send_packet(void *ctx, struct gate_walk *w, int number)
{
	struct call c = {.b = ctx, .name = "send", .walk = w, .number = number};

	return run_call(&c) && !w->p->stopped;
}

/* --- Calls from dissector.lua ----------------------------------------------------------------- */

static int host_register(lua_State *L)
{
	struct gate_bind *b = bind_of(L);
	const char *name = luaL_checkstring(L, 1), *kind = luaL_checkstring(L, 2);
	struct gate_plugin x = {.ctx = b};
	struct script_action *install;
	int d, *number;

	(void)snprintf(x.name, sizeof(x.name), "%s", name);
	if (strcmp(kind, "packet") == 0) {
		x.receive = deliver_packet;
		x.send = send_packet;
	} else {
		x.proto = strcmp(kind, "tcp") == 0 ? IPV4_PROTO_TCP : IPV4_PROTO_UDP;
		x.begin = begin_flow;
		x.end = end_flow;
		x.data = x.proto == IPV4_PROTO_TCP ? deliver_data : NULL;
		x.receive = x.proto == IPV4_PROTO_UDP ? deliver_datagram : NULL;
	}
	install = lua_newuserdata(L, sizeof(*install));
	number = lua_newuserdata(L, sizeof(*number));
	d = gate_plugin_add(b->g, &x);
	if (d == -EEXIST)
		return luaL_error(L, "haka.dissector.new: there is a dissector '%s' already", name);
	if (d < 0)
		return luaL_error(L, "haka.dissector.new: '%s': %s", name,
				  d == -ENOSPC ? "more than 32 dissectors" : "it cannot be");
	*number = d;
	*install = bind_install_action(name, number);
	(void)luaL_ref(L, LUA_REGISTRYINDEX); /* both live as long as the state */
	(void)luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushinteger(L, d);
	script_push_dissector(L, name);
	script_push_action(L, install);
	lua_setfield(L, -2, "install");
	return 2;
}

/* --- Loading ---------------------------------------------------------------------------------- */

static void set_helper(lua_State *L, const char *dissector, const char *name)
{
	script_push_dissector(L, dissector);
	lua_createtable(L, 0, 1);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, name);
	lua_setfield(L, -2, "helper");
	lua_pop(L, 2);
}

/* Loads dissector.lua: haka.dissector, haka.helper, and the helpers of both connections. */
static void load_dissector_lua(lua_State *L)
{
	int top = lua_gettop(L);

	lua_createtable(L, 0, 8);
	bind_dissect_host(L);
	lua_pushcfunction(L, host_register);
	lua_setfield(L, -2, "register");
	script_run_part(L, "core/dissector", 1, 5);
	set_helper(L, "udp_connection", "UdpFlowDissector");
	set_helper(L, "tcp_connection", "TcpFlowDissector");
	script_push_haka(L);
	lua_insert(L, -2);
	lua_setfield(L, -2, "helper");
	lua_insert(L, -2);
	lua_setfield(L, -2, "dissector");
	lua_pop(L, 1);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_engine);
	lua_insert(L, -2);
	lua_rawset(L, LUA_REGISTRYINDEX);
	lua_settop(L, top);
}

/* Pushes haka.dissector or haka.helper at its first use. Upvalue 1: the name. */
static int push_lazily(lua_State *L)
{
	load_dissector_lua(L);
	script_push_haka(L);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_rawget(L, -2);
	return 1;
}

/* Makes haka.dissectors.tcp_connection.helper at its first use. */
static int helper_index(lua_State *L)
{
	lua_settop(L, 2);
	if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "helper") != 0)
		return 0;
	load_dissector_lua(L);
	lua_rawget(L, 1);
	return 1;
}

static int open_lazily(lua_State *L)
{
	static const char *const connections[] = {"udp_connection", "tcp_connection"};

	script_lazy(L, "dissector", push_lazily);
	script_lazy(L, "helper", push_lazily);
	for (size_t i = 0; i < ARRAY_LEN(connections); i++) {
		script_push_dissector(L, connections[i]);
		lua_createtable(L, 0, 2);
		lua_pushcfunction(L, helper_index);
		lua_setfield(L, -2, "__index");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
		(void)lua_setmetatable(L, -2);
		lua_pop(L, 1);
	}
	return 0;
}

int bind_dissect_open(struct gate_bind *b, struct script_error *err)
{
	return script_protect(b->script, open_lazily, NULL, err);
}

void bind_dissect_close(struct gate_bind *b)
{
	gate_plugin_remove(b->g, b);
}
