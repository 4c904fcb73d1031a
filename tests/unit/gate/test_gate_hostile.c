/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate's invariant: no octet reaches a receiver that was not shown to the rules, as an RFC 9293
 * and RFC 5961 receiver takes it. A hostile host at one interface sends segments of every kind that
 * could make the gate and the receiver disagree: second SYNs, resets with data, FINs again and
 * elsewhere, acknowledgements and answers that it made up in the receiver's name, from its own
 * interface and a third one, bad checksums, urgent data, fragments behind link headers of different
 * lengths, stacks of tags, the smallest and largest MSS, more streams than there is room for. A
 * rule changes the data that it sees, a dissector holds incomplete lines. Each octet that the
 * receiver (gate_receiver.h) puts into its stream must be one that was shown in that place.
 */
#include "unit/unit.h"

#include "gate_receiver.h"

#include "gate/engine/plugin.h"
#include "gate/tcp/tcp_conn.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	SEEDS = 2000,
	STEPS = 150,
	N_ISN = 3,
	ATTACKER_PORT = 1,
	HONEST_PORT = 2,
	THIRD_PORT = 3,
	SHOWN_MAX = 256
};

static struct world {
	struct gt t;
	struct rng rng;
	struct rx rx;
	int64_t now;
	bool midstream;
	unsigned loss;
	bool server;	     /* the honest host listens */
	uint32_t isn[N_ISN]; /* the hostile host's */
	unsigned current;
	uint32_t furthest; /* octets that it sent of the current one */
	uint16_t ip_id;
	uint32_t ts;
	bool stamps, overlaps, keeps;
	/* the rules' view of its data */
	uint64_t flow;
	uint32_t shown_isn;
	uint8_t shown[RX_TEXT];
	bool has[RX_TEXT];
	uint64_t accepted; /* octets the receiver took, of all worlds */
	/* payloads of datagrams that were shown */
	uint8_t datagrams[SHOWN_MAX][64];
	size_t datagram_len[SHOWN_MAX];
	unsigned n_datagrams;
} w;

static bool chance(unsigned percent)
{
	return rng_below(&w.rng, 100) < percent;
}

/* --- The rules' view -------------------------------------------------------------------------- */

/* Each k becomes KKK; then all octets of the view are written down in their places. */
static bool on_data(void *ctx, struct gate_walk *walk, struct flow *f)
{
	const bool *edits = ctx;
	struct gate_view *v = walk->view;
	uint32_t at;

	/* taken up in the middle, a flow may stand the other way round */
	if ((v->direction == GATE_UP ? f->key.src : f->key.dst) != w.rx.peer ||
	    (f->key.sport != 1000 && f->key.dport != 1000) || f->key.vlan)
		return true;
	for (uint32_t i = 0; *edits && i < v->n; i++)
		if (v->octets[i] == 'k' && gate_stream_edit(v, i, 1, span_str("KKK")) == 0)
			i += 2;
	if (f->id != w.flow) {
		w.flow = f->id;
		w.shown_isn = gate_tcp(f)->track.half[v->direction].isn;
		memset(w.has, 0, sizeof(w.has));
	}
	at = v->whole->out + v->base - w.shown_isn - 1;
	for (uint32_t i = 0; i < v->n && at + i < RX_TEXT; i++) {
		w.shown[at + i] = v->octets[i];
		w.has[at + i] = true;
	}
	return true;
}

static bool on_datagram(void *ctx, struct gate_walk *walk, struct flow *f)
{
	struct gate_packet *p = walk->p;
	unsigned i = w.n_datagrams++ % SHOWN_MAX;

	(void)ctx;
	(void)f;
	w.datagram_len[i] = p->p.app_len;
	memcpy(w.datagrams[i], p->p.data + p->p.app, p->p.app_len < 64 ? p->p.app_len : 64);
	return true;
}

static bool datagram_was_shown(struct span d)
{
	for (unsigned i = 0; i < SHOWN_MAX; i++)
		if (w.datagram_len[i] == d.n &&
		    memcmp(w.datagrams[i], d.p, d.n < 64 ? d.n : 64) == 0)
			return true;
	return false;
}

/* Lines end with z. */
static uint32_t whole_lines(void *ctx, struct gate_view *v)
{
	uint32_t n = v->n;

	(void)ctx;
	while (!v->end && n && v->octets[n - 1] != 'z')
		n--;
	return n;
}

/* --- Frames ----------------------------------------------------------------------------------- */

static void fix_sums(uint8_t *f, size_t len)
{
	uint16_t n = (uint16_t)(len - GT_TCP);
	uint32_t src = (uint32_t)f[26] << 24 | (uint32_t)f[27] << 16 | (uint32_t)f[28] << 8 | f[29];
	uint32_t dst = (uint32_t)f[30] << 24 | (uint32_t)f[31] << 16 | (uint32_t)f[32] << 8 | f[33];
	uint16_t c;

	f[GT_TCP + 16] = f[GT_TCP + 17] = 0;
	c = checksum_fold(
		checksum_add(checksum_pseudo(src, dst, IPV4_PROTO_TCP, n), span_of(f + GT_TCP, n)));
	f[GT_TCP + 16] = (uint8_t)(c >> 8);
	f[GT_TCP + 17] = (uint8_t)c;
}

static size_t put_tags(uint8_t *f, size_t len, unsigned n)
{
	static const uint8_t types[3][2] = {{0x81, 0}, {0x88, 0xa8}, {0x91, 0}};

	for (unsigned i = 0; i < n; i++) {
		memmove(f + 16, f + 12, len - 12);
		memcpy(f + 12, types[rng_below(&w.rng, 3)], 2);
		f[14] = (uint8_t)(rng_below(&w.rng, 8) << 5);
		f[15] = chance(3) ? 7 : 0;
		len += 4;
	}
	return len;
}

static void put_in(const uint8_t *f, size_t len, uint16_t port);

/* Options of the IPv4 header: nothing, a route to record, the router alert. */
static size_t put_ip_options(uint8_t *f, size_t len)
{
	static const uint8_t options[3][8] = {{1, 1, 1, 0},
					      {7, 7, 4, 0, 0, 0, 0, 0},
					      {148, 4, 0, 0}};
	unsigned kind = rng_below(&w.rng, 3), n = kind == 1 ? 8 : 4;
	uint16_t total;

	memmove(f + GT_TCP + n, f + GT_TCP, len - GT_TCP);
	memcpy(f + GT_TCP, options[kind], n);
	len += n;
	total = (uint16_t)(len - GT_IP);
	f[GT_IP] = (uint8_t)(0x45 + n / 4);
	f[GT_IP + 2] = (uint8_t)(total >> 8);
	f[GT_IP + 3] = (uint8_t)total;
	gt_ip_checksum(f);
	return len;
}

/* Options of TCP in front of those that are there. */
static size_t put_tcp_options(uint8_t *f, size_t len, const uint8_t *options, size_t n)
{
	uint16_t total = (uint16_t)(len + n - GT_IP);

	if ((f[GT_TCP + 12] >> 4) * 4U + n > 60)
		return len;
	memmove(f + GT_TCP + 20 + n, f + GT_TCP + 20, len - GT_TCP - 20);
	memcpy(f + GT_TCP + 20, options, n);
	f[GT_TCP + 12] = (uint8_t)(f[GT_TCP + 12] + (n / 4 << 4));
	f[GT_IP + 2] = (uint8_t)(total >> 8);
	f[GT_IP + 3] = (uint8_t)total;
	return len + n;
}

/* Timestamps, most of them rising; a window scale; signatures; reserved bits. */
static size_t decorate(uint8_t *f, size_t len, uint8_t flags)
{
	uint8_t stamp[12] = {1, 1, 8, 10}, sign[20] = {1, 1, 19, 18};
	uint32_t ts = w.ts += rng_below(&w.rng, 3);
	struct wr wr = wr_init(stamp + 4, 4);

	if (chance(15))
		ts -= rng_below(&w.rng, 20);
	if (chance(2))
		ts += (uint32_t)INT32_MAX +
		      rng_below(&w.rng, 3); /* RFC 7323 5.2: the far end of the window */
	wr_be32(&wr, ts);
	if (flags & TCP_SYN && chance(50))
		len = put_tcp_options(f, len,
				      (const uint8_t[]){1, 3, 3, (uint8_t)rng_below(&w.rng, 20)},
				      4);
	if (w.stamps && chance(95))
		len = put_tcp_options(f, len, stamp, sizeof(stamp));
	if (chance(4))
		len = put_tcp_options(f, len, sign, sizeof(sign));
	if (chance(5))
		f[GT_TCP + 12] |= (uint8_t)rng_below(&w.rng, 16);
	return len;
}

static void set_ttl(uint8_t *f, uint8_t ttl)
{
	f[GT_IP + 8] = ttl;
	gt_ip_checksum(f);
}

/* Octets of the frame behind the datagram, as short frames have them; or a total length that is not
 * the frame's. */
static size_t put_trailer(uint8_t *f, size_t len)
{
	uint16_t total = (uint16_t)(len - GT_IP);

	if (chance(60)) {
		memset(f + len, 'T', 40);
		return len + 1 + rng_below(&w.rng, 40);
	}
	total = (uint16_t)(total + rng_below(&w.rng, 9) - 4);
	f[GT_IP + 2] = (uint8_t)(total >> 8);
	f[GT_IP + 3] = (uint8_t)total;
	gt_ip_checksum(f);
	return len;
}

/* First pieces of datagrams that never become whole take up the room for others. */
static void crowd_fragments(const uint8_t *whole, size_t payload, uint16_t port)
{
	static uint8_t buf[GT_CAP];
	size_t n = payload < 8 ? payload : 8;

	for (unsigned i = 0; i < 12; i++) {
		size_t l = gt_fragment(buf, whole, 0, n, true);

		buf[GT_IP + 4] = 0xee;
		buf[GT_IP + 5] = (uint8_t)i;
		gt_ip_checksum(buf);
		put_in(buf, l, port);
	}
}

/* Pieces of a datagram behind link headers of their own; at times one comes twice, with other
 * octets. */
static void put_fragments(const uint8_t *whole, size_t len, uint16_t port)
{
	static uint8_t buf[GT_CAP];
	size_t payload = len - GT_UDP, step = 8 * (1 + rng_below(&w.rng, 6)), order[64], n = 0;

	for (size_t off = 0; off < payload && n < 64; off += step)
		order[n++] = off;
	for (size_t i = 0; i < n; i++) {
		size_t k = rng_below(&w.rng, (uint32_t)n), swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
	for (size_t i = 0; i < n; i++) {
		size_t off = order[i], m = payload - off < step ? payload - off : step, l;

		/* some overlap those behind them */
		if (w.overlaps && chance(30))
			m = payload - off < m + 8 ? payload - off : m + 8;
		/* one that never comes, one that comes after the time for it is over, one from
		 * elsewhere */
		if (chance(2))
			continue;
		if (chance(1) && chance(20))
			w.now += 31 * NS_PER_S;
		l = gt_fragment(buf, whole, off, m, off + m < payload);
		if (chance(10))
			set_ttl(buf, (uint8_t)(1 + rng_below(&w.rng, 255)));
		put_in(buf, put_tags(buf, l, chance(40) ? rng_below(&w.rng, 4) : 0),
		       chance(2) && !w.midstream ? THIRD_PORT : port);
		/* the same again, or other octets in its place */
		if (chance(8)) {
			l = gt_fragment(buf, whole, off, m, off + m < payload);
			buf[l - 1] ^= chance(60);
			put_in(buf, put_tags(buf, l, chance(40) ? rng_below(&w.rng, 4) : 0), port);
		}
	}
	if (chance(3))
		crowd_fragments(whole, payload, port);
}

static void reply_of_honest(void)
{
	static uint8_t buf[GT_CAP];
	struct gt_conn c = {.sport = w.server ? w.rx.peer_port : w.rx.port,
			    .dport = w.server ? w.rx.port : w.rx.peer_port};
	size_t len = gt_tcp(&c, buf, w.server ? GATE_DOWN : GATE_UP, w.rx.reply.flags,
			    w.rx.reply.seq, SPAN_NULL);
	struct wr wr = wr_init(buf + GT_TCP + 8, 4);

	wr_be32(&wr, w.rx.reply.ack);
	wr = wr_init(buf + GT_TCP + 14, 2);
	wr_be16(&wr, w.rx.reply.wnd);
	if (w.rx.reply.flags & TCP_SYN && w.rx.scales &&
	    (!(w.rx.reply.flags & TCP_ACK) || w.rx.peer_scales)) {
		len = put_tcp_options(buf, len, (const uint8_t[]){1, 3, 3, w.rx.shift}, 4);
		gt_ip_checksum(buf);
	}
	fix_sums(buf, len);
	put_in(buf, len, HONEST_PORT);
}

static void check_stream(uint32_t before)
{
	for (uint32_t i = before; i < w.rx.n; i++) {
		uint32_t at = w.rx.peer_isn + i - w.shown_isn;

		w.accepted++;
		if (at >= RX_TEXT || !w.has[at] || w.shown[at] != w.rx.text[i])
			fail_msg("octet %u ('%c'): %s", i, w.rx.text[i],
				 at >= RX_TEXT || !w.has[at] ? "not shown" : "another was shown");
	}
}

/* All that came out goes to the honest host, if it goes there, and is not lost. */
static void deliver(void)
{
	static uint8_t frame[GT_CAP];
	size_t len;

	while ((len = gt_pop(&w.t)) != 0) {
		unsigned port = w.t.last.port & ~(unsigned)FRAME_BACK;
		uint32_t isn = w.rx.peer_isn, n = w.rx.n;

		if ((port == HONEST_PORT) != !!(w.t.last.port & FRAME_BACK) || chance(w.loss))
			continue;
		memcpy(frame, w.t.out, len);
		rx_frame(&w.rx, span_of(frame, len));
		check_stream(w.rx.peer_isn == isn ? n : 0);
		if (w.rx.datagram.p)
			assert_true(datagram_was_shown(w.rx.datagram));
		/* a SYN is answered: its numbers are nobody's guess otherwise */
		if (w.rx.answer && (w.rx.reply.flags & TCP_SYN || chance(85)))
			reply_of_honest();
	}
}

static void put_in(const uint8_t *f, size_t len, uint16_t port)
{
	assert_int_equal(frames_memory_push(w.t.f, span_of(f, len), port, w.now, 0), 0);
	gt_run(&w.t);
	deliver();
}

/* --- The hostile host ------------------------------------------------------------------------- */

struct say {
	bool created; /* in the honest host's name */
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t urgent, mss;
	struct span data;
};

static void spoil(uint8_t *buf, size_t len)
{
	uint16_t sum;
	uint32_t src = w.rx.peer, dst = w.rx.ip;

	if (chance(97))
		return;
	sum = chance(50) ? (uint16_t)~checksum_fold(
				   checksum_pseudo(src, dst, IPV4_PROTO_TCP, len - GT_TCP))
			 : (uint16_t)rng_below(&w.rng, 65536);
	buf[GT_TCP + 16] = (uint8_t)(sum >> 8);
	buf[GT_TCP + 17] = (uint8_t)sum;
}

/* A flow that is taken up in the middle knows the other end's interface by its first packet only:
 * there is no third one then. */
static void send_segment(const struct say *s)
{
	static uint8_t buf[GT_CAP];
	struct gt_conn c = {.sport = w.server ? w.rx.peer_port : w.rx.port,
			    .dport = w.server ? w.rx.port : w.rx.peer_port};
	unsigned d = s->created == w.server ? GATE_DOWN : GATE_UP;
	size_t len = gt_tcp(&c, buf, d, s->flags, s->seq, s->data);
	struct wr wr = wr_init(buf + GT_TCP + 8, 4);

	wr_be32(&wr, s->ack);
	if (s->flags & TCP_URG) {
		wr = wr_init(buf + GT_TCP + 18, 2);
		wr_be16(&wr, s->urgent);
	}
	if (s->flags & TCP_SYN) {
		wr = wr_init(buf + GT_TCP + 22, 2);
		wr_be16(&wr, s->mss);
	}
	w.ip_id++;
	buf[GT_IP + 4] = (uint8_t)(w.ip_id >> 8);
	buf[GT_IP + 5] = (uint8_t)w.ip_id;
	buf[GT_IP + 6] = buf[GT_IP + 7] = 0;
	if (!s->created)
		len = decorate(buf, len, s->flags);
	gt_ip_checksum(buf);
	fix_sums(buf, len);
	spoil(buf, len);
	if (chance(4))
		set_ttl(buf, (uint8_t)rng_below(&w.rng, 256));
	if (chance(5))
		len = put_ip_options(buf, len);
	else if (chance(4))
		len = put_trailer(buf, len);
	else if (chance(10)) {
		put_fragments(buf, len, ATTACKER_PORT);
		return;
	}
	put_in(buf, put_tags(buf, len, chance(5) ? rng_below(&w.rng, 12) : 0),
	       s->created && !w.midstream && chance(50) ? THIRD_PORT : ATTACKER_PORT);
}

static uint32_t some_number(uint32_t base)
{
	switch (rng_below(&w.rng, 6)) {
	case 0:
		return base + rng_below(&w.rng, 400);
	case 1:
		return base - rng_below(&w.rng, 400);
	case 2:
		return base + rng_below(&w.rng, 70000);
	case 3:
		return (uint32_t)rng_u64(&w.rng);
	default:
		return base;
	}
}

static void hostile_syn(void)
{
	static const uint16_t mss[] = {0, 1, 64, 536, 1460, 8960, 65495, 65535};
	uint8_t data[40];
	struct say s = {.flags = TCP_SYN, .mss = mss[rng_below(&w.rng, 8)], .ack = w.rx.isn + 1};

	memset(data, 'a' + (int)rng_below(&w.rng, 26), sizeof(data));
	if (chance(30))
		w.current = rng_below(&w.rng, N_ISN);
	s.seq = w.isn[w.current];
	if (w.server ? chance(10) : chance(80)) /* without: both open at a time */
		s.flags |= TCP_ACK;
	if (chance(25))
		s.data = span_of(data, 1 + rng_below(&w.rng, sizeof(data)));
	send_segment(&s);
}

static void hostile_data(void)
{
	/* flags that exclude each other, or none at all */
	static const uint8_t pairs[] = {TCP_RST | TCP_FIN,
					TCP_RST | TCP_FIN | TCP_ACK,
					TCP_SYN | TCP_FIN,
					TCP_SYN | TCP_RST,
					TCP_SYN | TCP_RST | TCP_ACK,
					TCP_SYN | TCP_FIN | TCP_ACK,
					TCP_FIN,
					TCP_PSH,
					0};
	uint8_t data[300];
	uint32_t n = chance(10) ? 0 : 1 + rng_below(&w.rng, sizeof(data)),
		 first = w.isn[w.current] + 1, at = w.furthest;
	struct say s = {.flags = TCP_ACK,
			.ack = chance(90) ? w.rx.isn + 1 : some_number(w.rx.isn + 1),
			.data = span_of(data, n)};

	for (uint32_t i = 0; i < n; i++)
		data[i] = (uint8_t)('a' + rng_below(&w.rng, 26));
	if (chance(50))
		at = at > 600 ? at - rng_below(&w.rng, 600) : rng_below(&w.rng, at + 1);
	else if (chance(15))
		at += rng_below(&w.rng, 300);
	s.seq = first + at;
	if (chance(5))
		s.seq = some_number(s.seq);
	if (chance(6))
		s.flags |= TCP_FIN;
	if (chance(5))
		s.flags |= TCP_URG;
	s.urgent = (uint16_t)rng_below(&w.rng, 300);
	if (chance(5))
		s.flags = (uint8_t)(TCP_RST | (chance(50) ? TCP_ACK : 0));
	if (chance(3))
		s.flags = pairs[rng_below(&w.rng, sizeof(pairs))];
	if (chance(1))
		s.flags = (uint8_t)rng_below(&w.rng, 256);
	if (chance(8))
		s.flags |= (uint8_t)(rng_below(&w.rng, 4) << 6); /* ECE, CWR */
	/* probes of a window that is closed, and keep-alives: one octet that is there already, or
	 * the next */
	if (chance(8) && w.rx.n) {
		at = w.rx.n - rng_below(&w.rng, 2);
		n = 1;
		s.seq = w.rx.peer_isn + 1 + at;
		s.data = span_of(data, n);
		first = w.rx.peer_isn + 1;
	}
	/* a stream that its receiver has room for */
	if (at + n > RX_TEXT / 2)
		return;
	if (!(s.flags & TCP_RST) && s.seq == first + at && at + n > w.furthest && at <= w.furthest)
		w.furthest = at + n;
	send_segment(&s);
}

static void hostile_forgery(void)
{
	static const uint8_t flags[] = {TCP_ACK, TCP_ACK,	    TCP_SYN | TCP_ACK,
					TCP_RST, TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK,
					TCP_SYN};
	struct say s = {
		.created = true,
		.flags = flags[rng_below(&w.rng, sizeof(flags))],
		.seq = some_number(w.rx.isn + chance(80)),
		.ack = some_number(w.isn[w.current] + 1 + w.furthest),
		.mss = 1460,
	};

	send_segment(&s);
}

/* An ICMP error about a segment of the honest host, whose number may be its own (RFC 5927): it can
 * end the connection, or ask for a smaller MTU. The hostile host, or a router at the third port, is
 * the sender. */
static void hostile_icmp(void)
{
	static const uint8_t codes[][2] = {{3, 1},  {3, 2},  {3, 3},  {3, 4}, {4, 0},
					   {11, 0}, {11, 1}, {12, 0}, {5, 1}};
	static uint8_t buf[GT_CAP];
	const uint8_t *code = codes[rng_below(&w.rng, sizeof(codes) / sizeof(codes[0]))];
	struct ipv4_hdr ip = {.ttl = 64,
			      .proto = IPV4_PROTO_ICMP,
			      .src = w.rx.peer,
			      .dst = w.rx.ip,
			      .total_len = 56};
	struct ipv4_hdr inner = {.ttl = 63,
				 .proto = IPV4_PROTO_TCP,
				 .src = w.rx.ip,
				 .dst = w.rx.peer,
				 .total_len = 40};
	struct wr wr = wr_init(buf, GT_CAP);
	uint16_t sum;

	wr_zero(&wr, 12);
	wr_be16(&wr, 0x0800);
	ipv4_write(&wr, &ip);
	wr_u8(&wr, code[0]);
	wr_u8(&wr, code[1]);
	wr_be32(&wr, 0);
	wr_be16(&wr, (uint16_t)(chance(50) ? 68 : rng_below(&w.rng, 1500)));
	ipv4_write(&wr, &inner);
	wr_be16(&wr, w.rx.port);
	wr_be16(&wr, w.rx.peer_port);
	wr_be32(&wr, some_number(w.rx.isn));
	sum = checksum_fold(checksum_add(0, span_of(buf + GT_TCP, wr.len - GT_TCP)));
	buf[GT_TCP + 2] = (uint8_t)(sum >> 8);
	buf[GT_TCP + 3] = (uint8_t)sum;
	put_in(buf, put_tags(buf, wr.len, chance(10) ? rng_below(&w.rng, 3) : 0),
	       chance(30) && !w.midstream ? THIRD_PORT : ATTACKER_PORT);
}

static void hostile_datagram(void)
{
	static uint8_t buf[GT_CAP];
	uint8_t data[200];
	uint32_t n = 1 + rng_below(&w.rng, sizeof(data));
	size_t len;

	for (uint32_t i = 0; i < n; i++)
		data[i] = (uint8_t)('a' + rng_below(&w.rng, 26));
	len = gt_udp_span(buf, w.rx.peer, 1000, w.rx.ip, (uint16_t)(2000 + rng_below(&w.rng, 3)),
			  span_of(data, n));
	w.ip_id++;
	buf[GT_IP + 4] = (uint8_t)(w.ip_id >> 8);
	buf[GT_IP + 5] = (uint8_t)w.ip_id;
	gt_ip_checksum(buf);
	/* a length that is not the datagram's; no checksum */
	if (chance(10)) {
		uint16_t ulen = (uint16_t)(8 + n + rng_below(&w.rng, 40) - 20);

		buf[GT_UDP + 4] = (uint8_t)(ulen >> 8);
		buf[GT_UDP + 5] = (uint8_t)ulen;
		buf[GT_UDP + 6] = buf[GT_UDP + 7] = 0;
	}
	if (chance(10))
		buf[GT_UDP + 6] = buf[GT_UDP + 7] = 0;
	if (chance(5)) {
		uint16_t sum = (uint16_t)~checksum_fold(
			checksum_pseudo_udp(w.rx.peer, w.rx.ip, len - GT_UDP));

		buf[GT_UDP + 6] = (uint8_t)(sum >> 8);
		buf[GT_UDP + 7] = (uint8_t)sum;
	}
	if (chance(5))
		buf[GT_UDP + 7] ^= (uint8_t)(1 + rng_below(&w.rng, 255));
	if (chance(10))
		set_ttl(buf, (uint8_t)(1 + rng_below(&w.rng, 255)));
	if (chance(10))
		len = put_ip_options(buf, len);
	else if (chance(60)) {
		put_fragments(buf, len, ATTACKER_PORT);
		return;
	}
	put_in(buf, put_tags(buf, len, rng_below(&w.rng, 5)), ATTACKER_PORT);
}

/* The honest host begins anew: it resets the connection, or forgets it and says nothing, and has
 * another number. */
static void begin_anew(void)
{
	if (w.rx.state == RX_OPEN && chance(60)) {
		rx_say(&w.rx, TCP_RST | TCP_ACK);
		reply_of_honest();
	}
	w.rx.state = w.server ? RX_LISTEN : RX_SYN_SENT;
	w.rx.isn = chance(50) ? w.rx.isn + 1 + rng_below(&w.rng, 100000)
			      : (uint32_t)rng_u64(&w.rng);
	rx_forget(&w.rx, 0);
	/* the hostile host's next connection may begin in the numbers of the last */
	w.isn[0] = w.isn[w.current] + (chance(70) ? rng_below(&w.rng, w.furthest + 2)
						  : w.furthest + rng_below(&w.rng, 100000));
	w.furthest = 0;
	w.current = 0;
}

/* Streams of others that take up the room. */
static void crowd(void)
{
	struct gt_conn c = {.sport = (uint16_t)(5000 + rng_below(&w.rng, 40)),
			    .dport = 80,
			    .isn = {7000, 8000}};
	static uint8_t buf[GT_CAP];
	unsigned port = w.server ? ATTACKER_PORT : HONEST_PORT,
		 back = w.server ? HONEST_PORT : ATTACKER_PORT;

	put_in(buf, gt_tcp(&c, buf, GATE_UP, TCP_SYN, 7000, SPAN_NULL), (uint16_t)port);
	put_in(buf, gt_tcp(&c, buf, GATE_DOWN, TCP_SYN | TCP_ACK, 8000, SPAN_NULL), (uint16_t)back);
	put_in(buf, gt_tcp(&c, buf, GATE_UP, TCP_ACK, 7001, SPAN_NULL), (uint16_t)port);
	put_in(buf, gt_tcp(&c, buf, GATE_UP, TCP_ACK, 7001, span_str("some of a line")),
	       (uint16_t)port);
}

/* --- Worlds ----------------------------------------------------------------------------------- */

static void begin(uint64_t seed, bool *edits)
{
	const struct gate_plugin lines = {.name = "lines",
					  .proto = IPV4_PROTO_TCP,
					  .port = 80,
					  .data = whole_lines};
	struct gate_opts o;
	uint64_t accepted = w.accepted;

	memset(&w, 0, sizeof(w));
	w.accepted = accepted;
	rng_seed(&w.rng, seed * 7919);
	w.server = seed % 4 != 3;
	w.loss = (unsigned)(seed % 3) * 15;
	w.now = NS_PER_S;
	*edits = seed % 2;
	gt_opts(&o);
	o.max_streams = seed % 5 == 0 ? 2 : 16;
	o.max_held = seed % 7 == 0 ? 4 : 128;
	o.flows.max_flows = 64;
	o.defrag.max_datagrams = seed % 6 == 0 ? 4 : 64;
	w.midstream = o.midstream = seed % 11 == 0;
	gt_open(&w.t, &o, DISSECT_TCP_CONNECTION);
	gate_load(w.t.g, DISSECT_UDP_CONNECTION);
	if (seed % 3 == 0)
		assert_true(gate_plugin_add(w.t.g, &lines) >= 0);
	assert_int_equal(gate_listen(w.t.g, EVENT_TCP_CONNECTION_receive_data, on_data, edits), 0);
	assert_int_equal(gate_listen(w.t.g, EVENT_UDP_CONNECTION_receive_data, on_datagram, NULL),
			 0);
	w.rx = (struct rx){
		.ip = w.server ? GT_SERVER : GT_CLIENT,
		.peer = w.server ? GT_CLIENT : GT_SERVER,
		.port = w.server ? 80 : 1000,
		.peer_port = w.server ? 1000 : 80,
		.last_wins = chance(50),
		.new_syn_wins = chance(50),
		.fast_open = chance(50),
		.has_key = chance(50),
		.paws = chance(50),
		.reuses = chance(50),
		.scales = chance(50),
		.shift = (uint8_t)(chance(30) ? 14 + rng_below(&w.rng, 6) : rng_below(&w.rng, 15)),
		.hard_errors = chance(50),
		.wnd = RX_WINDOW,
		.state = w.server ? RX_LISTEN : RX_SYN_SENT,
		.isn = (uint32_t)rng_u64(&w.rng),
	};
	w.stamps = chance(50);
	w.overlaps = chance(30);
	w.keeps = chance(50);
	w.isn[0] = chance(50) ? (uint32_t)-200 : (uint32_t)rng_u64(&w.rng);
	w.isn[1] = w.isn[0] + 1 + rng_below(&w.rng, 1000);
	w.isn[2] = w.isn[0] - 1 - rng_below(&w.rng, 60000);
}

static void step(void)
{
	uint32_t k = rng_below(&w.rng, 100);

	w.now += (int64_t)(1 + rng_below(&w.rng, 100)) * NS_PER_MS;
	if (chance(1) && chance(20))
		w.now += 40 * NS_PER_S;
	if (chance(5))
		w.rx.wnd = chance(30) ? 0 : chance(50) ? RX_WINDOW : rng_below(&w.rng, RX_WINDOW);
	if (w.keeps ? w.rx.state == RX_CLOSED && chance(30) : chance(2))
		begin_anew();
	if (w.rx.state == RX_LISTEN || w.rx.state == RX_SYN_SENT ? k < 60 : k < 3)
		hostile_syn();
	else if (k < 80)
		hostile_data();
	else if (k < 92)
		hostile_forgery();
	else if (k < 97)
		hostile_datagram();
	else if (k < 98)
		hostile_icmp();
	else
		crowd();
	if (w.rx.state == RX_SYN_SENT && chance(30)) {
		rx_say(&w.rx, TCP_SYN);
		reply_of_honest();
	}
}

static void run(uint64_t seed)
{
	bool edits;

	begin(seed, &edits);
	for (unsigned i = 0; i < STEPS; i++)
		step();
	gate_tick(w.t.g, w.now + 10 * NS_PER_S);
	deliver();
	gt_close(&w.t);
}

/* USHER_SEEDS: how many; USHER_SEED: which one alone. */
static void test_hostile(void **state)
{
	const char *n = getenv("USHER_SEEDS"), *one = getenv("USHER_SEED");
	uint64_t seeds = n ? strtoull(n, NULL, 10) : SEEDS,
		 from = one ? strtoull(one, NULL, 10) : 1;

	(void)state;
	for (uint64_t seed = from; seed <= (one ? from : seeds); seed++) {
		if (one || n)
			(void)fprintf(stderr, "\r%llu", (unsigned long long)seed);
		run(seed);
	}
	/* worlds in which nothing arrives show nothing */
	assert_true(one || w.accepted > seeds * 100);
	(void)fprintf(stdout, "%llu octets\n", (unsigned long long)w.accepted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
