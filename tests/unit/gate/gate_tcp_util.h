/* SPDX-License-Identifier: MPL-2.0 */
/*
 * TCP connections for the gate's tests: segments in, and a receiver at each end that checks the
 * output of the engine octet by octet. Header only.
 */
#pragma once

#include "gate_util.h"

#include "wire/tcp.h"

enum {
	GT_TCP = 34,
	GT_TEXT = 80000,
	GT_CLIENT = 0x0a000001,
	GT_SERVER = 0x0a000002,
	GT_MSS = 1460
};

struct gt_conn {
	struct gt *t;
	uint16_t sport, dport;
	uint32_t isn[2];  /* by direction of the sender */
	uint32_t next[2]; /* the sender's next number */
	/* the receiver at the other end: numbers as it sees them */
	uint32_t n[2]; /* octets in order */
	uint8_t text[2][GT_TEXT];
	bool fin[2], rst[2];
	unsigned frames[2];
};

static inline size_t gt_tcp(const struct gt_conn *c, uint8_t *buf, unsigned d, uint8_t flags,
			    uint32_t seq, struct span data)
{
	static const uint8_t options[] = {2, 4, GT_MSS >> 8, GT_MSS & 0xff};
	struct tcp_hdr h = {
		.sport = d == GATE_UP ? c->sport : c->dport,
		.dport = d == GATE_UP ? c->dport : c->sport,
		.seq = seq,
		.ack = flags & TCP_ACK ? c->isn[!d] + 1 + c->n[!d] + c->fin[!d] : 0,
		.flags = flags,
		.wnd = 65000,
		.options = flags & TCP_SYN ? span_of(options, sizeof(options)) : SPAN_NULL,
	};
	struct ipv4_hdr ip = {
		.ttl = 64,
		.proto = IPV4_PROTO_TCP,
		.frag = IPV4_DF,
		.src = d == GATE_UP ? GT_CLIENT : GT_SERVER,
		.dst = d == GATE_UP ? GT_SERVER : GT_CLIENT,
		.total_len = (uint16_t)(40 + h.options.n + data.n),
	};
	struct wr w = wr_init(buf, GT_CAP);
	uint32_t sum = checksum_pseudo(ip.src, ip.dst, IPV4_PROTO_TCP, ip.total_len - 20U);
	uint16_t csum;

	wr_zero(&w, 12);
	wr_be16(&w, 0x0800);
	ipv4_write(&w, &ip);
	tcp_write(&w, &h);
	wr_span(&w, data);
	assert_true(wr_ok(&w));
	csum = checksum_fold(checksum_add(sum, span_of(buf + GT_TCP, w.len - GT_TCP)));
	buf[GT_TCP + 16] = (uint8_t)(csum >> 8);
	buf[GT_TCP + 17] = (uint8_t)csum;
	return w.len;
}

/* A frame that came out reaches its receiver. */
static inline void gt_tcp_arrives(struct gt_conn *c, struct span frame)
{
	struct rd r = rd_init(span_sub(frame, GT_IP, frame.n));
	struct ipv4_hdr ip;
	struct tcp_hdr h;
	struct span segment;
	unsigned d;

	assert_int_equal(ipv4_read(&r, &ip), 0);
	assert_true(ip.csum_ok);
	assert_int_equal(frame.n, GT_IP + ip.total_len);
	segment = span_sub(frame, GT_TCP, frame.n);
	assert_true(tcp_csum_ok(ip.src, ip.dst, segment));
	assert_int_equal(tcp_read(&r, &h), 0);
	d = ip.src == GT_CLIENT ? GATE_UP : GATE_DOWN;
	c->frames[d]++;
	c->rst[d] |= (h.flags & TCP_RST) != 0;
	if (h.flags & TCP_ACK)
		assert_false(tcp_before(c->next[!d], h.ack)); /* of octets that were never sent */
	if (rd_left(&r)) {
		uint32_t at = h.seq - c->isn[d] - 1;

		assert_true(at <= c->n[d] && at + rd_left(&r) <= GT_TEXT);
		if (at < c->n[d]) /* octets that it has do not change */
			assert_memory_equal(c->text[d] + at, r.p,
					    rd_left(&r) < c->n[d] - at ? rd_left(&r)
								       : c->n[d] - at);
		memcpy(c->text[d] + at, r.p, rd_left(&r));
		if (at + rd_left(&r) > c->n[d])
			c->n[d] = (uint32_t)(at + rd_left(&r));
	}
	if (h.flags & TCP_FIN) {
		assert_int_equal(h.seq + rd_left(&r), c->isn[d] + 1 + c->n[d]);
		c->fin[d] = true;
	}
}

static inline void gt_conn_run(struct gt_conn *c)
{
	size_t n;

	gt_run(c->t);
	while ((n = gt_pop(c->t)) != 0)
		gt_tcp_arrives(c, span_of(c->t->out, n));
}

/* Sends a segment in direction d, with any sequence number. */
static inline void gt_conn_segment(struct gt_conn *c, unsigned d, uint8_t flags, uint32_t seq,
				   struct span data)
{
	static uint8_t buf[GT_CAP];

	gt_push(c->t, buf, gt_tcp(c, buf, d, flags, seq, data), 1);
	gt_conn_run(c);
}

/* Sends the next octets of direction d, in one segment. */
static inline void gt_conn_say(struct gt_conn *c, unsigned d, struct span data)
{
	uint32_t seq = c->next[d];

	c->next[d] += (uint32_t)data.n;
	gt_conn_segment(c, d, TCP_ACK | TCP_PSH, seq, data);
}

static inline void gt_conn_fin(struct gt_conn *c, unsigned d)
{
	uint32_t seq = c->next[d]++;

	gt_conn_segment(c, d, TCP_ACK | TCP_FIN, seq, SPAN_NULL);
}

/* Up to the end of the handshake. */
static inline void gt_conn_open(struct gt_conn *c, struct gt *t, uint16_t sport, uint16_t dport)
{
	memset(c, 0, sizeof(*c));
	c->t = t;
	c->sport = sport;
	c->dport = dport;
	c->isn[GATE_UP] = 1000;
	c->isn[GATE_DOWN] = 0xfffffff0; /* wraps soon */
	c->next[GATE_UP] = c->isn[GATE_UP] + 1;
	c->next[GATE_DOWN] = c->isn[GATE_DOWN] + 1;
	gt_conn_segment(c, GATE_UP, TCP_SYN, c->isn[GATE_UP], SPAN_NULL);
	gt_conn_segment(c, GATE_DOWN, TCP_SYN | TCP_ACK, c->isn[GATE_DOWN], SPAN_NULL);
	gt_conn_segment(c, GATE_UP, TCP_ACK, c->next[GATE_UP], SPAN_NULL);
	assert_int_equal(c->frames[GATE_UP], 2);
	assert_int_equal(c->frames[GATE_DOWN], 1);
}

/* Returns the octets of direction d that arrived, as text. */
static inline const char *gt_conn_text(struct gt_conn *c, unsigned d)
{
	assert_true(c->n[d] < GT_TEXT);
	c->text[d][c->n[d]] = '\0';
	return (const char *)c->text[d];
}
