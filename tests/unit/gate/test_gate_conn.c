/* SPDX-License-Identifier: MPL-2.0 */
/*
 * tcp_connection in the engine, segment by segment: which are forwarded, which wait, which are
 * dropped by which name, and that the octets and numbers in the output are right.
 */
#include "unit/unit.h"

#include "gate_util.h"

#include "capture/frames_backend.h"

#include "gate/tcp/tcp_reply.h"
#include "gate/tcp/tcp_conn.h"
#include "gate/engine/verdict.h"
#include "wire/tcp.h"

enum {
	CLIENT = 0x0a000001,
	SERVER = 0x0a000002,
	APP = 54,
	S = TCP_SYN,
	A = TCP_ACK,
	F = TCP_FIN,
	R = TCP_RST,
};

static struct gt t;
static uint8_t buf[GT_CAP];
static char shown[4096];      /* the data that a listener saw, both ways */
static const char *from, *to; /* each `from` in the data becomes `to` */
static struct span options;   /* of the segments that are made */

static bool show(void *ctx, struct gate_walk *w, struct flow *f)
{
	size_t at = strlen(shown);

	(void)ctx;
	(void)f;
	assert_true(at + w->view->n + 2 < sizeof(shown));
	memcpy(shown + at, w->view->octets, w->view->n);
	shown[at + w->view->n] = w->view->end ? '$' : '|';
	shown[at + w->view->n + 1] = '\0';
	for (uint32_t i = 0; from && i + strlen(from) <= w->view->n; i++)
		if (memcmp(w->view->octets + i, from, strlen(from)) == 0) {
			assert_int_equal(gate_stream_edit(w->view, i, (uint32_t)strlen(from),
							  span_str(to)),
					 0);
			i += (uint32_t)strlen(to);
		}
	return true;
}

static void open_with(bool inspected, bool midstream, bool fail_open)
{
	struct gate_opts o;

	gt_opts(&o);
	o.midstream = midstream;
	o.fail_open = fail_open;
	gt_open(&t, &o, DISSECT_TCP_CONNECTION);
	if (inspected)
		assert_int_equal(gate_listen(t.g, EVENT_TCP_CONNECTION_receive_data, show, NULL),
				 0);
	shown[0] = '\0';
	from = to = NULL;
	options = SPAN_NULL;
}

static int setup(void **state)
{
	(void)state;
	open_with(true, false, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gt_close(&t);
	return 0;
}

static void again_with(bool inspected, bool midstream, bool fail_open)
{
	gt_close(&t);
	open_with(inspected, midstream, fail_open);
}

static void fix_checksum(uint8_t *frame, size_t len, bool up)
{
	uint32_t sum = checksum_pseudo(up ? CLIENT : SERVER, up ? SERVER : CLIENT, IPV4_PROTO_TCP,
				       len - GT_UDP);
	uint16_t c;

	frame[GT_UDP + 16] = frame[GT_UDP + 17] = 0;
	c = checksum_fold(checksum_add(sum, span_of(frame + GT_UDP, len - GT_UDP)));
	frame[GT_UDP + 16] = (uint8_t)(c >> 8);
	frame[GT_UDP + 17] = (uint8_t)c;
}

/* A segment between the two; its length. */
static size_t segment(bool up, uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	struct eth_hdr eth = {.dst = {2, 0, 0, 0, 0, up ? 2 : 1},
			      .src = {2, 0, 0, 0, 0, up ? 1 : 2},
			      .type = ETH_TYPE_IPV4};
	struct ipv4_hdr ip = {
		.ttl = 64,
		.proto = IPV4_PROTO_TCP,
		.total_len = (uint16_t)(40 + options.n + strlen(data)),
		.src = up ? CLIENT : SERVER,
		.dst = up ? SERVER : CLIENT,
	};
	struct tcp_hdr h = {
		.sport = up ? 1000 : 80,
		.dport = up ? 80 : 1000,
		.seq = seq,
		.ack = flags & TCP_ACK ? ack : 0,
		.flags = flags,
		.wnd = 8000,
		.options = options,
	};
	struct wr w = wr_init(buf, sizeof(buf));

	eth_write(&w, &eth);
	ipv4_write(&w, &ip);
	tcp_write(&w, &h);
	wr_bytes(&w, data, strlen(data));
	assert_true(wr_ok(&w));
	fix_checksum(buf, w.len, up);
	return w.len;
}

static void send_segment(bool up, uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	gt_push(&t, buf, segment(up, flags, seq, ack, data), NS_PER_S);
	gt_run(&t);
}

/* The next segment that comes out is this one, with right checksums. */
static void expect(bool up, uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	size_t len = gt_pop(&t), want = segment(up, flags, seq, ack, data);
	struct rd r = rd_init(span_of(t.out + GT_IP, len > GT_IP ? len - GT_IP : 0));
	struct ipv4_hdr ip;
	struct tcp_hdr h;

	assert_int_equal(len, want);
	assert_int_equal(ipv4_read(&r, &ip), 0);
	assert_true(ip.csum_ok);
	assert_true(tcp_csum_ok(ip.src, ip.dst, span_of(t.out + GT_UDP, len - GT_UDP)));
	assert_int_equal(tcp_read(&r, &h), 0);
	assert_int_equal(h.seq, seq);
	assert_int_equal(h.flags, flags);
	if (flags & TCP_ACK)
		assert_int_equal(h.ack, ack);
	assert_memory_equal(t.out + APP + options.n, data, strlen(data));
	assert_int_equal(ip.src, up ? CLIENT : SERVER);
}

static void nothing(void)
{
	assert_int_equal(gt_pop(&t), 0);
}

/* Goes in, and comes out the same. */
static void pass(bool up, uint8_t flags, uint32_t seq, uint32_t ack, const char *data)
{
	send_segment(up, flags, seq, ack, data);
	expect(up, flags, seq, ack, data);
	nothing();
}

static void refused(bool up, uint8_t flags, uint32_t seq, uint32_t ack, const char *data,
		    enum gate_drop why)
{
	uint64_t before = gt_drops(&t, why);

	send_segment(up, flags, seq, ack, data);
	nothing();
	assert_int_equal(gt_drops(&t, why), before + 1);
}

/* Numbers of the data begin at 101 and 901. */
static void handshake(void)
{
	pass(true, S, 100, 0, "");
	pass(false, S | A, 900, 101, "");
	pass(true, A, 101, 901, "");
}

static void test_conversation(void **state)
{
	(void)state;
	handshake();
	pass(true, A, 101, 901, "GET");
	pass(false, A, 901, 104, "answer");
	pass(true, A | F, 104, 907, "");
	pass(false, A | F, 907, 105, "bye");
	pass(true, A, 105, 911, "");
	assert_string_equal(shown, "GET|answer|$bye$");
	assert_int_equal(gate_counters(t.g)->dropped, 0);
}

/* Data that a receiver reads otherwise than in its place: urgent data, data of a SYN, data of a
 * reset. */
static void test_cleaned(void **state)
{
	(void)state;
	from = NULL;
	send_segment(true, S, 100, 0, "early");
	expect(true, S, 100, 0, "");
	nothing();
	pass(false, S | A, 900, 101, "");
	send_segment(true, A | TCP_URG, 101, 901, "ev?il");
	expect(true, A, 101, 901, "ev?il");
	/* RFC 5961 3.2: inexact, so the receiver keeps the connection, and its octets are not those
	 * of the reset */
	send_segment(true, TCP_RST, 200, 0, "hidden");
	expect(true, TCP_RST, 200, 0, "");
	pass(true, A, 106, 901, "more");
	assert_string_equal(shown, "ev?il|more|");
}

/* In a capture: data of a SYN is shown, missing octets are replaced by placeholders, and the gate
 * sends nothing of its own. */
static void test_recorded(void **state)
{
	(void)state;
	from = NULL;
	t.f->recorded = true;
	gate_source(t.g, t.f);
	handshake();
	pass(true, A, 101, 901, "first");
	send_segment(true, A, 109, 901, "third");
	nothing();
	for (int i = 0; i < 4; i++)
		send_segment(false, A, 901, 114, "");
	assert_int_equal(gate_counters(t.g)->gaps, 1);
	while (gt_pop(&t) != 0)
		;
	pass(true, A, 114, 901, "fourth");
	assert_non_null(strstr(shown, "fourth"));
	assert_int_equal(gate_counters(t.g)->held, 0);
}

static void test_order(void **state)
{
	(void)state;
	handshake();
	/* each time an acknowledgement reports the gap to the sender */
	send_segment(true, A, 107, 901, "three");
	expect(false, A, 901, 101, "");
	send_segment(true, A | F, 112, 901, "");
	expect(false, A, 901, 101, "");
	send_segment(true, A, 104, 901, "two");
	expect(false, A, 901, 101, "");
	send_segment(true, A, 104, 901, "two");
	expect(false, A, 901, 101, "");
	nothing();
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_PENDING), 1);
	assert_int_equal(gate_counters(t.g)->held, 3);
	send_segment(true, A, 101, 901, "one");
	expect(true, A, 101, 901, "one");
	expect(true, A, 104, 901, "two");
	expect(true, A, 107, 901, "three");
	expect(true, A | F, 112, 901, "");
	nothing();
	assert_string_equal(shown, "one|two|three|$");
	assert_int_equal(gate_counters(t.g)->held, 0);
}

static void test_not_inspected(void **state)
{
	(void)state;
	again_with(false, false, false);
	handshake();
	pass(true, A, 107, 901, "three");
	pass(true, A, 101, 901, "one");
	pass(true, A, 101, 901, "one");
}

/* The octets that came first count: a segment that overlaps them is forwarded with those. */
static void test_again_and_overlap(void **state)
{
	(void)state;
	handshake();
	pass(true, A, 101, 901, "first");
	pass(true, A, 101, 901, "first");
	pass(true, A, 105, 901, ""); /* keep-alive */
	send_segment(true, A, 101, 901, "FIRSTsecond");
	expect(true, A, 101, 901, "first");
	expect(true, A, 106, 901, "second");
	nothing();
	assert_string_equal(shown, "first|second|");
	/* cut as it pleases, in part as it was */
	send_segment(true, A, 103, 901, "rstSEC");
	expect(true, A, 103, 901, "rstsec");
	nothing();
	assert_int_equal(gate_counters(t.g)->overlaps, 2);
	assert_int_equal(gate_counters(t.g)->unverified, 0);
	/* the gate does not remember octets that the receiver has acknowledged: they are removed */
	pass(false, A, 901, 106, "");
	send_segment(true, A, 101, 901, "FIRST");
	expect(true, A, 101, 901, "");
	send_segment(true, A, 104, 901, "STSEcond");
	expect(true, A, 106, 901, "second");
	nothing();
	assert_int_equal(gate_counters(t.g)->trimmed, 2);
	assert_int_equal(gate_counters(t.g)->overlaps, 3);
	assert_int_equal(gate_counters(t.g)->unverified, 0);
}

/* Segments that waited are remembered as well; a retransmission carries the changed octets. */
static void test_overlap_of_what_waited(void **state)
{
	(void)state;
	from = "two";
	to = "2";
	handshake();
	send_segment(true, A, 104, 901, "two");
	expect(false, A, 901, 101, "");
	send_segment(true, A, 101, 901, "one");
	expect(true, A, 101, 901, "one");
	expect(true, A, 104, 901, "2");
	send_segment(true, A, 101, 901, "ONETWO");
	expect(true, A, 101, 901, "one2");
	nothing();
	assert_string_equal(shown, "one|two|");
	assert_int_equal(gate_counters(t.g)->overlaps, 1);
}

/* Changed data is retransmitted with a FIN behind it: the change, then the FIN where the receiver
 * expects it. */
static void test_edit_again_with_fin(void **state)
{
	(void)state;
	from = "cat";
	to = "elephant";
	handshake();
	send_segment(true, A, 101, 901, "a cat!");
	expect(true, A, 101, 901, "a elephant!");
	send_segment(true, A | F, 101, 901, "a cat!");
	expect(true, A, 101, 901, "a elephant!");
	expect(true, A | F, 112, 901, "");
	nothing();
	/* all of it once more */
	send_segment(true, A | F, 101, 901, "a cat!");
	expect(true, A | F, 101, 901, "a elephant!");
	nothing();
	/* without a change there is nothing to be done */
	send_segment(false, A, 901, 113, "dog");
	expect(false, A, 901, 108, "dog");
	send_segment(false, A | F, 901, 113, "dog");
	expect(false, A | F, 901, 108, "dog");
	nothing();
	assert_string_equal(shown, "a cat!|$dog|$");
}

/* An acknowledgement whose number is behind a gap closes it for nobody. */
static void test_gap_behind_an_acknowledgement(void **state)
{
	(void)state;
	from = "two";
	to = "2";
	handshake();
	pass(true, A, 101, 901, "one");
	/* "two" is lost on its way to the gate */
	pass(true, A, 107, 901, "");
	send_segment(true, A, 107, 901, "three");
	expect(false, A, 901, 101, "");
	send_segment(true, A, 104, 901, "two");
	expect(true, A, 104, 901, "2");
	expect(true, A, 105, 901, "three");
	nothing();
	assert_string_equal(shown, "one|two|three|");
}

/* Returns the number of octets of data in the output. */
static size_t drain(void)
{
	size_t n, sum = 0;

	while ((n = gt_pop(&t)) != 0)
		sum += n - APP;
	return sum;
}

/* More changes in flight than are remembered: further segments wait for acknowledgements, and
 * nothing is lost. */
static void test_crowded(void **state)
{
	static char much[30001];

	(void)state;
	memset(much, 'z', sizeof(much) - 1);
	from = "x";
	to = much;
	handshake();
	send_segment(true, A, 101, 901, "x");
	assert_int_equal(drain(), 30000);
	send_segment(true, A, 102, 901, "x");
	assert_int_equal(drain(), 30000);
	send_segment(true, A, 103, 901, "x");
	send_segment(true, A, 104, 901, "y");
	send_segment(true, A | F, 105, 901, "");
	assert_int_equal(drain(), 0);
	assert_string_equal(shown, "x|x|");
	/* half of the first: nothing is forgotten */
	send_segment(false, A, 901, 15101, "");
	assert_int_equal(drain(), 0);
	/* all of it, beside data of the other direction, which is changed as well; then there is as
	 * much on its way as before */
	send_segment(false, A, 901, 30101, "x");
	assert_int_equal(drain(), 30000 + 30000);
	assert_string_equal(shown, "x|x|x|x|");
	send_segment(false, A, 902, 60101, "");
	assert_int_equal(drain(), 1);
	assert_string_equal(shown, "x|x|x|x|y|$");
	assert_int_equal(gate_counters(t.g)->dropped, 0);
	assert_int_equal(gate_counters(t.g)->held, 0);
	assert_int_equal(gate_counters(t.g)->packets, 3 + 8);
}

/* Asserts the acknowledgement to the sender, with selective acknowledgements and time stamps: the
 * runs behind the gap, that of the current segment first; the receiver's last window and time
 * stamp. */
static void told(uint32_t ack, uint32_t stamp, uint32_t echo, unsigned n, const uint32_t *numbers)
{
	size_t len = gt_pop(&t);
	struct rd r = rd_init(span_of(t.out + GT_UDP, len > GT_UDP ? len - GT_UDP : 0)), o;
	struct tcp_hdr h;

	assert_true(tcp_csum_ok(SERVER, CLIENT, span_of(t.out + GT_UDP, len - GT_UDP)));
	assert_int_equal(tcp_read(&r, &h), 0);
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(h.ack, ack);
	assert_int_equal(h.seq, 901);
	assert_int_equal(h.wnd, 8000);
	o = rd_init(tcp_option(&h, TCP_OPT_TIMESTAMPS));
	assert_int_equal(rd_be32(&o), stamp);
	assert_int_equal(rd_be32(&o), echo);
	o = rd_init(tcp_option(&h, TCP_OPT_SACK));
	assert_int_equal(rd_left(&o), 8 * n);
	for (unsigned i = 0; i < 2 * n; i++)
		assert_int_equal(rd_be32(&o), numbers[i]);
}

/* Of the segment that came out last. */
static void stamped(uint32_t stamp, uint32_t echo)
{
	struct rd r = rd_init(span_of(t.out + GT_UDP, 60)), o;
	struct tcp_hdr h;

	assert_int_equal(tcp_read(&r, &h), 0);
	o = rd_init(tcp_option(&h, TCP_OPT_TIMESTAMPS));
	assert_int_equal(rd_be32(&o), stamp);
	assert_int_equal(rd_be32(&o), echo);
}

/* A segment that waited is forwarded behind others: with their time stamp, or it would be taken for
 * an old one (RFC 7323 5). */
static void test_stamps_of_what_waited(void **state)
{
	static const uint8_t syn[] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0};
	static uint8_t stamps[] = {1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 3};

	(void)state;
	options = span_of(syn, sizeof(syn));
	send_segment(true, S, 100, 0, "");
	send_segment(false, S | A, 900, 101, "");
	options = span_of(stamps, sizeof(stamps));
	send_segment(true, A, 101, 901, "");
	while (gt_pop(&t))
		;
	stamps[7] = 5;
	send_segment(true, A, 106, 901, "world");
	assert_true(gt_pop(&t) > 0); /* the acknowledgement that reports the gap */
	nothing();
	stamps[7] = 70;
	pass(false, A, 901, 101, "");
	stamps[7] = 9;
	stamps[11] = 70;
	send_segment(true, A, 101, 901, "hello");
	expect(true, A, 101, 901, "hello");
	stamped(9, 70);
	expect(true, A, 106, 901, "world");
	stamped(9, 70);
	nothing();
}

static void test_told_what_is_missing(void **state)
{
	static const uint8_t syn[] = {4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0};
	static uint8_t stamps[] = {1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 3};

	(void)state;
	options = span_of(syn, sizeof(syn));
	send_segment(true, S, 100, 0, "");
	send_segment(false, S | A, 900, 101, "");
	options = span_of(stamps, sizeof(stamps));
	send_segment(true, A, 101, 901, "");
	stamps[7] = 77;
	send_segment(false, A, 901, 101, "");
	while (gt_pop(&t))
		;
	stamps[7] = 5;
	send_segment(true, A, 111, 901, "aaaaa");
	told(101, 77, 5, 1, (const uint32_t[]){111, 116});
	stamps[7] = 6;
	send_segment(true, A, 131, 901, "bbbbb");
	told(101, 77, 6, 2, (const uint32_t[]){131, 136, 111, 116});
	/* both runs grow together; a third */
	send_segment(true, A, 116, 901, "ccccccccccccccc");
	told(101, 77, 6, 1, (const uint32_t[]){111, 136});
	send_segment(true, A, 201, 901, "d");
	told(101, 77, 6, 2, (const uint32_t[]){201, 202, 111, 136});
	send_segment(true, A, 211, 901, "d");
	told(101, 77, 6, 3, (const uint32_t[]){211, 212, 111, 136, 201, 202});
	/* no more than fit beside the time stamps */
	send_segment(true, A, 221, 901, "d");
	told(101, 77, 6, 3, (const uint32_t[]){221, 222, 111, 136, 201, 202});
	nothing();
	options = SPAN_NULL;
}

static void test_overlap_dropped(void **state)
{
	struct gate_opts o;

	(void)state;
	gt_close(&t);
	gt_opts(&o);
	o.drop_overlaps = true;
	gt_open(&t, &o, DISSECT_TCP_CONNECTION);
	assert_int_equal(gate_listen(t.g, EVENT_TCP_CONNECTION_receive_data, show, NULL), 0);
	shown[0] = '\0';
	from = to = NULL;
	handshake();
	pass(true, A, 101, 901, "first");
	pass(true, A, 101, 901, "first");
	refused(true, A, 101, 901, "FIRST", GATE_DROP_TCP_OVERLAP);
	refused(true, A, 101, 901, "FIRSTsecond", GATE_DROP_TCP_OVERLAP);
	pass(true, A, 106, 901, "second");
	assert_string_equal(shown, "first|second|");
}

/* Streams with data in flight for which there is no buffer: no octets pass whose retransmission
 * could not be checked. */
static void test_overlap_unverified(void **state)
{
	struct gate_opts o;

	(void)state;
	gt_close(&t);
	gt_opts(&o);
	o.max_streams = 0;
	gt_open(&t, &o, DISSECT_TCP_CONNECTION);
	assert_int_equal(gate_listen(t.g, EVENT_TCP_CONNECTION_receive_data, show, NULL), 0);
	shown[0] = '\0';
	from = to = NULL;
	handshake();
	send_segment(true, A, 101, 901, "first");
	send_segment(true, A, 101, 901, "FIRST");
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_LIMIT), 2);
	pass(true, A, 101, 901, "");
}

/* Taken up in the middle: earlier octets are not known, and may be retransmitted until the receiver
 * has them. */
static void test_overlap_midstream(void **state)
{
	struct gate_opts o;

	(void)state;
	gt_close(&t);
	gt_opts(&o);
	o.midstream = true;
	gt_open(&t, &o, DISSECT_TCP_CONNECTION);
	assert_int_equal(gate_listen(t.g, EVENT_TCP_CONNECTION_receive_data, show, NULL), 0);
	shown[0] = '\0';
	from = to = NULL;
	pass(true, A, 201, 901, "behind");
	send_segment(true, A, 191, 901, "before all");
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_UNVERIFIED), 1);
	assert_int_equal(gate_counters(t.g)->unverified, 1);
	pass(false, A, 901, 201, "");
	send_segment(true, A, 191, 901, "before all");
	expect(true, A, 191, 901, "");
	assert_string_equal(shown, "behind|");
}

static void test_edits(void **state)
{
	(void)state;
	from = "cat";
	to = "elephant";
	handshake();
	send_segment(true, A, 101, 901, "a cat!");
	expect(true, A, 101, 901, "a elephant!");
	/* five octets more: all numbers behind move, both ways */
	send_segment(true, A, 107, 901, "next");
	expect(true, A, 112, 901, "next");
	send_segment(false, A, 901, 116, "ok");
	expect(false, A, 901, 111, "ok");
	/* octets that the receiver has acknowledged are forgotten, and removed from
	 * retransmissions */
	send_segment(true, A, 101, 903, "a cat!");
	expect(true, A, 106, 903, "");
	nothing();
}

static void test_edit_again_before_it_is_acknowledged(void **state)
{
	(void)state;
	from = "cat";
	to = "elephant";
	handshake();
	send_segment(true, A, 101, 901, "a cat!");
	expect(true, A, 101, 901, "a elephant!");
	send_segment(true, A, 101, 901, "a cat!");
	expect(true, A, 101, 901, "a elephant!");
	send_segment(true, A, 104, 901, "at!more");
	/* within the change: all of it, then the new octets */
	expect(true, A, 103, 901, "elephant!");
	expect(true, A, 112, 901, "more");
	nothing();
	/* an acknowledgement of half an elephant acknowledges no cat */
	send_segment(false, A, 901, 105, "");
	expect(false, A, 901, 103, "");
	send_segment(false, A, 901, 112, "");
	expect(false, A, 901, 107, "");
	assert_string_equal(shown, "a cat!|more|");
}

static void test_refused(void **state)
{
	(void)state;
	refused(true, A, 500, 600, "x", GATE_DROP_TCP_NO_CONNECTION);
	handshake();
	refused(true, S | F, 101, 0, "", GATE_DROP_TCP_FLAGS);
	refused(true, A, 101, 999, "", GATE_DROP_TCP_ACK);
	refused(true, A, 90000, 901, "x", GATE_DROP_TCP_WINDOW);
	refused(true, R, 90000, 0, "", GATE_DROP_TCP_RESET);
	refused(false, S, 5, 0, "", GATE_DROP_TCP_HANDSHAKE);
	gt_push(&t, buf, segment(true, A, 101, 901, "x"), NS_PER_S);
	buf[APP]++;
	gt_push(&t, buf, APP + 1, NS_PER_S);
	buf[GT_UDP + 12] = 0x40;
	fix_checksum(buf, APP + 1, true);
	gt_push(&t, buf, APP + 1, NS_PER_S);
	gt_run(&t);
	expect(true, A, 101, 901, "x");
	nothing();
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_CHECKSUM), 1);
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_HEADER), 1);
	/* a reset that fits ends it, and a new one may begin */
	pass(true, R | A, 102, 901, "");
	pass(true, S, 7000, 0, "");
}

static void test_midstream(void **state)
{
	(void)state;
	again_with(true, true, false);
	pass(true, A, 5000, 6000, "hello");
	pass(false, A, 6000, 5005, "world");
	pass(true, A, 5005, 6005, "more");
	assert_string_equal(shown, "hello|world|more|");
}

static void test_fail_open(void **state)
{
	(void)state;
	again_with(true, false, true);
	pass(true, A, 500, 600, "x");
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_NO_CONNECTION), 1);
	assert_int_equal(gate_counters(t.g)->failed_open, 1);
}

/* There is no room to hold more: the sender has to retransmit, and its segment is examined then. */
static void test_no_room(void **state)
{
	unsigned n = 0;

	(void)state;
	handshake();
	for (uint32_t i = 0; i < 300 && gt_drops(&t, GATE_DROP_TCP_LIMIT) == 0; i++, n++)
		send_segment(true, A, 102 + 2 * i, 901, "x");
	assert_true(n > 100 && gt_drops(&t, GATE_DROP_TCP_LIMIT) == 1);
	for (unsigned i = 0; i < n; i++)
		expect(false, A, 901, 101, "");
	nothing();
	send_segment(true, A, 101, 901, "y");
	expect(true, A, 101, 901, "y");
	/* it was kept until the next had been looked at: the furthest made room for it */
	assert_int_equal(gate_counters(t.g)->held, n - 3);
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_LIMIT), 2);
}

static bool reset_it(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;

	(void)ctx;
	if (p->p.app_len == 0)
		return true;
	gate_tcp_reset(w, f);
	f->dropped = true;
	gate_drop(p, GATE_DROP_RULE);
	return false;
}

static void test_reset(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(gate_listen(t.g, EVENT_TCP_CONNECTION_receive_packet, reset_it, NULL), 0);
	send_segment(true, A, 101, 901, "bad word");
	expect(true, R | A, 101, 901, "");
	expect(false, R | A, 901, 101, "");
	nothing();
	refused(true, A, 101, 901, "x", GATE_DROP_FLOW_DROPPED);
	refused(false, A, 901, 101, "x", GATE_DROP_FLOW_DROPPED);
}

static void test_limits_of_flows(void **state)
{
	struct flow_stats st;

	(void)state;
	/* half-open ones go first: a flood does not evict established ones */
	handshake();
	for (unsigned i = 0; i < 200; i++) {
		size_t len = segment(true, S, 100, 0, "");

		buf[GT_UDP] = (uint8_t)(0x80 + (i >> 8));
		buf[GT_UDP + 1] = (uint8_t)i;
		fix_checksum(buf, len, true);
		gt_push(&t, buf, len, NS_PER_S);
		gt_run(&t);
		assert_int_equal(gt_pop(&t), len);
	}
	pass(true, A, 101, 901, "still here");
	flow_stats(gate_flows(t.g), &st);
	assert_int_equal(st.live, 64);
	assert_int_equal(st.evicted, 201 - 64);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_conversation),
		T(test_cleaned),
		T(test_recorded),
		T(test_order),
		T(test_not_inspected),
		T(test_again_and_overlap),
		T(test_overlap_of_what_waited),
		T(test_edit_again_with_fin),
		T(test_gap_behind_an_acknowledgement),
		T(test_crowded),
		T(test_stamps_of_what_waited),
		T(test_told_what_is_missing),
		T(test_overlap_dropped),
		T(test_overlap_unverified),
		T(test_overlap_midstream),
		T(test_edits),
		T(test_edit_again_before_it_is_acknowledged),
		T(test_refused),
		T(test_midstream),
		T(test_fail_open),
		T(test_no_room),
		T(test_reset),
		T(test_limits_of_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
