/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The bindings that the guard learns from acknowledgements, the check of ARP and IP sources against
 * them, and option 82.
 */
#include "unit/unit.h"

#include "guard_util.h"

#include "gate/engine/dissect.h"

#include <errno.h>
#include <stdio.h>

enum { IP_A = GD_POOL, IP_B, IP_C };

static struct gu u;

static int setup(void **state)
{
	(void)state;
	gu_init(&u);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gu_close(&u);
	return 0;
}

/* --- Bindings --------------------------------------------------------------------------------- */

static void test_learn_and_expire(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), m = gu_reply(&q, DHCP4_OFFER, IP_A);

	(void)state;
	gu_open(&u);
	assert_true(gu_send(&u, GU_A, &q) > 0);
	assert_true(gu_send(&u, GU_UP, &m) > 0);
	assert_null(guard_find(u.gd, 0, IP_A));
	q.type = DHCP4_REQUEST;
	q.requested = IP_A;
	q.cid = span_str("\001abc");
	gu_lease_as(&u, GU_A, &q, IP_A);
	assert_int_equal(guard_find(u.gd, 0, IP_A)->end_ns, u.now + GD_LEASE_S * NS_PER_S);
	assert_int_equal(guard_find(u.gd, 0, IP_A)->id.n, 4);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	gu_wait(&u, GD_LEASE_S * 1000 - 1);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	gu_wait(&u, 1);
	assert_null(guard_find(u.gd, 0, IP_A));
	gu_dropped(&u, gu_ip(&u, GU_A, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
	assert_int_equal(gu_count(&u, GUARD_COUNT_EXPIRED), 1);
}

/* An acknowledgement that nobody asked for teaches nothing. */
static void test_unmatched(void **state)
{
	struct gd q = gu_request(1, DHCP4_REQUEST, IP_A), ack = gu_reply(&q, DHCP4_ACK, IP_A);

	(void)state;
	gu_open(&u);
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	assert_null(guard_find(u.gd, 0, IP_A));
	assert_int_equal(gu_count(&u, GUARD_COUNT_UNMATCHED), 1);
	/* too late */
	assert_true(gu_send(&u, GU_A, &q) > 0);
	gu_wait(&u, 61000);
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	assert_null(guard_find(u.gd, 0, IP_A));
	/* again, of a lease that is known: it is forwarded */
	gu_lease(&u, GU_A, 1, IP_A);
	gu_wait(&u, 1000);
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	assert_int_equal(guard_find(u.gd, 0, IP_A)->end_ns, u.now + GD_LEASE_S * NS_PER_S);
	/* INFORM's has no lease */
	ack.lease_s = 0;
	ack.yiaddr = 0;
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	/* BOOTP's is for good */
	q = gu_request(2, 0, 0);
	q.bootp = true;
	q.op = DHCP4_BOOTREQUEST;
	ack = gu_reply(&q, DHCP4_ACK, IP_B);
	ack.bootp = true;
	assert_true(gu_send(&u, GU_B, &q) > 0);
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	assert_int_equal(guard_find(u.gd, 0, IP_B)->end_ns, INT64_MAX);
}

static void test_renew(void **state)
{
	struct gd q = gu_request(1, DHCP4_REQUEST, 0);

	(void)state;
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	gu_wait(&u, GD_LEASE_S * 500);
	/* by unicast, then to everybody */
	q.ciaddr = q.src = IP_A;
	q.dst = GD_SERVER;
	memcpy(q.dst_mac, gu_server_mac, 6);
	gu_lease_as(&u, GU_A, &q, IP_A);
	assert_int_equal(gu_count(&u, GUARD_COUNT_RENEWED), 1);
	gu_wait(&u, GD_LEASE_S * 500);
	q.dst = 0;
	memset(q.dst_mac, 0, 6);
	gu_lease_as(&u, GU_A, &q, IP_A);
	gu_wait(&u, GD_LEASE_S * 500);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	/* a lease from before the gate was there */
	q = gu_request(2, DHCP4_REQUEST, 0);
	q.ciaddr = q.src = IP_B;
	gu_lease_as(&u, GU_B, &q, IP_B);
	/* but not in another's name */
	q = gu_request(3, DHCP4_REQUEST, 0);
	q.ciaddr = q.src = IP_A;
	gu_dropped(&u, gu_send(&u, GU_C, &q), GATE_DROP_GUARD_CLIENT_ADDRESS);
	q.src = IP_C;
	q.ciaddr = 0;
	gu_dropped(&u, gu_send(&u, GU_C, &q), GATE_DROP_GUARD_CLIENT_ADDRESS);
}

static void test_moved(void **state)
{
	struct gd q = gu_request(1, DHCP4_REQUEST, IP_A);

	(void)state;
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	/* nobody can take the place of one who is there */
	gu_wait(&u, 4000);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	gu_wait(&u, 4999);
	gu_dropped(&u, gu_send(&u, GU_B, &q), GATE_DROP_GUARD_IN_USE);
	assert_int_equal(u.alerts[0].severity, GUARD_HIGH);
	/* it was pulled, and plugged in elsewhere */
	gu_wait(&u, 1);
	gu_dropped(&u, gu_ip(&u, GU_B, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
	gu_lease_as(&u, GU_B, &q, IP_A);
	assert_int_equal(gu_count(&u, GUARD_COUNT_MOVED), 1);
	assert_true(gu_ip(&u, GU_B, 1, IP_A) > 0);
	gu_dropped(&u, gu_ip(&u, GU_A, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
	/* by a unicast renewal, for it did not notice; to another address */
	gu_wait(&u, 6000);
	q.ciaddr = q.src = IP_A;
	q.requested = 0;
	gu_lease_as(&u, GU_C, &q, IP_A);
	gu_wait(&u, 6000);
	q = gu_request(1, DHCP4_REQUEST, IP_B);
	gu_lease_as(&u, GU_A, &q, IP_B);
	assert_null(guard_find(u.gd, 0, IP_A));
}

/* Frames that need no lease: none may come from where the sender's hardware address is not, for a
 * switch learns from all. */
static void test_free_frames(void **state)
{
	(void)state;
	gu_close(&u);
	gu_init(&u);
	u.o.allow_link_local = true;
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	gu_dropped(&u, gu_arp(&u, GU_B, 1, ARP_REQUEST, 0, IP_B), GATE_DROP_GUARD_IN_USE);
	gu_dropped(&u, gu_arp(&u, GU_B, 1, ARP_REPLY, 0xa9fe0101, IP_B), GATE_DROP_GUARD_IN_USE);
	gu_dropped(&u, gu_ip(&u, GU_B, 1, 0xa9fe0101), GATE_DROP_GUARD_IN_USE);
	assert_true(gu_arp(&u, GU_A, 1, ARP_REQUEST, 0, IP_B) > 0);
	assert_true(gu_ip(&u, GU_A, 1, 0xa9fe0101) > 0);
	assert_true(gu_arp(&u, GU_B, 2, ARP_REQUEST, 0, IP_B) > 0);
}

/* Frames from which a switch learns: those that are neither ARP nor IP. */
static void test_other_frames(void **state)
{
	size_t len = gt_udp(u.buf, 1, 1, 2, 2, "x");

	(void)state;
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	len = gt_udp(u.buf, 1, 1, 2, 2, "x");
	memcpy(u.buf + 6, (const uint8_t[6]){2, 0, 0, 0, 1, 1}, 6);
	u.buf[12] = 0x88;
	u.buf[13] = 0xb5;
	assert_true(gu_frame(&u, GU_A, u.buf, len) > 0);
	gu_dropped(&u, gu_frame(&u, GU_B, u.buf, len), GATE_DROP_GUARD_IN_USE);
	assert_int_equal(u.n_alerts, 1);
	gu_wait(&u, 6000);
	gu_dropped(&u, gu_frame(&u, GU_B, u.buf, len), GATE_DROP_GUARD_IN_USE);
	assert_int_equal(u.n_alerts, 1);
	u.buf[11] = 9;
	assert_true(gu_frame(&u, GU_B, u.buf, len) > 0);
	u.buf[6] |= 1;
	gu_dropped(&u, gu_frame(&u, GU_B, u.buf, len), GATE_DROP_GUARD_SOURCE_MAC);
}

static void test_another_address(void **state)
{
	struct gd q = gu_request(1, DHCP4_REQUEST, IP_A);

	(void)state;
	gu_open(&u);
	gu_lease_as(&u, GU_A, &q, IP_A);
	/* one identifier, one address */
	gu_lease_as(&u, GU_A, &q, IP_B);
	assert_null(guard_find(u.gd, 0, IP_A));
	assert_int_equal(gu_count(&u, GUARD_COUNT_REPLACED), 1);
	/* two identifiers, two */
	q.cid = span_str("other");
	q.xid = 9;
	gu_lease_as(&u, GU_A, &q, IP_A);
	assert_non_null(guard_find(u.gd, 0, IP_B));
	/* the server gives it to another */
	gu_lease(&u, GU_B, 2, IP_A);
	assert_int_equal(gu_count(&u, GUARD_COUNT_TAKEN), 1);
	gu_dropped(&u, gu_ip(&u, GU_A, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
	/* the same address in another VLAN is another one */
	q = gu_request(7, DHCP4_REQUEST, IP_A);
	q.vlan = 5;
	gu_lease_as(&u, GU_C, &q, IP_A);
	assert_int_equal(guard_find(u.gd, 0, IP_A)->port, GU_B);
}

static void test_release(void **state)
{
	struct gd q = gu_request(1, DHCP4_RELEASE, 0);

	(void)state;
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	gu_lease(&u, GU_B, 2, IP_B);
	q.ciaddr = q.src = IP_A;
	/* from elsewhere, and by another */
	gu_wait(&u, 6000);
	gu_dropped(&u, gu_send(&u, GU_B, &q), GATE_DROP_GUARD_RELEASE);
	q = gu_request(2, DHCP4_RELEASE, 0);
	q.ciaddr = IP_A;
	gu_dropped(&u, gu_send(&u, GU_B, &q), GATE_DROP_GUARD_CLIENT_ADDRESS);
	q = gu_request(2, DHCP4_DECLINE, IP_A);
	gu_dropped(&u, gu_send(&u, GU_B, &q), GATE_DROP_GUARD_RELEASE);
	q.requested = 0;
	gu_dropped(&u, gu_send(&u, GU_B, &q), GATE_DROP_GUARD_RELEASE);
	assert_non_null(guard_find(u.gd, 0, IP_A));
	q.requested = IP_B;
	assert_true(gu_send(&u, GU_B, &q) > 0);
	assert_null(guard_find(u.gd, 0, IP_B));
	q = gu_request(1, DHCP4_RELEASE, 0);
	q.ciaddr = q.src = IP_A;
	q.dst = GD_SERVER;
	assert_true(gu_send(&u, GU_A, &q) > 0);
	assert_null(guard_find(u.gd, 0, IP_A));
	assert_int_equal(gu_count(&u, GUARD_COUNT_RELEASED), 2);
	gu_dropped(&u, gu_ip(&u, GU_A, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
}

static void test_fixed(void **state)
{
	static const struct guard_fixed fixed[] = {
		{.mac = {2, 0, 0, 0, 1, 1}, .address = IP_A, .port = "memory1"},
		{.mac = {2, 0, 0, 0, 1, 2}, .address = IP_B},
	};
	struct gd q = gu_request(1, DHCP4_RELEASE, 0), ack;

	(void)state;
	u.o.fixed = fixed;
	u.o.n_fixed = 2;
	gu_open(&u);
	gu_wait(&u, 1000000);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	gu_dropped(&u, gu_ip(&u, GU_B, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
	assert_true(gu_ip(&u, GU_B, 2, IP_B) > 0);
	assert_true(gu_ip(&u, GU_C, 2, IP_B) > 0);
	/* nothing that passes changes them */
	q.ciaddr = IP_A;
	assert_true(gu_send(&u, GU_A, &q) > 0);
	q = gu_request(7, DHCP4_REQUEST, IP_A);
	ack = gu_reply(&q, DHCP4_ACK, IP_A);
	assert_true(gu_send(&u, GU_C, &q) > 0);
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	assert_int_equal(guard_find(u.gd, 0, IP_A)->port, GU_A);
	/* and whose place is fixed does not move */
	gu_wait(&u, 100000);
	q = gu_request(1, DHCP4_REQUEST, IP_C);
	gu_dropped(&u, gu_send(&u, GU_B, &q), GATE_DROP_GUARD_IN_USE);
}

/* --- ARP and IP ------------------------------------------------------------------------------- */

static void test_arp(void **state)
{
	struct arp_packet a = {.op = ARP_REPLY,
			       .sha = {2, 0, 0, 0, 1, 2},
			       .spa = IP_B,
			       .tpa = GD_SERVER};

	(void)state;
	gu_open(&u);
	/* a probe claims nothing; a claim needs a lease */
	assert_true(gu_arp(&u, GU_A, 1, ARP_REQUEST, 0, IP_A) > 0);
	gu_dropped(&u, gu_arp(&u, GU_A, 1, ARP_REPLY, 0, IP_A), GATE_DROP_GUARD_ARP_ADDRESS);
	gu_dropped(&u, gu_arp(&u, GU_A, 1, ARP_REQUEST, IP_A, IP_A), GATE_DROP_GUARD_ARP_ADDRESS);
	gu_lease(&u, GU_A, 1, IP_A);
	gu_lease(&u, GU_B, 2, IP_B);
	assert_true(gu_arp(&u, GU_A, 1, ARP_REQUEST, IP_A, IP_A) > 0);
	assert_true(gu_arp(&u, GU_A, 1, ARP_REPLY, IP_A, GD_SERVER) > 0);
	/* another's address, the router's, at another port */
	gu_dropped(&u, gu_arp(&u, GU_A, 1, ARP_REPLY, IP_B, GD_SERVER),
		   GATE_DROP_GUARD_ARP_ADDRESS);
	gu_dropped(&u, gu_arp(&u, GU_A, 1, ARP_REPLY, GD_SERVER, IP_B),
		   GATE_DROP_GUARD_ARP_ADDRESS);
	gu_dropped(&u, gu_arp(&u, GU_C, 1, ARP_REPLY, IP_A, GD_SERVER),
		   GATE_DROP_GUARD_ARP_ADDRESS);
	/* the frame's sender is another */
	gu_dropped(&u,
		   gu_frame(&u, GU_A, u.buf,
			    gd_arp(u.buf, (const uint8_t[6]){2, 0, 0, 0, 1, 1}, 0, &a)),
		   GATE_DROP_GUARD_ARP_MAC);
	a.op = 8;
	gu_dropped(&u, gu_frame(&u, GU_B, u.buf, gd_arp(u.buf, a.sha, 0, &a)),
		   GATE_DROP_GUARD_ARP_FORM);
	/* from the servers' side anything */
	assert_true(gu_arp(&u, GU_UP, 9, ARP_REPLY, GD_SERVER, IP_A) > 0);
}

static void test_arp_rate(void **state)
{
	(void)state;
	u.o.arp = (struct guard_rate){10, 5};
	gu_open(&u);
	for (int i = 0; i < 5; i++)
		assert_true(gu_arp(&u, GU_A, 1, ARP_REQUEST, 0, IP_A) > 0);
	gu_dropped(&u, gu_arp(&u, GU_A, 1, ARP_REQUEST, 0, IP_A), GATE_DROP_GUARD_ARP_RATE);
	assert_true(gu_arp(&u, GU_B, 1, ARP_REQUEST, 0, IP_A) > 0);
	gu_wait(&u, 100);
	assert_true(gu_arp(&u, GU_A, 1, ARP_REQUEST, 0, IP_A) > 0);
}

static void test_source(void **state)
{
	size_t len;

	(void)state;
	gu_open(&u);
	gu_dropped(&u, gu_ip(&u, GU_A, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
	gu_lease(&u, GU_A, 1, IP_A);
	gu_lease(&u, GU_B, 2, IP_B);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	/* right address at a wrong port, by a wrong sender, another's, nobody's, none */
	gu_dropped(&u, gu_ip(&u, GU_C, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
	gu_dropped(&u, gu_ip(&u, GU_A, 2, IP_A), GATE_DROP_GUARD_ADDRESS);
	gu_dropped(&u, gu_ip(&u, GU_A, 1, IP_B), GATE_DROP_GUARD_ADDRESS);
	gu_dropped(&u, gu_ip(&u, GU_A, 1, GD_SERVER), GATE_DROP_GUARD_ADDRESS);
	gu_dropped(&u, gu_ip(&u, GU_A, 1, 0), GATE_DROP_GUARD_ADDRESS);
	gu_dropped(&u, gu_ip(&u, GU_A, 1, 0xa9fe0101), GATE_DROP_GUARD_ADDRESS);
	assert_true(gu_ip(&u, GU_UP, 77, 0x08080808) > 0);
	/* group reports before there is an address */
	len = gt_udp(u.buf, 0, 1, 0xe0000016, 2, "xxxx");
	u.buf[GT_IP + 9] = 2;
	gt_ip_checksum(u.buf);
	assert_true(gu_frame(&u, GU_A, u.buf, len) > 0);
	/* not by a fragment either, which is judged when it is whole */
	len = gt_udp(u.t.out, GD_SERVER, 1, IP_B, 2, "twelve octets and some more");
	assert_int_equal(gu_frame(&u, GU_A, u.buf, gt_fragment(u.buf, u.t.out, 0, 16, true)), 0);
	len = gt_udp(u.t.out, GD_SERVER, 1, IP_B, 2, "twelve octets and some more");
	assert_int_equal(gu_frame(&u, GU_A, u.buf,
				  gt_fragment(u.buf, u.t.out, 16, len - GT_UDP - 16, false)),
			 0);
	assert_int_equal(gate_counters(u.t.g)->held, 0);
}

static void test_switched_off(void **state)
{
	(void)state;
	u.o.check_arp = false;
	u.o.check_source = false;
	gu_open(&u);
	assert_true(gu_ip(&u, GU_A, 1, IP_A) > 0);
	assert_true(gu_arp(&u, GU_A, 1, ARP_REPLY, IP_A, IP_B) > 0);
	gu_close(&u);
	gu_init(&u);
	u.o.allow_link_local = true;
	gu_open(&u);
	assert_true(gu_ip(&u, GU_A, 1, 0xa9fe0101) > 0);
	assert_true(gu_arp(&u, GU_A, 1, ARP_REPLY, 0xa9fe0101, IP_B) > 0);
	gu_dropped(&u, gu_ip(&u, GU_A, 1, IP_A), GATE_DROP_GUARD_ADDRESS);
}

/* Tags and encapsulations that the dissectors do not look behind. */
/* A message of a client behind two tags. */
static size_t send_stacked(uint16_t port, const struct gd *d, uint16_t inner, uint16_t outer)
{
	size_t len = gd_frame(u.buf, d);

	len = gd_tag(u.buf, gd_tag(u.buf, len, inner), outer);
	return gu_frame(&u, port, u.buf, len);
}

static void lease_stacked(uint16_t port, uint8_t n, uint16_t inner)
{
	struct gd q = gu_request(n, DHCP4_DISCOVER, 0), a = gu_reply(&q, DHCP4_OFFER, 0xc000020a);

	assert_true(send_stacked(port, &q, inner, 100) > 0);
	assert_true(send_stacked(0, &a, inner, 100) > 0);
	q = gu_request(n, DHCP4_REQUEST, 0xc000020a);
	a = gu_reply(&q, DHCP4_ACK, 0xc000020a);
	assert_true(send_stacked(port, &q, inner, 100) > 0);
	assert_true(send_stacked(0, &a, inner, 100) > 0);
}

/* Two customers under one outer tag have the same address: the bindings are of both tags. */
static void test_stacked(void **state)
{
	(void)state;
	gu_open(&u);
	lease_stacked(GU_A, 1, 20);
	lease_stacked(GU_B, 2, 30);
	assert_null(guard_find(u.gd, 100, 0xc000020a));
	assert_int_equal(guard_find(u.gd, 100 | 20 << 12, 0xc000020a)->port, GU_A);
	assert_int_equal(guard_find(u.gd, 100 | 30 << 12, 0xc000020a)->port, GU_B);
}

static void test_hidden(void **state)
{
	static const uint8_t snap[] = {0xaa, 0xaa, 3, 0, 0, 0, 8, 6};
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);
	size_t len;

	(void)state;
	gu_open(&u);
	len = gd_frame(u.buf, &q);
	len = gd_tag(u.buf, gd_tag(u.buf, len, 7), 8);
	assert_true(gu_frame(&u, GU_A, u.buf, len) > 0);
	len = gd_tag(u.buf, len, 9);
	gu_dropped(&u, gu_frame(&u, GU_A, u.buf, len), GATE_DROP_GUARD_TAGS);
	memset(u.buf, 2, 64);
	u.buf[12] = 0;
	u.buf[13] = 50;
	memcpy(u.buf + 14, snap, sizeof(snap));
	gu_dropped(&u, gu_frame(&u, GU_A, u.buf, 64), GATE_DROP_GUARD_SNAP);
	/* a bridge's own frames are none */
	u.buf[14] = u.buf[15] = 0x42;
	assert_true(gu_frame(&u, GU_A, u.buf, 64) > 0);
}

/* --- Option 82 -------------------------------------------------------------------------------- */

static struct span agent_in(struct dhcp4_msg *m, struct arena *a, void *mem, size_t n)
{
	arena_init_fixed(a, mem, n);
	gd_read(u.t.out, u.t.last.len, a, m);
	return dhcp4_opt_data(m, DHCP4_OPT_AGENT_OPTIONS);
}

static void test_agent_options(void **state)
{
	static const uint8_t ours[] = {1, 7, 'm', 'e',	'm', 'o', 'r', 'y', '1',
				       2, 6, 2,	  0x6d, 0,   0,	  0,   0};
	static uint8_t mem[8192];
	struct gd q = gu_request(1, DHCP4_REQUEST, IP_A), ack = gu_reply(&q, DHCP4_ACK, IP_A);
	struct dhcp4_msg m;
	struct arena a;
	struct span s;

	(void)state;
	u.o.add_agent = true;
	gu_open(&u);
	assert_true(gu_send(&u, GU_A, &q) > 0);
	s = agent_in(&m, &a, mem, sizeof(mem));
	assert_int_equal(s.n, sizeof(ours));
	assert_memory_equal(s.p, ours, sizeof(ours));
	assert_int_equal(dhcp4_msg_type(&m), DHCP4_REQUEST);
	/* taken out of the answer */
	ack.agent = span_of(ours, sizeof(ours));
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	assert_int_equal(agent_in(&m, &a, mem, sizeof(mem)).n, 0);
	assert_int_equal(m.yiaddr, IP_A);
	/* another's stays */
	ack.agent = span_str("\002\001z");
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	assert_int_equal(agent_in(&m, &a, mem, sizeof(mem)).n, 3);
	q.agent = ack.agent;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_AGENT_OPTIONS);
	assert_int_equal(gu_count(&u, GUARD_COUNT_AGENT_ADDED), 1);
	assert_int_equal(gu_count(&u, GUARD_COUNT_AGENT_REMOVED), 1);
	/* too long for a frame: it goes as it is (RFC 3046 2.1) */
	q.agent = SPAN_NULL;
	q.cid = span_of(mem + 4096, 1220);
	assert_true(gu_send(&u, GU_A, &q) > 0);
	assert_memory_equal(u.t.out, u.buf, u.t.last.len);
	assert_int_equal(gu_count(&u, GUARD_COUNT_AGENT_NO_ROOM), 1);
}

static void test_agent_policies(void **state)
{
	static uint8_t mem[8192];
	struct gd q = gu_request(1, DHCP4_REQUEST, IP_A);
	struct dhcp4_msg m;
	struct arena a;

	(void)state;
	q.agent = span_str("\002\001z");
	for (int add = 0; add < 2; add++) {
		u.o.add_agent = add;
		(void)strcpy(u.o.remote_id, "switch-7");
		u.o.agent = GUARD_AGENT_KEEP;
		gu_open(&u);
		assert_true(gu_send(&u, GU_A, &q) > 0);
		assert_int_equal(agent_in(&m, &a, mem, sizeof(mem)).n, 3);
		gu_close(&u);
		u.o.agent = GUARD_AGENT_REPLACE;
		gu_open(&u);
		assert_true(gu_send(&u, GU_A, &q) > 0);
		assert_int_equal(agent_in(&m, &a, mem, sizeof(mem)).n, add ? 9 + 10 : 0);
		if (!add)
			gu_close(&u);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_learn_and_expire),
		T(test_unmatched),
		T(test_renew),
		T(test_moved),
		T(test_other_frames),
		T(test_free_frames),
		T(test_another_address),
		T(test_release),
		T(test_fixed),
		T(test_arp),
		T(test_arp_rate),
		T(test_source),
		T(test_switched_off),
		T(test_stacked),
		T(test_hidden),
		T(test_agent_options),
		T(test_agent_policies),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
