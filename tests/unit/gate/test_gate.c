/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate's walk: the output for each input, octet by octet; every drop by its name.
 */
#include "unit/unit.h"

#include "gate_util.h"

#include "capture/frames_backend.h"

#include "gate/engine/verdict.h"

enum { CLIENT = 0x0a000001, SERVER = 0x0a000002 };

static struct gt t;
static uint8_t buf[GT_CAP], whole[GT_CAP];

static int setup(void **state)
{
	struct gate_opts o;

	(void)state;
	gt_opts(&o);
	gt_open(&t, &o, DISSECT_UDP_CONNECTION);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gt_close(&t);
	return 0;
}

static void reopen(bool pass_through, bool fail_open)
{
	struct gate_opts o;

	gt_close(&t);
	gt_opts(&o);
	o.pass_through = pass_through;
	o.fail_open = fail_open;
	o.defrag.timeout_ns = 10;
	gt_open(&t, &o, DISSECT_UDP_CONNECTION);
}

/* Goes in, and has to come out as it is. */
static void assert_passes(const uint8_t *frame, size_t len)
{
	gt_push(&t, frame, len, 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), len);
	assert_memory_equal(t.out, frame, len);
	assert_int_equal(gt_pop(&t), 0);
}

static void assert_dropped(const uint8_t *frame, size_t len, enum gate_drop why)
{
	uint64_t before = gt_drops(&t, why);

	gt_push(&t, frame, len, 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, why), before + 1);
}

static void test_passes_unchanged(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");

	(void)state;
	assert_passes(buf, len);
	/* Ethernet's padding stays */
	memset(buf + len, 0, 10);
	assert_passes(buf, len + 10);
	/* frames that are not IPv4 */
	buf[12] = 0x86;
	buf[13] = 0xdd;
	assert_passes(buf, len);
}

static void test_malformed(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");

	(void)state;
	assert_dropped(buf, 13, GATE_DROP_ETHERNET_HEADER);
	assert_dropped(buf, GT_IP + 19, GATE_DROP_IPV4_HEADER);
	assert_dropped(buf, len - 1, GATE_DROP_IPV4_LENGTH);
	buf[GT_IP + 8]--;
	assert_dropped(buf, len, GATE_DROP_IPV4_CHECKSUM);
	buf[GT_IP + 8]++;
	buf[GT_UDP + 4] = 0xff;
	assert_dropped(buf, len, GATE_DROP_UDP_HEADER);
	buf[GT_UDP + 4] = 0;
	buf[GT_PAYLOAD]++;
	assert_dropped(buf, len, GATE_DROP_UDP_CHECKSUM);
	buf[GT_PAYLOAD]--;
	assert_passes(buf, len);
	/* a tag that is cut off */
	buf[12] = 0x81;
	buf[13] = 0;
	assert_dropped(buf, 16, GATE_DROP_VLAN_HEADER);
}

static void test_fail_open(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");

	(void)state;
	reopen(false, true);
	buf[GT_IP + 8]--;
	assert_passes(buf, len);
	assert_int_equal(gate_counters(t.g)->failed_open, 1);
	assert_int_equal(gt_drops(&t, GATE_DROP_IPV4_CHECKSUM), 1);
}

/* Captures made on the sending machine show the pseudo header's sum where the checksum will be. */
static void test_checksum_left_to_hardware(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");
	uint16_t sum = (uint16_t)~checksum_fold(checksum_pseudo_udp(CLIENT, SERVER, len - GT_UDP));

	(void)state;
	buf[GT_UDP + 6] = (uint8_t)(sum >> 8);
	buf[GT_UDP + 7] = (uint8_t)sum;
	assert_dropped(buf, len, GATE_DROP_UDP_CHECKSUM); /* on a wire no receiver takes it */
	t.f->recorded = true;
	gate_source(t.g, t.f);
	assert_passes(buf, len);
	t.f->recorded = false;
	gate_source(t.g, t.f);
	/* the source says so: the checksum is computed before the frame is forwarded */
	assert_int_equal(frames_memory_push(t.f, span_of(buf, len), 0, 1, FRAME_CSUM_NOT_READY), 0);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), len);
	assert_true(udp_csum_ok(CLIENT, SERVER, span_of(t.out + GT_UDP, len - GT_UDP)));
}

static void push_partial(uint8_t *frame, size_t len, uint16_t start, uint16_t offset, uint8_t gso)
{
	struct frame like = {.link = FRAME_ETHERNET,
			     .flags = FRAME_CSUM_NOT_READY,
			     .ts_ns = 1,
			     .offload = {.flags = FRAME_OFFLOAD_CSUM,
					 .gso_type = gso,
					 .csum_start = start,
					 .csum_offset = offset}};

	assert_int_equal(frames_memory_push_as(t.f, span_of(frame, len), &like), 0);
	gt_run(&t);
}

/* The checksum that is still to be made is not the datagram's: it would be written over octets that
 * a rule has seen. */
static void test_checksum_elsewhere(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 4789, "a datagram in a tunnel");
	uint16_t inner = (uint16_t)(GT_UDP + 8 + 4);
	uint8_t want[2];
	uint16_t sum;

	(void)state;
	buf[GT_UDP + 6] = buf[GT_UDP + 7] = 0; /* none of its own */
	sum = checksum_fold(checksum_add(0, span_of(buf + inner, len - inner)));
	want[0] = (uint8_t)(sum >> 8);
	want[1] = (uint8_t)sum;
	push_partial(buf, len, inner, 6, 0);
	assert_int_equal(gt_pop(&t), len);
	assert_int_equal(t.last.offload.flags, 0);
	assert_memory_equal(t.out + inner + 6, want, 2);
	assert_memory_equal(t.out, buf, inner + 6U);
	/* to be cut as well: nobody does that with tunnels; and behind the end */
	push_partial(buf, len, inner, 6, 1);
	assert_int_equal(gt_pop(&t), 0);
	push_partial(buf, len, (uint16_t)len, 0, 0);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_UDP_CHECKSUM), 2);
	/* its own */
	push_partial(buf, len, GT_UDP, 6, 0);
	assert_int_equal(gt_pop(&t), len);
}

static bool drop_it(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;

	(void)f;
	++*(unsigned *)ctx;
	gate_drop(p, GATE_DROP_RULE);
	return false;
}

static bool count_it(void *ctx, struct gate_walk *w, struct flow *f)
{
	(void)w;
	(void)f;
	++*(unsigned *)ctx;
	return true;
}

static bool splice_it(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;

	(void)f;
	assert_int_equal(verdict_splice(g, p, p->p.app, p->p.app_len, span_str(ctx)), 0);
	return true;
}

static void test_listeners(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");
	unsigned up = 0, down = 0;

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_UDP_send_packet, count_it, &up), 0);
	assert_passes(buf, len);
	assert_int_equal(up, 1);
	assert_int_equal(gate_listen(t.g, EVENT_UDP_receive_packet, drop_it, &down), 0);
	assert_dropped(buf, len, GATE_DROP_RULE);
	assert_int_equal(up, 1);
	assert_int_equal(down, 1);
	/* the flow was not reached */
	assert_int_equal(gate_counters(t.g)->seen[DISSECT_UDP_CONNECTION], 1);
}

static void assert_whole(const char *text)
{
	struct rd r = rd_init(span_of(t.out + GT_IP, gt_pop(&t) - GT_IP));
	struct ipv4_hdr ip;
	size_t n = strlen(text);

	assert_int_equal(ipv4_read(&r, &ip), 0);
	assert_true(ip.csum_ok);
	assert_int_equal(ip.total_len, 28 + n);
	assert_int_equal(t.last.len, GT_PAYLOAD + n);
	assert_memory_equal(t.out + GT_PAYLOAD, text, n);
	assert_true(udp_csum_ok(ip.src, ip.dst, span_of(t.out + GT_UDP, 8 + n)));
	assert_int_equal(t.out[GT_UDP + 4] << 8 | t.out[GT_UDP + 5], 8 + n);
}

static void test_changed_length(void **state)
{
	static char answer[] = "a much longer answer than there was a question";
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_UDP_receive_packet, splice_it, answer), 0);
	/* with padding behind, which a datagram of another length has no use for */
	gt_push(&t, buf, len + 10, 1);
	gt_run(&t);
	assert_whole(answer);
	answer[3] = '\0';
	gt_push(&t, buf, len, 1);
	gt_run(&t);
	assert_whole("a m");
}

static bool write_ttl(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;

	(void)f;
	assert_int_equal(verdict_write(g, p, p->p.l3 + 8U, ctx, 1), 0);
	return true;
}

/* A rule that changes something else must not make a damaged datagram look whole. */
static void test_damage_stays(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");
	static char ttl[] = "\x05";
	struct gate_opts o;

	(void)state;
	gt_close(&t);
	gt_opts(&o);
	gt_open(&t, &o, DISSECT_UDP);
	assert_int_equal(gate_listen(t.g, EVENT_UDP_receive_packet, write_ttl, ttl), 0);
	gt_push(&t, buf, len, 1);
	buf[GT_PAYLOAD]++;
	gt_push(&t, buf, len, 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), len);
	assert_int_equal(t.out[GT_IP + 8], 5);
	assert_true(udp_csum_ok(CLIENT, SERVER, span_of(t.out + GT_UDP, len - GT_UDP)));
	assert_int_equal(gt_pop(&t), len);
	assert_int_equal(t.out[GT_IP + 8], 5);
	assert_false(udp_csum_ok(CLIENT, SERVER, span_of(t.out + GT_UDP, len - GT_UDP)));
	assert_int_equal(checksum_fold(checksum_add(0, span_of(t.out + GT_IP, 20))), 0);
}

static void test_pass_through(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");
	unsigned n = 0;

	(void)state;
	reopen(true, false);
	assert_int_equal(gate_listen(t.g, EVENT_UDP_receive_packet, drop_it, &n), 0);
	assert_passes(buf, len);
	assert_int_equal(n, 1);
	buf[GT_IP + 8]--;
	assert_passes(buf, len);
}

/* --- Fragments -------------------------------------------------------------------------------- */

enum { PIECE = 64 };

/* A datagram of 200 octets of text, cut; piece i into buf: its length. */
static size_t piece(unsigned i)
{
	static char text[193];
	size_t len, off = i * (size_t)PIECE, n;

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text + 90, "middle", 6);
	len = gt_udp(whole, CLIENT, 1000, SERVER, 53, text) - GT_UDP;
	whole[GT_IP + 4] = 7;
	n = len - off < PIECE ? len - off : PIECE;
	return gt_fragment(buf, whole, off, n, off + n < len);
}

static void push_piece(unsigned i, int64_t ts)
{
	size_t len = piece(i);

	gt_push(&t, buf, len, ts);
}

static void assert_piece_out(unsigned i)
{
	size_t len = piece(i);

	assert_int_equal(gt_pop(&t), len);
	assert_memory_equal(t.out, buf, len);
}

static void test_fragments_leave_as_they_came(void **state)
{
	static const unsigned orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}};
	unsigned n = 0;

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_UDP_CONNECTION_receive_data, count_it, &n), 0);
	for (size_t o = 0; o < 3; o++) {
		for (size_t i = 0; i < 4; i++) {
			assert_int_equal(gt_pop(&t), 0);
			push_piece(orders[o][i], 1);
			gt_run(&t);
		}
		for (size_t i = 0; i < 4; i++)
			assert_piece_out(orders[o][i]);
		assert_int_equal(n, o + 1);
		assert_int_equal(gate_counters(t.g)->held, 0);
	}
}

static void test_fragments_changed(void **state)
{
	static char text[301];
	size_t got = 0, off = 0;
	bool more = true;

	(void)state;
	memset(text, 'y', sizeof(text) - 1);
	assert_int_equal(gate_listen(t.g, EVENT_UDP_receive_packet, splice_it, text), 0);
	for (unsigned i = 0; i < 4; i++)
		push_piece(i, 1);
	gt_run(&t);
	while (more) {
		struct rd r = rd_init(span_of(t.out + GT_IP, gt_pop(&t) - GT_IP));
		struct ipv4_hdr ip;

		assert_int_equal(ipv4_read(&r, &ip), 0);
		assert_true(ip.csum_ok);
		assert_int_equal((ip.frag & IPV4_OFFSET_MASK) * 8, off);
		memcpy(whole + off, t.out + GT_UDP, ip.total_len - 20U);
		off += ip.total_len - 20U;
		more = ip.frag & IPV4_MF;
		got++;
	}
	assert_int_equal(off, 308);
	assert_int_equal(got, 5); /* one more than came */
	assert_memory_equal(whole + 8, text, 300);
	assert_true(udp_csum_ok(CLIENT, SERVER, span_of(whole, 308)));
	assert_int_equal(gt_pop(&t), 0);
}

static void test_fragments_shrunk(void **state)
{
	static char shorter[] = "short";

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_UDP_receive_packet, splice_it, shorter), 0);
	for (unsigned i = 0; i < 4; i++)
		push_piece(i, 1);
	gt_run(&t);
	assert_whole("short");
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_CONSUMED), 3);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

static void test_fragments_refused(void **state)
{
	size_t len;

	(void)state;
	/* one octet more than the first, at the same place: all of it goes */
	push_piece(0, 1);
	push_piece(1, 1);
	(void)piece(2);
	len = gt_fragment(buf, whole, 8, 8, true);
	gt_push(&t, buf, len, 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_FRAGMENT_OVERLAP), 3);
	/* not a multiple of eight, with more to come */
	(void)piece(0);
	len = gt_fragment(buf, whole, 0, 13, true);
	assert_dropped(buf, len, GATE_DROP_FRAGMENT_INVALID);
	/* beyond 65,535 octets */
	(void)piece(0);
	len = gt_fragment(buf, whole, 65528, 64, false);
	assert_dropped(buf, len, GATE_DROP_FRAGMENT_INVALID);
	/* exactly the same again: only the second goes */
	push_piece(0, 1);
	push_piece(0, 1);
	for (unsigned i = 1; i < 4; i++)
		push_piece(i, 1);
	gt_run(&t);
	for (unsigned i = 0; i < 4; i++)
		assert_piece_out(i);
	assert_int_equal(gt_pop(&t), 0);
}

static void test_fragments_lost(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1, SERVER, 2, "later");

	(void)state;
	reopen(false, false);
	gt_push(&t, buf, len, 1);
	push_piece(0, 1);
	gt_run(&t);
	assert_int_equal(gate_counters(t.g)->held, 1);
	(void)gt_udp(buf, CLIENT, 1, SERVER, 2, "later");
	gt_push(&t, buf, len, 12);
	gt_run(&t);
	assert_int_equal(gt_drops(&t, GATE_DROP_FRAGMENT_TIMEOUT), 1);
	assert_int_equal(gate_counters(t.g)->held, 0);
	/* under fail-open, which forwards undecided packets, they pass */
	reopen(false, true);
	push_piece(0, 1);
	gt_run(&t);
	(void)gt_udp(buf, CLIENT, 1, SERVER, 2, "later");
	gt_push(&t, buf, len, 12);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), len);
	assert_piece_out(0);
}

static void test_fragments_pass_through(void **state)
{
	unsigned n = 0;

	(void)state;
	reopen(true, false);
	assert_int_equal(gate_listen(t.g, EVENT_UDP_CONNECTION_receive_data, count_it, &n), 0);
	for (unsigned i = 0; i < 4; i++) {
		push_piece(i, 1);
		gt_run(&t);
		assert_piece_out(i); /* nothing waits */
	}
	assert_int_equal(n, 1);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gate_counters(t.g)->accepted, 4);
}

/* --- Flows ------------------------------------------------------------------------------------ */

static struct flow *seen;

static bool look(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;

	seen = f;
	*(int *)ctx = p ? p->direction : -1;
	return true;
}

static void test_flow(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");
	/* end_connection is also raised when the gate ends */
	static unsigned begun, ended;
	static int direction = -2;

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_UDP_CONNECTION_new_connection, count_it, &begun),
			 0);
	assert_int_equal(gate_listen(t.g, EVENT_UDP_CONNECTION_end_connection, count_it, &ended),
			 0);
	assert_int_equal(gate_listen(t.g, EVENT_UDP_CONNECTION_receive_data, look, &direction), 0);
	assert_passes(buf, len);
	assert_int_equal(direction, GATE_UP);
	len = gt_udp(buf, SERVER, 53, CLIENT, 1000, "answer");
	assert_passes(buf, len);
	assert_int_equal(direction, GATE_DOWN);
	assert_int_equal(begun, 1);
	assert_int_equal(seen->packets[GATE_UP], 1);
	assert_int_equal(seen->packets[GATE_DOWN], 1);
	assert_int_equal(seen->queue, FLOW_DATAGRAMS);
	/* a minute later it is over, and the same ends begin anew */
	gt_push(&t, buf, len, 61 * NS_PER_S);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), len);
	assert_int_equal(ended, 1);
	assert_int_equal(begun, 2);
	/* the sender of the first segment is the client now */
	assert_int_equal(direction, GATE_UP);
}

static bool refuse_flow(void *ctx, struct gate_walk *w, struct flow *f)
{
	return drop_it(ctx, w, f);
}

static uint32_t n_flows(void)
{
	struct flow_stats s;

	flow_stats(gate_flows(t.g), &s);
	return s.live;
}

/* The wall clock is set back by an hour, and on by a day: flows of a live source end by the time
 * that passes. */
static void test_wall_clock_steps(void **state)
{
	struct virtual_clock clock;
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 9000, "question");
	int64_t wall = 100000 * NS_PER_S;

	(void)state;
	gate_load(t.g, DISSECT_UDP_CONNECTION);
	virtual_clock_init(&clock, wall);
	frames_live(t.f, &clock.src);
	gate_source(t.g, t.f);
	gt_push(&t, buf, len, wall);
	gt_run(&t);
	assert_int_equal(n_flows(), 1);
	clock.wall -= 3600 * NS_PER_S;
	clock.mono += 10 * NS_PER_S;
	gt_push(&t, buf, len, clock.wall);
	gt_run(&t);
	assert_int_equal(n_flows(), 1);
	clock.wall += 86400 * NS_PER_S;
	gt_push(&t, buf, len, clock.wall);
	gt_run(&t);
	gate_tick(t.g, frames_now(t.f));
	assert_int_equal(n_flows(), 1);
	clock.wall -= 2 * 86400 * NS_PER_S;
	for (int i = 0; i < 2; i++) { /* it ends, and then its entry goes */
		clock.mono += 3600 * NS_PER_S;
		gate_tick(t.g, frames_now(t.f));
	}
	assert_int_equal(n_flows(), 0);
}

static void test_flow_dropped(void **state)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, "question");
	unsigned n = 0;

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_UDP_CONNECTION_new_connection, refuse_flow, &n), 0);
	assert_dropped(buf, len, GATE_DROP_RULE);
	assert_dropped(buf, len, GATE_DROP_FLOW_DROPPED);
	len = gt_udp(buf, SERVER, 53, CLIENT, 1000, "answer");
	assert_dropped(buf, len, GATE_DROP_FLOW_DROPPED);
	assert_int_equal(n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_passes_unchanged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fail_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_checksum_left_to_hardware, setup, teardown),
		cmocka_unit_test_setup_teardown(test_checksum_elsewhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wall_clock_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_listeners, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_length, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damage_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pass_through, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fragments_leave_as_they_came, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fragments_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fragments_shrunk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fragments_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fragments_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fragments_pass_through, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flow_dropped, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
