/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Streams that rules follow as coroutines: one buffer for each direction of a connection, from the
 * first delivery to its end. Positions count from its first octet. The engine holds back octets
 * that marks hold; released octets cannot be read any more. Waiting coroutines see the end, for any
 * reason, unless a rule dropped the connection: then they are freed.
 */
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_dissect.h"
#include "gate/lua/bind_impl.h"
#include "gate/tcp/tcp_conn.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <lauxlib.h>

static const char key_meta;

/* --- The buffer ------------------------------------------------------------------------------- */

/* Sets the number of the first pending octet. It may be an octet that was seen before, and is
 * delivered once more because there was no room for it. */
static void begins_at(struct bind_stream *st, uint32_t out)
{
	st->at += (uint64_t)(int64_t)(int32_t)(out - st->out);
	st->out = out;
	if (st->b.base + st->kept_n > st->at && st->at >= st->b.base)
		st->kept_n = (uint32_t)(st->at - st->b.base);
	else if (st->b.base + st->kept_n != st->at)
		st->kept_n = 0;
	if (st->kept_n == 0)
		st->b.base = st->at;
}

/* Returns the pending octets. */
static struct span pending_octets(struct bind_stream *st)
{
	const struct tcp_stream *s = &gate_tcp(st->f)->stream[st->d];
	const struct gate_view *view = gate_tcp(st->f)->showing[st->d];

	begins_at(st, view ? view->out : s->segments ? s->out : st->end);
	if (view)
		return span_of(view->octets, view->n);
	return s->segments ? span_of(s->pending, s->n) : SPAN_NULL;
}

static const char *stream_octets(struct script_buffer *b, struct span *ret)
{
	struct bind_stream *st = container_of(b, struct bind_stream, b);

	*ret = SPAN_NULL;
	if (!st->f)
		return "of a stream that is over";
	*ret = pending_octets(st);
	if (!st->kept_n)
		return NULL;
	if (!bind_body_reserve(st, st->kept_n + ret->n))
		return "no memory to remember a stream in";
	if (ret->n)
		memcpy(st->kept + st->kept_n, ret->p, ret->n);
	*ret = span_of(st->kept, st->kept_n + ret->n);
	return NULL;
}

static int stream_replace(lua_State *L, int idx, struct script_buffer *b, size_t off, size_t n,
			  struct span with)
{
	struct bind_stream *st = container_of(b, struct bind_stream, b);
	struct tcp_conn *c = gate_tcp(st->f);
	struct tcp_stream *s = &c->stream[st->d];
	struct gate_view pend = {.walk = st->bind->walk,
				 .flow = st->f,
				 .direction = st->d,
				 .octets = s->pending,
				 .n = s->n,
				 .out = s->out};

	(void)idx;
	if (off < st->kept_n)
		return luaL_error(L, "read only buffer: these octets were forwarded, because their "
				     "sender waited for that");
	if (c->showing[st->d] && !st->shown)
		return luaL_error(L, "read only buffer: another dissector is reading it");
	if (!c->showing[st->d] && !s->segments)
		return -ERANGE;
	return gate_stream_edit(st->shown ? c->showing[st->d] : &pend, (uint32_t)(off - st->kept_n),
				(uint32_t)n, with);
}

static const struct script_buffer_ops stream_ops = {stream_octets, stream_replace};

static int stream_gc(lua_State *L)
{
	struct bind_stream *st = lua_touserdata(L, 1);

	script_buffer_fini(&st->b);
	bind_body_fini(st);
	return 0;
}

/* --- Beginning -------------------------------------------------------------------------------- */

struct making {
	struct bind_stream begun, *ret;
	const struct script_buffer_ops *ops;
};

static int make_stream(lua_State *L)
{
	struct making *m = lua_touserdata(L, 1);
	struct bind_stream *st;

	lua_createtable(L, 1, 0);
	st = lua_newuserdata(L, sizeof(*st));
	*st = m->begun;
	script_buffer_init(&st->b, st->bind->script, m->ops, NULL, NULL);
	st->b.finished = false;
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta);
	lua_rawget(L, LUA_REGISTRYINDEX);
	(void)lua_setmetatable(L, -2);
	lua_rawseti(L, -2, 1);
	st->ref = luaL_ref(L, LUA_REGISTRYINDEX);
	m->ret = st;
	return 0;
}

struct bind_stream *bind_stream_new(struct gate_bind *b, const struct script_buffer_ops *ops,
				    const struct gate_view *v, enum gate_event event,
				    struct script_error *err)
{
	struct making m = {.begun = {.bind = b, .f = v->flow, .d = v->direction, .event = event},
			   .ops = ops};

	return script_protect(b->script, make_stream, &m, err) < 0 ? NULL : m.ret;
}

struct bind_stream *bind_stream_begin(struct gate_bind *b, struct gate_view *v,
				      struct script_error *err)
{
	void **at = &gate_tcp(v->flow)->script[v->direction];
	struct bind_stream *st;

	while (v->whole)
		v = v->whole;
	if (!*at) {
		st = *at = bind_stream_new(b, &stream_ops, v, EVENT_TCP_CONNECTION_receive_data,
					   err);
		if (!st)
			return NULL;
		st->out = v->out;
		st->b.logs = true;
	}
	st = *at;
	st->shown = true;
	st->b.finished = v->end;
	begins_at(st, v->out);
	return st;
}

void bind_stream_deliver(struct bind_stream *st)
{
	const struct gate_view *view = st->f ? gate_tcp(st->f)->showing[st->d] : NULL;

	if (view)
		st->end = view->out + view->n;
	st->shown = false;
}

/* Pushes the argument of a listener: its octets begin at `at` of all pending ones. */
static void push_table(lua_State *L, const struct bind_stream *st)
{
	lua_rawgeti(L, LUA_REGISTRYINDEX, st->ref);
}

void bind_push_stream(lua_State *L, struct bind_stream *st, const struct gate_view *part,
		      bool blocking)
{
	uint64_t at = st->event != EVENT_TCP_CONNECTION_receive_data
			      ? st->b.base + st->kept_n
			      : st->at + (part->whole ? part->base : 0);
	int table;

	push_table(L, st);
	table = lua_gettop(L);
	if (blocking)
		script_push_iter(L, table, &st->b, at, SCRIPT_BUFFER_END, true);
	else
		script_push_sub(L, table, &st->b, at, at + part->n);
	lua_remove(L, table);
}

/* --- Calls from the engine -------------------------------------------------------------------- */

static void note_change(void *stream, const struct gate_view *all, uint32_t off, uint32_t gone,
			uint32_t came)
{
	struct bind_stream *st = stream;

	begins_at(st, all->out);
	st->end += came - gone;
	script_buffer_changed(&st->b, st->at + off, gone, came);
}

/* Keeps a copy of held octets when all are forwarded. False: there is no memory for that. */
static bool remember_pending(struct bind_stream *st, const struct gate_view *all, uint64_t held)
{
	uint32_t n = st->kept_n + all->n,
		 from = held > st->b.base ? (uint32_t)(held - st->b.base) : 0;

	if (!bind_body_reserve(st, n))
		return false;
	if (all->n)
		memcpy(st->kept + st->kept_n, all->octets, all->n);
	from = from < n ? from : n;
	memmove(st->kept, st->kept + from, n - from);
	st->b.base += from;
	st->kept_n = n - from;
	return true;
}

static uint32_t may_go(void *stream, const struct gate_view *all)
{
	struct bind_stream *st = stream;
	uint64_t held = script_buffer_held(&st->b);

	begins_at(st, all->out);
	st->end = all->out + all->n;
	if (held >= st->at + all->n)
		st->remembers = false;
	if (st->remembers && st->kept_n + all->n <= TCP_PENDING_MAX &&
	    remember_pending(st, all, held))
		return all->n;
	if (held <= st->at)
		return 0;
	return held - st->at < all->n ? (uint32_t)(held - st->at) : all->n;
}

static bool release_all(void *stream, const struct gate_view *all)
{
	struct bind_stream *st = stream;

	begins_at(st, all->out);
	st->remembers = true;
	return st->kept_n + all->n <= TCP_PENDING_MAX || bind_stream_full(st, all->walk);
}

uint32_t bind_stream_go(struct bind_stream *st)
{
	const struct gate_view *all = gate_tcp(st->f)->showing[st->d];

	return all->end ? all->n : may_go(st, all);
}

/* Resumes the waiting coroutines: rules, then the dissector in Lua. False: the packet is
 * dropped. */
static bool resume_all(struct bind_stream *st, struct gate_walk *w)
{
	bool ok = bind_resume(st, w);

	if (st->event != EVENT_TCP_CONNECTION_receive_data || st->f->dropped)
		return ok;
	return ok && bind_dissect_resume(st->bind, w, st->f, st, st->d);
}

bool bind_stream_full(struct bind_stream *st, struct gate_walk *w)
{
	struct gate_bind *b = st->bind;
	struct flow *f = st->f;
	bool ok;

	st->b.full = true;
	ok = resume_all(st, w);
	st->b.full = false;
	/* a mark without a waiting coroutine would hold it back for ever */
	if (ok && st->b.marks_n)
		ok = bind_fault(b, w, f,
				"a mark holds back more of a stream than there is room for");
	st->b.marks_n = 0;
	return ok;
}

static bool report_full(void *stream, struct gate_walk *w)
{
	struct bind_stream *st = stream;
	bool ok;

	st->shown = true;
	ok = bind_stream_full(st, w);
	st->shown = false;
	return ok;
}

static void end_stream(void *stream, struct gate_walk *w)
{
	struct bind_stream *st = stream;
	struct script *s = st->bind->script;

	st->b.finished = true;
	if (!st->f->dropped)
		(void)resume_all(st, w);
	st->f = NULL;
	st->b.marks_n = 0;
	script_stream_forget(s, st);
	luaL_unref(script_lua(s), LUA_REGISTRYINDEX, st->ref);
}

static void note_lost(void *stream, uint32_t out)
{
	((struct bind_stream *)stream)->end = out;
}

static const struct gate_stream_ops gate_ops = {note_change, may_go,	  release_all,
						note_lost,   report_full, end_stream};

static int open_meta(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_meta);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, stream_gc);
	lua_setfield(L, -2, "__gc");
	lua_rawset(L, LUA_REGISTRYINDEX);
	return 0;
}

int bind_streams_open(struct gate_bind *b, struct script_error *err)
{
	b->g->stream_ops = &gate_ops;
	return script_protect(b->script, open_meta, NULL, err);
}

void bind_streams_close(struct gate_bind *b)
{
	b->g->stream_ops = NULL;
}
