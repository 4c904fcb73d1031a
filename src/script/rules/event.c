/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Defining events and raising them. A raise walks the event's listeners in order: conditions first,
 * then a C call or a protected Lua call. The arguments are pushed once, under the message handler,
 * and copied for each call. Nothing is allocated for an event whose listeners' conditions do not
 * hold.
 */
#include "script/rules/rules_impl.h"

#include "base/error.h"
#include "base/log.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define EVENT_MAGIC 0x2e6bd91c38fa7045ULL

struct event_object {
	uint64_t magic;
	unsigned id;
};

static const char key_dissectors;
static const char key_events; /* of each dissector, where scripts cannot put anything else */
static const char key_event_meta;

static void new_key(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_newtable(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

const char *event_text(const struct event *e, char out[2 * SCRIPT_NAME_LEN])
{
	(void)snprintf(out, 2 * SCRIPT_NAME_LEN, "%s.%s", e->dissector[0] ? e->dissector : "haka",
		       e->name);
	return out;
}

struct event *event_at(lua_State *L, int idx, unsigned *ret_id)
{
	const struct event_object *o = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx)
									 : NULL;

	if (!o || lua_objlen(L, idx) != sizeof(*o) || o->magic != EVENT_MAGIC)
		return NULL;
	*ret_id = o->id;
	return &script_of(L)->rules->events.list[o->id];
}

static int event_tostring(lua_State *L)
{
	char text[2 * SCRIPT_NAME_LEN];
	unsigned id;
	const struct event *e = event_at(L, 1, &id);

	lua_pushstring(L, e ? event_text(e, text) : "event");
	return 1;
}

static const char *key_text(lua_State *L)
{
	return lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
}

/* Upvalue 1: the dissector's name, or nil for haka.events. */
static int events_index(lua_State *L)
{
	const char *name = key_text(L);
	const char *dissector = lua_tostring(L, lua_upvalueindex(1));

	if (dissector)
		return luaL_error(L, "dissector '%s' has no event '%s'", dissector, name);
	return luaL_error(L, "haka.events: no event '%s'", name);
}

static int dissectors_index(lua_State *L)
{
	return luaL_error(L, "unknown dissector '%s' (is a require missing?)", key_text(L));
}

/* Gives the table at the top a metatable whose __index is fn with the string (or nil) as
 * upvalue. */
static void set_index(lua_State *L, lua_CFunction fn, const char *upvalue)
{
	lua_createtable(L, 0, 2);
	if (upvalue)
		lua_pushstring(L, upvalue);
	else
		lua_pushnil(L);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	(void)lua_setmetatable(L, -2);
}

/* The table of a dissector's events; "": that of haka.events. */
static void push_events(lua_State *L, const char *dissector)
{
	script_push_key(L, &key_events);
	lua_pushstring(L, dissector);
	lua_rawget(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
		set_index(L, events_index, dissector[0] ? dissector : NULL);
		lua_pushstring(L, dissector);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	lua_remove(L, -2);
}

void script_push_dissector(lua_State *L, const char *name)
{
	char path[SCRIPT_NAME_LEN + 20];

	script_push_key(L, &key_dissectors);
	lua_pushstring(L, name);
	lua_rawget(L, -2);
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		lua_createtable(L, 0, 4);
		lua_pushstring(L, name);
		lua_setfield(L, -2, "name");
		push_events(L, name);
		lua_setfield(L, -2, "events");
		(void)snprintf(path, sizeof(path), "haka.dissectors.%s", name);
		script_watch_table(L, path);
		lua_pushstring(L, name);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	lua_remove(L, -2);
}

/* Makes the event's object and puts it where scripts find it. */
static int publish(lua_State *L)
{
	const struct event *e = lua_touserdata(L, 1);
	struct event_object *o;

	if (e->dissector[0])
		script_push_dissector(L, e->dissector);
	push_events(L, e->dissector);
	lua_pushstring(L, e->name);
	o = lua_newuserdata(L, sizeof(*o));
	*o = (struct event_object){EVENT_MAGIC, (unsigned)(e - script_of(L)->rules->events.list)};
	script_push_key(L, &key_event_meta);
	(void)lua_setmetatable(L, -2);
	lua_rawset(L, -3);
	return 0;
}

int script_event_define(struct script *s, const char *dissector, const char *name, unsigned flags,
			unsigned *ret_id)
{
	struct event_table *t = &s->rules->events;
	struct script_error err uninit;
	struct event *e = &t->list[t->n];
	int r;

	if (t->n == SCRIPT_EVENTS || strlen(name) >= sizeof(e->name) ||
	    (dissector && strlen(dissector) >= sizeof(e->dissector)))
		return -USHER_E_LIMIT;
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->list[i].name, name) == 0 &&
		    strcmp(t->list[i].dissector, dissector ? dissector : "") == 0)
			return -USHER_E_EXISTS;
	*e = (struct event){.flags = flags, .end = &e->first};
	(void)snprintf(e->name, sizeof(e->name), "%s", name);
	(void)snprintf(e->dissector, sizeof(e->dissector), "%s", dissector ? dissector : "");
	r = script_protect(s, publish, e, &err);
	if (r < 0)
		return r;
	*ret_id = t->n++;
	return 0;
}

void script_event_fields(struct script *s, unsigned id, const struct script_filter_field *fields)
{
	s->rules->events.list[id].fields = fields;
}

void event_count_rule(struct script *s, unsigned id, struct rule_stats *stats)
{
	stats->event = id;
	*s->rules->events.stats_end = stats;
	s->rules->events.stats_end = &stats->next;
}

void event_attach(struct script *s, unsigned id, struct listener *l)
{
	struct event *e = &s->rules->events.list[id];

	*e->end = l;
	e->end = &l->next;
	e->streamed = e->streamed || l->streamed;
	if (s->head.listeners[id] < UINT16_MAX)
		s->head.listeners[id]++;
	if (l->kind == LISTENER_RULE)
		event_count_rule(s, id, &l->stats);
}

struct listening {
	script_event_fn fn;
	void *ctx;
	unsigned id;
};

static int attach_c(lua_State *L)
{
	const struct listening *w = lua_touserdata(L, 1);
	struct listener *l = lua_newuserdata(L, sizeof(*l));

	*l = (struct listener){.kind = LISTENER_C, .fn = w->fn, .ctx = w->ctx};
	l->self = luaL_ref(L, LUA_REGISTRYINDEX);
	event_attach(script_of(L), w->id, l);
	return 0;
}

int script_event_listen_c(struct script *s, unsigned id, script_event_fn fn, void *ctx)
{
	struct script_error err uninit;

	return script_protect(s, attach_c, &(struct listening){fn, ctx, id}, &err);
}

/* A raise under way. The message handler is at `base`, the arguments above it. */
struct raising {
	struct script *s;
	const struct script_raise *r;
	int base;
	int n_args; /* -1: not pushed yet */
	unsigned result;
	bool over;
};

static void fault(struct raising *w, struct rule_stats *stats, const struct script_error *err)
{
	w->result |= SCRIPT_RAISE_FAULT;
	if (stats)
		script_count(&stats->faults);
	log_msg(w->s->log, LOG_USHER_SCRIPT_FAULT, "%s%s%s%s",
		stats && stats->name[0] ? "rule '" : "", stats ? stats->name : "",
		stats && stats->name[0] ? "': " : "", err->text);
	if (w->r->on_fault)
		w->r->on_fault(w->r->ctx, err);
}

/* Notes the result of a call. Returns true if it succeeded. */
static bool done(struct raising *w, struct rule_stats *stats, int r, const struct script_error *err)
{
	if (r == SCRIPT_ABORTED) {
		w->result |= SCRIPT_RAISE_ABORTED;
		w->over = true;
	} else if (r < 0) {
		fault(w, stats, err);
	}
	return r == 0;
}

/* Argument 1: struct script_raise. In a protected call. */
static int push_args(lua_State *L)
{
	const struct script_raise *r = lua_touserdata(L, 1);
	int n;

	lua_settop(L, 0);
	n = r->push ? r->push(L, r->ctx, false) : 0;
	return n <= SCRIPT_ARGS ? n : luaL_error(L, "an event has %d arguments", n);
}

static bool have_args(struct raising *w)
{
	lua_State *L = w->s->L;
	struct script_error err uninit;
	int r;

	if (w->n_args >= 0)
		return true;
	lua_rawgeti(L, LUA_REGISTRYINDEX, w->s->rules->events.push_args);
	script_push_pointer(w->s, w->r);
	r = script_call(w->s, 1, LUA_MULTRET, w->base, &err);
	if (!done(w, NULL, r, &err)) {
		w->over = true;
		return false;
	}
	w->n_args = lua_gettop(L) - w->base;
	return true;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void add(_Atomic uint64_t *n, uint64_t by)
{
	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by,
			      memory_order_relaxed);
}

/* Calls a function of the registry with n_below values from the stack, which are taken, then the
 * arguments. */
static bool call_lua(struct raising *w, int function, struct rule_stats *stats, int n_below,
		     int n_results)
{
	lua_State *L = w->s->L;
	const char *where = w->s->where;
	uint64_t start = w->s->rules->events.timing ? now_ns() : 0;
	struct script_error err uninit;
	int r;

	lua_rawgeti(L, LUA_REGISTRYINDEX, function);
	if (n_below)
		lua_insert(L, -1 - n_below);
	for (int i = 1; i <= w->n_args; i++)
		lua_pushvalue(L, w->base + i);
	w->s->where = stats->where;
	r = script_call(w->s, n_below + w->n_args, n_results, w->base, &err);
	w->s->where = where;
	script_count(&stats->calls);
	if (w->s->rules->events.timing)
		add(&stats->ns, now_ns() - start);
	return done(w, stats, r, &err);
}

/* The only listener of an event: its arguments are pushed in the call that it gets. */
struct only {
	const struct script_raise *r;
	int eval;
};

/* Argument 1: struct only. In a protected call. */
static int call_only(lua_State *L)
{
	const struct only *o = lua_touserdata(L, 1);
	int n;

	lua_settop(L, 0);
	lua_rawgeti(L, LUA_REGISTRYINDEX, o->eval);
	n = o->r->push ? o->r->push(L, o->r->ctx, false) : 0;
	if (n > SCRIPT_ARGS)
		return luaL_error(L, "an event has %d arguments", n);
	lua_call(L, n, 0);
	return 0;
}

static void run_only(struct raising *w, struct listener *l)
{
	const char *where = w->s->where;
	uint64_t start = w->s->rules->events.timing ? now_ns() : 0;
	struct only o = {w->r, l->eval};
	struct script_error err uninit;
	int r;

	lua_rawgeti(w->s->L, LUA_REGISTRYINDEX, w->s->rules->events.call_only);
	script_push_pointer(w->s, &o);
	w->s->where = l->stats.where;
	r = script_call(w->s, 1, 0, w->base, &err);
	w->s->where = where;
	script_count(&l->stats.calls);
	if (w->s->rules->events.timing)
		add(&l->stats.ns, now_ns() - start);
	(void)done(w, &l->stats, r, &err);
}

static bool stopped(struct raising *w)
{
	if (w->r->stopped && w->r->stopped(w->r->ctx))
		w->over = true;
	return w->over;
}

static void run_group(struct raising *w, struct listener *l)
{
	lua_State *L = w->s->L;

	if (l->init != LUA_NOREF && !call_lua(w, l->init, &l->stats, 0, 0))
		return;
	for (struct group_rule *g = l->rules; g; g = g->next) {
		bool go_on;

		if (!call_lua(w, g->eval, &g->stats, 0, 1))
			return;
		if (stopped(w) || l->proceed == LUA_NOREF) {
			lua_pop(L, 1);
			if (w->over)
				return;
			continue;
		}
		if (!call_lua(w, l->proceed, &l->stats, 1, 1))
			return;
		go_on = lua_toboolean(L, -1);
		lua_pop(L, 1);
		if (!go_on)
			return;
	}
	if (l->final != LUA_NOREF)
		(void)call_lua(w, l->final, &l->stats, 0, 0);
}

static void run_streamed(struct raising *w, struct listener *l)
{
	lua_State *L = w->s->L;
	const char *where = w->s->where;
	struct event_step st = {w->s, w->r, l};
	struct script_error err uninit;
	int r;

	lua_rawgeti(L, LUA_REGISTRYINDEX, w->s->rules->events.streamed_step);
	script_push_pointer(w->s, &st);
	w->s->where = l->stats.where;
	r = script_call(w->s, 1, 0, w->base, &err);
	w->s->where = where;
	script_count(&l->stats.calls);
	(void)done(w, &l->stats, r, &err);
}

static void run_listener(struct raising *w, struct listener *l)
{
	if (l->kind == LISTENER_C) {
		l->fn(l->ctx, w->r->ctx);
		return;
	}
	if (w->base == 0) {
		lua_rawgeti(w->s->L, LUA_REGISTRYINDEX, w->s->on_error);
		w->base = lua_gettop(w->s->L);
	}
	if (l->streamed && w->r->stream) {
		run_streamed(w, l);
		return;
	}
	if (w->n_args < 0 && !l->next && l->kind == LISTENER_RULE) {
		run_only(w, l);
		return;
	}
	if (!have_args(w))
		return;
	if (l->kind == LISTENER_GROUP)
		run_group(w, l);
	else
		(void)call_lua(w, l->eval, &l->stats, 0, 0);
}

bool script_event_known(const struct script *s, unsigned id)
{
	return id < s->rules->events.n;
}

bool script_event_streamed(const struct script *s, unsigned id)
{
	return s->rules->events.list[id].streamed;
}

/* Returns whether a listener is called: one that follows the stream is, also against its `when`. */
static bool wants(const struct raising *w, struct listener *l)
{
	const struct script_raise *r = w->r;

	if (r->resume || (l->streamed && r->stream && l->filter))
		if (event_follows(w->s, l, r->stream))
			return true;
	if (r->resume)
		return false;
	if (!l->filter || script_filter_match(l->filter, r->filter_ctx ? r->filter_ctx : r->ctx))
		return true;
	script_count(&l->stats.skipped);
	return false;
}

unsigned script_raise(struct script *s, unsigned id, const struct script_raise *r)
{
	struct raising w = {.s = s, .r = r, .n_args = -1};
	lua_State *L = s->L;
	int top = lua_gettop(L);

	if (s->limits.depth) /* else the state's own stack has room */
		luaL_checkstack(L, 3 * SCRIPT_ARGS, "event");
	for (struct listener *l = s->rules->events.list[id].first; l && !w.over; l = l->next) {
		if (!wants(&w, l))
			continue;
		run_listener(&w, l);
		if (!w.over)
			(void)stopped(&w);
	}
	lua_settop(L, top);
	return w.result;
}

unsigned script_started(struct script *s)
{
	return script_raise(s, s->rules->events.started, &(struct script_raise){0});
}

unsigned script_exiting(struct script *s)
{
	return script_raise(s, s->rules->events.exiting, &(struct script_raise){0});
}

size_t script_rules(const struct script *s, struct script_rule *ret, size_t n)
{
	size_t i = 0;

	for (const struct rule_stats *r = s->rules->events.stats; r; r = r->next, i++) {
		if (i >= n)
			continue;
		(void)event_text(&s->rules->events.list[r->event], ret[i].event);
		memcpy(ret[i].name, r->name, sizeof(r->name));
		memcpy(ret[i].where, r->where, sizeof(r->where));
		ret[i].calls = atomic_load_explicit(&r->calls, memory_order_relaxed);
		ret[i].faults = atomic_load_explicit(&r->faults, memory_order_relaxed);
		ret[i].skipped = atomic_load_explicit(&r->skipped, memory_order_relaxed);
		ret[i].ns = atomic_load_explicit(&r->ns, memory_order_relaxed);
	}
	return i;
}

void script_rules_timing(struct script *s, bool on)
{
	s->rules->events.timing = on;
}

/* The tables, before any event; haka.events' own come once the state is made. */
void script_open_events(lua_State *L)
{
	struct event_table *t = &script_of(L)->rules->events;

	t->stats_end = &t->stats;
	new_key(L, &key_dissectors);
	new_key(L, &key_events);
	event_streams_open(L);
	new_key(L, &key_event_meta);
	script_push_key(L, &key_event_meta);
	lua_pushcfunction(L, event_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushliteral(L, "event");
	lua_setfield(L, -2, "__metatable");
	script_push_haka(L);
	script_push_key(L, &key_dissectors);
	set_index(L, dissectors_index, NULL);
	lua_setfield(L, -2, "dissectors");
	push_events(L, "");
	lua_setfield(L, -2, "events");
	lua_pushcfunction(L, call_only);
	t->call_only = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushcfunction(L, push_args);
	t->push_args = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_settop(L, 0);
}
