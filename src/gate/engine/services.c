/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Services of the engine for dissectors and listeners: loading of dissectors, events, drops, held
 * frames. They serve; walk.c drives.
 */
#include "gate/engine/dissect.h"

#include "gate/engine/held.h"

#include <errno.h>

/* --- Dissectors ------------------------------------------------------------------------------- */

#define PARENT(symbol) (UINT32_C(1) << DISSECT_##symbol)

static const struct {
	const char *name;
	uint32_t parents;
} dissectors[DISSECT_N] = {
#define DISSECTOR(symbol, name, parents, receive, send, init, fini, tick, drain, flow_end, what) \
	[DISSECT_##symbol] = {name, parents},
#include "gate/engine/dissectors.def"
#undef DISSECTOR
};

#undef PARENT

const char *gate_dissector_name(enum gate_dissector d)
{
	return (unsigned)d < DISSECT_N ? dissectors[d].name : "";
}

enum gate_dissector gate_dissector_find(const char *name)
{
	int d = 0;

	while (d < DISSECT_N && strcmp(dissectors[d].name, name) != 0)
		d++;
	return (enum gate_dissector)d;
}

void gate_load(struct gate *g, enum gate_dissector d)
{
	/* those of plugin.h have loaded the dissectors below them */
	if ((unsigned)d >= DISSECT_N || g->loaded & UINT32_C(1) << d)
		return;
	g->loaded |= UINT32_C(1) << d;
	for (unsigned i = 0; i < DISSECT_N; i++)
		if (dissectors[d].parents & UINT32_C(1) << i)
			gate_load(g, (enum gate_dissector)i);
}

bool gate_loaded(const struct gate *g, enum gate_dissector d)
{
	return g->loaded & UINT32_C(1) << d;
}

void gate_complete_headers(struct gate *g, struct gate_packet *p)
{
	for (unsigned i = p->depth; i > 0; i--)
		if (p->stack[i - 1] < DISSECT_N && g->rows[p->stack[i - 1]].send)
			g->rows[p->stack[i - 1]].send(g, p);
}

/* --- Events ----------------------------------------------------------------------------------- */

int gate_listen(struct gate *g, enum gate_event e, gate_listener_fn fn, void *ctx)
{
	struct gate_listeners *l = &g->listeners[e];

	if (l->n == GATE_MAX_LISTENERS)
		return -ENOSPC;
	l->at[l->n].fn = fn;
	l->at[l->n++].ctx = ctx;
	return 0;
}

void gate_unlisten(struct gate *g, enum gate_event e, gate_listener_fn fn, void *ctx)
{
	struct gate_listeners *l = &g->listeners[e];

	for (uint32_t i = 0; i < l->n; i++)
		if (l->at[i].fn == fn && l->at[i].ctx == ctx) {
			memmove(&l->at[i], &l->at[i + 1], (l->n - i - 1) * sizeof(l->at[0]));
			l->n--;
			return;
		}
}

bool gate_raise_slow(struct gate_walk *w, enum gate_event e, struct flow *f)
{
	const struct gate_listeners *l = &w->g->listeners[e];

	for (uint32_t i = 0; i < l->n; i++)
		if (!l->at[i].fn(l->at[i].ctx, w, f))
			return false;
	return true;
}

/* --- Drops ------------------------------------------------------------------------------------ */

void gate_drop(struct gate_packet *p, enum gate_drop why)
{
	p->stopped = true;
	if (p->drop == GATE_DROP_NONE)
		p->drop = why;
}

/* The event that each dissector raises for a malformed packet. The connection dissectors parse on
 * behalf of UDP and TCP, so they raise the events of those layers. */
static const int error_events[DISSECT_N] = {
#define SEND(d, name)
#define ERROR(d, name) [DISSECT_##d] = EVENT_##d##_##name + 1,
#define OTHER(d, name)
#define STREAMED(d, name)
#define EVENT(d, name, kind) kind(d, name)
#include "gate/engine/events.def"
#undef EVENT
#undef STREAMED
#undef OTHER
#undef ERROR
#undef SEND
	[DISSECT_UDP_CONNECTION] = EVENT_UDP_protocol_error + 1,
	[DISSECT_TCP_CONNECTION] = EVENT_TCP_protocol_error + 1,
};

/* Raises protocol_error for a malformed packet. False: a listener dropped it. */
static bool raise_error(struct gate_walk *w, enum gate_drop why)
{
	const struct gate_packet *p = w->p;
	unsigned d = p->depth ? p->stack[p->depth - 1] : DISSECT_RAW;
	int e = d < DISSECT_N ? error_events[d] : 0; /* those of plugin.h report it themselves */

	if (!e || gate_drop_info(why)->kind != GATE_KIND_MALFORMED)
		return true;
	w->error = why;
	return gate_raise(w, (enum gate_event)(e - 1), p->flow);
}

int gate_undecided(struct gate_walk *w, enum gate_drop why)
{
	struct gate *g = w->g;
	int how;

	if (w->p && !raise_error(w, why))
		return GATE_DROP;
	if (w->p && g->on_undecided && g->on_undecided(g->policy_ctx, w, why, &how))
		return how;
	if (g->fail_open) {
		g->counters.failed_open++;
		g->counters.drops[why]++;
		return GATE_ACCEPT;
	}
	if (w->p)
		w->p->drop = why;
	return GATE_DROP;
}

/* --- Octets and frames ------------------------------------------------------------------------ */

struct rd gate_rd(const struct gate_packet *p, uint32_t off)
{
	uint32_t end = p->p.l3 != PACKET_NO_LAYER && off > p->p.l3 ? p->end : p->p.len;

	return rd_init(off <= end ? span_of(p->p.data + off, end - off) : SPAN_NULL);
}

void gate_release_as(struct gate *g, const struct held *h, struct span octets)
{
	g->counters.accepted++;
	if (frames_verdict(g->frames, &h->frame, FRAME_ACCEPT, octets) < 0)
		g->counters.drops[GATE_DROP_SEND_FAILED]++;
}

void gate_release(struct gate *g, struct held *h, int how, enum gate_drop why)
{
	if (!h->owed)
		return;
	h->owed = false;
	g->counters.held--;
	if (how == GATE_ACCEPT) {
		gate_release_as(g, h, span_of(h->data, h->frame.len));
		return;
	}
	g->counters.dropped++;
	g->counters.drops[why]++;
	(void)frames_verdict(g->frames, &h->frame, FRAME_DROP, SPAN_NULL);
}

/* --- Users of an engine ----------------------------------------------------------------------- */

const struct gate_counters *gate_counters(const struct gate *g)
{
	return &g->counters;
}

struct flow_table *gate_flows(struct gate *g)
{
	return g->flows;
}

const struct clock_src *gate_clock(const struct gate *g)
{
	return &g->clock;
}

void gate_source(struct gate *g, struct frames *f)
{
	g->frames = f;
	g->recorded = frames_recorded(f);
}

void gate_alarm(struct gate *g, const int64_t *due_ns, gate_alarm_fn fn, void *ctx)
{
	static const int64_t never = INT64_MAX;

	g->alarm_ns = due_ns ? due_ns : &never;
	g->on_alarm = fn;
	g->alarm_ctx = ctx;
}

void gate_end_flows(struct gate *g)
{
	struct flow *f;
	uint32_t at = 0;

	while ((f = flow_each(g->flows, &at)) != NULL)
		flow_end(g->flows, f);
	(void)frames_flush(g->frames);
}
