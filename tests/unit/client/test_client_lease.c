/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Values that may be configured: addresses, times, routes, options; and the kept lease as octets.
 */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/rng.h"
#include "client/core/lease_file.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

#include <string.h>

static uint8_t arena_mem[32768];
static struct arena arena;
static struct dhcp4_msg m;
static struct client_lease l;

static const struct client_lease_terms terms = {.link_mtu = 1500};

static void opt(uint8_t code, const void *p, size_t n)
{
	assert_int_equal(dhcp4_opt_set(&m, code, span_of(p, n)), 0);
}

static void opt32(uint8_t code, uint32_t v)
{
	assert_int_equal(dhcp4_opt_set_u32(&m, code, v), 0);
}

/* A good ACK. */
static void good(void)
{
	arena_init_fixed(&arena, arena_mem, sizeof(arena_mem));
	dhcp4_init(&m, &arena);
	m.yiaddr = 0xc0000232;
	opt32(DHCP4_OPT_SERVER_ID, 0xc0000201);
	opt32(DHCP4_OPT_LEASE_TIME, 3600);
	opt32(DHCP4_OPT_SUBNET_MASK, 0xffffff00);
	opt32(DHCP4_OPT_ROUTERS, 0xc0000201);
}

/* --- addresses -------------------------------------------------------------------------------- */

static void test_addresses(void **state)
{
	static const struct {
		uint32_t address, mask;
		enum client_drop want;
	} rows[] = {
		{0, 0xffffff00, CLIENT_DROP_ADDRESS_ZERO},
		{1, 0xff000000, CLIENT_DROP_ADDRESS_THIS_NET},
		{0x00ffffff, 0xff000000, CLIENT_DROP_ADDRESS_THIS_NET},
		{0x01000001, 0xff000000, CLIENT_DROP_NONE},
		{0x7f000001, 0xff000000, CLIENT_DROP_ADDRESS_LOOPBACK},
		{0x7fffffff, 0xffffffff, CLIENT_DROP_ADDRESS_LOOPBACK},
		{0xdfffff01, 0xffffff00, CLIENT_DROP_NONE},
		{0xe0000000, 0xffffff00, CLIENT_DROP_ADDRESS_MULTICAST},
		{0xefffffff, 0xffffff00, CLIENT_DROP_ADDRESS_MULTICAST},
		{0xf0000000, 0xffffff00, CLIENT_DROP_ADDRESS_CLASS_E},
		{0xffffffff, 0xffffffff, CLIENT_DROP_ADDRESS_CLASS_E},
		{0xc0000200, 0xffffff00, CLIENT_DROP_ADDRESS_NETWORK},
		{0xc00002ff, 0xffffff00, CLIENT_DROP_ADDRESS_BROADCAST},
		{0xc00002fe, 0xffffff00, CLIENT_DROP_NONE},
		{0x0a0100ff, 0xffff0000, CLIENT_DROP_NONE},
		{0x0a010000, 0xffff0000, CLIENT_DROP_ADDRESS_NETWORK},
		{0x0a01ffff, 0xffff0000, CLIENT_DROP_ADDRESS_BROADCAST},
		{0x0a000004, 0xfffffffc, CLIENT_DROP_ADDRESS_NETWORK},
		{0x0a000007, 0xfffffffc, CLIENT_DROP_ADDRESS_BROADCAST},
		{0x0a000006, 0xfffffffe, CLIENT_DROP_NONE},
		{0x0a000007, 0xfffffffe, CLIENT_DROP_NONE},
		{0x0a000000, 0xffffffff, CLIENT_DROP_NONE},
		{0x0a0000ff, 0xffffffff, CLIENT_DROP_NONE},
		{0x0a000001, 0, CLIENT_DROP_BAD_MASK},
		{0x0a000001, 0xff00ff00, CLIENT_DROP_BAD_MASK},
		{0x0a000001, 0x00ffffff, CLIENT_DROP_BAD_MASK},
		{0x81000001, 0x80000000, CLIENT_DROP_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(client_address_check(rows[i].address, rows[i].mask), rows[i].want);
}

/* For every prefix length: both ends refused up to /30, nothing in /31 and /32. */
static void test_ends(void **state)
{
	(void)state;
	for (unsigned len = 8; len <= 32; len++) {
		uint32_t mask = 0xffffffffU << (32 - len);
		bool has_ends = len < 31;

		assert_int_equal(client_prefix_len(mask), len);
		assert_int_equal(client_address_check(0x0a550000 & mask, mask) == CLIENT_DROP_NONE,
				 !has_ends);
		assert_int_equal(client_address_check(0x0a550000 | ~mask, mask) == CLIENT_DROP_NONE,
				 !has_ends);
	}
}

/* --- messages --------------------------------------------------------------------------------- */

static void test_good(void **state)
{
	(void)state;
	good();
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_NONE);
	assert_int_equal(l.address, 0xc0000232);
	assert_int_equal(l.broadcast, 0xc00002ff);
	assert_int_equal(l.lease_s, 3600);
	assert_int_equal(l.n_routes, 1);
	assert_int_equal(client_lease_option(&l, DHCP4_OPT_LEASE_TIME).n, 4);
	assert_null(client_lease_option(&l, 200).p);
	assert_int_equal(client_lease_check(&l), CLIENT_DROP_NONE);
}

/* Every fixed-size option at every length: only the right one counts, nothing else happens. */
static void test_lengths(void **state)
{
	static const uint8_t codes[] = {1, 26, 28, 51, 54, 58, 59};
	uint8_t data[64] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(codes); i++) {
		for (size_t n = 0; n < sizeof(data); n++) {
			size_t right = codes[i] == 26 ? 2 : 4;
			enum client_drop d;

			if (n == right)
				continue;
			good();
			opt(codes[i], data, n);
			d = client_lease_read(&m, &terms, &l);
			if (codes[i] == 1)
				assert_int_equal(d, CLIENT_DROP_NO_MASK);
			else if (codes[i] == 51)
				assert_int_equal(d, CLIENT_DROP_NO_LEASE_TIME);
			else if (codes[i] == 54)
				assert_int_equal(d, CLIENT_DROP_NO_SERVER_ID);
			else
				assert_int_equal(d, CLIENT_DROP_NONE);
		}
	}
}

static void test_broadcast_address(void **state)
{
	(void)state;
	good();
	opt32(DHCP4_OPT_BROADCAST_ADDRESS, 0xc0000200); /* as 4.2BSD had it */
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_NONE);
	assert_int_equal(l.broadcast, 0xc0000200);
	good();
	opt32(DHCP4_OPT_BROADCAST_ADDRESS, 0x08080808);
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_NONE);
	assert_int_equal(l.broadcast, 0xc00002ff);
	good();
	opt32(DHCP4_OPT_SUBNET_MASK, 0xfffffffe);
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_NONE);
	assert_int_equal(l.broadcast, 0);
}

static void test_many_routes(void **state)
{
	enum { N = CLIENT_LEASE_ROUTES + 10 };
	static uint8_t routes[8 * N + 5];

	(void)state;
	for (size_t i = 0; i < N; i++)
		memcpy(routes + 8 * i,
		       (const uint8_t[]){24, 10, (uint8_t)(i >> 8), (uint8_t)i, 192, 0, 2, 1}, 8);
	memcpy(routes + 8 * N, (const uint8_t[]){0, 192, 0, 2, 1}, 5);
	good();
	opt(DHCP4_OPT_CLASSLESS_STATIC_ROUTE, routes, 8 * 60);
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_NONE);
	assert_int_equal(l.n_routes, 60);
	assert_int_equal(l.n_left_out, 0);
	good();
	opt(DHCP4_OPT_CLASSLESS_STATIC_ROUTE, routes, sizeof(routes));
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_NONE);
	assert_int_equal(l.n_routes, CLIENT_LEASE_ROUTES);
	assert_int_equal(l.n_left_out, 11);
	assert_int_equal(client_lease_router(&l), 0xc0000201);
	/* gateways off the link take two each */
	for (size_t i = 0; i < 60; i++)
		memcpy(routes + 8 * i,
		       (const uint8_t[]){24, 10, (uint8_t)i, 0, 172, 16, (uint8_t)i, 1}, 8);
	good();
	opt(DHCP4_OPT_CLASSLESS_STATIC_ROUTE, routes, 8 * 60);
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_NONE);
	assert_int_equal(l.n_routes, 120);
}

/* Destinations and gateways that are no hosts are counted and left out; the rest is used. */
static void test_odd_routes(void **state)
{
	static const uint8_t odd[] = {
		8,   127, 192, 0,   2,	 1,  32,  127, 0,   0,	 1,   192, 0, 2,  1,   4,
		224, 192, 0,   2,   1,	 24, 239, 1,   2,   192, 0,   2,   1, 32, 255, 255,
		255, 255, 192, 0,   2,	 1,  8,	  10,  224, 0,	 0,   1,   8, 11, 127, 0,
		0,   1,	  1,   128, 192, 0,  2,	  1,   1,   0,	 192, 0,   2, 1,
	};

	(void)state;
	good();
	opt(DHCP4_OPT_CLASSLESS_STATIC_ROUTE, odd, sizeof(odd));
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_NONE);
	assert_int_equal(l.n_routes, 2);
	assert_int_equal(l.n_left_out, 7);
}

static void test_too_many_options(void **state)
{
	static const uint8_t big[2000];

	(void)state;
	good();
	opt(224, big, sizeof(big));
	opt(225, big, sizeof(big));
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_MALFORMED);
}

/* --- times ------------------------------------------------------------------------------------ */

static void test_times(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (unsigned i = 0; i < 200000; i++) {
		struct client_lease t = {
			.lease_s = (uint32_t)rng_u64(&r) >> rng_below(&r, 32),
			.t1_s = (uint32_t)rng_u64(&r) >> rng_below(&r, 32),
			.t2_s = (uint32_t)rng_u64(&r) >> rng_below(&r, 32),
		};
		struct client_lease was;

		t.lease_s += t.lease_s == 0;
		was = t;
		client_lease_times(&t, (uint8_t)rng_u64(&r));
		if (t.lease_s == CLIENT_LEASE_INFINITE)
			continue;
		assert_true(t.t1_s > 0 && t.t2_s <= t.lease_s);
		assert_true(t.t1_s < t.t2_s || (t.t1_s == t.lease_s && t.lease_s < 5));
		if (was.t1_s && was.t1_s < was.t2_s && was.t2_s < was.lease_s)
			assert_true(t.t1_s == was.t1_s && t.t2_s == was.t2_s);
	}
}

static void test_default_times(void **state)
{
	struct client_lease t = {.lease_s = 3200};

	(void)state;
	client_lease_times(&t, 0);
	assert_int_equal(t.t1_s, 1600);
	assert_int_equal(t.t2_s, 2800);
	t = (struct client_lease){.lease_s = 3200};
	client_lease_times(&t, 255);
	assert_true(t.t1_s >= 1550 && t.t1_s < 1600 && t.t2_s >= 2700 && t.t2_s < 2800);
	t = (struct client_lease){.lease_s = 3200, .t1_s = 100};
	client_lease_times(&t, 0);
	assert_true(t.t1_s == 100 && t.t2_s == 2800);
	t = (struct client_lease){.lease_s = 3200, .t2_s = 3000};
	client_lease_times(&t, 0);
	assert_true(t.t1_s == 1600 && t.t2_s == 3000);
	t = (struct client_lease){.lease_s = UINT32_MAX, .t1_s = 5, .t2_s = 7};
	client_lease_times(&t, 0);
	assert_true(t.t1_s == UINT32_MAX && t.t2_s == UINT32_MAX);
}

/* --- the kept lease --------------------------------------------------------------------------- */

static uint8_t file[CLIENT_LEASE_FILE_MAX];
static size_t file_len;
static struct client_lease_context ctx;

static const int64_t boot = 5000 * NS_PER_S;
static const int64_t wall = 1700000000 * NS_PER_S;

/* Written 600 s after the lease began, in boot "a". */
static void write_file(void)
{
	int n;

	good();
	assert_int_equal(client_lease_read(&m, &terms, &l), CLIENT_DROP_NONE);
	client_lease_times(&l, 0);
	l.start_ns = boot - 600 * NS_PER_S;
	ctx = (struct client_lease_context){.iface = "eth0",
					    .mac = {2, 0, 0, 0, 0, 1},
					    .client_id = span_str("id"),
					    .boot_id = {'a'},
					    .boot_ns = boot,
					    .wall_ns = wall};
	n = client_lease_encode(&l, &ctx, file, sizeof(file));
	assert_true(n > 0);
	file_len = (size_t)n;
}

static int read_file(struct client_lease *ret, enum client_kept *kept)
{
	return client_lease_decode(span_of(file, file_len), &ctx, ret, kept);
}

static void test_file_same_boot(void **state)
{
	struct client_lease back;
	enum client_kept kept;

	(void)state;
	write_file();
	ctx.boot_ns += 100 * NS_PER_S;
	/* row 81: the wall clock does not matter here */
	for (int years = -10; years <= 10; years += 20) {
		ctx.wall_ns = wall + years * 365 * 86400 * NS_PER_S;
		assert_int_equal(read_file(&back, &kept), 0);
		assert_int_equal(kept, CLIENT_KEPT_VALID);
		assert_memory_equal(&back, &l, sizeof(l));
	}
	ctx.boot_ns = boot + 3000 * NS_PER_S;
	assert_int_equal(read_file(&back, &kept), 0);
	assert_int_equal(kept, CLIENT_KEPT_HINT);
}

static void test_file_other_boot(void **state)
{
	struct client_lease back;
	enum client_kept kept;

	(void)state;
	write_file();
	ctx.boot_id[0] = 'b';
	ctx.boot_ns = 7 * NS_PER_S;
	ctx.wall_ns = wall + 400 * NS_PER_S;
	assert_int_equal(read_file(&back, &kept), 0);
	assert_int_equal(kept, CLIENT_KEPT_VALID);
	/* 1,000 s of it are used, which is before this boot */
	assert_int_equal(back.start_ns, -993 * NS_PER_S);
	ctx.wall_ns = wall + 2999 * NS_PER_S;
	assert_int_equal(read_file(&back, &kept), 0);
	assert_int_equal(kept, CLIENT_KEPT_VALID);
	ctx.wall_ns = wall + 3000 * NS_PER_S;
	assert_int_equal(read_file(&back, &kept), 0);
	assert_int_equal(kept, CLIENT_KEPT_HINT);
	/* the clock went backwards: nobody knows */
	ctx.wall_ns = wall - 1;
	assert_int_equal(read_file(&back, &kept), 0);
	assert_int_equal(kept, CLIENT_KEPT_HINT);
	/* and ten years forwards */
	ctx.wall_ns = INT64_MAX;
	assert_int_equal(read_file(&back, &kept), 0);
	assert_int_equal(kept, CLIENT_KEPT_HINT);
}

static void test_file_of_others(void **state)
{
	struct client_lease back;
	enum client_kept kept;

	(void)state;
	write_file();
	ctx.iface[3] = '1';
	assert_int_equal(read_file(&back, &kept), -USHER_E_NOT_OWNER);
	write_file();
	ctx.mac[5] = 2;
	assert_int_equal(read_file(&back, &kept), -USHER_E_NOT_OWNER);
	write_file();
	ctx.client_id = SPAN_NULL;
	assert_int_equal(read_file(&back, &kept), -USHER_E_NOT_OWNER);
	write_file();
	file[5] = 2; /* version */
	assert_int_equal(read_file(&back, &kept), -USHER_E_UNSUPPORTED);
	write_file();
	file[0] = 'X';
	assert_int_equal(read_file(&back, &kept), -USHER_E_MALFORMED);
}

/* CVE-2021-25217 and its kind: any octet, any length. */
static void test_file_damaged(void **state)
{
	struct client_lease back;
	enum client_kept kept;
	size_t whole;

	(void)state;
	write_file();
	whole = file_len;
	for (file_len = 0; file_len < whole; file_len++)
		assert_true(read_file(&back, &kept) < 0);
	file_len = whole + 1;
	assert_int_equal(read_file(&back, &kept), -USHER_E_MALFORMED);
	file_len = whole;
	for (size_t i = 0; i < whole; i++) {
		file[i] ^= 0x20;
		assert_true(read_file(&back, &kept) < 0);
		file[i] ^= 0x20;
	}
	assert_int_equal(read_file(&back, &kept), 0);
}

/* A file with a right checksum and a lease that nobody may have. */
static void test_file_forged(void **state)
{
	struct client_lease back;
	enum client_kept kept;
	int n;

	(void)state;
	write_file();
	l.address = 0xe0000005;
	n = client_lease_encode(&l, &ctx, file, sizeof(file));
	file_len = (size_t)n;
	assert_int_equal(read_file(&back, &kept), -USHER_E_MALFORMED);
	write_file();
	l.start_ns = boot + 1;
	n = client_lease_encode(&l, &ctx, file, sizeof(file));
	file_len = (size_t)n;
	assert_int_equal(read_file(&back, &kept), 0);
	assert_int_equal(kept, CLIENT_KEPT_HINT);
	assert_int_equal(client_lease_encode(&l, &ctx, file, 100), -USHER_E_NOSPACE);
}

static void test_file_largest(void **state)
{
	struct client_lease back;
	enum client_kept kept;
	uint8_t id[CLIENT_ID_MAX] = {0};
	int n;

	(void)state;
	write_file();
	ctx.client_id = span_of(id, sizeof(id));
	l.n_routes = CLIENT_LEASE_ROUTES;
	l.options_len = CLIENT_LEASE_OPTIONS;
	n = client_lease_encode(&l, &ctx, file, sizeof(file));
	assert_true(n > 0);
	file_len = (size_t)n;
	assert_int_equal(read_file(&back, &kept), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_broadcast_address),
		cmocka_unit_test(test_many_routes),
		cmocka_unit_test(test_odd_routes),
		cmocka_unit_test(test_too_many_options),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_default_times),
		cmocka_unit_test(test_file_same_boot),
		cmocka_unit_test(test_file_other_boot),
		cmocka_unit_test(test_file_of_others),
		cmocka_unit_test(test_file_damaged),
		cmocka_unit_test(test_file_forged),
		cmocka_unit_test(test_file_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
