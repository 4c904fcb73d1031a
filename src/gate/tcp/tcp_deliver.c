/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Delivery of a stream's pending data: to the listeners of receive_data
 * first, each octet once; then to the application's dissector, as far as the listeners released it.
 * Either may hold the rest back, and change pending octets.
 */
#include "gate/engine/app.h"
#include "gate/engine/plugin.h"
#include "gate/tcp/tcp_deliver.h"
#include "gate/tcp/tcp_emit.h"
#include "gate/tcp/tcp_keep.h"

#include "base/error.h"

#include <errno.h>

/* The shortest retransmission time-out of TCP: a fifth of a second, in most systems. */
#define RTO_LEAST_NS (NS_PER_S / 5)

/* Adjusts nested views of a changed stream, from the outermost on. */
static void refresh_view(struct gate_view *v, uint32_t grown)
{
	if (!v->whole)
		return;
	refresh_view(v->whole, grown);
	v->octets = v->whole->octets + v->base;
	v->n += grown;
}

/* Moves a part after a change of the whole view: n octets at `at` became
 * `came`. A change over its beginning belongs to it. */
static void move_part(struct gate_view *part, uint32_t at, uint32_t n, uint32_t came)
{
	uint32_t end = part->base + part->n;

	if (at + n <= part->base)
		part->base += came - n;
	else if (at < part->base)
		part->base = at;
	end = at + n <= end ? end + came - n : end;
	part->n = end > part->base ? end - part->base : 0;
	part->octets = part->whole->octets + part->base;
}

int gate_stream_edit(struct gate_view *v, uint32_t off, uint32_t n, struct span with)
{
	struct gate_walk *w = v->walk;
	struct gate *g = w->g;
	struct tcp_conn *c = v->flow->transport;
	struct tcp_stream *s = &c->stream[v->direction];
	struct gate_view *all = v;
	uint32_t at = off;
	int r = 0;

	if (g->pass_through)
		return -EROFS;
	if (off > v->n || n > v->n - off)
		return -ERANGE;
	if (v->fixed && with.n != n)
		return -EPERM;
	if (n == 0 && with.n == 0)
		return 0;
	for (; all->whole; all = all->whole)
		at += all->base;
	/* data that was inspected in the packet has to be held now */
	if (!s->segments)
		r = all->n && gate_walk_is_of(w, v->flow)
			    ? tcp_keep_segment(w, c, w->p->p.app_len - all->n)
			    : -ERANGE;
	if (r == 0)
		r = tcp_stream_edit(s, g->tcp_pool, at, n, with);
	all->octets = s->segments ? s->pending : all->octets;
	all->n = s->segments ? s->n : all->n;
	refresh_view(v, r == 0 ? (uint32_t)(with.n - n) : 0);
	if (v == all && w->view && w->view->whole == all)
		move_part(w->view, at, r == 0 ? n : 0, r == 0 ? (uint32_t)with.n : 0);
	if (r == 0 && c->script[v->direction])
		g->stream_ops->changed(c->script[v->direction], all, at, n, (uint32_t)with.n);
	return r;
}

/* Shows new data to the listeners. False: the flow is dropped. */
static bool deliver_to_listeners(struct gate_view *v)
{
	struct gate_walk *w = v->walk;
	uint32_t seen = gate_tcp(v->flow)->shown[v->direction];
	struct gate_view *before = w->view, part = *v;
	bool ok;

	part.whole = v;
	part.base = seen;
	part.octets = v->octets + seen;
	part.n = v->n - seen;
	w->view = &part;
	ok = gate_raise(w, EVENT_TCP_CONNECTION_receive_data, v->flow);
	w->view = before;
	if (!ok)
		v->flow->dropped = true;
	return !v->flow->dropped;
}

/* Returns how many octets the listeners allow to be forwarded. At the end none waits any more. */
static uint32_t allowed_octets(const struct gate *g, const struct gate_view *v)
{
	void *script = gate_tcp(v->flow)->script[v->direction];

	return script && !v->end ? g->stream_ops->may_go(script, v) : v->n;
}

/* Returns how many octets listeners may hold back. For more there is no room here, or none in the
 * window of the receiver, so that no more would arrive. */
static uint32_t most_held(const struct tcp_conn *c, enum gate_direction d)
{
	uint32_t window = c->track.half[d].max_window, mss = gate_tcp_mss(c, d),
		 room = window > mss ? window - mss : 0;

	return window && room < TCP_PENDING_MAX ? room : TCP_PENDING_MAX;
}

static uint32_t deliver_to_app(struct gate_view *v)
{
	struct gate *g = v->walk->g;
	struct gate_view part = *v;
	uint32_t go = allowed_octets(g, v);

	part.n = go;
	part.whole = v;
	part.base = 0;
	if (v->flow->app != DISSECT_N)
		go = gate_app_data(&part);
	/* those of plugin.h hold back by marks, too */
	if (gate_plugin(g, v->flow->app) && !v->flow->dropped &&
	    v->n - go > most_held(gate_tcp(v->flow), v->direction) &&
	    gate_tcp(v->flow)->script[v->direction]) {
		if (!g->stream_ops->full(gate_tcp(v->flow)->script[v->direction], v->walk))
			v->flow->dropped = true;
		go = v->flow->dropped ? 0 : allowed_octets(g, v);
	}
	if (!v->flow->dropped)
		gate_tcp(v->flow)->shown[v->direction] = v->n - go;
	return go;
}

uint32_t gate_tcp_deliver(struct gate_view *v)
{
	struct gate *g = v->walk->g;
	struct tcp_conn *c = gate_tcp(v->flow);
	enum gate_direction d = v->direction;
	uint32_t go = 0;

	c->shown_ns[d] = g->now_ns;
	c->showing[d] = v;
	if (!g->listeners[EVENT_TCP_CONNECTION_receive_data].n || deliver_to_listeners(v)) {
		if (v->n - allowed_octets(g, v) > most_held(c, d) &&
		    !g->stream_ops->full(c->script[d], v->walk))
			v->flow->dropped = true;
		go = v->flow->dropped ? 0 : deliver_to_app(v);
	}
	c->showing[d] = NULL;
	return go;
}

uint32_t gate_tcp_repeated(struct gate_walk *w, struct flow *f, enum gate_direction d)
{
	struct gate *g = w->g;
	struct tcp_conn *c = f->transport;
	struct tcp_stream *s = &c->stream[d];
	struct gate_view v = {.walk = w,
			      .flow = f,
			      .direction = d,
			      .octets = s->pending,
			      .n = s->n,
			      .out = s->out};
	uint32_t go;

	/* sooner it is not the sender's clock that has run out, but an octet that was lost */
	if (!c->script[d] || g->now_ns - c->shown_ns[d] < RTO_LEAST_NS ||
	    allowed_octets(g, &v) == v.n)
		return 0;
	c->showing[d] = &v;
	if (!g->stream_ops->repeated(c->script[d], &v))
		f->dropped = true;
	go = f->dropped ? 0 : deliver_to_app(&v);
	c->showing[d] = NULL;
	return go;
}
