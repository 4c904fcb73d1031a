/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tcp and tcp_connection: a segment finds its connection, is checked against it, and is either
 * forwarded at once or waits: for segments before it, or for a dissector that needs more data. A
 * change moves all numbers behind it, so each segment and each acknowledgement is translated. A
 * connection without listeners is tracked only, and its segments are forwarded in any order.
 */
#include "gate/engine/app.h"
#include "gate/tcp/tcp_clean.h"
#include "gate/tcp/tcp_follow.h"
#include "gate/tcp/tcp_gap.h"
#include "gate/tcp/tcp_inspect.h"
#include "gate/net/net.h"

/* --- Segments by themselves ------------------------------------------------------------------- */

int receive_tcp(struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	struct rd r = gate_rd(p, p->p.l4);

	if (tcp_read(&r, &w->tcp) < 0)
		return gate_undecided(w, GATE_DROP_TCP_HEADER);
	p->l4_len = w->tcp.hdr_len;
	p->p.sport = w->tcp.sport;
	p->p.dport = w->tcp.dport;
	p->p.app = (uint16_t)(p->p.l4 + p->l4_len);
	p->p.app_len = (uint16_t)(p->end - p->p.app);
	if (!gate_raise(w, EVENT_TCP_receive_packet, NULL))
		return GATE_DROP;
	/* a rule may have written numbers or flags; the header's length is unchanged */
	r = gate_rd(p, p->p.l4);
	if (p->dirty & DIRTY_L4 && tcp_read(&r, &w->tcp) < 0)
		return gate_undecided(w, GATE_DROP_TCP_HEADER);
	return gate_next_dissector(w->g, DISSECT_TCP_CONNECTION);
}

/* --- Connections ------------------------------------------------------------------------------ */

/* Returns the queue of a connection. One that was met in the middle is as expendable as a SYN until
 * its other end acknowledges something: any host can make up a segment. */
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
	uint16_t owner = (uint16_t)(net_owner(g, key) % TCP_POOL_OWNERS);

	for (int d = GATE_UP; d <= GATE_DOWN; d++)
		c->stream[d].owner = c->history[d].owner = owner;
}

static void begin_track(struct gate_walk *w, struct tcp_conn *c)
{
	struct gate *g = w->g;
	const struct gate_packet *p = w->p;

	(void)tcp_track_begin(&c->track, &w->tcp, p->p.app_len);
	c->track.recorded = g->recorded;
}

/* Begins a connection. GATE_ACCEPT: p->flow is set, or the packet is forwarded without one. */
static int begin_connection(struct gate_walk *w, const struct flow_key *key)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	bool syn = (w->tcp.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
	struct tcp_conn *c;

	p->direction = GATE_UP;
	if (!syn && !g->midstream)
		return gate_undecided(w, GATE_DROP_TCP_NO_CONNECTION);
	p->flow = flow_add(g->flows, net_flow_bucket(w, key), key, g->now_ns);
	c = p->flow ? gate_tcp_take(g) : NULL;
	if (!c) {
		if (p->flow)
			flow_end(g->flows, p->flow);
		p->flow = NULL;
		return gate_undecided(w, GATE_DROP_FLOW_LIMIT);
	}
	p->flow->transport = c;
	own_buffers(g, c, key);
	(void)net_flow_side(p, false);
	begin_track(w, c);
	/* where a stream is in the middle of something no dissector of it can begin */
	if (!gate_raise_new(w, EVENT_TCP_CONNECTION_new_connection) ||
	    gate_app_begin(w, !c->track.midstream) == GATE_DROP) {
		p->flow->dropped = true;
		return GATE_DROP;
	}
	c->inspected = g->listeners[EVENT_TCP_CONNECTION_receive_data].n ||
		       p->flow->app != DISSECT_N;
	if (!c->inspected || !(p->p.app_len || w->tcp.flags & TCP_URG))
		return GATE_ACCEPT;
	if (gate_tcp_clean(w) < 0)
		return gate_undecided(w, GATE_DROP_TOO_LONG);
	begin_track(w, c);
	return p->p.app_len ? tcp_inspect(w, c, TCP_SEG_OK) : GATE_ACCEPT;
}

static void count_packet(struct gate_walk *w)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
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
static bool read_ack(struct gate_walk *w, const struct tcp_conn *c, uint32_t *ret_out)
{
	struct gate *g = w->g;
	const struct gate_packet *p = w->p;
	const struct tcp_stream *s = &c->stream[!p->direction];
	const struct tcp_half *half = &c->track.half[!p->direction];

	*ret_out = w->tcp.ack;
	if (!(w->tcp.flags & TCP_ACK) || !c->inspected || g->recorded)
		return true;
	if (!tcp_edits_none(&s->edits))
		w->tcp.ack = tcp_edits_in(&s->edits, *ret_out, false);
	if (s->segments)
		return !tcp_before(s->out, *ret_out);
	return !half->begun || g->fail_open || g->pass_through ||
	       !tcp_before(half->next, w->tcp.ack);
}

/* Forgets the edits of octets before `out`: the receiver has them. */
static void forget_edits(struct gate_walk *w, struct tcp_conn *c, uint32_t out)
{
	struct gate *g = w->g;
	const struct gate_packet *p = w->p;
	struct tcp_stream *s = &c->stream[!p->direction];

	if (!(w->tcp.flags & TCP_ACK) || tcp_edits_none(&s->edits))
		return;
	if (g->recorded)
		out = tcp_edits_out(&s->edits, out, false);
	/* not those that are still to be sent */
	if (s->segments && tcp_before(s->out, out))
		out = s->out;
	tcp_stream_acked(s, g->tcp_pool, out);
}

/* Follows the other direction: the current packet may have acknowledged changes that its segments
 * waited for. */
static void follow_other(struct gate_walk *w, struct tcp_conn *c)
{
	enum gate_direction other = (enum gate_direction) !w->p->direction;

	if (c->stream[other].ahead)
		gate_tcp_follow(w, w->p->flow, other);
}

/* Takes a segment that fits its connection. */
static int take_segment(struct gate_walk *w, struct tcp_conn *c, enum tcp_segment kind,
			uint32_t acked)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;

	if (!gate_raise(w, EVENT_TCP_CONNECTION_receive_packet, p->flow))
		return GATE_DROP;
	if (!c->inspected) {
		tcp_track_take(&c->track, (enum gate_direction)p->direction, &w->tcp, p->p.app_len,
			       true);
		return GATE_ACCEPT;
	}
	forget_edits(w, c, acked);
	follow_other(w, c);
	if (g->recorded && (c->stream[GATE_UP].ahead || c->stream[GATE_DOWN].ahead) &&
	    !p->flow->dropped)
		gate_tcp_fill_gaps(w, c);
	return p->flow->dropped ? tcp_finish(w, false) : tcp_inspect(w, c, kind);
}

/* Refuses a segment from another interface. If it answers the SYN, two interfaces have answered:
 * one answer is made up, and it is unknown which one, so the flow ends. */
static int refuse_side(struct gate_walk *w, const struct tcp_conn *c)
{
	struct gate_packet *p = w->p;
	int r = gate_undecided(w, GATE_DROP_FLOW_SIDE);

	if (r != GATE_DROP ||
	    !tcp_track_is_answer(&c->track, (enum gate_direction)p->direction, &w->tcp))
		return r;
	p->flow->dropped = true;
	return tcp_finish(w, false);
}

/* Handles a segment of a known connection. */
static int continue_connection(struct gate_walk *w, const struct flow_key *key)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct tcp_conn *c = p->flow->transport;
	enum tcp_segment kind;
	uint32_t acked;

	if (!net_flow_side(p, c->inspected))
		return refuse_side(w, c);
	if (c->inspected && w->tcp.flags & (TCP_URG | TCP_RST | TCP_SYN) && gate_tcp_clean(w) < 0)
		return gate_undecided(w, GATE_DROP_TOO_LONG);
	if (c->inspected && unlikely(tcp_before(w->tcp.seq, c->track.half[p->direction].acked)) &&
	    gate_tcp_trim(w, c) < 0)
		return gate_undecided(w, GATE_DROP_TOO_LONG);
	kind = read_ack(w, c, &acked)
		       ? tcp_track_check(&c->track, (enum gate_direction)p->direction, &w->tcp,
					 p->p.app_len)
		       : TCP_SEG_BAD_ACK;
	if (kind == TCP_SEG_RESTART) {
		flow_end(g->flows, p->flow);
		p->flow = NULL;
		return begin_connection(w, key);
	}
	if (drop_of(kind) != GATE_DROP_NONE)
		return gate_undecided(w, drop_of(kind));
	return take_segment(w, c, kind, acked);
}

int receive_tcp_connection(struct gate_walk *w)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct flow_key key;
	int r;

	if (net_checksum(g, p) == CHECKSUM_BAD)
		return gate_undecided(w, GATE_DROP_TCP_CHECKSUM);
	net_flow_key(p, &key);
	w->taken = false;
	p->flow = flow_find_at(g->flows, net_flow_bucket(w, &key), &key, g->now_ns, &p->direction);
	if (p->flow && (p->flow->dropped || !p->flow->transport)) {
		count_packet(w);
		p->drop = GATE_DROP_FLOW_DROPPED;
		return GATE_DROP;
	}
	r = p->flow ? continue_connection(w, &key) : begin_connection(w, &key);
	if (p->flow)
		count_packet(w);
	return r == GATE_ACCEPT && p->flow
		       ? gate_next_dissector(g, (enum gate_dissector)p->flow->app)
		       : r;
}
