/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A segment that is forwarded is completed in its place, or, where it waited, is cut anew: its
 * received headers, other octets behind them, and lengths, numbers and checksums for those.
 */
#include "gate/tcp/tcp_emit.h"

#include "gate/engine/held.h"
#include "gate/engine/verdict.h"
#include "gate/net/fragment.h"
#include "gate/net/net.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"

enum { MSS_DEFAULT = 536, MSS_LEAST = 64, STAMPS_LEN = 8 };

uint32_t gate_tcp_mss(const struct tcp_conn *c, enum gate_direction d)
{
	uint16_t mss = c->track.half[!d].mss;

	/* a smaller one is nothing but work */
	return mss == 0 ? MSS_DEFAULT : mss < MSS_LEAST ? MSS_LEAST : mss;
}

uint32_t gate_tcp_room(struct gate *g, const struct tcp_conn *c, enum gate_direction d,
		       const struct frame *f, const uint8_t *data, uint32_t l3, uint32_t l4)
{
	uint32_t mss = gate_tcp_mss(c, d), headers = l4 - l3 + (uint32_t)TCP_HDR_LEN,
		 room = net_room(g, f, data, l3);

	/* the MSS counts no options of the IPv4 header (RFC 6691 2) */
	room = room > headers + MSS_LEAST ? room - headers : MSS_LEAST;
	return room < mss ? room : mss;
}

/* --- Numbers ---------------------------------------------------------------------------------- */

/* Replaces SACK blocks (RFC 2018) by NOPs: they have numbers that the sender does not know. */
static void blank_sack(uint8_t *options, size_t n)
{
	struct tcp_option_place o;

	for (size_t at = 0; tcp_next_option(span_of(options, n), &at, &o);)
		if (o.kind == TCP_OPT_SACK)
			memset(options + o.at, TCP_OPTION_NOP, at - o.at);
}

/* Renews time stamps: other segments may have been forwarded meanwhile, and an older time stamp
 * would mark an old segment (RFC 7323 5). */
static void renew_stamps(uint8_t *options, size_t n, const struct tcp_conn *c,
			 enum gate_direction d)
{
	struct tcp_option_place o;

	for (size_t at = 0; tcp_next_option(span_of(options, n), &at, &o);)
		if (o.kind == TCP_OPT_TIMESTAMPS && o.data.n == STAMPS_LEN) {
			struct wr w = wr_init(options + at - STAMPS_LEN, STAMPS_LEN);

			wr_be32(&w, c->stamp[d]);
			wr_be32(&w, c->stamp[!d]);
		}
}

void gate_tcp_translate_ack(struct gate_walk *w, const struct tcp_conn *c)
{
	struct gate_packet *p = w->p;

	if (tcp_edits_none(&c->stream[!p->direction].edits))
		return;
	/* on a wire it was in the receiver's numbers, and is to be in the sender's; a recording has
	 * the sender's already */
	if (w->tcp.flags & TCP_ACK)
		verdict_be32(p, p->p.l4 + (uint32_t)TCP_ACK_OFF,
			     w->g->recorded ? tcp_edits_out(&c->stream[!p->direction].edits,
							    w->tcp.ack, false)
					    : w->tcp.ack);
	blank_sack(p->p.data + p->p.l4 + TCP_HDR_LEN, p->l4_len - (size_t)TCP_HDR_LEN);
}

void gate_tcp_translate(struct gate_walk *w, const struct tcp_conn *c)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	const struct tcp_edits *mine = &c->stream[p->direction].edits,
			       *theirs = &c->stream[!p->direction].edits;

	if ((tcp_edits_none(mine) && tcp_edits_none(theirs)) || g->pass_through)
		return;
	(void)net_checksum(g, p);
	verdict_be32(p, p->p.l4 + (uint32_t)TCP_SEQ_OFF, tcp_edits_out(mine, w->tcp.seq, false));
	gate_tcp_translate_ack(w, c);
	p->dirty |= DIRTY_L4;
}

/* --- Headers ---------------------------------------------------------------------------------- */

void send_tcp(struct gate *g, struct gate_packet *p)
{
	uint32_t len = (uint32_t)p->l4_len + p->p.app_len;
	uint32_t at = p->p.l4 + (uint32_t)TCP_CSUM_OFF;
	uint32_t pseudo = net_pseudo_sum(p, len);

	if (p->frame.flags & FRAME_CSUM_NOT_READY && frames_offload(g->frames))
		verdict_be16(p, at, (uint16_t)~checksum_fold(pseudo));
	else if (p->checksum != CHECKSUM_BAD)
		verdict_checksum(p, at, pseudo, p->p.l4, len);
}

/* --- Segments that waited --------------------------------------------------------------------- */

struct emission {
	struct gate *g;
	struct tcp_conn *conn;
	enum gate_direction direction;
};

/* Clears SYN in all segments but the first. A SYN has the number before its data, and is sent with
 * the first octets only. */
static void place_syn(struct gate *g, const struct held *h, uint32_t *out)
{
	uint8_t *tcp = g->piece + h->l4;

	if (tcp_flags(tcp) & TCP_SYN && !h->begun)
		(*out)--;
	else
		tcp_clear_flags(tcp, TCP_SYN);
}

/* Makes a frame from a held one's headers and other octets. Returns its length. */
static uint32_t compose_segment(const struct emission *e, const struct held *h, uint32_t out,
				struct span octets, bool last)
{
	struct gate *g = e->g;
	struct gate_packet p = {.frame = h->frame, .proto = IPV4_PROTO_TCP};

	memcpy(g->piece, h->data, h->app);
	if (octets.n)
		memcpy(g->piece + h->app, octets.p, octets.n);
	p.p.data = g->piece;
	place_syn(g, h, &out);
	verdict_be32(&p, h->l4 + (uint32_t)TCP_SEQ_OFF, out);
	if (e->conn->stamped[e->direction])
		renew_stamps(g->piece + h->l4 + TCP_HDR_LEN, h->app - h->l4 - (size_t)TCP_HDR_LEN,
			     e->conn, e->direction);
	if (!last)
		tcp_clear_flags(g->piece + h->l4, TCP_FIN | TCP_PSH);
	p.p.l3 = h->l3;
	p.p.l4 = h->l4;
	p.p.app_len = (uint16_t)octets.n;
	p.l3_len = (uint8_t)(h->l4 - h->l3);
	p.l4_len = (uint8_t)(h->app - h->l4);
	p.end = (uint32_t)(h->app + octets.n);
	p.dirty = DIRTY_L3 | DIRTY_L4 | DIRTY_LENGTH;
	net_read_addresses(&p);
	send_tcp(g, &p);
	net_complete(g, &p);
	return p.end;
}

static void emit_segment(void *ctx, struct held *h, uint32_t out, struct span octets, bool last)
{
	const struct emission *e = ctx;
	struct gate *g = e->g;
	struct span s;

	if (!h->owed)
		return;
	s = span_of(g->piece, compose_segment(e, h, out, octets, last));
	h->begun = true;
	/* data that fits into a packet is not cut any more */
	if (octets.n <= h->frame.offload.gso_size)
		h->frame.offload.gso_type = 0;
	if (last) {
		h->owed = false;
		g->counters.held--;
		g->counters.modified += !tcp_edits_none(&e->conn->stream[e->direction].edits);
	}
	if (h->fragment && s.n - h->l4 > h->fragment) {
		g->counters.accepted += last;
		fragment_inject(g, &h->frame, s, h->l3, h->l4, h->fragment);
	} else if (last) {
		gate_release_as(g, h, s);
	} else if (frames_inject(g->frames, &h->frame, s) < 0) {
		g->counters.drops[GATE_DROP_SEND_FAILED]++;
	}
	(void)frames_flush(g->frames);
}

void gate_tcp_emit(struct gate *g, struct tcp_conn *c, enum gate_direction d, struct held *h,
		   uint32_t out, struct span octets, uint32_t room)
{
	struct emission e = {g, c, d};

	for (uint32_t done = 0; done < octets.n; done += room)
		emit_segment(&e, h, out + done, span_sub(octets, done, room), false);
}

void gate_tcp_let_go(struct gate *g, struct tcp_conn *c, enum gate_direction d, uint32_t n)
{
	struct emission e = {g, c, d};
	struct tcp_stream *s = &c->stream[d];
	const struct held *h = s->segments;
	uint32_t max = gate_tcp_mss(c, d);

	/* unchanged segments keep their lengths */
	if (h && !tcp_edits_none(&s->edits))
		max = gate_tcp_room(g, c, d, &h->frame, h->data, h->l3, h->l4);
	tcp_stream_release(s, g->tcp_pool, n < s->n ? n : s->n, max, emit_segment, &e);
}
