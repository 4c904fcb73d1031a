/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Raising events. A raise walks the event's listeners in order: conditions first, then a C call or
 * a protected Lua call. The arguments are pushed once, under the message handler, and copied for
 * each call. Nothing is allocated for an event whose listeners' conditions do not hold.
 */
#include "script/rules/rules_impl.h"

#include "base/log.h"

#include <lauxlib.h>
#include <time.h>

enum { TIMED_CALLS = 64 };

/* A raise under way. The message handler is at `base`, the arguments above it. */
struct raising {
	struct script *s;
	const struct script_raise *r;
	int base;
	int n_args; /* -1: not pushed yet */
	unsigned result;
	bool over;
};

static void report_fault(struct raising *w, struct rule_stats *stats,
			 const struct script_error *err)
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
static bool note_result(struct raising *w, struct rule_stats *stats, int r,
			const struct script_error *err)
{
	if (r == SCRIPT_ABORTED) {
		w->result |= SCRIPT_RAISE_ABORTED;
		w->over = true;
	} else if (r < 0) {
		report_fault(w, stats, err);
	}
	return r == 0;
}

/* Called in a protected call. Argument 1: struct script_raise. */
static int push_args(lua_State *L)
{
	const struct script_raise *r = lua_touserdata(L, 1);
	int n;

	lua_settop(L, 0);
	n = r->push ? r->push(L, r->ctx, false) : 0;
	return n <= SCRIPT_ARGS ? n : luaL_error(L, "an event has %d arguments", n);
}

static bool push_all_args(struct raising *w)
{
	lua_State *L = w->s->L;
	struct script_error err uninit;
	int r;

	if (w->n_args >= 0)
		return true;
	lua_rawgeti(L, LUA_REGISTRYINDEX, w->s->rules->events.push_args);
	script_push_pointer(w->s, w->r);
	r = script_call(w->s, 1, LUA_MULTRET, w->base, &err);
	if (!note_result(w, NULL, r, &err)) {
		w->over = true;
		return false;
	}
	w->n_args = lua_gettop(L) - w->base;
	return true;
}

static uint64_t read_clock(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Returns the time at the begin of a call of a rule, if it is one whose time is measured; else 0.
 * Every 64th call stands for 64 of them: reading the clock twice costs a tenth of a short rule. */
static uint64_t begin_timing(const struct raising *w, const struct rule_stats *stats)
{
	uint64_t calls = atomic_load_explicit(&stats->calls, memory_order_relaxed);

	return w->s->rules->events.timing || calls % TIMED_CALLS == TIMED_CALLS - 1 ? read_clock()
										    : 0;
}

/* Counts a call, and its time where begin_timing() returned one. */
static void end_timing(const struct raising *w, struct rule_stats *stats, uint64_t start)
{
	uint64_t ns;

	script_count(&stats->calls);
	if (!start)
		return;
	ns = (read_clock() - start) * (w->s->rules->events.timing ? 1 : TIMED_CALLS);
	atomic_store_explicit(&stats->ns,
			      atomic_load_explicit(&stats->ns, memory_order_relaxed) + ns,
			      memory_order_relaxed);
}

/* Calls a function of the registry with n_below values from the stack, which are taken, then the
 * arguments. */
static bool call_lua(struct raising *w, int function, struct rule_stats *stats, int n_below,
		     int n_results)
{
	lua_State *L = w->s->L;
	const char *where = w->s->where;
	uint64_t start = begin_timing(w, stats);
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
	end_timing(w, stats, start);
	return note_result(w, stats, r, &err);
}

/* A listener that is the only one of an event: its arguments are pushed in the call that it gets.
 */
struct only_listener {
	const struct script_raise *r;
	int eval;
};

/* Called in a protected call. Argument 1: struct only_listener. */
static int call_only(lua_State *L)
{
	const struct only_listener *o = lua_touserdata(L, 1);
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
	uint64_t start = begin_timing(w, &l->stats);
	struct only_listener o = {w->r, l->eval};
	struct script_error err uninit;
	int r;

	lua_rawgeti(w->s->L, LUA_REGISTRYINDEX, w->s->rules->events.call_only);
	script_push_pointer(w->s, &o);
	w->s->where = l->stats.where;
	r = script_call(w->s, 1, 0, w->base, &err);
	w->s->where = where;
	end_timing(w, &l->stats, start);
	(void)note_result(w, &l->stats, r, &err);
}

static bool check_stopped(struct raising *w)
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
		if (check_stopped(w) || l->proceed == LUA_NOREF) {
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
	uint64_t start = begin_timing(w, &l->stats);
	struct script_error err uninit;
	int r;

	lua_rawgeti(L, LUA_REGISTRYINDEX, w->s->rules->events.streamed_step);
	script_push_pointer(w->s, &st);
	w->s->where = l->stats.where;
	r = script_call(w->s, 1, 0, w->base, &err);
	w->s->where = where;
	end_timing(w, &l->stats, start);
	(void)note_result(w, &l->stats, r, &err);
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
	if (!push_all_args(w))
		return;
	if (l->kind == LISTENER_GROUP)
		run_group(w, l);
	else
		(void)call_lua(w, l->eval, &l->stats, 0, 0);
}

/* Returns whether a listener is called: one that follows the stream is, also against its `when`. */
static bool check_wanted(const struct raising *w, struct listener *l)
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
		if (!check_wanted(&w, l))
			continue;
		run_listener(&w, l);
		if (!w.over)
			(void)check_stopped(&w);
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

void script_open_raises(lua_State *L)
{
	struct event_table *t = &script_of(L)->rules->events;

	lua_pushcfunction(L, call_only);
	t->call_only = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pushcfunction(L, push_args);
	t->push_args = luaL_ref(L, LUA_REGISTRYINDEX);
}
