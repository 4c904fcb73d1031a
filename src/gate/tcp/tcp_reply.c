/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Segments of the gate's own: resets, and acknowledgements that report missing data. They are made
 * from the headers of the current packet, in either direction.
 */
#include "gate/tcp/tcp_reply.h"

#include "gate/engine/held.h"
#include "gate/net/net.h"
#include "gate/tcp/tcp_emit.h"
#include "wire/ipv4.h"

enum { NOP = 1, TS_LEN = 10, SACK_HEAD = 2, BLOCK_LEN = 8, BLOCKS_MAX = 3 };

/* Returns the next sequence number that the receiver of direction d expects. Held data and the
 * current segment are never delivered to it. */
static uint32_t next_out(const struct gate_walk *w, const struct tcp_conn *c, enum gate_direction d)
{
	const struct tcp_stream *s = &c->stream[d];

	if (s->segments)
		return s->out;
	return tcp_edits_out(&s->edits,
			     d == w->p->direction && w->taken ? w->tcp.seq : c->track.half[d].next,
			     false);
}

/* Sends a segment without data to the receiver of direction d, beside the current packet. */
static void send_own(const struct gate_walk *walk, enum gate_direction d, struct tcp_hdr *h)
{
	struct gate *g = walk->g;
	const struct gate_packet *p = walk->p;
	bool back = d != p->direction;
	uint32_t l4 = p->p.l4;
	struct gate_packet q = {.frame = p->frame, .proto = IPV4_PROTO_TCP};
	struct wr w = wr_init(g->piece, FRAME_MAX_LEN);

	h->sport = back ? p->p.dport : p->p.sport;
	h->dport = back ? p->p.sport : p->p.dport;
	wr_bytes(&w, p->p.data, l4);
	tcp_write(&w, h);
	q.p = (struct packet){.data = g->piece,
			      .len = (uint32_t)w.len,
			      .l3 = p->p.l3,
			      .l4 = p->p.l4};
	q.p.src = back ? p->p.dst : p->p.src;
	q.p.dst = back ? p->p.src : p->p.dst;
	q.l3_len = p->l3_len;
	q.l4_len = (uint8_t)(w.len - l4);
	q.end = (uint32_t)w.len;
	q.dirty = DIRTY_L3 | DIRTY_L4 | DIRTY_LENGTH;
	q.frame.flags = 0;
	q.frame.offload = (struct frame_offload){0};
	net_write_addresses(&q);
	if (back && p->p.l2 != PACKET_NO_LAYER) {
		memcpy(g->piece, p->p.l2_src, sizeof(p->p.l2_src));
		memcpy(g->piece + sizeof(p->p.l2_src), p->p.l2_dst, sizeof(p->p.l2_dst));
	}
	if (back)
		q.frame.port |= FRAME_BACK;
	send_tcp(g, &q);
	net_complete(g, &q);
	if (frames_inject(g->frames, &q.frame, span_of(g->piece, w.len)) < 0)
		g->counters.drops[GATE_DROP_SEND_FAILED]++;
	(void)frames_flush(g->frames);
}

/* --- Resets ----------------------------------------------------------------------------------- */

void gate_tcp_reset_to(const struct gate_walk *w, struct flow *f, enum gate_direction d)
{
	struct tcp_conn *c = f->transport;
	struct tcp_hdr h = {.flags = TCP_RST | TCP_ACK};

	/* the frames are made from one of the connection: there is a current one whenever a rule
	 * runs */
	if (w->g->pass_through || !gate_walk_is_of(w, f) || !c)
		return;
	h.seq = next_out(w, c, d);
	h.ack = c->track.half[!d].next;
	send_own(w, d, &h);
}

void gate_tcp_reset(const struct gate_walk *w, struct flow *f)
{
	gate_tcp_reset_to(w, f, GATE_UP);
	gate_tcp_reset_to(w, f, GATE_DOWN);
}

/* --- Missing data ----------------------------------------------------------------------------- */

struct block {
	uint32_t from, to;
};

/* Lists the data behind the gap, as runs; the one with `number` in it first (RFC 2018 4). Returns
 * how many. */
static unsigned blocks_of(const struct tcp_stream *s, uint32_t number, struct block ret[BLOCKS_MAX])
{
	struct block run = {0};
	unsigned n = 1;
	bool any = false;

	ret[0] = (struct block){0};
	for (const struct held *h = s->ahead; h; h = h->next) {
		if (any && !tcp_before(run.to, h->from)) {
			run.to = tcp_before(run.to, h->to) ? h->to : run.to;
		} else {
			run = (struct block){h->from, h->to};
			any = true;
		}
		if (h->next && !tcp_before(run.to, h->next->from))
			continue;
		if (!tcp_before(number, run.from) && tcp_before(number, run.to))
			ret[0] = run;
		else if (n < BLOCKS_MAX)
			ret[n++] = run;
	}
	return ret[0].from == ret[0].to ? 0 : n;
}

static void write_options(struct wr *w, const struct tcp_hdr *theirs_hdr, const struct tcp_conn *c,
			  enum gate_direction to, const struct block *blocks, unsigned n)
{
	struct span theirs = tcp_option(theirs_hdr, TCP_OPT_TIMESTAMPS);
	struct rd r = rd_init(theirs);

	if (c->stamped[to] && theirs.n == BLOCK_LEN) {
		wr_be16(w, NOP << 8 | NOP);
		wr_be16(w, TCP_OPT_TIMESTAMPS << 8 | TS_LEN);
		wr_be32(w, c->stamp[to]);
		wr_be32(w, rd_be32(&r));
	}
	if (!n || !c->track.half[GATE_UP].sack || !c->track.half[GATE_DOWN].sack)
		return;
	wr_be16(w, NOP << 8 | NOP);
	wr_be16(w, (uint16_t)(TCP_OPT_SACK << 8 | (SACK_HEAD + n * BLOCK_LEN)));
	for (unsigned i = 0; i < n; i++) {
		wr_be32(w, blocks[i].from);
		wr_be32(w, blocks[i].to);
	}
}

void gate_tcp_ack_missing(const struct gate_walk *w, struct tcp_conn *c)
{
	enum gate_direction d = (enum gate_direction)w->p->direction, to = (enum gate_direction) !d;
	uint8_t octets[TCP_MAX_HDR_LEN - TCP_HDR_LEN];
	struct wr options = wr_init(octets, sizeof(octets));
	struct block blocks[BLOCKS_MAX];
	struct tcp_hdr h = {.flags = TCP_ACK};

	/* in a recording it would have no receiver */
	if (w->g->pass_through || w->g->recorded || c->track.state < TCP_ESTABLISHED ||
	    c->track.state > TCP_CLOSING)
		return;
	h.seq = next_out(w, c, to);
	h.ack = c->acked_early[d] ? c->early_ack[d] : c->track.half[d].acked;
	h.wnd = tcp_track_window(&c->track, to, h.ack);
	write_options(&options, &w->tcp, c, to, blocks,
		      blocks_of(&c->stream[d], w->tcp.seq, blocks));
	h.options = span_of(octets, options.len);
	send_own(w, to, &h);
}
