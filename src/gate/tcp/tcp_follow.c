/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The pending data of a stream advances: it is delivered, and the released part is sent; segments
 * that waited for earlier data follow.
 */
#include "gate/tcp/tcp_follow.h"

#include "gate/engine/held.h"
#include "gate/tcp/tcp_deliver.h"
#include "gate/tcp/tcp_emit.h"
#include "gate/tcp/tcp_keep.h"

void gate_tcp_advance(struct gate_walk *w, struct flow *f, enum gate_direction d, bool end)
{
	struct tcp_conn *c = f->transport;
	struct tcp_stream *s = &c->stream[d];
	struct gate_view v = {.walk = w,
			      .flow = f,
			      .direction = d,
			      .octets = s->pending,
			      .n = s->n,
			      .out = s->out,
			      .end = end};
	uint32_t go = gate_tcp_deliver(&v);

	if (!f->dropped)
		gate_tcp_let_go(w->g, c, d, end ? s->n : go);
}

bool gate_tcp_unstick(struct gate_walk *w, struct flow *f, enum gate_direction d)
{
	uint32_t go = gate_tcp_repeated(w, f, d);

	if (go && !f->dropped)
		gate_tcp_let_go(w->g, f->transport, d, go);
	return !f->dropped;
}

int tcp_remember(struct gate *g, struct tcp_conn *c, enum gate_direction d, uint32_t from,
		 struct span octets)
{
	return tcp_history_note(&c->history[d], g->history_pool, from, octets,
				g->pass_through || g->recorded);
}

/* Marks the copy that was kept last: it came in the same pieces as h. */
static void copy_origin(struct tcp_stream *s, const struct held *h)
{
	struct held *last = s->segments;

	while (last->next)
		last = last->next;
	last->fragment = h->fragment;
}

/* Handles a segment that waited for others, as if it came now. */
static void resume_segment(struct gate_walk *w, struct flow *f, enum gate_direction d,
			   struct held *h)
{
	struct gate *g = w->g;
	struct tcp_conn *c = f->transport;
	uint32_t skip = c->track.half[d].next - h->from;
	struct gate_packet q = {.frame = h->frame, .direction = (uint8_t)d, .flow = f};
	bool fin = tcp_flags(h->data + h->l4) & TCP_FIN;
	uint32_t len = h->to - h->from - fin;
	struct span fresh;

	q.p.data = h->data;
	q.p.l3 = h->l3;
	q.p.l4 = h->l4;
	q.p.app = h->app;
	q.end = h->app + len;
	skip = skip < len ? skip : len;
	fresh = span_of(h->data + h->app + skip, len - skip);
	if (tcp_remember(g, c, d, h->from + skip, fresh) < 0) {
		gate_release(g, h, GATE_DROP, GATE_DROP_TCP_LIMIT);
		return;
	}
	if (tcp_keep_data(g, &q, c, h->from + skip, fresh) < 0) {
		tcp_history_cut(&c->history[d], g->history_pool, h->from + skip);
		gate_release(g, h, GATE_DROP, GATE_DROP_TCP_LIMIT);
		return;
	}
	copy_origin(&c->stream[d], h);
	/* its verdict is that of the copy */
	g->counters.held -= h->owed;
	h->owed = false;
	tcp_track_next(&c->track, d, h->to);
	gate_tcp_advance(w, f, d, fin);
}

void gate_tcp_follow(struct gate_walk *w, struct flow *f, enum gate_direction d)
{
	struct gate *g = w->g;
	struct tcp_conn *c = f->transport;
	struct held *stale, *h;

	do {
		if (tcp_edits_crowded(&c->stream[d].edits))
			break;
		h = tcp_stream_follow(&c->stream[d], c->track.half[d].next, &stale);
		if (h)
			resume_segment(w, f, d, h);
		else if (stale)
			gate_release(g, stale, GATE_DROP, GATE_DROP_TCP_PENDING);
		if (h || stale)
			held_give(g->held, h ? h : stale);
	} while ((h || stale) && !f->dropped);
}
