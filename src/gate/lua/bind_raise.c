/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An event of the engine, raised in a script: its arguments, and its result for the packet and the
 * flow.
 */
#include "gate/lua/bind_raise.h"

#include "base/log.h"
#include "gate/app/dissect_dhcp.h"
#include "gate/lua/bind_class.h"
#include "gate/tcp/tcp_conn.h"
#include "wire/ipv4.h"

const struct bind_event bind_events[EVENT_N] = {
#define OTHER		     false, false
#define SEND		     false, false
#define ERROR		     false, true
#define STREAMED	     true, false
#define EVENT(d, name, kind) [EVENT_##d##_##name] = {DISSECT_##d, #name, kind},
#include "gate/engine/events.def"
#undef EVENT
#undef STREAMED
#undef ERROR
#undef SEND
#undef OTHER
};

static bool of_flow(enum gate_dissector d)
{
	return bind_packet_class(d) == NULL;
}

static void push_packet(lua_State *L, const struct bind_occasion *o)
{
	/* a flow's packet is seen as its transport's */
	enum gate_dissector d = bind_events[o->event].dissector;
	struct gate_packet *p = o->walk->p;

	if (of_flow(d))
		d = o->f->key.proto == IPV4_PROTO_UDP ? DISSECT_UDP : DISSECT_TCP;
	script_push(L, bind_packet_class(d), p, p ? &p->generation : NULL);
}

/* Pushes the shown data of a stream. */
static void push_data(lua_State *L, const struct bind_occasion *o, bool streamed)
{
	if (o->stream)
		bind_push_stream(L, o->stream, o->walk->view, streamed);
	else
		bind_push_view(L);
}

/* Pushes the argument of protocol_error: {description =, name =}. */
static void push_error(lua_State *L, const struct gate_walk *w)
{
	const struct gate_drop_info *i = gate_drop_info(w->error);

	lua_createtable(L, 0, 2);
	lua_pushstring(L, i->sentence);
	lua_setfield(L, -2, "description");
	lua_pushstring(L, i->name);
	lua_setfield(L, -2, "name");
}

/* Pushes the arguments of a connection's event: flow, packet or data, direction. */
static int push_connection(lua_State *L, const struct bind_occasion *o, bool streamed)
{
	const struct gate_walk *w = o->walk;
	unsigned d;

	bind_push_flow(L, o->f);
	if (!w->p && !w->view)
		return 1;
	d = w->view ? w->view->direction : w->p->direction;
	if (w->view)
		push_data(L, o, streamed);
	else
		push_packet(L, o);
	lua_pushstring(L, d == GATE_UP ? "up" : "down");
	return 3;
}

static int push_arguments(lua_State *L, void *ctx, bool streamed)
{
	const struct bind_occasion *o = ctx;
	int n;

	if (bind_events[o->event].dissector == DISSECT_DHCP) {
		script_dhcp_push(L, bind_dhcp(o->bind));
		push_packet(L, o);
		return 2;
	}
	if (!of_flow(bind_events[o->event].dissector)) {
		push_packet(L, o);
		if (!bind_events[o->event].error)
			return 1;
		push_error(L, o->walk);
		return 2;
	}
	if (bind_events[o->event].dissector == DISSECT_DNS)
		return bind_push_dns(L, o->walk, o->f, o->event);
	if (bind_events[o->event].dissector == DISSECT_HTTP) {
		n = bind_push_http(L, o->f, o->event);
		if (n == 1)
			push_data(L, o, streamed);
		return 2;
	}
	return push_connection(L, o, streamed);
}

static bool is_stopped(void *ctx)
{
	const struct bind_occasion *o = ctx;

	return (o->walk->p && o->walk->p->stopped) || (o->f && o->f->dropped);
}

/* Runs the rules of an event. Returns the result (SCRIPT_RAISE_*). */
static unsigned raise_event(struct gate_bind *b, struct gate_walk *w, unsigned id,
			    struct script_raise *r)
{
	struct gate_walk *before = bind_enter(b, w);
	unsigned result = script_raise(b->script, id, r);

	(void)bind_enter(b, before);
	return result;
}

bool bind_resume(struct bind_stream *st, struct gate_walk *w)
{
	struct bind_occasion o = {st->bind, w, st->f, st->event, NULL};
	struct script_raise r = {.ctx = &o,
				 .push = push_arguments,
				 .stopped = is_stopped,
				 .stream = st,
				 .resume = true};

	return bind_outcome(w, st->f, raise_event(st->bind, w, st->bind->events[st->event].id, &r));
}

/* Begins to show a stream's data. Returns 0, or the result of the raise without it. */
static unsigned show_data(const struct hearing *h, struct bind_occasion *o, struct script_raise *r)
{
	struct gate_view *view = o->walk->view;
	struct script_error err;

	if (!view)
		return 0;
	/* an end of stream without data only resumes waiting coroutines */
	r->resume = view->n == 0;
	bind_view_begin(h->bind, view);
	if (!bind_events[h->event].streamed || !script_event_streamed(h->bind->script, h->id))
		return 0;
	if (bind_events[h->event].dissector == DISSECT_HTTP)
		o->stream = bind_body_begin(h->bind, view, h->event, &err);
	else
		o->stream = bind_stream_begin(h->bind, view, &err);
	r->stream = o->stream;
	if (o->stream)
		return 0;
	log_msg(script_log(h->bind->script), LOG_USHER_SCRIPT_FAULT, "%s", err.text);
	return SCRIPT_RAISE_FAULT;
}

bool bind_on_event(void *ctx, struct gate_walk *w, struct flow *f)
{
	const struct hearing *h = ctx;
	struct bind_occasion o = {h->bind, w, f, h->event, NULL};
	bool dhcp = bind_events[h->event].dissector == DISSECT_DHCP;
	struct script_raise r = {.ctx = &o, .push = push_arguments, .stopped = is_stopped};
	unsigned result = show_data(h, &o, &r);

	if (dhcp)
		script_dhcp_begin(&h->bind->dhcp, gate_dhcp_msg(w->g));
	if (result == 0)
		result = raise_event(h->bind, w, h->id, &r);
	if (dhcp)
		script_dhcp_end(&h->bind->dhcp);
	if (w->view)
		bind_view_end(h->bind);
	if (o.stream && o.stream->body)
		return bind_body_deliver(o.stream, w) && bind_outcome(w, f, result);
	if (o.stream)
		bind_stream_deliver(o.stream);
	return bind_outcome(w, f, result);
}

/* Called when a flow ends; frees the values that scripts kept in it. */
bool bind_on_flow_end(void *ctx, struct gate_walk *w, struct flow *f)
{
	const struct hearing *h = ctx;

	gate_tcp_streams_end(w, f);
	if (script_event_any(h->bind->script, h->id))
		(void)bind_on_event(ctx, w, f);
	if (f->script)
		script_forget(h->bind->script, &bind_class_flow, f);
	f->script = 0;
	return true;
}
