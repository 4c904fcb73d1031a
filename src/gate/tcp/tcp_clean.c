/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Parts of a segment whose meaning depends on the receiver:
 *  - urgent data (RFC 9293 3.8.5, RFC 6093): most receivers take one octet out of the stream, so
 * that "ev?il" is read as "evil"; without the flag it stays where the rules saw it;
 *  - data of a reset (RFC 9293 3.10.7): no part of the stream;
 *  - data of a SYN (RFC 7413): a server without a cookie for its client drops it. The client sends
 * it once more when it is not acknowledged (RFC 7413 4.1.3), and it is inspected then. A recording
 * holds no second copy, so it stays there;
 *  - octets that the receiver has acknowledged, so that the gate does not remember them. The
 * receiver that acknowledged them drops them, but another one may read them: a host that knows of
 * an older connection, if the acknowledgement was forged. Without them the segment still asks for
 * an acknowledgement (RFC 9293 3.10.7.4: its number is not acceptable).
 */
#include "gate/tcp/tcp_clean.h"

#include "base/error.h"
#include "gate/engine/verdict.h"

static int clear_urgent(struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	const uint8_t none[2] = {0}, flags = w->tcp.flags & (uint8_t)~TCP_URG;
	int r = verdict_write(w->g, p, p->p.l4 + (uint32_t)TCP_FLAGS_OFF, &flags, 1);

	if (r == 0)
		r = verdict_write(w->g, p, p->p.l4 + (uint32_t)TCP_URP_OFF, none, sizeof(none));
	w->tcp.flags = flags;
	return r;
}

int gate_tcp_clean(struct gate_walk *w)
{
	struct gate *g = w->g;
	const struct gate_packet *p = w->p;
	bool bare = w->tcp.flags & TCP_RST || (w->tcp.flags & TCP_SYN && !g->recorded);
	int r = 0;

	if (g->pass_through)
		return 0;
	if (w->tcp.flags & TCP_URG)
		r = clear_urgent(w);
	if (r == 0 && bare && p->p.app_len)
		r = verdict_splice(g, w->p, p->p.app, p->p.app_len, SPAN_NULL);
	return r < 0 ? -USHER_E_LIMIT : 0;
}

int gate_tcp_trim(struct gate_walk *w, const struct tcp_conn *c)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	const struct tcp_half *half = &c->track.half[p->direction];
	uint32_t n = half->acked - w->tcp.seq, seq = w->tcp.seq;
	uint8_t octets[4];
	struct wr number = wr_init(octets, sizeof(octets));
	int r;

	if (g->pass_through || g->recorded || !half->begun || !half->heard || p->p.app_len == 0 ||
	    w->tcp.flags & (TCP_SYN | TCP_RST) || !tcp_before(seq, half->acked))
		return 0;
	n = n < p->p.app_len ? n : p->p.app_len;
	/* a segment that is empty keeps its number, which the receiver answers; a FIN keeps its
	 * own */
	if (n < p->p.app_len || w->tcp.flags & TCP_FIN)
		seq += n;
	wr_be32(&number, seq);
	r = verdict_splice(g, p, p->p.app, n, SPAN_NULL);
	if (r == 0)
		r = verdict_write(g, p, p->p.l4 + (uint32_t)TCP_SEQ_OFF, octets, sizeof(octets));
	w->tcp.seq = seq;
	g->counters.trimmed++;
	return r < 0 ? -USHER_E_LIMIT : 0;
}
