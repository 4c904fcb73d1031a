/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The inspection of a segment that fits its connection: new data is delivered in order, data ahead
 * of a gap waits, and a retransmission is forwarded as its first copy was.
 */
#include "gate/tcp/tcp_inspect.h"

#include "base/error.h"
#include "gate/engine/held.h"
#include "gate/tcp/early_ack.h"
#include "gate/tcp/tcp_again.h"
#include "gate/tcp/tcp_deliver.h"
#include "gate/tcp/tcp_emit.h"
#include "gate/tcp/tcp_follow.h"
#include "gate/tcp/tcp_keep.h"
#include "gate/tcp/tcp_reply.h"

/*
 * Called when there is no room for the current segment. Its retransmission is inspected as if it
 * were the first. Under fail-open it is forwarded, behind the pending data, and with the receiver's
 * numbers: else its octets would stand in another place.
 */
static int refuse_segment(struct gate_walk *w, struct tcp_conn *c, uint32_t out)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	enum gate_direction d = (enum gate_direction)p->direction;
	void *script = c->script[d];
	int r = gate_undecided(w, GATE_DROP_TCP_LIMIT);

	if (r == GATE_DROP && script)
		g->stream_ops->lost(script, out);
	if (r == GATE_ACCEPT) {
		gate_tcp_let_go(g, c, d, c->stream[d].n);
		gate_tcp_translate(w, c);
	}
	c->shown[d] = r == GATE_DROP ? c->shown[d] : 0;
	return r;
}

/* Delivers data in order, behind `skip` octets that were there already. */
static int deliver_in_order(struct gate_walk *w, struct tcp_conn *c, uint32_t skip)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	enum gate_direction d = (enum gate_direction)p->direction;
	struct tcp_stream *s = &c->stream[d];
	uint32_t from = w->tcp.seq + !!(w->tcp.flags & TCP_SYN) + skip, go;
	struct gate_view v = {
		.walk = w,
		.flow = p->flow,
		.direction = d,
		.octets = p->p.data + p->p.app + skip,
		.n = p->p.app_len - skip,
		.out = tcp_edits_out(&s->edits, from, false),
		.end = w->tcp.flags & TCP_FIN,
	};

	if (tcp_remember(g, c, d, from, span_of(v.octets, v.n)) < 0)
		return refuse_segment(w, c, v.out);
	if (s->segments) {
		if (tcp_keep_segment(w, c, skip) < 0)
			return refuse_segment(w, c, v.out);
		gate_tcp_advance(w, p->flow, d, v.end);
		return p->flow->dropped ? tcp_finish(w, true) : GATE_HOLD;
	}
	/* nothing waits: it is looked at where it lies */
	go = gate_tcp_deliver(&v);
	if (p->flow->dropped)
		return tcp_finish(w, s->segments != NULL);
	if (!s->segments && (go >= v.n || v.end)) {
		/* those that waited for this one are to leave behind it, unless there is no room to
		 * wait for that */
		if (!s->ahead || tcp_keep_segment(w, c, skip) < 0) {
			gate_tcp_translate(w, c);
			return GATE_ACCEPT;
		}
	}
	if (!s->segments && tcp_keep_segment(w, c, skip) < 0)
		return refuse_segment(w, c, v.out);
	gate_tcp_let_go(g, c, d, v.end ? s->n : go);
	return GATE_HOLD;
}

/* Keeps an out-of-order segment: it waits for those before it. */
static int keep_ahead(struct gate_walk *w, struct tcp_conn *c)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct tcp_stream *s = &c->stream[p->direction];
	struct frame f;
	uint32_t from = w->tcp.seq;
	int r;

	gate_tcp_translate_ack(w, c);
	f = tcp_frame_of(p);
	r = tcp_stream_ahead(s, g->tcp_pool, &f, from,
			     from + p->p.app_len + !!(w->tcp.flags & TCP_FIN));
	if (tcp_before(c->track.half[p->direction].next, from))
		gate_tcp_ack_missing(w, c);
	if (r == -USHER_E_EXISTS) {
		p->drop = GATE_DROP_TCP_PENDING;
		return GATE_DROP;
	}
	if (r < 0)
		return gate_undecided(w, GATE_DROP_TCP_LIMIT);
	for (struct held *h = s->ahead; h; h = h->next)
		if (!h->app) {
			tcp_note_offsets(p, h);
			g->counters.held += h->owed;
		}
	return GATE_HOLD;
}

static void note_time_stamp(struct gate_walk *w, struct tcp_conn *c)
{
	const struct gate_packet *p = w->p;
	struct span stamp = w->tcp.options.n ? tcp_option(&w->tcp, TCP_OPT_TIMESTAMPS) : SPAN_NULL;
	struct rd r = rd_init(stamp);

	c->stamped[p->direction] = stamp.n > 0;
	c->stamp[p->direction] = rd_be32(&r);
}

/* Handles a segment with octets before the number `before`, and new ones. */
static int inspect_overlap(struct gate_walk *w, struct tcp_conn *c, uint32_t before)
{
	uint32_t skip;
	int r = tcp_strip_overlap(w, c, before, &skip);

	return r == GATE_ACCEPT ? deliver_in_order(w, c, skip) : r;
}

int tcp_inspect(struct gate_walk *w, struct tcp_conn *c, enum tcp_segment kind)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	const struct tcp_stream *s = &c->stream[p->direction];
	uint32_t len = p->p.app_len;
	struct tcp_track before = c->track;
	uint32_t shown = c->shown[p->direction];
	int r;

	/* it waits until the receiver has acknowledged some of the changes that are on their way */
	if (kind != TCP_SEG_AGAIN && (len || w->tcp.flags & TCP_FIN) &&
	    tcp_edits_crowded(&s->edits))
		kind = TCP_SEG_AHEAD;
	tcp_track_take(&c->track, (enum gate_direction)p->direction, &w->tcp, len,
		       kind != TCP_SEG_AHEAD);
	if (w->tcp.flags & TCP_RST)
		return (gate_tcp_translate(w, c), GATE_ACCEPT);
	note_time_stamp(w, c);
	w->taken = kind == TCP_SEG_OK || kind == TCP_SEG_OVERLAP;
	tcp_history_acked(&c->history[!p->direction], g->history_pool,
			  c->track.half[!p->direction].acked);
	if (c->acked_early[!p->direction])
		early_ack_acked(w, p->flow, (enum gate_direction) !p->direction, len == 0);
	if (p->flow->dropped)
		return tcp_finish(w, false);
	if (kind == TCP_SEG_AGAIN) {
		r = tcp_forward_again(w, c, len);
		if (s->ahead)
			gate_tcp_follow(w, p->flow, (enum gate_direction)p->direction);
		return p->flow->dropped && r != GATE_DROP ? tcp_finish(w, false) : r;
	}
	if (kind == TCP_SEG_AHEAD)
		return keep_ahead(w, c);
	if (kind == TCP_SEG_OVERLAP)
		r = inspect_overlap(w, c, before.half[p->direction].next);
	else if (len || w->tcp.flags & TCP_FIN)
		r = deliver_in_order(w, c, 0);
	else
		return (gate_tcp_translate(w, c), GATE_ACCEPT);
	/* there was no room for it: its retransmission is inspected as if it were the first */
	if (r == GATE_DROP && p->flow->transport) {
		c->track = before;
		c->shown[p->direction] = shown < s->n ? shown : s->n;
		tcp_history_cut(&c->history[p->direction], g->history_pool,
				before.half[p->direction].next);
	} else if (s->ahead && p->flow->transport && !p->flow->dropped) {
		gate_tcp_follow(w, p->flow, (enum gate_direction)p->direction);
	}
	return p->flow->dropped && r != GATE_DROP ? tcp_finish(w, r == GATE_HOLD) : r;
}
