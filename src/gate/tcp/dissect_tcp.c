/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tcp_connection: a segment finds its connection, is checked against it, and is either forwarded at
 * once or waits: for segments before it, or for a dissector that needs more data. A change moves
 * all numbers behind it, so each segment and each acknowledgement is translated. A connection
 * without listeners is tracked only, and its segments are forwarded in any order.
 */
#include "base/error.h"
#include "base/hash.h"
#include "base/pages.h"
#include "gate/engine/app.h"
#include "gate/net/fragment.h"
#include "gate/tcp/tcp_clean.h"
#include "gate/tcp/tcp_emit.h"
#include "gate/tcp/tcp_gap.h"
#include "gate/tcp/tcp_reply.h"
#include "gate/tcp/tcp_deliver.h"
#include "gate/tcp/early_ack.h"
#include "gate/engine/verdict.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <stdlib.h>

enum { SEQ_OFF = 4, FLAGS_OFF = 13 };

struct tcp_conn *gate_tcp(const struct flow *f)
{
	return f->transport;
}

/* --- Memory ----------------------------------------------------------------------------------- */

int gate_tcp_new(struct gate *g, uint32_t max_flows, uint32_t max_streams)
{
	int r;

	g->n_conns = max_flows;
	g->conns = pages_new_huge(max_flows, sizeof(*g->conns));
	if (!g->conns)
		return -ENOMEM;
	r = tcp_pool_new(max_streams, TCP_GROWN_MAX, g->held, &g->tcp_pool);
	if (r == 0)
		r = tcp_pool_new(2 * max_streams, TCP_HISTORY_LEN, g->held, &g->history_pool);
	if (r < 0)
		return r;
	tcp_pool_limit(g->history_pool, TCP_HISTORY_ALL);
	return early_acks_new(g);
}

void gate_tcp_free(struct gate *g)
{
	tcp_pool_free(g->tcp_pool);
	tcp_pool_free(g->history_pool);
	early_acks_free(g);
	pages_free(g->conns, g->n_conns, sizeof(*g->conns));
}

static struct tcp_conn *conn_take(struct gate *g)
{
	struct tcp_conn *c = g->conn_free;

	if (c)
		g->conn_free = c->next;
	else if (g->conn_fresh < g->n_conns)
		c = &g->conns[g->conn_fresh++];
	if (c)
		*c = (struct tcp_conn){0};
	return c;
}

static void lost(void *ctx, struct held *h)
{
	struct gate *g = ctx;

	gate_release(g, h, GATE_DROP, GATE_DROP_TCP_ENDED);
}

void gate_tcp_streams_end(struct gate *g, struct flow *f)
{
	struct tcp_conn *c = f->key.proto == IPV4_PROTO_TCP ? f->transport : NULL;

	for (int d = GATE_UP; c && d <= GATE_DOWN; d++) {
		if (c->script[d])
			g->stream_ops->ended(c->script[d]);
		c->script[d] = NULL;
	}
}

void gate_tcp_end(struct gate *g, struct flow *f)
{
	struct tcp_conn *c = f->transport;

	if (!c)
		return;
	gate_tcp_streams_end(g, f);
	f->transport = NULL;
	tcp_stream_end(&c->stream[GATE_UP], g->tcp_pool, lost, g);
	tcp_stream_end(&c->stream[GATE_DOWN], g->tcp_pool, lost, g);
	tcp_history_end(&c->history[GATE_UP], g->history_pool);
	tcp_history_end(&c->history[GATE_DOWN], g->history_pool);
	c->next = g->conn_free;
	g->conn_free = c;
}

/* --- Data for dissectors ---------------------------------------------------------------------- */

/* Stores the offsets of a frame that are needed to send it later. */
static void remember(struct gate *g, const struct gate_packet *p, struct held *h)
{
	h->l3 = p->p.l3;
	h->l4 = p->p.l4;
	h->app = p->p.app;
	h->fragment = p->fragments ? (uint16_t)gate_fragment_len(p->fragments) : 0;
	g->counters.held += h->owed;
}

/* The frame of a packet as it stands, without padding. */
static struct frame frame_of(const struct gate_packet *p)
{
	struct frame f = p->frame;

	f.data = p->p.data;
	f.len = p->end;
	/* the frames that it came in get their verdicts, and the copy is the gate's own */
	if (p->fragments)
		f.flags |= FRAME_CREATED;
	return f;
}

/* Keeps a segment's data behind the pending data. */
static int keep(struct gate *g, struct gate_packet *p, struct tcp_conn *c, uint32_t from,
		struct span data)
{
	struct tcp_stream *s = &c->stream[p->direction];
	struct frame f = frame_of(p);
	struct held *h;
	int r;

	/* out-of-order segments will be retransmitted; data in order is to be inspected now */
	while (held_full(g->held, f.len) && (h = tcp_stream_give_up(s)) != NULL) {
		gate_release(g, h, GATE_DROP, GATE_DROP_TCP_LIMIT);
		held_give(g->held, h);
	}
	r = tcp_stream_append(s, g->tcp_pool, &f, from, data);
	if (r < 0)
		return r;
	for (h = s->segments; h->next; h = h->next)
		;
	remember(g, p, h);
	return 0;
}

/* Keeps the current segment. */
int gate_tcp_keep(struct gate *g, struct gate_packet *p, struct tcp_conn *c, uint32_t skip)
{
	uint32_t from = g->tcp.seq + !!(g->tcp.flags & TCP_SYN) + skip;

	gate_tcp_translate_ack(g, p, c);
	return keep(g, p, c, from, span_of(p->p.data + p->p.app + skip, p->p.app_len - skip));
}

void gate_tcp_advance(struct gate *g, struct flow *f, enum gate_direction d, bool end)
{
	struct tcp_conn *c = f->transport;
	struct tcp_stream *s = &c->stream[d];
	struct gate_view v = {.flow = f,
			      .direction = d,
			      .octets = s->pending,
			      .n = s->n,
			      .out = s->out,
			      .end = end};
	uint32_t go = gate_tcp_deliver(g, &v);

	if (!f->dropped)
		gate_tcp_let_go(g, c, d, end ? s->n : go);
}

/* --- The current segment ---------------------------------------------------------------------- */

/* Ends a dropped flow. kept: the current packet is held, so its verdict belongs to the copy. */
static int finish(struct gate *g, struct gate_packet *p, bool kept)
{
	struct tcp_conn *c = p->flow->transport;
	struct held *last = c && kept ? c->stream[p->direction].segments : NULL;

	p->drop = p->drop ? p->drop : GATE_DROP_FLOW_DROPPED;
	while (last && last->next)
		last = last->next;
	if (last)
		gate_release(g, last, GATE_DROP, p->drop);
	gate_tcp_end(g, p->flow);
	gate_app_end(g, p->flow);
	return kept ? GATE_HOLD : GATE_DROP;
}

/* Remembers octets that are about to be shown: later retransmissions are compared with them. A
 * passive gate cannot hold octets back, and the receivers of a recording have answered already. */
static int remember_octets(struct gate *g, struct tcp_conn *c, enum gate_direction d, uint32_t from,
			   struct span octets)
{
	return tcp_history_note(&c->history[d], g->history_pool, from, octets,
				g->pass_through || g->recorded);
}

/* The copy that was kept last came in the same pieces as h. */
static void copy_origin(struct tcp_stream *s, const struct held *h)
{
	struct held *last = s->segments;

	while (last->next)
		last = last->next;
	last->fragment = h->fragment;
}

/* A segment that waited for others, as if it came now. */
static void resume(struct gate *g, const struct gate_packet *p, struct tcp_conn *c, struct held *h)
{
	enum gate_direction d = (enum gate_direction)p->direction;
	uint32_t skip = c->track.half[d].next - h->from;
	struct gate_packet q = {.frame = h->frame, .direction = p->direction, .flow = p->flow};
	bool fin = h->data[h->l4 + FLAGS_OFF] & TCP_FIN;
	uint32_t len = h->to - h->from - fin;

	q.p.data = h->data;
	q.p.l3 = h->l3;
	q.p.l4 = h->l4;
	q.p.app = h->app;
	q.end = h->app + len;
	skip = skip < len ? skip : len;
	if (remember_octets(g, c, d, h->from + skip, span_of(h->data + h->app + skip, len - skip)) <
	    0) {
		gate_release(g, h, GATE_DROP, GATE_DROP_TCP_LIMIT);
		return;
	}
	if (keep(g, &q, c, h->from + skip, span_of(h->data + h->app + skip, len - skip)) < 0) {
		tcp_history_cut(&c->history[d], g->history_pool, h->from + skip);
		gate_release(g, h, GATE_DROP, GATE_DROP_TCP_LIMIT);
		return;
	}
	copy_origin(&c->stream[d], h);
	/* its verdict is that of the copy */
	g->counters.held -= h->owed;
	h->owed = false;
	tcp_track_next(&c->track, d, h->to);
	gate_tcp_advance(g, p->flow, d, fin);
}

void gate_tcp_follow(struct gate *g, const struct gate_packet *p, struct tcp_conn *c)
{
	enum gate_direction d = (enum gate_direction)p->direction;
	struct held *stale, *h;

	do {
		if (tcp_edits_crowded(&c->stream[d].edits))
			break;
		h = tcp_stream_follow(&c->stream[d], c->track.half[d].next, &stale);
		if (h)
			resume(g, p, c, h);
		else if (stale)
			gate_release(g, stale, GATE_DROP, GATE_DROP_TCP_PENDING);
		if (h || stale)
			held_give(g->held, h ? h : stale);
	} while ((h || stale) && !p->flow->dropped);
}

/*
 * Called when there is no room for the current segment. Its retransmission is inspected as if it
 * were the first. Under fail-open it is forwarded, behind the pending data, and with the receiver's
 * numbers: else its octets would stand in another place.
 */
static int no_room(struct gate *g, struct gate_packet *p, struct tcp_conn *c, uint32_t out)
{
	enum gate_direction d = (enum gate_direction)p->direction;
	void *script = c->script[d];
	int r = gate_undecided(g, p, GATE_DROP_TCP_LIMIT);

	if (r == GATE_DROP && script)
		g->stream_ops->lost(script, out);
	if (r == GATE_ACCEPT) {
		gate_tcp_let_go(g, c, d, c->stream[d].n);
		gate_tcp_translate(g, p, c);
	}
	c->shown[d] = r == GATE_DROP ? c->shown[d] : 0;
	return r;
}

/* Data in order, behind `skip` octets that were there already. */
static int in_order(struct gate *g, struct gate_packet *p, struct tcp_conn *c, uint32_t skip)
{
	enum gate_direction d = (enum gate_direction)p->direction;
	struct tcp_stream *s = &c->stream[d];
	uint32_t from = g->tcp.seq + !!(g->tcp.flags & TCP_SYN) + skip, go;
	struct gate_view v = {
		.flow = p->flow,
		.direction = d,
		.octets = p->p.data + p->p.app + skip,
		.n = p->p.app_len - skip,
		.out = tcp_edits_out(&s->edits, from, false),
		.end = g->tcp.flags & TCP_FIN,
	};

	if (remember_octets(g, c, d, from, span_of(v.octets, v.n)) < 0)
		return no_room(g, p, c, v.out);
	if (s->segments) {
		if (gate_tcp_keep(g, p, c, skip) < 0)
			return no_room(g, p, c, v.out);
		gate_tcp_advance(g, p->flow, d, v.end);
		return p->flow->dropped ? finish(g, p, true) : GATE_HOLD;
	}
	/* nothing waits: it is looked at where it lies */
	go = gate_tcp_deliver(g, &v);
	if (p->flow->dropped)
		return finish(g, p, s->segments != NULL);
	if (!s->segments && (go >= v.n || v.end)) {
		/* those that waited for this one are to leave behind it, unless there is no room to
		 * wait for that */
		if (!s->ahead || gate_tcp_keep(g, p, c, skip) < 0) {
			gate_tcp_translate(g, p, c);
			return GATE_ACCEPT;
		}
	}
	if (!s->segments && gate_tcp_keep(g, p, c, skip) < 0)
		return no_room(g, p, c, v.out);
	gate_tcp_let_go(g, c, d, v.end ? s->n : go);
	return GATE_HOLD;
}

/* Ahead of others: it waits for them. */
static int ahead(struct gate *g, struct gate_packet *p, struct tcp_conn *c)
{
	struct tcp_stream *s = &c->stream[p->direction];
	struct frame f;
	uint32_t from = g->tcp.seq;
	int r;

	gate_tcp_translate_ack(g, p, c);
	f = frame_of(p);
	r = tcp_stream_ahead(s, g->tcp_pool, &f, from,
			     from + p->p.app_len + !!(g->tcp.flags & TCP_FIN));
	if (tcp_before(c->track.half[p->direction].next, from))
		gate_tcp_ack_missing(g, p, c);
	if (r == -USHER_E_EXISTS) {
		p->drop = GATE_DROP_TCP_PENDING;
		return GATE_DROP;
	}
	if (r < 0)
		return gate_undecided(g, p, GATE_DROP_TCP_LIMIT);
	for (struct held *h = s->ahead; h; h = h->next)
		if (!h->app)
			remember(g, p, h);
	return GATE_HOLD;
}

/* How long a segment like this one may be. */
static uint32_t room_of(struct gate *g, const struct gate_packet *p, const struct tcp_conn *c)
{
	uint32_t most = gate_tcp_room(g, c, (enum gate_direction)p->direction, &p->frame, p->p.data,
				      p->p.l3, p->p.l4),
		 options = p->l4_len - (uint32_t)TCP_HDR_LEN;
	uint32_t room = most > options ? most - options : 1,
		 headers = (uint32_t)(p->p.app - p->p.l3);

	room = p->p.app_len > room ? p->p.app_len : room;
	return room > UINT16_MAX - headers ? UINT16_MAX - headers : room;
}

/* Sends octets in segments of their own, with the headers of the current one, until no more than
 * `keep` are left. Returns how many were sent. -USHER_E_LIMIT: no room. */
static int send_ahead(struct gate *g, const struct gate_packet *p, struct tcp_conn *c, uint32_t out,
		      struct span octets, uint32_t keep_len)
{
	uint32_t room = room_of(g, p, c), n = (uint32_t)octets.n, done = 0;
	struct frame f = frame_of(p);
	struct held *copy = held_take(g->held, &f);

	if (!copy)
		return -USHER_E_LIMIT;
	copy->l3 = p->p.l3;
	copy->l4 = p->p.l4;
	copy->app = p->p.app;
	copy->fragment = p->fragments ? (uint16_t)gate_fragment_len(p->fragments) : 0;
	while (n - done > keep_len)
		done += n - done < room ? n - done : room;
	gate_tcp_emit(g, c, (enum gate_direction)p->direction, copy, out, span_sub(octets, 0, done),
		      room);
	held_give(g->held, copy);
	return (int)done;
}

/* Compares the first n octets of the segment, a retransmission, with the first copy, which counts.
 * GATE_ACCEPT: they are equal now. Octets that are not remembered, and that the receiver has not
 * acknowledged, are dropped: it may read them, and no rule has seen them. */
static int correct(struct gate *g, struct gate_packet *p, const struct tcp_conn *c, uint32_t n)
{
	const struct tcp_history *h = &c->history[p->direction];
	const struct tcp_half *half = &c->track.half[p->direction];
	uint32_t from = g->tcp.seq + !!(g->tcp.flags & TCP_SYN);

	if (n == 0)
		return GATE_ACCEPT;
	if (tcp_history_unknown(h, from, n, half->acked, half->heard)) {
		g->counters.unverified++;
		return gate_undecided(g, p, GATE_DROP_TCP_UNVERIFIED);
	}
	memcpy(g->octets, p->p.data + p->p.app, n);
	if (!tcp_history_correct(h, from, g->octets, n))
		return GATE_ACCEPT;
	if (g->drop_overlaps)
		return gate_undecided(g, p, GATE_DROP_TCP_OVERLAP);
	g->counters.overlaps++;
	return g->pass_through || verdict_write(g, p, p->p.app, g->octets, n) == 0
		       ? GATE_ACCEPT
		       : gate_undecided(g, p, GATE_DROP_TCP_LIMIT);
}

bool gate_tcp_unstick(struct gate *g, struct flow *f, enum gate_direction d)
{
	struct tcp_conn *c = f->transport;
	uint32_t go = gate_tcp_repeated(g, f, d);

	if (go && !f->dropped)
		gate_tcp_let_go(g, c, d, go);
	return !f->dropped;
}

/* Called for a retransmission of pending octets, which may be caused by the wait. False: the flow
 * is dropped. */
static bool come_again(struct gate *g, struct gate_packet *p, struct tcp_conn *c, uint32_t n)
{
	const struct tcp_stream *s = &c->stream[p->direction];

	if (n == 0 || !s->segments ||
	    !tcp_before(s->out, tcp_edits_out(&s->edits, g->tcp.seq + n, true)))
		return true;
	return gate_tcp_unstick(g, p->flow, (enum gate_direction)p->direction);
}

/* Forwards a retransmission as the first copy was forwarded. */
static int again(struct gate *g, struct gate_packet *p, struct tcp_conn *c, uint32_t n)
{
	const struct tcp_stream *s = &c->stream[p->direction];
	struct wr w = wr_init(g->octets, TCP_GROWN_MAX);
	uint32_t out;
	int done = correct(g, p, c, n);

	if (done != GATE_ACCEPT)
		return done;
	if (s->segments && n && !tcp_before(tcp_edits_out(&s->edits, g->tcp.seq, false), s->out) &&
	    early_ack_add(g, p, c)) {
		p->drop = GATE_DROP_TCP_PENDING;
		return GATE_DROP;
	}
	if (!come_again(g, p, c, n))
		return finish(g, p, false);
	if (n == 0 || g->pass_through || (tcp_edits_none(&s->edits) && !s->segments)) {
		gate_tcp_translate(g, p, c);
		return GATE_ACCEPT;
	}
	if (!tcp_stream_again(s, g->tcp.seq, span_of(p->p.data + p->p.app, n), &w, &out))
		return gate_undecided(g, p, GATE_DROP_TOO_LONG);
	if (w.len == 0) {
		if (s->ahead)
			gate_tcp_ack_missing(g, p, c);
		p->drop = GATE_DROP_TCP_PENDING;
		return GATE_DROP;
	}
	gate_tcp_translate(g, p, c);
	done = send_ahead(g, p, c, out, span_of(g->octets, w.len), room_of(g, p, c));
	if (done < 0 || verdict_splice(g, p, p->p.app, p->p.app_len,
				       span_of(g->octets + done, w.len - (size_t)done)) < 0)
		return gate_undecided(g, p, GATE_DROP_TCP_LIMIT);
	verdict_be32(p, p->p.l4 + (uint32_t)SEQ_OFF, out + (uint32_t)done);
	return GATE_ACCEPT;
}

/* Handles a segment with octets before the number `before`, and new ones: the old are forwarded
 * like the first copy, in a segment of their own; the rest is handled as a segment with the new
 * ones only. The first copy counts. */
static int overlap(struct gate *g, struct gate_packet *p, struct tcp_conn *c, uint32_t before)
{
	const struct tcp_stream *s = &c->stream[p->direction];
	uint32_t old = before - g->tcp.seq < p->p.app_len ? before - g->tcp.seq : p->p.app_len;
	struct wr w = wr_init(g->octets, TCP_GROWN_MAX);
	uint32_t out;
	int r = correct(g, p, c, old);

	if (r != GATE_ACCEPT)
		return r;
	/* only FIN is new, and the octets before it are as they came; or nothing is changed
	 * anyway */
	if (g->pass_through || (old == p->p.app_len && tcp_edits_none(&s->edits) && !s->segments))
		return in_order(g, p, c, old);
	gate_tcp_translate_ack(g, p, c);
	if (tcp_stream_again(s, g->tcp.seq, span_of(p->p.data + p->p.app, old), &w, &out) &&
	    send_ahead(g, p, c, out, span_of(g->octets, w.len), 0) < 0)
		return gate_undecided(g, p, GATE_DROP_TCP_LIMIT);
	if (verdict_splice(g, p, p->p.app, old, SPAN_NULL) < 0)
		return gate_undecided(g, p, GATE_DROP_TOO_LONG);
	g->tcp.seq += old;
	verdict_be32(p, p->p.l4 + (uint32_t)SEQ_OFF, g->tcp.seq);
	return in_order(g, p, c, 0);
}

/* Follows the other direction: the current packet may have acknowledged changes that its segments
 * waited for. */
static void follow_other(struct gate *g, struct gate_packet *p, struct tcp_conn *c)
{
	uint8_t d = p->direction;

	if (!c->stream[!d].ahead)
		return;
	p->direction = !d;
	gate_tcp_follow(g, p, c);
	p->direction = d;
}

static void note_stamp(const struct gate *g, const struct gate_packet *p, struct tcp_conn *c)
{
	struct span stamp = g->tcp.options.n ? tcp_option(&g->tcp, TCP_OPT_TIMESTAMPS) : SPAN_NULL;
	struct rd r = rd_init(stamp);

	c->stamped[p->direction] = stamp.n > 0;
	c->stamp[p->direction] = rd_be32(&r);
}

static int inspect(struct gate *g, struct gate_packet *p, struct tcp_conn *c, enum tcp_segment kind)
{
	const struct tcp_stream *s = &c->stream[p->direction];
	uint32_t len = p->p.app_len;
	struct tcp_track before = c->track;
	uint32_t shown = c->shown[p->direction];
	int r;

	/* it waits until the receiver has acknowledged some of the changes that are on their way */
	if (kind != TCP_SEG_AGAIN && (len || g->tcp.flags & TCP_FIN) &&
	    tcp_edits_crowded(&s->edits))
		kind = TCP_SEG_AHEAD;
	tcp_track_take(&c->track, (enum gate_direction)p->direction, &g->tcp, len,
		       kind != TCP_SEG_AHEAD);
	if (g->tcp.flags & TCP_RST)
		return (gate_tcp_translate(g, p, c), GATE_ACCEPT);
	note_stamp(g, p, c);
	g->taken = kind == TCP_SEG_OK || kind == TCP_SEG_OVERLAP;
	tcp_history_acked(&c->history[!p->direction], g->history_pool,
			  c->track.half[!p->direction].acked);
	if (c->acked_early[!p->direction])
		early_ack_acked(g, p->flow, (enum gate_direction) !p->direction, len == 0);
	if (p->flow->dropped)
		return finish(g, p, false);
	if (kind == TCP_SEG_AGAIN) {
		r = again(g, p, c, len);
		if (s->ahead)
			gate_tcp_follow(g, p, c);
		return p->flow->dropped && r != GATE_DROP ? finish(g, p, false) : r;
	}
	if (kind == TCP_SEG_AHEAD)
		return ahead(g, p, c);
	if (kind == TCP_SEG_OVERLAP)
		r = overlap(g, p, c, before.half[p->direction].next);
	else if (len || g->tcp.flags & TCP_FIN)
		r = in_order(g, p, c, 0);
	else
		return (gate_tcp_translate(g, p, c), GATE_ACCEPT);
	/* there was no room for it: its retransmission is inspected as if it were the first */
	if (r == GATE_DROP && p->flow->transport) {
		c->track = before;
		c->shown[p->direction] = shown < s->n ? shown : s->n;
		tcp_history_cut(&c->history[p->direction], g->history_pool,
				before.half[p->direction].next);
	} else if (s->ahead && p->flow->transport && !p->flow->dropped) {
		gate_tcp_follow(g, p, c);
	}
	return p->flow->dropped && r != GATE_DROP ? finish(g, p, r == GATE_HOLD) : r;
}

/* --- The connection --------------------------------------------------------------------------- */

/* One that was taken up in the middle is as expendable as a SYN until its other end acknowledges
 * something: anybody can make up a segment. */
static enum flow_queue queue_of(const struct tcp_track *t)
{
	if (t->midstream && !t->half[GATE_UP].heard && t->state == TCP_ESTABLISHED)
		return FLOW_NEW;
	switch (t->state) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECEIVED:
		return FLOW_NEW;
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT:
		return FLOW_ESTABLISHED;
	case TCP_CLOSING:
	case TCP_TIME_WAIT:
	case TCP_RESET:
	case TCP_N_STATES:
		break;
	}
	return FLOW_CLOSING;
}

static enum gate_drop drop_of(enum tcp_segment s)
{
	switch (s) {
	case TCP_SEG_BAD_FLAGS:
		return GATE_DROP_TCP_FLAGS;
	case TCP_SEG_BAD_HANDSHAKE:
		return GATE_DROP_TCP_HANDSHAKE;
	case TCP_SEG_OUT_OF_WINDOW:
		return GATE_DROP_TCP_WINDOW;
	case TCP_SEG_BAD_ACK:
		return GATE_DROP_TCP_ACK;
	case TCP_SEG_BAD_RESET:
		return GATE_DROP_TCP_RESET;
	case TCP_SEG_OK:
	case TCP_SEG_AHEAD:
	case TCP_SEG_AGAIN:
	case TCP_SEG_OVERLAP:
	case TCP_SEG_RESTART:
		break;
	}
	return GATE_DROP_NONE;
}

/* Sets the owner of the buffers: the client, also for the server's octets. */
static void own_buffers(const struct gate *g, struct tcp_conn *c, const struct flow_key *key)
{
	uint16_t owner = (uint16_t)(hash_u32(key->src ^ g->seed) % TCP_POOL_OWNERS);

	for (int d = GATE_UP; d <= GATE_DOWN; d++)
		c->stream[d].owner = c->history[d].owner = owner;
}

static void begin_track(const struct gate *g, const struct gate_packet *p, struct tcp_conn *c)
{
	(void)tcp_track_begin(&c->track, &g->tcp, p->p.app_len);
	c->track.recorded = g->recorded;
}

/* Begins a connection. GATE_ACCEPT: p->flow is set, or the packet is forwarded without one. */
static int begin(struct gate *g, struct gate_packet *p, const struct flow_key *key)
{
	bool syn = (g->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	struct tcp_conn *c;

	p->direction = GATE_UP;
	if (!syn && !g->midstream)
		return gate_undecided(g, p, GATE_DROP_TCP_NO_CONNECTION);
	p->flow = flow_add(g->flows, gate_flow_bucket(g, key), key, g->now_ns);
	c = p->flow ? conn_take(g) : NULL;
	if (!c) {
		if (p->flow)
			flow_end(g->flows, p->flow);
		p->flow = NULL;
		return gate_undecided(g, p, GATE_DROP_FLOW_LIMIT);
	}
	p->flow->transport = c;
	own_buffers(g, c, key);
	(void)gate_flow_side(p, false);
	begin_track(g, p, c);
	/* where a stream is in the middle of something no dissector of it can begin */
	if (!gate_raise_new(g, EVENT_TCP_CONNECTION_new_connection, p) ||
	    gate_app_begin(g, p, !c->track.midstream) == GATE_DROP) {
		p->flow->dropped = true;
		return GATE_DROP;
	}
	c->inspected = g->listeners[EVENT_TCP_CONNECTION_receive_data].n ||
		       p->flow->app != DISSECT_N;
	if (!c->inspected || !(p->p.app_len || g->tcp.flags & TCP_URG))
		return GATE_ACCEPT;
	if (gate_tcp_clean(g, p) < 0)
		return gate_undecided(g, p, GATE_DROP_TOO_LONG);
	begin_track(g, p, c);
	return p->p.app_len ? inspect(g, p, c, TCP_SEG_OK) : GATE_ACCEPT;
}

static void count(struct gate *g, struct gate_packet *p)
{
	struct flow *f = p->flow;
	struct tcp_conn *c = f->transport;

	f->packets[p->direction]++;
	f->octets[p->direction] += p->p.len;
	flow_touch(g->flows, f, c ? queue_of(&c->track) : FLOW_CLOSING, g->now_ns);
}

/*
 * Reads the acknowledgement of the current segment, in the sender's numbers; *ret_out: as received.
 * False: it covers octets that are pending here, or were never in order, so that their receiver
 * cannot have them. A recording has the sender's numbers already.
 */
static bool read_ack(struct gate *g, const struct gate_packet *p, const struct tcp_conn *c,
		     uint32_t *ret_out)
{
	const struct tcp_stream *s = &c->stream[!p->direction];
	const struct tcp_half *half = &c->track.half[!p->direction];

	*ret_out = g->tcp.ack;
	if (!(g->tcp.flags & TCP_ACK) || !c->inspected || g->recorded)
		return true;
	if (!tcp_edits_none(&s->edits))
		g->tcp.ack = tcp_edits_in(&s->edits, *ret_out, false);
	if (s->segments)
		return !tcp_before(s->out, *ret_out);
	return !half->begun || g->fail_open || g->pass_through ||
	       !tcp_before(half->next, g->tcp.ack);
}

/* The receiver has everything before `out`: edits of it are forgotten. */
static void forget_edits(struct gate *g, const struct gate_packet *p, struct tcp_conn *c,
			 uint32_t out)
{
	struct tcp_stream *s = &c->stream[!p->direction];

	if (!(g->tcp.flags & TCP_ACK) || tcp_edits_none(&s->edits))
		return;
	if (g->recorded)
		out = tcp_edits_out(&s->edits, out, false);
	/* not those that are still to be sent */
	if (s->segments && tcp_before(s->out, out))
		out = s->out;
	tcp_stream_acked(s, g->tcp_pool, out);
}

/* Takes a segment that fits its connection. */
static int take_segment(struct gate *g, struct gate_packet *p, struct tcp_conn *c,
			enum tcp_segment kind, uint32_t acked)
{
	if (!gate_raise(g, EVENT_TCP_CONNECTION_receive_packet, p, p->flow))
		return GATE_DROP;
	if (!c->inspected) {
		tcp_track_take(&c->track, (enum gate_direction)p->direction, &g->tcp, p->p.app_len,
			       true);
		return GATE_ACCEPT;
	}
	forget_edits(g, p, c, acked);
	follow_other(g, p, c);
	if (g->recorded && (c->stream[GATE_UP].ahead || c->stream[GATE_DOWN].ahead) &&
	    !p->flow->dropped)
		gate_tcp_fill_gaps(g, p, c);
	return p->flow->dropped ? finish(g, p, false) : inspect(g, p, c, kind);
}

/* An answer to the SYN from two interfaces: one of them is made up, and nobody knows which. Any
 * other segment is just refused. */
static int wrong_side(struct gate *g, struct gate_packet *p, const struct tcp_conn *c)
{
	int r = gate_undecided(g, p, GATE_DROP_FLOW_SIDE);

	if (r != GATE_DROP ||
	    !tcp_track_is_answer(&c->track, (enum gate_direction)p->direction, &g->tcp))
		return r;
	p->flow->dropped = true;
	return finish(g, p, false);
}

/* A segment of a connection that is known. */
static int known(struct gate *g, struct gate_packet *p, const struct flow_key *key)
{
	struct tcp_conn *c = p->flow->transport;
	enum tcp_segment kind;
	uint32_t acked;

	if (!gate_flow_side(p, c->inspected))
		return wrong_side(g, p, c);
	if (c->inspected && g->tcp.flags & (TCP_URG | TCP_RST | TCP_SYN) &&
	    gate_tcp_clean(g, p) < 0)
		return gate_undecided(g, p, GATE_DROP_TOO_LONG);
	if (c->inspected && unlikely(tcp_before(g->tcp.seq, c->track.half[p->direction].acked)) &&
	    gate_tcp_trim(g, p, c) < 0)
		return gate_undecided(g, p, GATE_DROP_TOO_LONG);
	kind = read_ack(g, p, c, &acked)
		       ? tcp_track_check(&c->track, (enum gate_direction)p->direction, &g->tcp,
					 p->p.app_len)
		       : TCP_SEG_BAD_ACK;
	if (kind == TCP_SEG_RESTART) {
		flow_end(g->flows, p->flow);
		p->flow = NULL;
		return begin(g, p, key);
	}
	if (drop_of(kind) != GATE_DROP_NONE)
		return gate_undecided(g, p, drop_of(kind));
	return take_segment(g, p, c, kind, acked);
}

int receive_tcp_connection(struct gate *g, struct gate_packet *p)
{
	struct flow_key key;
	int r;

	if (gate_checksum(g, p) == CHECKSUM_BAD)
		return gate_undecided(g, p, GATE_DROP_TCP_CHECKSUM);
	gate_flow_key(p, &key);
	g->taken = false;
	p->flow = flow_find_at(g->flows, gate_flow_bucket(g, &key), &key, g->now_ns, &p->direction);
	if (p->flow && (p->flow->dropped || !p->flow->transport)) {
		count(g, p);
		p->drop = GATE_DROP_FLOW_DROPPED;
		return GATE_DROP;
	}
	r = p->flow ? known(g, p, &key) : begin(g, p, &key);
	if (p->flow)
		count(g, p);
	return r == GATE_ACCEPT && p->flow
		       ? gate_next_dissector(g, (enum gate_dissector)p->flow->app)
		       : r;
}
