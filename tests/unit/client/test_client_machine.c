/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The whole machine from a driver's side: cases that tests/scenario/client cannot express. Cut and
 * lying packets at every offset, sockets in balance over 1,000 flaps, no memory, fresh transaction
 * ids.
 */
#include "unit/unit.h"

#include "base/rng.h"
#include "client/core/client.h"
#include "client/core/message.h"
#include "wire/ipv4.h"
#include "wire/option_codes.h"
#include "wire/udp.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static const struct client_link our_link = {.mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .up = true};

struct rig {
	struct client c;
	struct client_opts opts;
	struct effects fx;
	struct rng rng;
	int64_t now;
	int raw, udp, arp; /* sockets that a driver would have open */
	unsigned set, del; /* addresses */
};

static struct rig r;

static uint32_t random_u32(void *ctx)
{
	return (uint32_t)(rng_u64(ctx) >> 32);
}

static void begin(uint64_t seed)
{
	memset(&r, 0, sizeof(r));
	client_opts_init(&r.opts);
	r.opts.foreground = true;
	r.opts.probe = CLIENT_PROBE_OFF;
	rng_seed(&r.rng, seed);
	r.now = 1000 * NS_PER_S;
	client_init(&r.c, &r.opts, &our_link, &(struct client_random){random_u32, &r.rng});
}

/* Carries out the effects as far as the tests count them. */
static void run_effect(void)
{
	assert_false(r.fx.overflow);
	for (size_t i = 0; i < r.fx.n; i++) {
		switch ((int)r.fx.item[i].kind) {
		case EFFECT_LISTEN_RAW:
			r.raw = 1;
			break;
		case EFFECT_CLOSE_RAW:
			r.raw--;
			break;
		case EFFECT_LISTEN_UDP:
			r.udp++;
			break;
		case EFFECT_CLOSE_UDP:
			r.udp--;
			break;
		case EFFECT_LISTEN_ARP:
			r.arp = 1;
			break;
		case EFFECT_CLOSE_ARP:
			r.arp--;
			break;
		case EFFECT_SET_ADDRESS:
			r.set++;
			break;
		case EFFECT_DEL_ADDRESS:
			r.del++;
			break;
		case EFFECT_SEND_RAW:
			assert_int_equal(r.raw, 1);
			break;
		case EFFECT_SEND_UDP:
			assert_int_equal(r.udp, 1);
			break;
		default:
			break;
		}
		assert_true(r.raw >= 0 && r.udp >= 0 && r.udp <= 1 && r.arp >= 0);
	}
}

static void event(enum client_event e)
{
	assert_true(client_event(&r.c, e, r.now, &r.fx));
	run_effect();
}

/* A server's answer as an Ethernet frame. */
static size_t answer(enum dhcp4_type type, uint32_t address, uint8_t *out, size_t cap)
{
	static uint8_t mem[8192];
	static uint8_t msg[1472];
	struct udp_frame f = {.src = 0xc0000201, .dst = 0xffffffff, .sport = 67, .dport = 68};
	struct dhcp4_encode_opts eo = {.max_len = sizeof(msg)};
	struct dhcp4_encoded done;
	struct arena arena;
	struct dhcp4_msg m;
	struct wr w = wr_init(out, cap);

	arena_init_fixed(&arena, mem, sizeof(mem));
	dhcp4_init(&m, &arena);
	m.op = DHCP4_BOOTREPLY;
	m.htype = 1;
	m.hlen = 6;
	m.xid = r.c.xact.xid;
	m.yiaddr = address;
	memcpy(m.chaddr, our_link.mac, 6);
	assert_int_equal(dhcp4_opt_set_u8(&m, DHCP4_OPT_MESSAGE_TYPE, (uint8_t)type), 0);
	assert_int_equal(dhcp4_opt_set_u32(&m, DHCP4_OPT_SERVER_ID, 0xc0000201), 0);
	assert_int_equal(dhcp4_opt_set_u32(&m, DHCP4_OPT_LEASE_TIME, 600), 0);
	assert_int_equal(dhcp4_opt_set_u32(&m, DHCP4_OPT_ROUTERS, 0xc0000201), 0);
	assert_int_equal(dhcp4_opt_set_u32(&m, DHCP4_OPT_SUBNET_MASK, 0xffffff00), 0);
	assert_int_equal(dhcp4_encode(&m, &eo, msg, sizeof(msg), &done), 0);
	f.payload = span_of(msg, done.len);
	udp_frame_write(&w, &f);
	assert_true(wr_ok(&w));
	return w.len;
}

/* Through an exactly sized heap copy, so that a sanitizer sees a read behind the end. */
static int receive(const uint8_t *frame, size_t n)
{
	static uint8_t arena[PACKET_ARENA_LEN];
	uint8_t *copy = malloc(n ? n : 1);
	struct packet p;
	int e;

	assert_non_null(copy);
	memcpy(copy, frame, n);
	packet_init(&p, copy, n, arena, sizeof(arena));
	p.len = (uint32_t)n;
	e = client_receive(&r.c, &p, r.now, &r.fx, NULL);
	free(copy);
	run_effect();
	return e;
}

static void bind_lease(void)
{
	uint8_t f[1600];

	assert_int_equal(receive(f, answer(DHCP4_OFFER, 0xc0000232, f, sizeof(f))),
			 CLIENT_EV_OFFER);
	assert_int_equal(receive(f, answer(DHCP4_ACK, 0xc0000232, f, sizeof(f))), CLIENT_EV_ACK);
	assert_int_equal(r.c.state, CLIENT_BOUND);
}

static void until(int64_t when)
{
	while (client_deadline(&r.c) && client_deadline(&r.c) <= when) {
		r.now = client_deadline(&r.c) > r.now ? client_deadline(&r.c) : r.now;
		client_tick(&r.c, r.now, &r.fx);
		run_effect();
	}
	r.now = when;
}

/* --- packets ---------------------------------------------------------------------------------- */

static void frame_csums(uint8_t *f, size_t len)
{
	(void)len;
	f[40] = f[41] = 0; /* UDP: none */
}

/* CVE-2014-7912 and its kind: an ACK cut at each octet, lengths made to fit. Never bound by
 * halves. */
static void test_cut_everywhere(void **state)
{
	uint8_t whole[1600];
	size_t n;

	(void)state;
	begin(1);
	event(CLIENT_EV_START);
	n = answer(DHCP4_OFFER, 0xc0000232, whole, sizeof(whole));
	for (size_t cut = 0; cut < n; cut++)
		assert_true(receive(whole, cut) < 0);
	assert_int_equal(r.c.state, CLIENT_SELECTING);
	/* the UDP length is that of the cut message; options end in the middle */
	for (size_t cut = 8; cut < n - 34; cut++) {
		uint8_t f[1600];
		int e;

		memcpy(f, whole, n);
		f[38] = (uint8_t)(cut >> 8);
		f[39] = (uint8_t)cut;
		frame_csums(f, n);
		begin(1);
		event(CLIENT_EV_START);
		e = receive(f, n);
		if (e >= 0)
			assert_int_equal(client_lease_check(&r.c.offer), CLIENT_DROP_NONE);
	}
}

/* CVE-2015-8605, n-dhcp4#53: every header length against every total and UDP length near the
 * edges. */
static void test_lying_lengths(void **state)
{
	uint8_t whole[1600];
	size_t n;

	(void)state;
	begin(1);
	event(CLIENT_EV_START);
	n = answer(DHCP4_OFFER, 0xc0000232, whole, sizeof(whole));
	for (unsigned ihl = 0; ihl < 16; ihl++) {
		for (unsigned len = 0; len < 0x10000; len += len < 700 ? 1 : 997) {
			uint8_t f[1600];

			memcpy(f, whole, n);
			f[14] = (uint8_t)(0x40 | ihl);
			f[16] = (uint8_t)(len >> 8);
			f[17] = (uint8_t)len;
			(void)receive(f, n);
			memcpy(f, whole, n);
			f[38] = (uint8_t)(len >> 8);
			f[39] = (uint8_t)len;
			frame_csums(f, n);
			begin(1);
			event(CLIENT_EV_START);
			(void)receive(f, n);
		}
	}
}

/* Single octets changed at random: a bound lease passed every check. */
static void test_damaged(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		uint8_t f[1600];
		size_t n;

		begin(i);
		event(CLIENT_EV_START);
		n = answer(DHCP4_OFFER, 0xc0000232, f, sizeof(f));
		frame_csums(f, n);
		for (unsigned k = 0; k < 3; k++)
			f[42 + rng_below(&r.rng, (uint32_t)n - 42)] = (uint8_t)rng_u64(&r.rng);
		if (receive(f, n) == CLIENT_EV_OFFER)
			assert_int_equal(client_lease_check(&r.c.offer), CLIENT_DROP_NONE);
	}
}

/* --- sockets, memory, time -------------------------------------------------------------------- */

static void flap(void)
{
	struct client_link down = our_link;

	down.up = false;
	client_set_link(&r.c, &down);
	event(CLIENT_EV_LINK_DOWN);
	assert_int_equal(r.raw + r.udp + r.arp, 0);
	r.now += NS_PER_S;
	client_set_link(&r.c, &our_link);
	event(CLIENT_EV_LINK_UP);
}

static void test_flaps(void **state)
{
	struct mallinfo2 before = mallinfo2();
	uint8_t f[1600];

	(void)state;
	begin(1);
	r.opts.probe = CLIENT_PROBE_FAST;
	event(CLIENT_EV_START);
	for (unsigned i = 0; i < 1000; i++) {
		if (i % 7 == 0 && r.c.state == CLIENT_REBOOTING)
			(void)receive(f, answer(DHCP4_ACK, 0xc0000232, f, sizeof(f)));
		if (i % 3 == 0 && r.c.state == CLIENT_SELECTING)
			(void)receive(f, answer(DHCP4_OFFER, 0xc0000232, f, sizeof(f)));
		if (i % 4 == 0 && r.c.state == CLIENT_REQUESTING)
			(void)receive(f, answer(DHCP4_ACK, 0xc0000232, f, sizeof(f)));
		until(r.now + (int64_t)(rng_below(&r.rng, 9000)) * NS_PER_MS);
		flap();
	}
	assert_true(r.raw <= 1 && r.udp <= 1 && r.arp <= 1);
	event(CLIENT_EV_STOP);
	assert_int_equal(r.raw + r.udp + r.arp, 0);
	assert_int_equal(client_deadline(&r.c), 0);
	assert_int_equal(mallinfo2().uordblks, before.uordblks);
}

/* 1,000 leases, each renewed once: sockets and addresses in balance. */
static void test_cycles(void **state)
{
	uint8_t f[1600];

	(void)state;
	begin(2);
	event(CLIENT_EV_START);
	for (unsigned i = 0; i < 1000; i++) {
		bind_lease();
		until(r.now + 301 * NS_PER_S);
		assert_int_equal(r.c.state, CLIENT_RENEWING);
		assert_int_equal(receive(f, answer(DHCP4_ACK, 0xc0000232, f, sizeof(f))),
				 CLIENT_EV_ACK);
		assert_int_equal(r.raw + r.udp + r.arp, 0);
		until(r.now + 700 * NS_PER_S);
	}
	event(CLIENT_EV_STOP);
	assert_int_equal(r.raw + r.udp + r.arp, 0);
	assert_int_equal(r.set, 2000);
	assert_int_equal(r.del, 1000);
}

/* One step after a suspend of any length in any timed state; nothing spins. */
static void test_suspends(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 2000; i++) {
		unsigned ticks = 0;

		begin(i);
		r.opts.probe = (enum client_probe)rng_below(&r.rng, 3);
		event(CLIENT_EV_START);
		if (i & 1) {
			r.opts.probe = CLIENT_PROBE_OFF;
			bind_lease();
		}
		for (unsigned k = 0; k < 5; k++) {
			r.now += (int64_t)(rng_u64(&r.rng) >> (4 + rng_below(&r.rng, 30))) %
				 (30 * 86400 * NS_PER_S);
			for (ticks = 0; client_deadline(&r.c) && client_deadline(&r.c) <= r.now;
			     ticks++) {
				client_tick(&r.c, r.now, &r.fx);
				run_effect();
				assert_true(ticks < CLIENT_N_TIMERS);
			}
		}
		assert_true(client_deadline(&r.c) > r.now);
	}
}

/* A tick that comes too early sets the timer again, and does nothing else. */
static void test_early_tick(void **state)
{
	int64_t due;

	(void)state;
	begin(1);
	event(CLIENT_EV_START);
	due = client_deadline(&r.c);
	client_tick(&r.c, due - 1, &r.fx);
	assert_int_equal(r.fx.n, 1);
	assert_int_equal(r.fx.item[0].kind, EFFECT_ARM);
	assert_int_equal(r.fx.item[0].deadline_ns, due);
}

/* A new id for each transaction, the same for its tries. */
static void test_xid(void **state)
{
	uint32_t last = 0;
	unsigned bits[32] = {0};

	(void)state;
	begin(3);
	event(CLIENT_EV_START);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t xid = r.c.xact.xid;

		assert_int_not_equal(xid, last);
		last = xid;
		for (unsigned b = 0; b < 32; b++)
			bits[b] += xid >> b & 1;
		until(r.now + 3 * NS_PER_S);
		assert_int_equal(r.c.xact.xid, xid);
		event(CLIENT_EV_RESTART);
	}
	for (unsigned b = 0; b < 32; b++)
		assert_true(bits[b] > 400 && bits[b] < 600);
}

/* --- messages --------------------------------------------------------------------------------- */

/* Every form with every option at its longest is whole; CVE-2021-26676: unset fields are zero. */
static void test_longest_messages(void **state)
{
	struct client_lease about = {.address = 0xc0000232, .server_id = 0xc0000201};

	(void)state;
	begin(1);
	memset(r.opts.hostname, 'h', sizeof(r.opts.hostname) - 1);
	memset(r.opts.vendor_class, 'v', r.opts.vendor_class_len = 255);
	memset(r.opts.user_class, 'u', r.opts.user_class_len = 254);
	r.opts.id_form = CLIENT_ID_GIVEN;
	memset(r.opts.client_id, 'i', r.opts.client_id_len = 255);
	r.opts.n_prl = CLIENT_PRL_MAX;
	for (unsigned f = 0; f < CLIENT_N_FORMS; f++) {
		struct span s;
		uint8_t again[1600];
		struct effects *fx = &r.fx;

		effects_reset(fx);
		memset(fx->data, 0xaa, sizeof(fx->data));
		s = client_message(&r.c, (enum client_form)f, &about, &r.c.xact, r.now, fx);
		assert_true(s.n >= 300 && s.n <= 1472 && !fx->overflow);
		memcpy(again, s.p, s.n);
		effects_reset(fx);
		memset(fx->data, 0x55, sizeof(fx->data));
		s = client_message(&r.c, (enum client_form)f, &about, &r.c.xact, r.now, fx);
		assert_memory_equal(again, s.p, s.n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_everywhere),	 cmocka_unit_test(test_lying_lengths),
		cmocka_unit_test(test_damaged),		 cmocka_unit_test(test_flaps),
		cmocka_unit_test(test_cycles),		 cmocka_unit_test(test_suspends),
		cmocka_unit_test(test_early_tick),	 cmocka_unit_test(test_xid),
		cmocka_unit_test(test_longest_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
