/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Connects defrag.c with the engine. An unchanged datagram leaves in its own fragments,
 * octet by octet as they came; a changed one is cut anew, at the size of its first fragment.
 */
#include "gate/net/fragment.h"

#include "gate/engine/held.h"

#include "gate/engine/verdict.h"
#include "gate/net/defrag.h"
#include "gate/net/net.h"
#include "wire/eth.h"
#include "wire/ipv4.h"

#include <errno.h>

static void release_all(struct gate *g, struct held *list, int how, enum gate_drop why)
{
	while (list) {
		struct held *next = list->next;

		gate_release(g, list, how, why);
		(void)frames_flush(g->frames);
		held_give(g->held, list);
		list = next;
	}
}

static int refuse_list(struct gate_walk *w, struct held *list, enum gate_drop why)
{
	int how = gate_undecided(w, why);

	release_all(w->g, list, how, why);
	return how;
}

/* Reads the link header once more: it is the first fragment's now, and may have other tags in front
 * than the fragment that came last. */
static void read_link(struct gate_packet *p)
{
	struct rd r = rd_init(span_of(p->p.data, p->p.l3));
	struct eth_hdr eth;

	if (p->p.l2 == PACKET_NO_LAYER || !eth_read(&r, &eth))
		return;
	p->n_tags = eth.n_tags;
	memcpy(p->p.l2_src, eth.src, ETH_ADDR_LEN);
	memcpy(p->p.l2_dst, eth.dst, ETH_ADDR_LEN);
}

static int join_list(struct gate_walk *w, struct held *list)
{
	const struct gate *g = w->g;
	struct gate_packet *p = w->p;
	uint32_t len;

	p->fragments = list;
	len = defrag_join(list, g->scratch, FRAME_MAX_LEN, &p->p.l3);
	if (!len)
		return gate_undecided(w, GATE_DROP_TOO_LONG);
	p->p.data = g->scratch;
	read_link(p);
	p->p.cap = FRAME_MAX_LEN;
	p->p.len = p->end = len;
	p->l3_len = ipv4_hdr_len(g->scratch[p->p.l3]);
	p->p.l4 = (uint16_t)(p->p.l3 + p->l3_len);
	p->dirty = 0;
	return DISSECT_IPV4;
}

int fragment_reassemble(struct gate_walk *w, const struct ipv4_hdr *ip)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct frame frame = p->frame;
	struct defrag_fragment f = {
		.frame = &frame,
		.src = p->p.src,
		.dst = p->p.dst,
		.id = ip->id,
		.vlans = p->vlans,
		.port = p->frame.port,
		.proto = p->proto,
		.more = ip->frag & IPV4_MF,
		.offset = (uint32_t)(ip->frag & IPV4_OFFSET_MASK) * 8,
		.l3 = p->p.l3,
		.l4 = p->p.l4,
		.end = p->end,
	};
	struct held *list;

	if (p->dirty)
		net_complete(g, p);
	frame.data = p->p.data;
	frame.len = p->p.len;
	switch (defrag_add(g->defrag, &f, g->now_ns, &list)) {
	case DEFRAG_HELD:
		g->counters.held += !g->pass_through;
		return GATE_HOLD;
	case DEFRAG_COMPLETE:
		g->counters.held += !g->pass_through;
		return join_list(w, list);
	case DEFRAG_DUPLICATE:
		/* perhaps equal octets: they are not needed, because the first ones are here */
		p->drop = GATE_DROP_FRAGMENT_OVERLAP;
		return GATE_DROP;
	case DEFRAG_OVERLAP:
		return refuse_list(w, list, GATE_DROP_FRAGMENT_OVERLAP);
	case DEFRAG_INVALID:
		return refuse_list(w, list, GATE_DROP_FRAGMENT_INVALID);
	case DEFRAG_LIMIT:
	default:
		return refuse_list(w, list, GATE_DROP_FRAGMENT_LIMIT);
	}
}

/* Makes the piece of n octets of payload at off a datagram of its own, in g->piece. Returns its
 * length. */
static uint32_t cut_piece(const struct gate *g, const struct gate_packet *p, uint32_t off,
			  uint32_t n, bool last)
{
	struct gate_packet piece = *p;

	memcpy(g->piece, p->p.data, p->p.l4);
	memcpy(g->piece + p->p.l4, p->p.data + p->p.l4 + off, n);
	piece.p.data = g->piece;
	verdict_be16(&piece, p->p.l3 + (uint32_t)IPV4_LEN_OFF, (uint16_t)(p->l3_len + n));
	verdict_be16(&piece, p->p.l3 + (uint32_t)IPV4_FRAG_OFF,
		     (uint16_t)(off / 8 | (last ? 0 : IPV4_MF)));
	verdict_checksum(&piece, p->p.l3 + (uint32_t)IPV4_CSUM_OFF, 0, p->p.l3, p->l3_len);
	return p->p.l4 + n;
}

uint32_t fragment_len(const struct held *list)
{
	uint32_t longest = 8;

	for (const struct held *h = list; h; h = h->next)
		if (h->to - h->from > longest)
			longest = h->to - h->from;
	return longest & ~UINT32_C(7);
}

void fragment_inject(struct gate *g, const struct frame *like, struct span datagram, uint16_t l3,
		     uint16_t l4, uint32_t step)
{
	struct gate_packet p = {.l3_len = (uint8_t)(l4 - l3)};
	uint32_t total = (uint32_t)datagram.n - l4;

	/* the source of cut_piece() */
	p.p.data = g->whole;
	memcpy(g->whole, datagram.p, datagram.n);
	p.p.l3 = l3;
	p.p.l4 = l4;
	for (uint32_t off = 0; off < total; off += step) {
		uint32_t n = total - off < step ? total - off : step;
		struct span s = span_of(g->piece, cut_piece(g, &p, off, n, off + n == total));

		if (frames_inject(g->frames, like, s) < 0)
			g->counters.drops[GATE_DROP_SEND_FAILED]++;
		(void)frames_flush(g->frames);
	}
}

static void release_changed(struct gate *g, struct gate_packet *p)
{
	uint32_t total = p->end - p->p.l4, step = fragment_len(p->fragments), off = 0;
	struct held *h = p->fragments;
	struct frame like = p->frame;

	do {
		uint32_t n = total - off < step ? total - off : step;
		struct span s = span_of(g->piece, cut_piece(g, p, off, n, off + n == total));

		if (h) {
			gate_release_as(g, h, s);
			h->owed = false;
			g->counters.held--;
			h = h->next;
		} else if (frames_inject(g->frames, &like, s) < 0) {
			g->counters.drops[GATE_DROP_SEND_FAILED]++;
		}
		(void)frames_flush(g->frames);
		off += n;
	} while (off < total);
	g->counters.modified++;
	/* fewer pieces than before: the frames that are left carry nothing any more */
	release_all(g, p->fragments, GATE_DROP, GATE_DROP_CONSUMED);
}

/* --- Datagrams that grew ---------------------------------------------------------------------- */

static bool may_cut(const struct gate_packet *p)
{
	struct rd r = rd_init(span_of(p->p.data + p->p.l3 + IPV4_FRAG_OFF, 2));

	return !(rd_be16(&r) & IPV4_DF);
}

/* Returns the payload of a piece of a datagram that is longer than the MTU of its way out; 0: it
 * must not be cut; -1: it is not longer. */
static int64_t step_of(struct gate *g, const struct gate_packet *p)
{
	uint32_t room;

	if (p->p.l3 == PACKET_NO_LAYER || p->p.l4 == PACKET_NO_LAYER || p->frame.offload.gso_type)
		return -1;
	room = net_room(g, &p->frame, p->p.data, p->p.l3);
	if (p->end - p->p.l3 <= room)
		return -1;
	return may_cut(p) && room > p->l3_len ? (room - p->l3_len) & ~UINT32_C(7) : 0;
}

/* Sends a datagram in pieces: the first one as the frame's verdict, the others as the gate's own
 * frames. */
static int send_pieces(struct gate *g, const struct gate_packet *p, uint32_t step, bool injected)
{
	uint32_t total = p->end - p->p.l4;
	int failed = 0;

	for (uint32_t off = 0; off < total; off += step) {
		uint32_t n = total - off < step ? total - off : step;
		struct span s = span_of(g->piece, cut_piece(g, p, off, n, off + n == total));
		int r = off || injected ? frames_inject(g->frames, &p->frame, s)
					: frames_verdict(g->frames, &p->frame, FRAME_ACCEPT, s);

		if (r < 0)
			g->counters.drops[GATE_DROP_SEND_FAILED]++;
		failed = failed ? failed : r;
		(void)frames_flush(g->frames);
	}
	return failed;
}

bool fragment_release_longer(struct gate *g, struct gate_packet *p)
{
	int64_t step = step_of(g, p);

	if (step < 0)
		return false;
	if (step > 0) {
		g->counters.accepted++;
		g->counters.modified++;
		(void)send_pieces(g, p, (uint32_t)step, false);
		return true;
	}
	g->counters.dropped++;
	g->counters.drops[GATE_DROP_TOO_LONG]++;
	(void)frames_verdict(g->frames, &p->frame, FRAME_DROP, SPAN_NULL);
	return true;
}

int fragment_inject_created(struct gate *g, const struct gate_packet *p)
{
	int64_t step = step_of(g, p);
	int r;

	if (step > 0)
		return send_pieces(g, p, (uint32_t)step, true);
	if (step == 0) {
		g->counters.drops[GATE_DROP_TOO_LONG]++;
		return -EMSGSIZE;
	}
	r = frames_inject(g->frames, &p->frame, span_of(p->p.data, p->p.len));
	(void)frames_flush(g->frames);
	if (r < 0)
		g->counters.drops[GATE_DROP_SEND_FAILED]++;
	return r;
}

void fragment_release_all(struct gate *g, struct gate_packet *p, int how)
{
	for (struct held *h = p->fragments; h; h = h->next)
		h->frame.not_to = g->pass_through ? 0 : p->frame.not_to;
	if (how == GATE_ACCEPT && p->dirty && !g->pass_through) {
		release_changed(g, p);
		return;
	}
	/* kept, as one: its pieces carry nothing any more */
	if (how == GATE_HOLD && !g->pass_through)
		release_all(g, p->fragments, GATE_DROP, GATE_DROP_CONSUMED);
	else
		release_all(g, p->fragments, g->pass_through ? GATE_ACCEPT : how, p->drop);
	if (!g->pass_through)
		return;
	/* the last one is no copy */
	g->counters.accepted++;
	(void)frames_verdict(g->frames, &p->frame, FRAME_ACCEPT,
			     span_of(p->frame.data, p->frame.len));
}
