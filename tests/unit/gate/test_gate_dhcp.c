/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The dhcp dissector: which datagrams reach it, which are malformed, and messages that listeners
 * change.
 */
#include "unit/unit.h"

#include "gate_dhcp_util.h"

#include "gate/app/dissect_dhcp.h"
#include "gate/engine/dissect.h"

#include <errno.h>

static struct gt t;
static uint8_t buf[GT_CAP], mem[65536];
static unsigned n_seen;
static struct arena arena;
static const struct gd discover = {.type = DHCP4_DISCOVER, .mac = {2, 0, 0, 0, 0, 9}, .xid = 7};

static void open_gate(bool pass_through, bool fail_open)
{
	struct gate_opts o;

	gt_opts(&o);
	o.pass_through = pass_through;
	o.fail_open = fail_open;
	gt_open(&t, &o, DISSECT_DHCP);
	n_seen = 0;
	arena_init_fixed(&arena, mem, sizeof(mem));
}

static int setup(void **state)
{
	(void)state;
	open_gate(false, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gt_close(&t);
	return 0;
}

static bool see(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;

	(void)ctx;
	(void)f;
	n_seen += gate_dhcp_msg(g)->xid == discover.xid;
	return true;
}

/* Passes the message in; returns the length of the output. */
static size_t through(size_t len)
{
	gt_push(&t, buf, len, 1);
	gt_run(&t);
	return gt_pop(&t);
}

static void test_message_is_seen(void **state)
{
	size_t len = gd_frame(buf, &discover);

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_DHCP_pkt4_receive, see, NULL), 0);
	assert_int_equal(through(len), len);
	assert_memory_equal(t.out, buf, len);
	assert_int_equal(n_seen, 1);
	/* tagged, and a reply */
	len = gd_frame(buf, &(struct gd){.type = DHCP4_ACK,
					 .xid = 7,
					 .vlan = 5,
					 .mac = {2, 0, 0, 0, 0, 1}});
	assert_int_equal(through(len), len);
	assert_int_equal(n_seen, 2);
	/* other datagrams do not come here */
	len = gt_udp(buf, 1, 67, 2, 53, "question");
	assert_int_equal(through(len), len);
	assert_int_equal(gate_counters(t.g)->seen[DISSECT_DHCP], 2);
	assert_int_equal(gate_counters(t.g)->modified, 0);
}

static void test_malformed(void **state)
{
	size_t len = gt_udp(buf, 1, 68, 2, 67, "too short for a message");

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_DHCP_pkt4_receive, see, NULL), 0);
	assert_int_equal(through(len), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_DHCP_MESSAGE), 1);
	/* a damaged one */
	len = gd_frame(buf, &discover);
	buf[GT_PAYLOAD + 10]++;
	assert_int_equal(through(len), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_UDP_CHECKSUM), 1);
	assert_int_equal(n_seen, 0);
	gt_close(&t);
	open_gate(false, true);
	assert_int_equal(through(len), len);
	assert_int_equal(gate_counters(t.g)->failed_open, 1);
}

/* The octets of a message that has more options than there is room for. */
static void test_no_room(void **state)
{
	static uint8_t big[65000];
	struct udp_frame f = {.sport = 68, .dport = 67, .payload = {big, sizeof(big)}};
	struct wr w = wr_init(buf, GT_CAP);

	(void)state;
	gd_message(&discover, big, sizeof(big));
	/* pieces of a hundred options, joined: as long as the datagram, and the list besides */
	for (size_t i = 243, n = 0; i + 257 < sizeof(big); i += 257, n++) {
		big[i] = (uint8_t)(100 + n % 100);
		big[i + 1] = 255;
	}
	udp_frame_write(&w, &f);
	assert_int_equal(through(w.len), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_DHCP_LIMIT), 1);
}

static bool change(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;

	(void)ctx;
	(void)f;
	if (gate_dhcp_change(g, p) == -EROFS)
		return true;
	assert_int_equal(dhcp4_opt_set(gate_dhcp_msg(g), 82, span_str("\001\003abc")), 0);
	gate_dhcp_msg(g)->secs = 77;
	return true;
}

static void test_changed(void **state)
{
	size_t len = gd_frame(buf, &discover), n;
	struct dhcp4_msg m;

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_DHCP_pkt4_receive, change, NULL), 0);
	n = through(len);
	assert_true(n >= len);
	gd_read(t.out, n, &arena, &m);
	assert_int_equal(m.secs, 77);
	assert_int_equal(m.xid, 7);
	assert_memory_equal(dhcp4_opt_data(&m, 82).p, "\001\003abc", 5);
	assert_int_equal(dhcp4_msg_type(&m), DHCP4_DISCOVER);
	assert_int_equal(gate_counters(t.g)->modified, 1);
	/* on the way up too */
	gt_close(&t);
	open_gate(false, false);
	assert_int_equal(gate_listen(t.g, EVENT_DHCP_pkt4_send, change, NULL), 0);
	n = through(len);
	gd_read(t.out, n, &arena, &m);
	assert_int_equal(m.secs, 77);
	/* a datagram that came in pieces */
	gt_push(&t, buf, gt_fragment(buf, memcpy(mem, buf, len), 0, 160, true), 1);
	gt_push(&t, buf, gt_fragment(buf, mem, 160, len - GT_UDP - 160, false), 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), GT_UDP + 160);
	assert_true(gt_pop(&t) > 0);
	/* nothing is changed under pass-through */
	gt_close(&t);
	open_gate(true, false);
	len = gd_frame(buf, &discover);
	assert_int_equal(gate_listen(t.g, EVENT_DHCP_pkt4_receive, change, NULL), 0);
	assert_int_equal(through(len), len);
	assert_memory_equal(t.out, buf, len);
	assert_int_equal(gate_counters(t.g)->modified, 0);
}

static bool grow(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;

	(void)f;
	assert_int_equal(gate_dhcp_change(g, p), 0);
	for (uint8_t code = 100; code < 104; code++)
		assert_int_equal(dhcp4_opt_set_ref(gate_dhcp_msg(g), code, span_of(ctx, 16500)), 0);
	return true;
}

static void test_grown_too_long(void **state)
{
	static uint8_t big[16500];

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_DHCP_pkt4_receive, grow, big), 0);
	assert_int_equal(through(gd_frame(buf, &discover)), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_TOO_LONG), 1);
	assert_int_equal(gate_counters(t.g)->dropped, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_message_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_grown_too_long, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
