/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Frames for the gate's tests, and an engine over the memory source. Header only: each test has its
 * own.
 */
#pragma once

#include "capture/frames.h"
#include "base/clock.h"
#include "gate/assembly.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

enum { GT_IP = 14, GT_UDP = 34, GT_PAYLOAD = 42, GT_CAP = 70000 };

struct gt {
	struct gate *g;
	struct frames *f;
	uint8_t out[GT_CAP];
	struct frame last;
};

/* The usual options, with as little memory as tests need. */
static inline void gt_opts(struct gate_opts *o)
{
	gate_opts_default(o);
	o->flows.max_flows = 64;
	o->max_held = 128;
	o->max_streams = 8;
	o->defrag.max_datagrams = 16;
}

static inline void gt_open(struct gt *t, struct gate_opts *o, enum gate_dissector d)
{
	assert_int_equal(frames_memory_open(FRAME_ETHERNET, &t->f), 0);
	o->frames = t->f;
	assert_int_equal(gate_new(o, &t->g), 0);
	gate_load(t->g, d);
}

static inline void gt_close(struct gt *t)
{
	gate_free(t->g);
	frames_close(t->f);
}

/* A UDP datagram in a frame; its length. */
static inline size_t gt_udp_span(uint8_t *buf, uint32_t src, uint16_t sport, uint32_t dst,
				 uint16_t dport, struct span payload)
{
	struct udp_frame f = {
		.dst_mac = {2, 0, 0, 0, 0, 2},
		.src_mac = {2, 0, 0, 0, 0, 1},
		.src = src,
		.dst = dst,
		.sport = sport,
		.dport = dport,
		.payload = payload,
	};
	struct wr w = wr_init(buf, GT_CAP);

	udp_frame_write(&w, &f);
	assert_true(wr_ok(&w));
	return w.len;
}

static inline size_t gt_udp(uint8_t *buf, uint32_t src, uint16_t sport, uint32_t dst,
			    uint16_t dport, const char *text)
{
	return gt_udp_span(buf, src, sport, dst, dport, span_str(text));
}

static inline void gt_ip_checksum(uint8_t *frame)
{
	uint16_t c;

	frame[GT_IP + 10] = frame[GT_IP + 11] = 0;
	c = checksum_fold(checksum_add(0, span_of(frame + GT_IP, (frame[GT_IP] & 15) * 4U)));
	frame[GT_IP + 10] = (uint8_t)(c >> 8);
	frame[GT_IP + 11] = (uint8_t)c;
}

/* Octets [off, off + n) of the payload of a frame's datagram as a fragment of its own; its
 * length. */
static inline size_t gt_fragment(uint8_t *buf, const uint8_t *whole, size_t off, size_t n,
				 bool more)
{
	uint16_t total = (uint16_t)(20 + n), frag = (uint16_t)(off / 8 | (more ? IPV4_MF : 0));

	memcpy(buf, whole, GT_UDP);
	memcpy(buf + GT_UDP, whole + GT_UDP + off, n);
	buf[GT_IP + 2] = (uint8_t)(total >> 8);
	buf[GT_IP + 3] = (uint8_t)total;
	buf[GT_IP + 6] = (uint8_t)(frag >> 8);
	buf[GT_IP + 7] = (uint8_t)frag;
	gt_ip_checksum(buf);
	return GT_UDP + n;
}

static inline void gt_push(struct gt *t, const uint8_t *frame, size_t len, int64_t ts_ns)
{
	assert_int_equal(frames_memory_push(t->f, span_of(frame, len), 0, ts_ns, 0), 0);
}

/* Runs until nothing is left to read. */
static inline void gt_run(struct gt *t)
{
	int n = 1;

	while (n > 0)
		n = gate_turn(t->g);
	assert_int_equal(n, 0);
}

/* The next frame that came out, in t->out; 0: none. */
static inline size_t gt_pop(struct gt *t)
{
	return frames_memory_pop(t->f, t->out, sizeof(t->out), &t->last);
}

static inline uint64_t gt_drops(const struct gt *t, enum gate_drop d)
{
	return gate_counters(t->g)->drops[d];
}
