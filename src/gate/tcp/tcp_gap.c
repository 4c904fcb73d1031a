/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A capture may also hold segments a little out of order, or an acknowledgement before its data. So
 * octets count as missing when their receiver has acknowledged them and a few more packets came; or
 * when many packets or seconds went by.
 */
#include "gate/tcp/tcp_gap.h"

#include "base/clock.h"
#include "gate/engine/held.h"
#include "gate/tcp/tcp_follow.h"

enum { ACKED_PACKETS = 3, PACKETS_MAX = 64, FILL_LEN = 16 * 1024 };

#define GAP_NS (2 * NS_PER_S)

static bool is_missing(const struct tcp_conn *c, enum gate_direction d, int64_t now_ns)
{
	const struct tcp_gap *gap = &c->gap[d];
	bool acked = !tcp_before(c->track.half[d].acked, c->stream[d].ahead->from);

	return (acked && gap->packets >= ACKED_PACKETS) || gap->packets >= PACKETS_MAX ||
	       now_ns - gap->since_ns >= GAP_NS;
}

/* Keeps at most n octets of value 0, like a segment whose frame has been forwarded. Returns how
 * many; 0: there is no room. */
static uint32_t keep_zeros(struct gate *g, struct tcp_conn *c, enum gate_direction d, uint32_t n)
{
	static const uint8_t zeros[FILL_LEN];
	struct tcp_stream *s = &c->stream[d];
	struct frame f = s->ahead->frame;
	struct held *h;

	n = n < FILL_LEN ? n : FILL_LEN;
	f.len = s->ahead->app;
	if (tcp_stream_append(s, g->tcp_pool, &f, c->track.half[d].next, span_of(zeros, n)) < 0)
		return 0;
	for (h = s->segments; h->next; h = h->next)
		;
	h->l3 = s->ahead->l3;
	h->l4 = s->ahead->l4;
	h->app = s->ahead->app;
	h->owed = false;
	return n;
}

static void fill_gap(struct gate_walk *w, struct flow *f, enum gate_direction d)
{
	struct gate *g = w->g;
	struct tcp_conn *c = f->transport;
	struct tcp_stream *s = &c->stream[d];

	g->counters.gaps++;
	while (!f->dropped && s->ahead && tcp_before(c->track.half[d].next, s->ahead->from)) {
		uint32_t n = keep_zeros(g, c, d, s->ahead->from - c->track.half[d].next);

		if (!n) {
			/* too much is pending: it is released, and patterns across it are not
			 * found */
			if (!s->segments)
				break;
			gate_tcp_advance(w, f, d, true);
			continue;
		}
		tcp_track_next(&c->track, d, c->track.half[d].next + n);
		gate_tcp_advance(w, f, d, false);
	}
	if (!f->dropped)
		gate_tcp_follow(w, f, d);
}

void gate_tcp_fill_gaps(struct gate_walk *w, struct tcp_conn *c)
{
	const struct gate *g = w->g;
	struct flow *f = w->p->flow;

	for (enum gate_direction d = GATE_UP; d <= GATE_DOWN && !f->dropped; d++) {
		struct tcp_gap *gap = &c->gap[d];
		const struct held *first = c->stream[d].ahead;

		if (!first || !tcp_before(c->track.half[d].next, first->from)) {
			gap->packets = 0; /* another one, later, counts from its own beginning */
			continue;
		}
		if (gap->packets++ == 0)
			gap->since_ns = g->now_ns;
		if (is_missing(c, d, g->now_ns))
			fill_gap(w, f, d);
	}
}
