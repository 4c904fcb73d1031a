/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A few connections at a time have data taken over, and each for a moment: a list that is walked,
 * with the headers of the last retransmission as a pattern for the gate's own segments.
 */
#include "gate/tcp/early_ack.h"

#include "gate/engine/app.h"
#include "gate/engine/held.h"
#include "gate/engine/verdict.h"
#include "gate/tcp/tcp_emit.h"
#include "gate/tcp/tcp_follow.h"
#include "gate/tcp/tcp_reply.h"

#include <errno.h>
#include <stdlib.h>

enum { EARLY_ACKS_MAX = 256, HEAD_MAX = 192, TRIES_MAX = 10, AGAIN_AT = 3, MSS_MAX = 8960 };

/* Doubled with every try, as RFC 6298 5.5 has it for senders. */
#define FIRST_NS (200 * NS_PER_MS)
/* A sender with more data transmits as soon as its data is acknowledged, and again after 1 and 3
 * seconds at most when segments were lost (RFC 6298 2.4, 5.5); a longer silence means it has none
 * left. */
#define STUCK_NS (3 * NS_PER_S)

struct early_ack {
	struct flow *flow;
	uint32_t generation; /* of the flow */
	uint8_t direction;
	uint8_t tries, repeats;
	int64_t due_ns;
	int64_t stuck_ns; /* when held octets are released, unless more of them arrive */
	uint32_t acked;	  /* by the receiver, at the last check */
	struct frame frame;
	uint16_t l3, l4, app;
	uint8_t head[HEAD_MAX];
};

struct early_acks {
	uint32_t n;
	struct early_ack at[EARLY_ACKS_MAX];
};

int early_acks_new(struct gate *g)
{
	g->early_acks = calloc(1, sizeof(*g->early_acks));
	return g->early_acks ? 0 : -ENOMEM;
}

void early_acks_free(struct gate *g)
{
	free(g->early_acks);
	g->early_acks = NULL;
}

static bool is_alive(const struct early_ack *v)
{
	return v->flow->generation == v->generation && v->flow->live && v->flow->transport;
}

static struct early_ack *find_entry(struct gate *g, const struct flow *f, enum gate_direction d)
{
	for (uint32_t i = 0; i < g->early_acks->n; i++) {
		struct early_ack *v = &g->early_acks->at[i];

		if (v->flow == f && v->direction == d && is_alive(v))
			return v;
	}
	return NULL;
}

/* Returns the end of the octets that can be acknowledged: a FIN is acknowledged by the receiver
 * itself. */
static uint32_t end_of_data(const struct tcp_half *h)
{
	return h->fin && tcp_before(h->fin_seq, h->next) ? h->fin_seq : h->next;
}

bool early_ack_add(const struct gate_walk *w, struct tcp_conn *c)
{
	struct gate *g = w->g;
	const struct gate_packet *p = w->p;
	enum gate_direction d = (enum gate_direction)p->direction;
	const struct tcp_half *h = &c->track.half[d];
	uint32_t to = end_of_data(h);
	struct early_ack *v = find_entry(g, p->flow, d);

	if (g->pass_through || g->recorded || p->p.app > HEAD_MAX || c->track.midstream ||
	    !tcp_before(h->acked, to) ||
	    tcp_history_unknown(&c->history[d], h->acked, to - h->acked, h->acked, true))
		return false;
	if (!v && g->early_acks->n == EARLY_ACKS_MAX)
		return false;
	if (!v)
		v = &g->early_acks->at[g->early_acks->n++];
	*v = (struct early_ack){
		.flow = p->flow,
		.generation = p->flow->generation,
		.direction = (uint8_t)d,
		.due_ns = g->now_ns + FIRST_NS,
		.stuck_ns = g->now_ns + STUCK_NS,
		.acked = h->acked,
		.frame = p->frame,
		.l3 = p->p.l3,
		.l4 = p->p.l4,
		.app = p->p.app,
	};
	memcpy(v->head, p->p.data, p->p.app);
	c->acked_early[d] = true;
	c->early_ack[d] = to;
	gate_tcp_ack_missing(w, c);
	return true;
}

/* --- Sending it once more --------------------------------------------------------------------- */

/* Makes a held frame from the pattern, to make segments from. NULL: there is no room. */
static struct held *take_pattern(struct gate *g, const struct early_ack *v,
				 const struct tcp_conn *c)
{
	enum gate_direction d = (enum gate_direction)v->direction;
	struct frame f = v->frame;
	struct gate_packet q = {0};
	uint8_t head[HEAD_MAX];
	struct held *h;

	memcpy(head, v->head, v->app);
	q.p.data = head;
	verdict_be32(&q, v->l4 + (uint32_t)TCP_ACK_OFF, c->track.half[!d].acked);
	f.data = head;
	f.len = v->app;
	f.offload = (struct frame_offload){0};
	h = held_take(g->held, &f);
	if (!h)
		return NULL;
	h->l3 = v->l3;
	h->l4 = v->l4;
	h->app = v->app;
	return h;
}

/* Retransmits the first octets that the receiver misses, as they were forwarded. False: none of
 * them has been released yet. */
static bool send_again(struct gate *g, const struct early_ack *v, struct tcp_conn *c)
{
	enum gate_direction d = (enum gate_direction)v->direction;
	uint32_t from = c->track.half[d].acked, mss = gate_tcp_mss(c, d),
		 n = c->early_ack[d] - from, out;
	uint32_t options = (uint32_t)(v->app - v->l4) - TCP_HDR_LEN;
	struct wr w = wr_init(g->octets, TCP_GROWN_MAX);
	struct held *h;

	mss = mss > options + 1 ? mss - options : 1;
	mss = mss < MSS_MAX ? mss : MSS_MAX;
	n = n < mss ? n : mss;
	if (tcp_history_unknown(&c->history[d], from, n, from, true))
		return false;
	(void)tcp_history_correct(&c->history[d], from, g->whole, n);
	if (!tcp_stream_again(&c->stream[d], from, span_of(g->whole, n), &w, &out) || w.len == 0)
		return false;
	h = take_pattern(g, v, c);
	if (h)
		gate_tcp_emit(g, c, d, h, out, span_of(g->octets, w.len), mss);
	if (h)
		held_give(g->held, h);
	return true;
}

static void end_dropped(struct gate_walk *w, struct flow *f)
{
	f->dropped = true;
	gate_tcp_end(w, f);
	gate_app_end(w, f);
}

/* Releases held data of a silent sender: it may be waiting for the answer to it. */
static void release_stuck(struct gate_walk *w, struct early_ack *v, int64_t now_ns)
{
	const struct tcp_conn *c = v->flow->transport;
	const struct tcp_stream *s = &c->stream[v->direction];

	if (!s->segments || s->ahead || now_ns - c->shown_ns[v->direction] < STUCK_NS)
		return;
	v->stuck_ns = now_ns + STUCK_NS;
	if (!gate_tcp_unstick(w, v->flow, (enum gate_direction)v->direction))
		end_dropped(w, v->flow);
}

/* Retransmits when the time has come. */
static void retransmit_due(struct gate_walk *w, struct early_ack *v, int64_t now_ns)
{
	v->repeats = 0;
	v->tries = (uint8_t)(v->tries + send_again(w->g, v, v->flow->transport));
	v->due_ns = now_ns + (FIRST_NS << v->tries);
	/* no receiver takes it: the connection is over, as for its sender after so many tries */
	if (v->tries > TRIES_MAX)
		end_dropped(w, v->flow);
}

void early_ack_acked(struct gate_walk *w, struct flow *f, enum gate_direction d, bool again)
{
	struct gate *g = w->g;
	struct tcp_conn *c = f->transport;
	struct early_ack *v = find_entry(g, f, d);

	if (!tcp_before(c->track.half[d].acked, c->early_ack[d])) {
		c->acked_early[d] = false;
		if (v)
			v->flow = NULL;
		return;
	}
	if (!v)
		return;
	if (v->acked != c->track.half[d].acked) {
		v->acked = c->track.half[d].acked;
		v->tries = v->repeats = 0;
		v->due_ns = g->now_ns + FIRST_NS;
	} else if (again && v->repeats < AGAIN_AT && ++v->repeats == AGAIN_AT) {
		/* RFC 5681 3.2; once, until something else is acknowledged */
		(void)send_again(g, v, c);
		v->due_ns = g->now_ns + FIRST_NS;
	}
}

void early_acks_tick(struct gate *g, int64_t now_ns)
{
	struct gate_walk w = gate_walk_without_packet(g);
	struct early_acks *all = g->early_acks;

	for (uint32_t i = 0; i < all->n;) {
		struct early_ack *v = &all->at[i];

		if (!v->flow || !is_alive(v)) {
			*v = all->at[--all->n];
			continue;
		}
		if (now_ns >= v->stuck_ns)
			release_stuck(&w, v, now_ns);
		if (is_alive(v) && now_ns >= v->due_ns)
			retransmit_due(&w, v, now_ns);
		i++;
	}
}
