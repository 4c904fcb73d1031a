/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A host behind the gate that reads frames as RFC 791, RFC 9293 and RFC 5961 say, written without a
 * look at the gate: it takes priority tags off, puts fragments together, checks sums, and builds
 * the stream of its peer. Where hosts differ (octets that come twice, SYNs that come twice, data of
 * a SYN) a policy decides. Header only.
 */
#pragma once

#include "gate_tcp_util.h"

#include "base/rng.h"

enum { RX_WINDOW = 20000, RX_TEXT = 70000, RX_PIECES = 64, RX_MTU = 66000 };

enum rx_state { RX_CLOSED, RX_LISTEN, RX_SYN_SENT, RX_SYN_RECEIVED, RX_OPEN };

struct rx_piece {
	uint16_t id, from, to;
	uint8_t proto;
	bool more;
	uint8_t data[2048];
};

struct rx {
	uint32_t ip, peer;
	uint16_t port, peer_port;
	bool last_wins;	   /* of octets out of order that come twice */
	bool new_syn_wins; /* before the handshake is over (RFC 9293 3.10.7.4; SYN cookies) */
	bool fast_open;	   /* takes data of a SYN */
	bool has_key;	   /* drops segments with a signature (RFC 2385), which it has no key for */
	bool paws;	   /* timestamps, if its peer has them (RFC 7323) */
	bool reuses; /* takes a SYN for a new connection when it has all of the one before (RFC
			9293 3.6.1, 6191) */
	bool scales; /* windows, by `shift`, if its peer does (RFC 7323 2.2; more than 14 counts as
			14) */
	uint8_t shift;
	bool peer_scales;
	bool hard_errors; /* an ICMP error with a number of the connection ends it (RFC
			     1122 4.2.3.9, 5927 4.1) */
	uint32_t wnd;	  /* octets behind the next that it takes; 0: the window is closed */
	bool has_ts;
	uint32_t ts_recent;
	enum rx_state state;
	uint32_t isn, peer_isn;
	uint32_t n; /* octets in order */
	bool fin_known;
	uint32_t fin_at;
	uint8_t text[RX_TEXT];
	bool has[RX_TEXT];
	struct rx_piece pieces[RX_PIECES];
	unsigned n_pieces;
	uint8_t whole[RX_MTU];
	/* its answer to the last segment: filled by rx_frame() */
	bool answer;
	struct tcp_hdr reply;
	struct span datagram; /* payload of the UDP datagram that arrived; p NULL: none */
};

static inline void rx_listen(struct rx *r, uint32_t isn)
{
	r->state = RX_LISTEN;
	r->isn = isn;
}

static inline void rx_say(struct rx *r, uint8_t flags)
{
	r->answer = true;
	r->reply = (struct tcp_hdr){
		.sport = r->port,
		.dport = r->peer_port,
		.seq = r->isn + !(flags & TCP_SYN),
		.ack = flags & TCP_ACK
			       ? r->peer_isn + 1 + r->n + (r->fin_known && r->n == r->fin_at)
			       : 0,
		.flags = flags,
		.wnd = (uint16_t)r->wnd,
	};
	if (!(flags & TCP_SYN) && r->scales && r->peer_scales)
		r->reply.wnd = (uint16_t)(r->wnd >> (r->shift < 14 ? r->shift : 14));
}

static inline void rx_forget(struct rx *r, uint32_t peer_isn)
{
	r->peer_isn = peer_isn;
	r->n = 0;
	r->fin_known = false;
	memset(r->has, 0, sizeof(r->has));
}

static inline void rx_data(struct rx *r, uint32_t at, struct span data, bool fin)
{
	for (size_t i = 0; i < data.n; i++) {
		uint32_t off = (uint32_t)(at + i);

		if ((int32_t)(off - r->n) < 0 || off - r->n >= r->wnd || off >= RX_TEXT ||
		    (r->fin_known && off >= r->fin_at))
			continue;
		if (r->has[off] && !r->last_wins)
			continue;
		r->has[off] = true;
		r->text[off] = data.p[i];
	}
	if (fin && !r->fin_known && (int32_t)(at + (uint32_t)data.n - r->n) >= 0 &&
	    at + data.n - r->n < r->wnd) {
		r->fin_known = true;
		r->fin_at = (uint32_t)(at + data.n);
	}
	while (r->n < RX_TEXT && r->has[r->n] && !(r->fin_known && r->n >= r->fin_at))
		r->n++;
}

/* The option of a kind and length: its octets behind both; NULL: there is none. */
static inline const uint8_t *rx_option(const struct tcp_hdr *h, uint8_t kind, uint8_t len)
{
	for (size_t i = 0; i + 1 < h->options.n && h->options.p[i] != 0;) {
		uint8_t n = h->options.p[i] == 1 ? 1 : h->options.p[i + 1];

		if (h->options.p[i] == kind && n == len && i + n <= h->options.n)
			return h->options.p + i + 2;
		if (n == 0 || (n == 1 && h->options.p[i] != 1))
			break;
		i += n;
	}
	return NULL;
}

/* Is the segment dropped for its options? RFC 7323 5.3; a timestamp that is taken moves
 * ts_recent. */
static inline bool rx_refuses(struct rx *r, const struct tcp_hdr *h)
{
	const uint8_t *p = rx_option(h, 8, 10);
	uint32_t ts = p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
			: 0;

	if (r->has_key && rx_option(h, 19, 18))
		return true;
	if (h->flags & TCP_SYN && (r->state == RX_LISTEN || r->state == RX_SYN_SENT)) {
		r->peer_scales = rx_option(h, 3, 3) != NULL;
		r->has_ts = r->paws && p;
		r->ts_recent = ts;
		return false;
	}
	if (!r->has_ts || h->flags & TCP_RST)
		return false;
	if (!p || (int32_t)(ts - r->ts_recent) < 0)
		return true;
	if ((int32_t)(h->seq - (r->peer_isn + 1 + r->n)) <= 0)
		r->ts_recent = ts;
	return false;
}

/* RFC 9293 3.10.7.2 and 3.10.7.3 */
static inline void rx_begin(struct rx *r, const struct tcp_hdr *h, struct span data)
{
	bool syn = h->flags & TCP_SYN, ack = h->flags & TCP_ACK;

	if (r->state == RX_SYN_SENT && ack && h->ack != r->isn + 1)
		return;
	if (h->flags & TCP_RST) {
		r->state = r->state == RX_SYN_SENT && ack ? RX_CLOSED : r->state;
		return;
	}
	if (!syn || (ack && r->state == RX_LISTEN))
		return;
	rx_forget(r, h->seq);
	if (r->fast_open)
		rx_data(r, 0, data, false);
	r->state = ack ? RX_OPEN : RX_SYN_RECEIVED;
	rx_say(r, ack ? TCP_ACK : TCP_SYN | TCP_ACK);
}

/* RFC 9293 3.10.7.4 with RFC 5961 */
static inline void rx_segment(struct rx *r, const struct tcp_hdr *h, struct span data)
{
	uint32_t next = r->peer_isn + 1 + r->n;
	bool in_window = h->seq - next < r->wnd;

	if (h->flags & TCP_RST) {
		if (h->seq == next)
			r->state = RX_CLOSED;
		else if (in_window)
			rx_say(r, TCP_ACK);
		return;
	}
	if (h->flags & TCP_SYN) {
		if (r->reuses && r->fin_known && r->n == r->fin_at && !(h->flags & TCP_ACK) &&
		    (int32_t)(h->seq - next) > 0) {
			r->isn += 70001;
			r->state = RX_LISTEN;
			rx_begin(r, h, data);
			return;
		}
		if (r->state == RX_SYN_RECEIVED && r->new_syn_wins && !(h->flags & TCP_ACK) &&
		    h->seq != r->peer_isn) {
			rx_forget(r, h->seq);
			if (r->fast_open)
				rx_data(r, 0, data, false);
			rx_say(r, TCP_SYN | TCP_ACK);
		} else {
			if (r->state == RX_SYN_RECEIVED && r->fast_open && h->seq == r->peer_isn)
				rx_data(r, 0, data, false);
			rx_say(r, r->state == RX_SYN_RECEIVED ? TCP_SYN | TCP_ACK : TCP_ACK);
		}
		return;
	}
	/* it sends no data: the only number of its own that can be acknowledged is the SYN's */
	if (!(h->flags & TCP_ACK) || h->ack != r->isn + 1)
		return;
	r->state = RX_OPEN;
	/* the octet before the urgent pointer would leave the stream (RFC 6093 3.2) */
	assert_false(h->flags & TCP_URG && data.n);
	rx_data(r, h->seq - r->peer_isn - 1, data, h->flags & TCP_FIN);
	if (data.n || h->flags & TCP_FIN)
		rx_say(r, TCP_ACK);
}

/* RFC 792: the header and eight octets of the datagram that the error is about lie behind eight
 * octets. */
static inline void rx_icmp(struct rx *r, struct span message)
{
	struct rd rd = rd_init(message);
	uint8_t type = rd_u8(&rd), code = rd_u8(&rd);
	struct ipv4_hdr ip;

	(void)rd_bytes(&rd, 6);
	if (checksum_fold(checksum_add(0, message)) != 0 || type != 3 || code > 3 ||
	    ipv4_read(&rd, &ip) < 0 || ip.src != r->ip || ip.dst != r->peer ||
	    rd_be16(&rd) != r->port || rd_be16(&rd) != r->peer_port || !rd_ok(&rd))
		return;
	/* it has sent its SYN only, of which all is acknowledged once the connection is open */
	if (r->hard_errors && (r->state == RX_SYN_SENT || r->state == RX_SYN_RECEIVED) &&
	    rd_be32(&rd) == r->isn)
		r->state = RX_CLOSED;
}

static inline void rx_transport(struct rx *r, const struct ipv4_hdr *ip, struct span datagram)
{
	struct rd rd = rd_init(datagram);
	struct tcp_hdr h;
	struct udp_hdr u;

	if (ip->proto == IPV4_PROTO_ICMP)
		rx_icmp(r, datagram);
	if (ip->proto == IPV4_PROTO_UDP) {
		if (udp_csum_ok(ip->src, ip->dst, datagram) && udp_read(&rd, &u) &&
		    u.len >= UDP_HDR_LEN && u.len <= datagram.n)
			r->datagram = span_of(datagram.p + UDP_HDR_LEN,
					      u.len - (size_t)UDP_HDR_LEN);
		return;
	}
	if (ip->proto != IPV4_PROTO_TCP || !tcp_csum_ok(ip->src, ip->dst, datagram) ||
	    tcp_read(&rd, &h) < 0 || h.dport != r->port || h.sport != r->peer_port)
		return;
	if (r->state != RX_CLOSED && rx_refuses(r, &h))
		return;
	if (r->state == RX_LISTEN || r->state == RX_SYN_SENT)
		rx_begin(r, &h, rd_bytes(&rd, rd_left(&rd)));
	else if (r->state != RX_CLOSED)
		rx_segment(r, &h, rd_bytes(&rd, rd_left(&rd)));
}

/* RFC 815: all pieces of a datagram; of octets that come twice the policy takes one. */
static inline void rx_fragment(struct rx *r, const struct ipv4_hdr *ip, struct span data)
{
	static bool there[RX_MTU];
	uint32_t total = 0, n = 0, from = (uint32_t)(ip->frag & IPV4_OFFSET_MASK) * 8;
	struct rx_piece *p = &r->pieces[r->n_pieces++ % RX_PIECES];

	if (data.n > sizeof(p->data))
		return;
	*p = (struct rx_piece){ip->id,	  (uint16_t)from,     (uint16_t)(from + data.n),
			       ip->proto, ip->frag & IPV4_MF, {0}};
	memcpy(p->data, data.p, data.n);
	memset(there, 0, sizeof(there));
	for (unsigned i = 0; i < RX_PIECES; i++) {
		const struct rx_piece *q = &r->pieces[(r->n_pieces + i) % RX_PIECES];

		if (q->id != ip->id || q->proto != ip->proto || q->to == q->from)
			continue;
		if (!q->more)
			total = q->to;
		for (uint32_t k = q->from; k < q->to; k++) {
			if (there[k] && !r->last_wins)
				continue;
			there[k] = true;
			r->whole[k] = q->data[k - q->from];
		}
	}
	while (n < total && there[n])
		n++;
	if (!total || n < total)
		return;
	for (unsigned i = 0; i < RX_PIECES; i++)
		if (r->pieces[i].id == ip->id && r->pieces[i].proto == ip->proto)
			r->pieces[i] = (struct rx_piece){0};
	rx_transport(r, ip, span_of(r->whole, total));
}

/* A frame arrives. */
static inline void rx_frame(struct rx *r, struct span frame)
{
	struct rd rd = rd_init(frame);
	struct ipv4_hdr ip;
	uint16_t type;

	r->answer = false;
	r->datagram = SPAN_NULL;
	(void)rd_bytes(&rd, 12);
	while (type = rd_be16(&rd),
	       rd_ok(&rd) && (type == 0x8100 || type == 0x88a8 || type == 0x9100))
		if (rd_be16(&rd) & 0xfff)
			return;
	if (type != 0x0800 || ipv4_read(&rd, &ip) < 0 || !ip.csum_ok || ip.dst != r->ip ||
	    ip.src != r->peer || ip.total_len - ip.hdr_len > (int)rd_left(&rd))
		return;
	if (ipv4_is_fragment(&ip))
		rx_fragment(r, &ip, rd_bytes(&rd, ip.total_len - (size_t)ip.hdr_len));
	else
		rx_transport(r, &ip, rd_bytes(&rd, ip.total_len - (size_t)ip.hdr_len));
}
