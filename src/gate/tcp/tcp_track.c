/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The checks are those a receiver makes, with one difference: a gate sees segments before the
 * receiver, so windows and acknowledgements are taken at their largest. The receiver may still
 * refuse a segment that the gate accepts; no receiver would accept one that the gate refuses.
 */
#include "gate/tcp/tcp_track.h"

enum { NO_WSCALE = 0xff, MAX_WSCALE = 14, WINDOW_LEAST = 65535, RECORDED_GAP = 1 << 20 };

static const char *const state_names[TCP_N_STATES] = {
	[TCP_SYN_SENT] = "syn_sent",
	[TCP_SYN_RECEIVED] = "syn_received",
	[TCP_ESTABLISHED] = "established",
	[TCP_FIN_WAIT] = "fin_wait_1",
	[TCP_CLOSING] = "closing",
	[TCP_TIME_WAIT] = "timed_wait",
	[TCP_RESET] = "reset",
};

const char *tcp_state_name(enum tcp_state s)
{
	return (unsigned)s < TCP_N_STATES ? state_names[s] : "";
}

struct span tcp_option(const struct tcp_hdr *h, uint8_t kind)
{
	struct tcp_option_place o;

	for (size_t at = 0; tcp_next_option(h->options, &at, &o);)
		if (o.kind == kind)
			return o.data.n ? o.data : span_of(h->options.p, 0);
	return SPAN_NULL;
}

static uint32_t seq_max(uint32_t a, uint32_t b)
{
	return tcp_before(a, b) ? b : a;
}

/* Returns the length of a segment in sequence numbers. */
static uint32_t span_len(const struct tcp_hdr *h, uint32_t len)
{
	return len + !!(h->flags & TCP_SYN) + !!(h->flags & TCP_FIN);
}

static uint32_t window_of(const struct tcp_track *t, enum gate_direction d, const struct tcp_hdr *h)
{
	const struct tcp_half *me = &t->half[d], *other = &t->half[!d];
	bool scaled = !(h->flags & TCP_SYN) && me->wscale != NO_WSCALE &&
		      other->wscale != NO_WSCALE;

	/* without the handshake the scale is not known: the largest there is */
	if (t->midstream)
		return (uint32_t)h->wnd << MAX_WSCALE;
	return scaled ? (uint32_t)h->wnd << me->wscale : h->wnd;
}

static void read_options(struct tcp_half *me, const struct tcp_hdr *h)
{
	struct span ws = tcp_option(h, TCP_OPT_WSCALE), mss = tcp_option(h, TCP_OPT_MSS);
	struct rd r = rd_init(mss);

	me->wscale = NO_WSCALE;
	if (ws.n == 1)
		me->wscale = ws.p[0] < MAX_WSCALE ? ws.p[0] : MAX_WSCALE;
	me->mss = mss.n == 2 ? rd_be16(&r) : 0;
	me->sack = tcp_option(h, TCP_OPT_SACK_PERMITTED).p != NULL;
}

static void begin_half(struct tcp_half *me, const struct tcp_hdr *h, uint32_t len)
{
	me->begun = true;
	me->isn = h->seq;
	me->next = me->last = h->seq + span_len(h, len);
	me->octets = me->next - !!(h->flags & TCP_FIN);
	me->acked = h->seq;
	me->heard = h->flags & TCP_SYN;
	read_options(me, h);
}

/* Takes acknowledgement and window of direction d, for the other's data. */
static void take_ack(struct tcp_track *t, enum gate_direction d, const struct tcp_hdr *h)
{
	struct tcp_half *other = &t->half[!d];
	uint32_t wnd = window_of(t, d, h);

	if (!(h->flags & TCP_ACK))
		return;
	if (!other->begun) {
		other->begun = true;
		other->isn = h->ack - 1;
		other->next = other->last = other->octets = other->acked = other->right = h->ack;
		other->wscale = NO_WSCALE;
	}
	other->acked = other->heard ? seq_max(other->acked, h->ack) : h->ack;
	other->heard = true;
	other->right = seq_max(other->right, h->ack + wnd);
	other->max_window = wnd > other->max_window ? wnd : other->max_window;
	if (other->fin && !tcp_before(other->acked, other->fin_seq + 1))
		other->fin_acked = true;
}

static void take_fin(struct tcp_track *t, enum gate_direction d, const struct tcp_hdr *h,
		     uint32_t len)
{
	struct tcp_half *me = &t->half[d];

	if (h->flags & TCP_FIN && !me->fin) {
		me->fin = true;
		me->fin_seq = h->seq + len;
	}
	if (t->half[GATE_UP].fin && t->half[GATE_DOWN].fin)
		t->state = t->half[GATE_UP].fin_acked && t->half[GATE_DOWN].fin_acked
				   ? TCP_TIME_WAIT
				   : TCP_CLOSING;
	else if (me->fin && t->state < TCP_FIN_WAIT)
		t->state = TCP_FIN_WAIT;
}

enum tcp_segment tcp_track_begin(struct tcp_track *t, const struct tcp_hdr *h, uint32_t len)
{
	bool syn = (h->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;

	*t = (struct tcp_track){.state = syn ? TCP_SYN_SENT : TCP_ESTABLISHED, .midstream = !syn};
	begin_half(&t->half[GATE_UP], h, len);
	t->half[GATE_UP].right = h->seq + span_len(h, len) + WINDOW_LEAST;
	if (syn)
		return TCP_SEG_OK;
	t->half[GATE_UP].isn = h->seq - 1;
	if (h->flags & TCP_RST) {
		t->half[GATE_UP].next = t->half[GATE_UP].last = t->half[GATE_UP].octets = h->seq;
		t->state = TCP_RESET;
	}
	take_ack(t, GATE_UP, h);
	take_fin(t, GATE_UP, h, len);
	return h->flags & TCP_SYN ? TCP_SEG_BAD_HANDSHAKE : TCP_SEG_OK;
}

/* Checks flags (RFC 9293 3.10.7): port scanners send SYN with FIN or RST, or no flag at all. */
static bool bad_flags(const struct tcp_hdr *h)
{
	uint8_t f = h->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK);

	return f == 0 || f == TCP_FIN || (f & TCP_SYN && f & (TCP_FIN | TCP_RST)) ||
	       (f & TCP_FIN && f & TCP_RST);
}

static enum tcp_segment segment_place(const struct tcp_half *me, const struct tcp_hdr *h,
				      uint32_t len)
{
	uint32_t end = h->seq + span_len(h, len);

	if (h->flags & TCP_RST || h->seq == me->next)
		return TCP_SEG_OK;
	if (tcp_before(me->next, h->seq))
		return end == h->seq ? TCP_SEG_OK : TCP_SEG_AHEAD;
	return tcp_before(me->next, end) ? TCP_SEG_OVERLAP : TCP_SEG_AGAIN;
}

/* Returns whether a segment answers the SYN of `other`, and no other SYN between these ends. A
 * receiver that counts from another number than the gate reads other octets than the gate has
 * shown. */
static bool answers_syn(const struct tcp_half *other, const struct tcp_hdr *h)
{
	return !tcp_before(h->ack, other->isn + 1) && !tcp_before(other->last, h->ack);
}

bool tcp_track_is_answer(const struct tcp_track *t, enum gate_direction d, const struct tcp_hdr *h)
{
	return (h->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) && t->half[!d].begun &&
	       answers_syn(&t->half[!d], h);
}

static enum tcp_segment check_syn(const struct tcp_track *t, enum gate_direction d,
				  const struct tcp_hdr *h, uint32_t len)
{
	const struct tcp_half *me = &t->half[d], *other = &t->half[!d];

	if (t->state == TCP_RESET || t->state == TCP_TIME_WAIT)
		return h->flags & TCP_ACK ? TCP_SEG_BAD_HANDSHAKE : TCP_SEG_RESTART;
	/* the SYN retransmitted, perhaps with data that it did not have before (RFC 7413) */
	if (me->begun && h->seq == me->isn && !t->midstream)
		return h->flags & TCP_ACK && !answers_syn(other, h) ? TCP_SEG_BAD_HANDSHAKE
								    : segment_place(me, h, len);
	if (t->state == TCP_SYN_SENT && d == GATE_DOWN) {
		/* its answer, or both at once (RFC 9293 3.5) */
		if (h->flags & TCP_ACK && !answers_syn(other, h))
			return TCP_SEG_BAD_ACK;
		return TCP_SEG_OK;
	}
	/* another try of the same client, from other numbers: the first was never answered */
	if (t->state == TCP_SYN_SENT && d == GATE_UP && !(h->flags & TCP_ACK))
		return TCP_SEG_RESTART;
	return TCP_SEG_BAD_HANDSHAKE;
}

/* Returns how far the other end's numbers may lag behind. */
static uint32_t allowed_lag(const struct tcp_half *h)
{
	return h->max_window > WINDOW_LEAST ? h->max_window : WINDOW_LEAST;
}

/* Checks the place of a FIN (RFC 9293 3.6): a sender has no data behind it. The number of the first
 * FIN does not move: neither to later octets, which would leave out as many, nor before octets that
 * were sent already. */
static bool fits_fin(const struct tcp_half *me, const struct tcp_hdr *h, uint32_t end)
{
	bool fin = h->flags & TCP_FIN;

	if (me->fin)
		return !tcp_before(me->fin_seq + 1, end) && (!fin || end == me->fin_seq + 1);
	return !fin || !tcp_before(end - 1, me->octets);
}

/* Checks a reset (RFC 5961 4): a receiver accepts it at the number it expects, which is not before
 * the octets that it has acknowledged. */
static enum tcp_segment check_reset(const struct tcp_half *me, const struct tcp_hdr *h)
{
	return tcp_before(h->seq, me->acked) || tcp_before(me->right, h->seq) ? TCP_SEG_BAD_RESET
									      : TCP_SEG_OK;
}

static enum tcp_segment check_numbers(const struct tcp_track *t, enum gate_direction d,
				      const struct tcp_hdr *h, uint32_t len)
{
	const struct tcp_half *me = &t->half[d], *other = &t->half[!d];
	uint32_t end = h->seq + span_len(h, len);

	if (h->flags & TCP_RST)
		return check_reset(me, h);
	/* RFC 5961 5.2: of data that was not sent, or too old */
	if (h->flags & TCP_ACK && other->begun &&
	    (tcp_before(other->last + (t->recorded ? RECORDED_GAP : 0), h->ack) ||
	     tcp_before(h->ack, other->acked - allowed_lag(other))))
		return TCP_SEG_BAD_ACK;
	/* one octet more is a probe of a window that is closed (RFC 9293 3.8.6.1) */
	if (tcp_before(me->right + 1, end) || tcp_before(h->seq, me->acked - allowed_lag(me)) ||
	    (unlikely(me->fin || h->flags & TCP_FIN) && !fits_fin(me, h, end)))
		return TCP_SEG_OUT_OF_WINDOW;
	return TCP_SEG_OK;
}

enum tcp_segment tcp_track_check(const struct tcp_track *t, enum gate_direction d,
				 const struct tcp_hdr *h, uint32_t len)
{
	const struct tcp_half *me = &t->half[d];
	enum tcp_segment r;

	if (bad_flags(h))
		return TCP_SEG_BAD_FLAGS;
	if (h->flags & TCP_SYN)
		return check_syn(t, d, h, len);
	if (t->state == TCP_SYN_SENT) {
		/* a port without a listener resets; no other segment precedes the answer */
		if (h->flags & TCP_RST && d == GATE_DOWN)
			return h->flags & TCP_ACK && h->ack != t->half[GATE_UP].last
				       ? TCP_SEG_BAD_RESET
				       : TCP_SEG_OK;
		return h->flags & TCP_RST && h->seq == me->next ? TCP_SEG_OK
								: TCP_SEG_BAD_HANDSHAKE;
	}
	if (!me->begun)
		return t->midstream ? TCP_SEG_OK : TCP_SEG_BAD_HANDSHAKE;
	r = check_numbers(t, d, h, len);
	return r == TCP_SEG_OK ? segment_place(me, h, len) : r;
}

static void take_handshake(struct tcp_track *t, enum gate_direction d, const struct tcp_hdr *h,
			   uint32_t len)
{
	if (h->flags & TCP_SYN && !t->half[d].begun) {
		begin_half(&t->half[d], h, len);
		t->half[d].right = h->seq + span_len(h, len) + WINDOW_LEAST;
	}
	if (t->state == TCP_SYN_SENT && d == GATE_DOWN && h->flags & TCP_SYN)
		t->state = TCP_SYN_RECEIVED;
	else if (t->state == TCP_SYN_RECEIVED && h->flags & TCP_ACK && !(h->flags & TCP_SYN))
		t->state = TCP_ESTABLISHED;
}

/* Takes a reset, which moves no numbers, also with data. One at a number that the receiver may
 * expect ends the connection; another one in the window only makes it ask (RFC 5961 3.2), and the
 * connection continues. */
static void take_reset(struct tcp_track *t, enum gate_direction d, const struct tcp_hdr *h)
{
	const struct tcp_half *me = &t->half[d];

	if (!me->begun || t->state == TCP_SYN_SENT ||
	    (!tcp_before(h->seq, me->acked) && !tcp_before(me->next, h->seq)))
		t->state = TCP_RESET;
}

void tcp_track_take(struct tcp_track *t, enum gate_direction d, const struct tcp_hdr *h,
		    uint32_t len, bool in_order)
{
	struct tcp_half *me = &t->half[d];
	uint32_t end = h->seq + span_len(h, len);

	if (unlikely(h->flags & TCP_RST)) {
		take_reset(t, d, h);
		return;
	}
	take_handshake(t, d, h, len);
	if (!me->begun) { /* midstream: the other direction's first segment */
		begin_half(me, h, len);
		me->isn = h->seq - 1;
		me->right = end + WINDOW_LEAST;
	}
	me->last = seq_max(me->last, end);
	if (len)
		me->octets = seq_max(me->octets, end - !!(h->flags & TCP_FIN));
	me->wnd = h->wnd;
	/* an acknowledgement from behind a gap has no effect: missing data is still to come */
	if (in_order && end != h->seq)
		me->next = seq_max(me->next, end);
	take_ack(t, d, h);
	take_fin(t, d, h, len);
}

uint16_t tcp_track_window(const struct tcp_track *t, enum gate_direction d, uint32_t ack)
{
	const struct tcp_half *me = &t->half[d], *other = &t->half[!d];
	bool scaled = me->wscale != NO_WSCALE && other->wscale != NO_WSCALE && !t->midstream;
	uint32_t less = (ack - other->acked) >> (scaled ? me->wscale : 0);

	return less < me->wnd ? (uint16_t)(me->wnd - less) : 0;
}

void tcp_track_next(struct tcp_track *t, enum gate_direction d, uint32_t seq)
{
	t->half[d].next = seq_max(t->half[d].next, seq);
}
