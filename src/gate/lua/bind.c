/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A rule file's state as one listener an event. The events that rules listen to and
 * the modules that they require decide which dissectors are loaded. A rule that fails ends its
 * packet as the gate's fallback says.
 */
#include "gate/lua/bind.h"

#include "base/error.h"
#include "base/log.h"
#include "gate/app/dissect_dhcp.h"
#include "gate/lua/bind_class.h"
#include "gate/lua/bind_dissect.h"
#include "gate/lua/bind_impl.h"
#include "gate/tcp/tcp_conn.h"
#include "script/state/console.h"
#include "script/rules/event.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	enum gate_dissector dissector;
	const char *name;
	bool streamed, error;
} events[EVENT_N] = {
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

struct script_dhcp *bind_dhcp(struct gate_bind *b)
{
	return &b->dhcp;
}

unsigned *bind_policy_ids(struct gate_bind *b)
{
	return b->policies;
}

struct gate_bind *bind_of(lua_State *L)
{
	return script_host(L);
}

struct gate *bind_gate_of(lua_State *L)
{
	return bind_of(L)->g;
}

void bind_check_write(lua_State *L, int result, const char *what)
{
	if (result == 0)
		return;
	if (result == -EROFS)
		(void)luaL_error(L, "%s: read only: the gate only looks on (--pass-through)", what);
	(void)luaL_error(L, "%s: %s", what, usher_strerror(result));
}

/* --- Raising ---------------------------------------------------------------------------------- */

static bool of_flow(enum gate_dissector d)
{
	return bind_packet_class(d) == NULL;
}

static void push_packet(lua_State *L, const struct bind_occasion *o)
{
	/* a flow's packet is seen as its transport's */
	enum gate_dissector d = events[o->event].dissector;
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

	if (events[o->event].dissector == DISSECT_DHCP) {
		script_dhcp_push(L, bind_dhcp(o->bind));
		push_packet(L, o);
		return 2;
	}
	if (!of_flow(events[o->event].dissector)) {
		push_packet(L, o);
		if (!events[o->event].error)
			return 1;
		push_error(L, o->walk);
		return 2;
	}
	if (events[o->event].dissector == DISSECT_DNS)
		return bind_push_dns(L, o->walk, o->f, o->event);
	if (events[o->event].dissector == DISSECT_HTTP) {
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

/* Handles the result of a raise. Returns false if the walk stops. Without a packet the caller drops
 * the flow. */
static bool handle_outcome(struct gate_walk *w, const struct flow *f, unsigned result)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	bool failed = result & SCRIPT_RAISE_FAULT && !g->fail_open;

	if (result & SCRIPT_RAISE_FAULT && g->fail_open)
		g->counters.failed_open++;
	if (!p)
		return !failed && !(result & SCRIPT_RAISE_ABORTED);
	if (failed)
		gate_drop(p, GATE_DROP_RULE_FAILED);
	if (result & SCRIPT_RAISE_ABORTED)
		gate_drop(p, GATE_DROP_RULE);
	if (f && f->dropped)
		gate_drop(p, GATE_DROP_FLOW_DROPPED);
	return !p->stopped;
}

struct gate_walk *bind_enter(struct gate_bind *b, struct gate_walk *w)
{
	struct gate_walk *before = b->walk;

	b->walk = w;
	return before;
}

struct gate_packet *bind_packet_of(const struct gate_bind *b, const struct flow *f)
{
	return gate_walk_is_of(b->walk, f) ? b->walk->p : NULL;
}

bool bind_fault(struct gate_bind *b, struct gate_walk *w, struct flow *f, const char *why)
{
	log_msg(script_log(b->script), LOG_USHER_SCRIPT_FAULT, "%s", why);
	return handle_outcome(w, f, SCRIPT_RAISE_FAULT);
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

	return handle_outcome(w, st->f,
			      raise_event(st->bind, w, st->bind->events[st->event].id, &r));
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
	if (!events[h->event].streamed || !script_event_streamed(h->bind->script, h->id))
		return 0;
	if (events[h->event].dissector == DISSECT_HTTP)
		o->stream = bind_body_begin(h->bind, view, h->event, &err);
	else
		o->stream = bind_stream_begin(h->bind, view, &err);
	r->stream = o->stream;
	if (o->stream)
		return 0;
	log_msg(script_log(h->bind->script), LOG_USHER_SCRIPT_FAULT, "%s", err.text);
	return SCRIPT_RAISE_FAULT;
}

static bool on_event(void *ctx, struct gate_walk *w, struct flow *f)
{
	const struct hearing *h = ctx;
	struct bind_occasion o = {h->bind, w, f, h->event, NULL};
	bool dhcp = events[h->event].dissector == DISSECT_DHCP;
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
		return bind_body_deliver(o.stream, w) && handle_outcome(w, f, result);
	if (o.stream)
		bind_stream_deliver(o.stream);
	return handle_outcome(w, f, result);
}

static bool is_end(unsigned event)
{
	return event == EVENT_UDP_CONNECTION_end_connection ||
	       event == EVENT_TCP_CONNECTION_end_connection;
}

/* Called when a flow ends; frees the values that scripts kept in it. */
static bool on_flow_end(void *ctx, struct gate_walk *w, struct flow *f)
{
	const struct hearing *h = ctx;

	gate_tcp_streams_end(w, f);
	if (script_event_any(h->bind->script, h->id))
		(void)on_event(ctx, w, f);
	if (f->script)
		script_forget(h->bind->script, &bind_class_flow, f);
	f->script = 0;
	return true;
}

/* --- Life ------------------------------------------------------------------------------------- */

static int define_events(struct gate_bind *b)
{
	int r = 0;

	for (unsigned i = 0; i < EVENT_N && r == 0; i++) {
		struct hearing *h = &b->events[i];

		*h = (struct hearing){.bind = b, .event = (enum gate_event)i};
		r = script_event_define(b->script, gate_dissector_name(events[i].dissector),
					events[i].name,
					events[i].streamed ? SCRIPT_EVENT_STREAMED : 0, &h->id);
		if (r == 0)
			script_event_fields(b->script, h->id,
					    events[i].dissector == DISSECT_DHCP ? bind_when_dhcp
										: bind_when);
	}
	return r;
}

static int define_classes(struct gate_bind *b)
{
	int r = script_class_register(b->script, &bind_class_flow);

	for (unsigned i = 0; bind_flag_classes[i] && r == 0; i++)
		r = script_class_register(b->script, bind_flag_classes[i]);
	for (unsigned i = 0; bind_dns_classes[i] && r == 0; i++)
		r = script_class_register(b->script, bind_dns_classes[i]);
	for (unsigned i = 0; bind_http_classes[i] && r == 0; i++)
		r = script_class_register(b->script, bind_http_classes[i]);
	for (unsigned i = 0; i < DISSECT_N && r == 0; i++) {
		if (bind_packet_class((enum gate_dissector)i))
			r = script_class_register(b->script,
						  bind_packet_class((enum gate_dissector)i));
	}
	return r == 0 ? bind_modules(b->script) : r;
}

static void release(struct gate_bind *b)
{
	if (!b)
		return;
	if (b->script) {
		bind_dissect_close(b);
		bind_buffers_fini(b);
		bind_streams_close(b);
	}
	bind_script_free(b->g, b->script);
	script_dhcp_fini(&b->dhcp);
	free(b);
}

int gate_bind_new(struct gate *g, const struct script_opts *so, struct gate_bind **ret,
		  struct script_error *err)
{
	struct gate_bind *b = calloc(1, sizeof(*b));
	int r = b ? bind_script_new(g, so, &b->script) : -ENOMEM;

	*err = (struct script_error){.fault = SCRIPT_E_MEMORY, .text = "no memory for a script"};
	if (b) {
		b->g = g;
		b->idle = gate_walk_without_packet(g);
		b->walk = &b->idle;
	}
	if (r == 0) {
		bind_buffers_init(b);
		script_set_host(b->script, b);
	}
	if (r == 0)
		r = bind_streams_open(b, err);
	if (r == 0)
		r = define_events(b);
	if (r == 0)
		r = define_classes(b);
	if (r == 0)
		r = bind_dhcp_open(b, b->script);
	if (r == 0)
		r = bind_policies_define(b, err);
	if (r == 0)
		r = script_protect(b->script, bind_open_http, NULL, err);
	if (r == 0)
		r = script_protect(b->script, bind_open_create, NULL, err);
	if (r == 0)
		r = script_protect(b->script, bind_open_modules, NULL, err);
	if (r == 0)
		r = bind_dissect_open(b, err);
	if (r < 0) {
		release(b);
		return r;
	}
	*ret = b;
	return 0;
}

void gate_bind_free(struct gate_bind *b)
{
	if (!b)
		return;
	gate_end_flows(b->g);
	for (unsigned i = 0; i < EVENT_N; i++)
		if (b->events[i].listens)
			gate_unlisten(b->g, b->events[i].event, is_end(i) ? on_flow_end : on_event,
				      &b->events[i]);
	(void)script_exiting(b->script);
	release(b);
}

struct script *gate_bind_script(const struct gate_bind *b)
{
	return b->script;
}

/* Listens where rules do, and always where flows end. */
static int listen(struct gate_bind *b)
{
	int r = 0;

	for (unsigned i = 0; i < EVENT_N && r == 0; i++) {
		struct hearing *h = &b->events[i];
		bool any = script_event_any(b->script, h->id);

		if (any)
			gate_load(b->g, events[i].dissector);
		if (h->listens || (!any && !is_end(i)))
			continue;
		r = gate_listen(b->g, h->event, is_end(i) ? on_flow_end : on_event, h);
		h->listens = r == 0;
	}
	return r;
}

static int begin(struct gate_bind *b, int r, struct script_error *err)
{
	if (r == 0)
		r = listen(b);
	if (r == 0)
		bind_policies_begin(b, b->g);
	if (r == 0 && script_started(b->script) & SCRIPT_RAISE_FAULT) {
		*err = (struct script_error){.fault = SCRIPT_E_RUNTIME,
					     .text = "a rule on haka.events.started failed"};
		r = -USHER_E_SCRIPT;
	}
	return r;
}

int gate_bind_run(struct gate_bind *b, const char *path, struct script_error *err)
{
	return begin(b, script_run_file(b->script, path, err), err);
}

int gate_bind_run_text(struct gate_bind *b, struct span text, struct script_error *err)
{
	return begin(b, script_run_text(b->script, "rules", text, err), err);
}

int gate_bind_eval(struct gate_bind *b, struct span text, struct buf *out, struct script_error *err)
{
	int r = script_eval(b->script, text, out, err), heard = listen(b);

	bind_policies_begin(b, b->g);
	if (r == 0 && heard < 0) {
		*err = (struct script_error){.fault = SCRIPT_E_RUNTIME,
					     .text = "too many listeners"};
		return -USHER_E_SCRIPT;
	}
	return r;
}
