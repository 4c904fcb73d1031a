/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Retransmissions: compared with the first copy, which counts, and forwarded as that was forwarded.
 */
#include "gate/tcp/tcp_again.h"

#include "base/error.h"
#include "gate/engine/held.h"
#include "gate/engine/verdict.h"
#include "gate/tcp/early_ack.h"
#include "gate/tcp/tcp_emit.h"
#include "gate/tcp/tcp_follow.h"
#include "gate/tcp/tcp_keep.h"
#include "gate/tcp/tcp_reply.h"

/* Returns the greatest length of a segment like this one. */
static uint32_t segment_room(struct gate_walk *w, const struct tcp_conn *c)
{
	struct gate *g = w->g;
	const struct gate_packet *p = w->p;
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
static int send_ahead(struct gate_walk *w, struct tcp_conn *c, uint32_t out, struct span octets,
		      uint32_t keep_len)
{
	struct gate *g = w->g;
	const struct gate_packet *p = w->p;
	uint32_t room = segment_room(w, c), n = (uint32_t)octets.n, done = 0;
	struct frame f = tcp_frame_of(p);
	struct held *copy = held_take(g->held, &f);

	if (!copy)
		return -USHER_E_LIMIT;
	tcp_note_offsets(p, copy);
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
static int correct_copy(struct gate_walk *w, const struct tcp_conn *c, uint32_t n)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	const struct tcp_history *h = &c->history[p->direction];
	const struct tcp_half *half = &c->track.half[p->direction];
	uint32_t from = w->tcp.seq + !!(w->tcp.flags & TCP_SYN);

	if (n == 0)
		return GATE_ACCEPT;
	if (tcp_history_unknown(h, from, n, half->acked, half->heard)) {
		g->counters.unverified++;
		return gate_undecided(w, GATE_DROP_TCP_UNVERIFIED);
	}
	memcpy(g->octets, p->p.data + p->p.app, n);
	if (!tcp_history_correct(h, from, g->octets, n))
		return GATE_ACCEPT;
	if (g->drop_overlaps)
		return gate_undecided(w, GATE_DROP_TCP_OVERLAP);
	g->counters.overlaps++;
	return g->pass_through || verdict_write(g, p, p->p.app, g->octets, n) == 0
		       ? GATE_ACCEPT
		       : gate_undecided(w, GATE_DROP_TCP_LIMIT);
}

/* Returns whether a retransmission of n octets reaches into the pending data. */
static bool is_pending(const struct gate_walk *w, const struct tcp_conn *c, uint32_t n)
{
	const struct tcp_stream *s = &c->stream[w->p->direction];

	return n && s->segments &&
	       tcp_before(s->out, tcp_edits_out(&s->edits, w->tcp.seq + n, true));
}

int tcp_forward_again(struct gate_walk *w, struct tcp_conn *c, uint32_t n)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	const struct tcp_stream *s = &c->stream[p->direction];
	struct wr text = wr_init(g->octets, TCP_GROWN_MAX);
	uint32_t out;
	bool taken = false;
	int done = correct_copy(w, c, n);

	if (done != GATE_ACCEPT)
		return done;
	/* its sender may be waiting for the acknowledgement of pending octets: the gate
	 * acknowledges them, or releases them where it cannot */
	if (is_pending(w, c, n)) {
		taken = early_ack_add(w, c);
		if (!taken && !gate_tcp_unstick(w, p->flow, (enum gate_direction)p->direction))
			return tcp_finish(w, false);
	}
	if (n == 0 || g->pass_through || (tcp_edits_none(&s->edits) && !s->segments)) {
		gate_tcp_translate(w, c);
		return GATE_ACCEPT;
	}
	if (!tcp_stream_again(s, w->tcp.seq, span_of(p->p.data + p->p.app, n), &text, &out))
		return gate_undecided(w, GATE_DROP_TOO_LONG);
	if (text.len == 0) {
		if (s->ahead && !taken)
			gate_tcp_ack_missing(w, c);
		p->drop = GATE_DROP_TCP_PENDING;
		return GATE_DROP;
	}
	gate_tcp_translate(w, c);
	done = send_ahead(w, c, out, span_of(g->octets, text.len), segment_room(w, c));
	if (done < 0 || verdict_splice(g, p, p->p.app, p->p.app_len,
				       span_of(g->octets + done, text.len - (size_t)done)) < 0)
		return gate_undecided(w, GATE_DROP_TCP_LIMIT);
	verdict_be32(p, p->p.l4 + (uint32_t)TCP_SEQ_OFF, out + (uint32_t)done);
	return GATE_ACCEPT;
}

int tcp_strip_overlap(struct gate_walk *w, struct tcp_conn *c, uint32_t before, uint32_t *ret_skip)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	const struct tcp_stream *s = &c->stream[p->direction];
	uint32_t old = before - w->tcp.seq < p->p.app_len ? before - w->tcp.seq : p->p.app_len;
	struct wr text = wr_init(g->octets, TCP_GROWN_MAX);
	uint32_t out;
	int r = correct_copy(w, c, old);

	if (r != GATE_ACCEPT)
		return r;
	/* only FIN is new, and the octets before it are as they came; or nothing is changed
	 * anyway */
	if (g->pass_through || (old == p->p.app_len && tcp_edits_none(&s->edits) && !s->segments)) {
		*ret_skip = old;
		return GATE_ACCEPT;
	}
	gate_tcp_translate_ack(w, c);
	if (tcp_stream_again(s, w->tcp.seq, span_of(p->p.data + p->p.app, old), &text, &out) &&
	    send_ahead(w, c, out, span_of(g->octets, text.len), 0) < 0)
		return gate_undecided(w, GATE_DROP_TCP_LIMIT);
	if (verdict_splice(g, p, p->p.app, old, SPAN_NULL) < 0)
		return gate_undecided(w, GATE_DROP_TOO_LONG);
	w->tcp.seq += old;
	verdict_be32(p, p->p.l4 + (uint32_t)TCP_SEQ_OFF, w->tcp.seq);
	*ret_skip = 0;
	return GATE_ACCEPT;
}
