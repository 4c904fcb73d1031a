/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Segments that are kept: copies of their frames wait in the stream, for segments before them or
 * for a dissector that needs more data.
 */
#include "gate/tcp/tcp_keep.h"

#include "gate/engine/held.h"
#include "gate/net/fragment.h"
#include "gate/tcp/tcp_emit.h"

struct frame tcp_frame_of(const struct gate_packet *p)
{
	struct frame f = p->frame;

	f.data = p->p.data;
	f.len = p->end;
	/* the frames that it came in get their verdicts, and the copy is the gate's own */
	if (p->fragments)
		f.flags |= FRAME_CREATED;
	return f;
}

void tcp_note_offsets(const struct gate_packet *p, struct held *h)
{
	h->l3 = p->p.l3;
	h->l4 = p->p.l4;
	h->app = p->p.app;
	h->fragment = p->fragments ? (uint16_t)fragment_len(p->fragments) : 0;
}

int tcp_keep_data(struct gate *g, const struct gate_packet *p, struct tcp_conn *c, uint32_t from,
		  struct span data)
{
	struct tcp_stream *s = &c->stream[p->direction];
	struct frame f = tcp_frame_of(p);
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
	tcp_note_offsets(p, h);
	g->counters.held += h->owed;
	return 0;
}

int tcp_keep_segment(struct gate_walk *w, struct tcp_conn *c, uint32_t skip)
{
	struct gate_packet *p = w->p;
	uint32_t from = w->tcp.seq + !!(w->tcp.flags & TCP_SYN) + skip;

	gate_tcp_translate_ack(w, c);
	return tcp_keep_data(w->g, p, c, from,
			     span_of(p->p.data + p->p.app + skip, p->p.app_len - skip));
}
