/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The guard's rules for DHCP: which hosts may answer, which may ask, and how often.
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

/* --- Answers ---------------------------------------------------------------------------------- */

static void test_rogue_server(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), good = gu_reply(&q, DHCP4_OFFER, IP_A),
		  bad = good;

	(void)state;
	gu_open(&u);
	assert_true(gu_send(&u, GU_A, &q) > 0);
	bad.mac[5] = 0x66;
	bad.src = bad.server_id = 0x0a000666;
	for (uint8_t type = DHCP4_OFFER; type <= DHCP4_NAK; type++) {
		if (type == DHCP4_REQUEST || type == DHCP4_DECLINE)
			continue;
		bad.type = type;
		gu_dropped(&u, gu_send(&u, GU_B, &bad), GATE_DROP_GUARD_ROGUE_SERVER);
	}
	/* one sight, one alert, with all that is known */
	assert_int_equal(u.n_alerts, 1);
	assert_int_equal(u.alerts[0].what, GATE_DROP_GUARD_ROGUE_SERVER);
	assert_int_equal(u.alerts[0].severity, GUARD_HIGH);
	assert_int_equal(u.alerts[0].ip, 0x0a000666);
	assert_int_equal(u.alerts[0].server_id, 0x0a000666);
	assert_int_equal(u.alerts[0].port, GU_B);
	assert_string_equal(u.alerts[0].port_name, "memory2");
	assert_int_equal(u.alerts[0].first_ns, u.now);
	assert_int_equal(u.alert_mac[5], 0x66);
	/* to a relay's port, as BOOTP, and a message that only looks like a request */
	bad.dport = 67;
	gu_dropped(&u, gu_send(&u, GU_B, &bad), GATE_DROP_GUARD_ROGUE_SERVER);
	bad.bootp = true;
	gu_dropped(&u, gu_send(&u, GU_B, &bad), GATE_DROP_GUARD_ROGUE_SERVER);
	q.dport = 68;
	gu_dropped(&u, gu_send(&u, GU_B, &q), GATE_DROP_GUARD_ROGUE_SERVER);
	assert_true(gu_send(&u, GU_UP, &good) > 0);
}

static void test_rogue_in_pieces(void **state)
{
	static uint8_t whole[4096];
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), bad = gu_reply(&q, DHCP4_OFFER, IP_A);
	size_t len;

	(void)state;
	gu_open(&u);
	gu_lease(&u, GU_B, 9, IP_B);
	memcpy(bad.mac, (const uint8_t[6]){2, 0, 0, 0, 1, 9}, 6);
	bad.src = IP_B;
	len = gd_frame(whole, &bad);
	assert_int_equal(gu_frame(&u, GU_B, u.buf, gt_fragment(u.buf, whole, 0, 160, true)), 0);
	assert_int_equal(gu_frame(&u, GU_B, u.buf,
				  gt_fragment(u.buf, whole, 160, len - GT_UDP - 160, false)),
			 0);
	/* both frames */
	assert_int_equal(gt_drops(&u.t, GATE_DROP_GUARD_ROGUE_SERVER), 2);
	/* from the server they pass, both */
	bad.src = GD_SERVER;
	memcpy(bad.mac, gu_server_mac, 6);
	len = gd_frame(whole, &bad);
	assert_int_equal(gu_frame(&u, GU_UP, u.buf, gt_fragment(u.buf, whole, 0, 160, true)), 0);
	gt_push(&u.t, u.buf, gt_fragment(u.buf, whole, 160, len - GT_UDP - 160, false), u.now);
	gt_run(&u.t);
	assert_int_equal(gt_pop(&u.t), GT_UDP + 160);
	assert_true(gt_pop(&u.t) > 0);
}

/* A rogue's answer in three pieces; order: as digits. overlap: pieces reach that many octets into
 * those behind them. */
static void send_pieces(const uint8_t *whole, size_t len, const char *order, size_t overlap,
			unsigned tags)
{
	static uint8_t piece[GT_CAP];
	const size_t at[] = {0, 8, 160, len - GT_UDP};

	for (; *order; order++) {
		size_t i = (size_t)(*order - '1'),
		       end = at[i + 1] + overlap < at[3] ? at[i + 1] + overlap : at[3];
		size_t n = gt_fragment(piece, whole, at[i], end - at[i], end < at[3]);

		for (unsigned k = 0; k < tags; k++)
			n = gd_tag(piece, n, k || tags > 1 ? 0 : 5);
		assert_int_equal(frames_memory_push(u.t.f, span_of(piece, n), GU_B, u.now, 0), 0);
	}
	gt_run(&u.t);
	assert_int_equal(gt_pop(&u.t), 0);
}

/* No piece of it leaves, in any order of its pieces, with overlaps, repeated, never complete, or
 * behind tags. */
static void test_rogue_in_any_pieces(void **state)
{
	static const char *const orders[] = {"123",  "132", "213", "231", "312", "321", "1123",
					     "3321", "12",  "23",  "13",  "31",	 "3",	"2"};
	static uint8_t whole[4096];
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), bad = gu_reply(&q, DHCP4_OFFER, IP_A);
	uint16_t id = 1;
	size_t len;

	(void)state;
	gu_open(&u);
	gu_lease(&u, GU_B, 9, IP_B);
	memcpy(bad.mac, (const uint8_t[6]){2, 0, 0, 0, 1, 9}, 6);
	bad.src = IP_B;
	len = gd_frame(whole, &bad);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		for (size_t overlap = 0; overlap <= 16; overlap += 8)
			for (unsigned tags = 0; tags <= 3; tags++) {
				whole[GT_IP + 4] = (uint8_t)(id >> 8);
				whole[GT_IP + 5] = (uint8_t)id++;
				send_pieces(whole, len, orders[i], overlap, tags);
				gu_wait(&u, i % 3 ? 1 : 40000);
			}
	assert_true(gt_drops(&u.t, GATE_DROP_GUARD_ROGUE_SERVER) > 0);
}

static void test_alert_again(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), bad = gu_reply(&q, DHCP4_OFFER, IP_A);

	(void)state;
	u.o.alert_ns = 60 * NS_PER_S;
	gu_open(&u);
	bad.mac[5] = 0x66;
	for (int i = 0; i < 50; i++) {
		(void)gu_send(&u, GU_B, &bad);
		gu_wait(&u, 1000);
	}
	assert_int_equal(u.n_alerts, 1);
	assert_int_equal(gu_count(&u, GUARD_COUNT_ALERTS_HELD), 49);
	gu_wait(&u, 10000);
	(void)gu_send(&u, GU_B, &bad);
	assert_int_equal(u.n_alerts, 2);
	assert_int_equal(u.alerts[1].count, 51);
	assert_int_equal(u.alerts[1].first_ns, u.alerts[0].time_ns);
	/* another one raises its own alert */
	bad.mac[5] = 0x67;
	(void)gu_send(&u, GU_B, &bad);
	assert_int_equal(u.n_alerts, 3);
}

/* A rogue that changes its address with each packet makes no flood of alerts. */
static void test_alert_rate(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), bad = gu_reply(&q, DHCP4_OFFER, IP_A);

	(void)state;
	u.o.alerts = (struct guard_rate){1, 10};
	gu_open(&u);
	for (unsigned i = 0; i < 200; i++) {
		bad.mac[4] = (uint8_t)i;
		(void)gu_send(&u, GU_B, &bad);
	}
	assert_int_equal(u.n_alerts, 10);
	assert_int_equal(gu_count(&u, GUARD_COUNT_ALERTS_HELD), 190);
	gu_wait(&u, 2000);
	(void)gu_send(&u, GU_B, &bad);
	assert_int_equal(u.n_alerts, 11);
}

static void test_listed_servers(void **state)
{
	struct gd q = gu_request(1, DHCP4_REQUEST, IP_A), ack = gu_reply(&q, DHCP4_ACK, IP_A);

	(void)state;
	u.o.n_server_ips = 1;
	u.o.server_ips[0] = (uint32_t)GD_SERVER;
	u.o.n_server_macs = 1;
	memcpy(u.o.server_macs[0], gu_server_mac, 6);
	gu_open(&u);
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	ack.server_id++;
	gu_dropped(&u, gu_send(&u, GU_UP, &ack), GATE_DROP_GUARD_UNKNOWN_SERVER);
	ack.server_id = 0;
	assert_true(gu_send(&u, GU_UP, &ack) > 0);
	ack.src++;
	gu_dropped(&u, gu_send(&u, GU_UP, &ack), GATE_DROP_GUARD_UNKNOWN_SERVER);
	ack.src--;
	ack.mac[5]++;
	gu_dropped(&u, gu_send(&u, GU_UP, &ack), GATE_DROP_GUARD_UNKNOWN_SERVER);
	/* and nobody else may look like the server */
	memcpy(q.mac, gu_server_mac, 6);
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_SERVER_MAC);
}

static void test_shared_port(void **state)
{
	struct gd q = gu_request(1, DHCP4_REQUEST, IP_A), ack = gu_reply(&q, DHCP4_ACK, IP_A);

	(void)state;
	u.o.ports[0].role = GUARD_SHARED;
	u.o.n_server_macs = 1;
	memcpy(u.o.server_macs[0], gu_server_mac, 6);
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	q.mac[5] = 2;
	q.xid = 2;
	gu_lease_as(&u, GU_UP, &q, IP_B);
	ack.mac[5] = 0x66;
	gu_dropped(&u, gu_send(&u, GU_UP, &ack), GATE_DROP_GUARD_ROGUE_SERVER);
	/* the clients there are looked at as anywhere */
	assert_true(gu_ip(&u, GU_UP, 2, IP_B) > 0);
	gu_dropped(&u, gu_ip(&u, GU_UP, 2, IP_C), GATE_DROP_GUARD_ADDRESS);
}

/* Fail-open forwards malformed packets, but not those of a port that is not trusted. */
static void test_fail_open(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), bad = gu_reply(&q, DHCP4_OFFER, IP_A);
	size_t len;

	(void)state;
	u.go.fail_open = true;
	gu_open(&u);
	len = gd_frame(u.buf, &bad);
	u.buf[GT_PAYLOAD + 236]++;
	assert_int_equal(gu_frame(&u, GU_B, u.buf, len), 0);
	/* fragments would be let go one by one when there is no room */
	u.buf[GT_PAYLOAD + 236]--;
	assert_int_equal(gu_frame(&u, GU_B, u.t.out, gt_fragment(u.t.out, u.buf, 0, 160, true)), 0);
	assert_int_equal(gt_drops(&u.t, GATE_DROP_GUARD_FRAGMENT), 1);
	assert_int_equal(gt_drops(&u.t, GATE_DROP_GUARD_UNREADABLE), 1);
	/* ARP that hosts read and we do not: hardware type 6 */
	len = gd_arp(u.buf, bad.mac, 0, &(struct arp_packet){.op = ARP_REPLY, .spa = IP_A});
	u.buf[15] = 6;
	gu_dropped(&u, gu_frame(&u, GU_B, u.buf, len), GATE_DROP_GUARD_ARP_FORM);
}

/* A policy of a rule file that lets everything by. */
static int accept_all(void *ctx, struct gate_walk *w, enum gate_dissector from, int next)
{
	(void)w;
	return from == *(enum gate_dissector *)ctx ? GATE_ACCEPT : next;
}

static void test_policies_do_not_pass_by(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), bad = gu_reply(&q, DHCP4_OFFER, IP_A);
	enum gate_dissector from;

	(void)state;
	gu_open(&u);
	u.t.g->on_next = accept_all;
	u.t.g->policy_ctx = &from;
	for (from = DISSECT_RAW; from <= DISSECT_UDP; from++) {
		if (from == DISSECT_ARP || from == DISSECT_ICMP)
			continue;
		assert_int_equal(gu_send(&u, GU_B, &bad), 0);
		assert_true(gu_send(&u, GU_UP, &bad) > 0);
	}
	assert_true(gt_drops(&u.t, GATE_DROP_GUARD_UNREADABLE) >= 4);
}

static bool keep_fragments(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;

	(void)ctx;
	(void)f;
	p->keep_fragments = true;
	return true;
}

static void test_fragments_kept_by_a_rule(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);
	static uint8_t whole[4096];

	(void)state;
	gu_open(&u);
	assert_int_equal(gate_listen(u.t.g, EVENT_IPV4_receive_packet, keep_fragments, NULL), 0);
	(void)gd_frame(whole, &q);
	gu_dropped(&u, gu_frame(&u, GU_B, u.buf, gt_fragment(u.buf, whole, 0, 160, true)),
		   GATE_DROP_GUARD_FRAGMENT);
	assert_true(gu_frame(&u, GU_UP, u.buf, gt_fragment(u.buf, whole, 0, 160, true)) > 0);
}

static void test_pass_through(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), bad = gu_reply(&q, DHCP4_OFFER, IP_A);

	(void)state;
	u.go.pass_through = true;
	u.o.add_agent = true;
	gu_open(&u);
	assert_true(gu_send(&u, GU_B, &bad) > 0);
	assert_int_equal(u.n_alerts, 1);
	assert_true(u.alerts[0].passed);
	assert_true(gu_send(&u, GU_B, &q) > 0);
	assert_memory_equal(u.t.out, u.buf, u.t.last.len);
	assert_int_equal(gu_leaves(&u), 1 << GU_UP | 1 << GU_A | 1 << GU_C);
}

/* --- Requests --------------------------------------------------------------------------------- */

static void test_ports_of_messages(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0), offer = gu_reply(&q, DHCP4_OFFER, IP_A);

	(void)state;
	gu_open(&u);
	assert_true(gu_send(&u, GU_A, &q) > 0);
	assert_int_equal(gu_leaves(&u), 1 << GU_UP);
	/* an answer to everybody is its client's affair */
	assert_true(gu_send(&u, GU_UP, &offer) > 0);
	assert_int_equal(gu_leaves(&u), 1 << GU_A);
	/* of an unknown client: as a switch would */
	offer.xid = 99;
	assert_true(gu_send(&u, GU_UP, &offer) > 0);
	assert_int_equal(gu_leaves(&u), 1 << GU_A | 1 << GU_B | 1 << GU_C);
	/* a request from the servers' side does not come to clients */
	assert_true(gu_send(&u, GU_UP, &q) > 0);
	assert_int_equal(gu_leaves(&u), 0);
	assert_int_equal(gu_count(&u, GUARD_COUNT_REQUESTS), 2);
	assert_int_equal(gu_count(&u, GUARD_COUNT_REPLIES), 2);
}

static void test_hw_address(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);

	(void)state;
	gu_open(&u);
	q.chaddr[5] = 7;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_HW_ADDRESS);
	gu_close(&u);
	gu_init(&u);
	u.o.check_mac = false;
	gu_open(&u);
	assert_true(gu_send(&u, GU_A, &q) > 0);
}

static void test_message_types(void **state)
{
	struct gd q = gu_request(1, DHCP4_LEASEQUERY, 0);

	(void)state;
	gu_open(&u);
	q.op = DHCP4_BOOTREQUEST;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_MESSAGE_TYPE);
	q.type = DHCP4_ACK;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_MESSAGE_TYPE);
	q.type = 77;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_MESSAGE_TYPE);
	q.bootp = true;
	assert_true(gu_send(&u, GU_A, &q) > 0);
	q = gu_request(1, DHCP4_INFORM, 0);
	q.src = q.ciaddr = IP_C;
	assert_true(gu_send(&u, GU_A, &q) > 0);
}

static void test_relayed(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);

	(void)state;
	u.o.n_ports = 2;
	(void)strcpy(u.o.ports[1].name, "memory3");
	u.o.ports[1].role = GUARD_RELAY;
	gu_open(&u);
	q.giaddr = q.src = 0x0a010001;
	q.chaddr[0] = 4;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_RELAYED);
	assert_true(gu_send(&u, GU_C, &q) > 0);
	q.giaddr = 0;
	q.agent = span_str("\001\001x");
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_AGENT_OPTIONS);
	assert_true(gu_send(&u, GU_C, &q) > 0);
	/* the network behind the relay is not looked at; servers there are none of ours */
	assert_true(gu_ip(&u, GU_C, 7, 0x0a010005) > 0);
	assert_true(gu_arp(&u, GU_C, 7, ARP_REPLY, 0x0a010005, GD_SERVER) > 0);
	q = gu_reply(&q, DHCP4_OFFER, IP_A);
	gu_dropped(&u, gu_send(&u, GU_C, &q), GATE_DROP_GUARD_ROGUE_SERVER);
}

static void test_relayed_allowed(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);

	(void)state;
	u.o.allow_relayed = true;
	gu_open(&u);
	q.giaddr = 0x0a010001;
	q.agent = span_str("\001\001x");
	assert_true(gu_send(&u, GU_A, &q) > 0);
	q.giaddr = 0;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_AGENT_OPTIONS);
}

/* A line of a relay that asks for ever new clients is one client. */
static void test_line_rate(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);

	(void)state;
	u.o.n_ports = 2;
	(void)strcpy(u.o.ports[1].name, "memory3");
	u.o.ports[1].role = GUARD_RELAY;
	u.o.client_requests = (struct guard_rate){1, 5};
	gu_open(&u);
	q.giaddr = 0x0a010001;
	q.agent = span_str("\001\001x");
	for (uint8_t i = 0; i < 5; i++) {
		q.chaddr[0] = (uint8_t)(2 + 2 * i);
		assert_true(gu_send(&u, GU_C, &q) > 0);
	}
	q.chaddr[0] = 64;
	gu_dropped(&u, gu_send(&u, GU_C, &q), GATE_DROP_GUARD_CLIENT_RATE);
	q.agent = span_str("\001\001y");
	assert_true(gu_send(&u, GU_C, &q) > 0);
}

static void test_client_rate(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);

	(void)state;
	u.o.client_requests = (struct guard_rate){2, 4};
	gu_open(&u);
	for (int i = 0; i < 4; i++)
		assert_true(gu_send(&u, GU_A, &q) > 0);
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_CLIENT_RATE);
	/* other clients are forwarded, those with the same identifier within its limit */
	q = gu_request(2, DHCP4_DISCOVER, 0);
	q.cid = span_str("id");
	for (int i = 0; i < 4; i++)
		assert_true(gu_send(&u, GU_A, &q) > 0);
	q.mac[5] = 3;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_CLIENT_RATE);
	q.cid = span_str("another");
	assert_true(gu_send(&u, GU_A, &q) > 0);
	/* half a second gives one */
	gu_wait(&u, 500);
	q = gu_request(1, DHCP4_DISCOVER, 0);
	assert_true(gu_send(&u, GU_A, &q) > 0);
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_CLIENT_RATE);
}

static void test_port_rate(void **state)
{
	struct gd q = gu_request(0, DHCP4_DISCOVER, 0);

	(void)state;
	u.o.requests = (struct guard_rate){10, 8};
	gu_open(&u);
	for (uint8_t i = 0; i < 8; i++) {
		q.mac[5] = i;
		assert_true(gu_send(&u, GU_A, &q) > 0);
	}
	q.mac[5] = 9;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_PORT_RATE);
	/* the refused message did not count against the client's limit either */
	assert_true(gu_send(&u, GU_B, &q) > 0);
	gu_wait(&u, 100);
	assert_true(gu_send(&u, GU_A, &q) > 0);
}

/* A flood of made-up clients ends at the port's limit, at any rate, and others are served. */
static void test_starvation(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);
	unsigned passed = 0;

	(void)state;
	u.o.max_clients = 16;
	gu_open(&u);
	for (unsigned i = 0; i < 5000; i++) {
		q.mac[3] = (uint8_t)(i >> 8);
		q.mac[4] = (uint8_t)i;
		passed += gu_send(&u, GU_C, &q) > 0;
		gu_wait(&u, 10);
	}
	assert_int_equal(passed, 16);
	assert_true(gt_drops(&u.t, GATE_DROP_GUARD_MAX_CLIENTS) > 0);
	gu_lease(&u, GU_A, 1, IP_A);
	/* the flood is over, its clients are forgotten */
	gu_wait(&u, 120000);
	gu_lease(&u, GU_C, 2, IP_B);
	assert_true(u.n_alerts < 10);
}

/* One hardware address with ever new identifiers is the same flood. */
static void test_starvation_by_identifier(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);
	unsigned passed = 0;
	char id[16];

	(void)state;
	u.o.max_clients = 4;
	u.o.client_requests.a_second = 0;
	gu_open(&u);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(id, sizeof(id), "client-%u", i);
		q.cid = span_str(id);
		passed += gu_send(&u, GU_C, &q) > 0;
		gu_wait(&u, 100);
	}
	assert_int_equal(passed, 4);
	/* a client with a lease may still ask for it */
	gu_wait(&u, 120000);
	q.type = DHCP4_REQUEST;
	for (unsigned i = 0; i < 4; i++) {
		(void)snprintf(id, sizeof(id), "client-%u", i);
		q.cid = span_str(id);
		q.xid = i;
		gu_lease_as(&u, GU_C, &q, IP_A + i);
	}
	q.cid = span_str("client-4");
	gu_dropped(&u, gu_send(&u, GU_C, &q), GATE_DROP_GUARD_MAX_CLIENTS);
	q.cid = span_str("client-2");
	q.xid = 2;
	gu_lease_as(&u, GU_C, &q, IP_A + 2);
}

static void test_tables_full(void **state)
{
	struct gd q = gu_request(3, DHCP4_REQUEST, IP_C);

	(void)state;
	u.o.max_bindings = 2;
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	gu_lease(&u, GU_B, 2, IP_B);
	gu_dropped(&u, gu_send(&u, GU_C, &q), GATE_DROP_GUARD_TABLE_FULL);
	/* those that are known are served, and room comes back */
	gu_lease(&u, GU_A, 1, IP_A);
	gu_wait(&u, GD_LEASE_S * 1000);
	assert_int_equal(gu_count(&u, GUARD_COUNT_EXPIRED), 2);
	gu_lease(&u, GU_C, 3, IP_C);
	gu_close(&u);
	/* fail-open: the client is served, but not known */
	gu_init(&u);
	u.o.max_bindings = 1;
	u.go.fail_open = true;
	gu_open(&u);
	gu_lease(&u, GU_A, 1, IP_A);
	assert_true(gu_send(&u, GU_C, &q) > 0);
	assert_int_equal(gate_counters(u.t.g)->failed_open, 1);
}

/* --- Ports ------------------------------------------------------------------------------------ */

static void test_unknown_port(void **state)
{
	static const struct guard_fixed fixed = {.address = IP_A, .port = "eth9"};

	(void)state;
	(void)strcpy(u.o.ports[0].name, "eth9");
	assert_int_equal(gu_try_open(&u), -ENODEV);
	assert_string_equal(u.err, "port \"eth9\": the gate has no such interface");
	gu_close(&u);
	gu_init(&u);
	u.o.fixed = &fixed;
	u.o.n_fixed = 1;
	assert_int_equal(gu_try_open(&u), -ENODEV);
}

static void test_port_limits(void **state)
{
	struct gd q = gu_request(1, DHCP4_DISCOVER, 0);

	(void)state;
	u.o.n_ports = 2;
	u.o.ports[1] = (struct guard_port_opts){.name = "memory1",
						.max_clients = 2,
						.requests = {1, 3}};
	gu_open(&u);
	for (uint8_t i = 0; i < 2; i++) {
		q.mac[5] = i;
		assert_true(gu_send(&u, GU_A, &q) > 0);
	}
	q.mac[5] = 7;
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_MAX_CLIENTS);
	gu_dropped(&u, gu_send(&u, GU_A, &q), GATE_DROP_GUARD_PORT_RATE);
	assert_true(gu_send(&u, GU_B, &q) > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_rogue_server),
		T(test_rogue_in_pieces),
		T(test_rogue_in_any_pieces),
		T(test_alert_again),
		T(test_alert_rate),
		T(test_listed_servers),
		T(test_shared_port),
		T(test_fail_open),
		T(test_policies_do_not_pass_by),
		T(test_fragments_kept_by_a_rule),
		T(test_pass_through),
		T(test_ports_of_messages),
		T(test_hw_address),
		T(test_message_types),
		T(test_relayed),
		T(test_relayed_allowed),
		T(test_line_rate),
		T(test_client_rate),
		T(test_port_rate),
		T(test_starvation),
		T(test_starvation_by_identifier),
		T(test_tables_full),
		T(test_unknown_port),
		T(test_port_limits),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
