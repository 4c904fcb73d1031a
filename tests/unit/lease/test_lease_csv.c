/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rows of the lease file: exact text, escapes, older headers, infinite leases, bad rows.
 */
#include "base/error.h"
#include "base/rng.h"
#include "lease/lease_csv.h"
#include "unit/lease_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct lease sample(void)
{
	return (struct lease){.addr = 0xc0000205,
			      .subnet_id = 7,
			      .pool_id = 3,
			      .valid_lft = 3600,
			      .cltt = 1700000000,
			      .hw_len = 6,
			      .hw = {0, 0x1b, 0x2c, 3, 4, 0xff},
			      .client_id_len = 3,
			      .client_id = {1, 2, 0xab},
			      .fqdn_fwd = true,
			      .hostname = "host.example"};
}

static int parse(const char *text, int columns, struct lease *ret, const char **why)
{
	static char line[4096];

	(void)snprintf(line, sizeof(line), "%s", text);
	return lease_csv_parse(line, strcspn(line, "\n"), columns, ret, why);
}

static void expect(const struct lease *l, bool deleted, const char *row)
{
	struct buf b = {0};

	lease_csv_format(l, deleted, &b);
	assert_string_equal(b.p, row);
	buf_fini(&b);
}

static void test_text(void **state)
{
	struct lease l = sample();

	(void)state;
	expect(&l, false,
	       "192.0.2.5,00:1b:2c:03:04:ff,01:02:ab,3600,1700003600,7,1,0,host.example,"
	       "0,,3\n");
	expect(&l, true,
	       "192.0.2.5,00:1b:2c:03:04:ff,01:02:ab,0,1700003600,7,1,0,host.example,0,,3\n");
	l.valid_lft = LEASE_INFINITE;
	l.user_context = "{ \"a\": 1, \"b\": 2 }";
	expect(&l, false,
	       "192.0.2.5,00:1b:2c:03:04:ff,01:02:ab,4294967295,5994967295,7,1,0,"
	       "host.example,0,{ \"a\": 1&#x2c \"b\": 2 },3\n");
}

static void test_round_trip(void **state)
{
	static const char *const names[] = {"",	   "a,b",   "line\nbreak\r", "&#x2c",
					    "&#x", "x&#x4", "\x01\x7f\xff",  "%n;'\"--"};
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct lease l = sample();
		struct lease back;
		struct buf b = {0};
		const char *why;

		(void)snprintf(l.hostname, sizeof(l.hostname), "%s", names[i]);
		l.user_context = names[i][0] ? names[i] : NULL;
		lease_csv_format(&l, false, &b);
		assert_ptr_equal(strchr(b.p, '\n'), b.p + b.len - 1);
		assert_int_equal(lease_csv_parse(b.p, b.len - 1, 12, &back, &why), 0);
		assert_string_equal(back.hostname, l.hostname);
		if (l.user_context)
			assert_string_equal(back.user_context, l.user_context);
		else
			assert_null(back.user_context);
		assert_int_equal(back.cltt, l.cltt);
		buf_fini(&b);
	}
}

static void test_infinite(void **state)
{
	struct lease l;
	const char *why;

	(void)state;
	assert_int_equal(parse("10.0.0.1,01:02,,4294967295,5994967295,1,0,0,,0,,0", 12, &l, &why),
			 0);
	assert_int_equal(l.cltt, 1700000000);
	assert_int_equal(lease_expire(&l), INT64_MAX);
}

static void test_headers(void **state)
{
	static const char
		old[] = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,"
			"fqdn_rev,hostname";
	struct lease l;
	const char *why;

	(void)state;
	assert_int_equal(lease_csv_header(LEASE_FILE_HEADER, strlen(LEASE_FILE_HEADER)), 12);
	assert_int_equal(lease_csv_header(old, strlen(old)), 9);
	assert_true(lease_csv_header(old, strlen(old) - 1) < 0);
	assert_true(lease_csv_header("address,hwaddr", 14) < 0);
	assert_true(lease_csv_header("", 0) < 0);
	assert_int_equal(parse("10.0.0.1,01:02,,60,1700000060,1,0,1,h", 9, &l, &why), 0);
	assert_int_equal(l.state, LEASE_ASSIGNED);
	assert_true(l.fqdn_rev);
	assert_int_equal(parse("10.0.0.1,01:02,,60,1700000060,1,0,1,h,2,,", 9, &l, &why), 0);
	assert_int_equal(l.state, LEASE_RECLAIMED);
}

/* Each state that Kea 3.x writes. */
static void test_states(void **state)
{
	static const uint8_t want[] = {LEASE_ASSIGNED, LEASE_DECLINED, LEASE_RECLAIMED,
				       LEASE_RELEASED, LEASE_ASSIGNED};
	struct lease l;
	const char *why;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		char row[64];

		(void)snprintf(row, sizeof(row), "10.0.0.1,01:02,,60,1700000060,1,0,1,h,%u,,0", i);
		assert_int_equal(parse(row, 12, &l, &why), 0);
		assert_int_equal(l.state, want[i]);
	}
}

static void test_bad_rows(void **state)
{
	static const char *const rows[] = {
		"",
		",",
		"x",
		"10.0.0,01:02,,60,1,1,0,0,,0,,0",
		"10.0.0.1,,,60,1,1,0,0,,0,,0",
		"10.0.0.1,zz,,60,1,1,0,0,,0,,0",
		"10.0.0.1,01,,-1,1,1,0,0,,0,,0",
		"10.0.0.1,01,,4294967296,1,1,0,0,,0,,0",
		"10.0.0.1,01,,60,,1,0,0,,0,,0",
		"10.0.0.1,01,,60,1,x,0,0,,0,,0",
		"10.0.0.1,01,,60,1,1,2,0,,0,,0",
		"10.0.0.1,01,,60,1,1,0,0,,5,,0",
		"10.0.0.1,01,,60,1,1,0,0,,44,,0",
		"10.0.0.1,,,60,1,1,0,0,,4,,0",
		"10.0.0.1,01,,60,1,1,0,0,,0,,0,1",
		"10.0.0.1,01,,60,1,1,0,0,a&#x00b,0,,0",
		"10.0.0.1,01,,60,1,1,0,0,,0,,z",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lease l;
		const char *why = NULL;

		assert_int_equal(parse(rows[i], 12, &l, &why), -USHER_E_SYNTAX);
		assert_non_null(why);
	}
}

static bool same_row(const struct lease *a, const struct lease *b)
{
	return a->addr == b->addr && a->subnet_id == b->subnet_id && a->pool_id == b->pool_id &&
	       a->valid_lft == b->valid_lft && a->cltt == b->cltt && a->state == b->state &&
	       a->fqdn_fwd == b->fqdn_fwd && a->fqdn_rev == b->fqdn_rev &&
	       span_eq(lease_hw(a), lease_hw(b)) &&
	       span_eq(lease_client_id(a), lease_client_id(b)) &&
	       strcmp(a->hostname, b->hostname) == 0 && !a->user_context == !b->user_context;
}

/* Both ways of reading take the same rows for the same leases. True: the short cut was taken. */
static bool same_both_ways(const char *text)
{
	char a[2048];
	char b[2048];
	struct lease x;
	struct lease y;
	struct lease z;
	const char *why;
	size_t n = strlen(text);
	int r;

	(void)snprintf(a, sizeof(a), "%s7", text);
	memcpy(b, a, sizeof(b));
	r = lease_csv_parse(a, n, LEASE_CSV_COLUMNS, &x, &why);
	assert_int_equal(r, lease_csv_parse_any(b, n, LEASE_CSV_COLUMNS, &y, &why));
	assert_true(r < 0 || same_row(&x, &y));
	(void)snprintf(a, sizeof(a), "%s\n", text);
	return lease_csv_scan((const uint8_t *)a, (const uint8_t *)a + n, &z);
}

static void test_usual_rows(void **state)
{
	static const char *usual[] = {
		"10.0.0.1,02:00:00:00:00:01,01:02:03,3600,1700003600,1,0,0,,0,,0",
		"192.0.2.255,,01:02:0f,4294967295,999999999999999999,4294967295,1,1,host.example,3,,4294967295",
		"0.0.0.0,aa,,0,0,0,0,1,h,2,,1",
		"010.001.2.3,aa,,007,0,0,0,1,h,2,,1",
	};
	static const char *other[] = {
		"10.0.0.1,,,3600,1700003600,1,0,0,,1,,0",
		"10.0.0.1,,,3600,1700003600,1,0,0,,0,,0",
		"10.0.0.1,AA:bb,,3600,1700003600,1,0,0,,0,,0",
		"10.0.0.1,aabb,,3600,1700003600,1,0,0,,0,,0",
		"10.0.0.1,aa:,,3600,1700003600,1,0,0,,0,,0",
		"10.0.0.1,aa,,3600,1700003600,1,0,0,a&#x2cb,0,,0",
		"10.0.0.1,aa,,3600,1700003600,1,0,0,,0,{ },0",
		"10.0.0.1,aa,,3600,1700003600,1,0,0,,0,,",
		"10.0.0.1,aa,,3600,1700003600,1,0,0,,0,,0\r",
		"10.0.0.1,aa,,3600,1700003600,1,0,0,,0,,0,",
		"10.0.0.1,aa,,3600,1700003600,1,0,0,,0,",
		"10.0.0.256,aa,,3600,1700003600,1,0,0,,0,,0",
		"10.0.0.0001,aa,,3600,1700003600,1,0,0,,0,,0",
		"10.0.0,aa,,3600,1700003600,1,0,0,,0,,0",
		"10.0.0.1.2,aa,,3600,1700003600,1,0,0,,0,,0",
		"10.0.0.1,aa,,4294967296,1700003600,1,0,0,,0,,0",
		"10.0.0.1,aa,,1,1000000000000000000,1,0,0,,0,,0",
		"10.0.0.1,aa,,1,-5,1,0,0,,0,,0",
		"10.0.0.1,aa,,1,5,1,2,0,,0,,0",
		"10.0.0.1,aa,,1,5,1,0,0,,4,,0",
		"10.0.0.1,aa,,1,5,1,0,0,,0,,99999999999",
		"10.0.0.1,00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00,,1,5,1,0,0,,0,,0",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		assert_true(same_both_ways(usual[i]));
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		assert_false(same_both_ways(other[i]));
}

/* Good rows with some octets changed, left out or doubled. */
static void test_odd_rows(void **state)
{
	static const char odd[] = "0123456789abcdefAF:.,&#x \n\r-";
	struct rng rng;
	unsigned usual = 0;

	(void)state;
	rng_seed(&rng, 7);
	for (unsigned i = 0; i < 200000; i++) {
		struct lease l = sample();
		struct buf b = {0};
		size_t at;

		l.addr = (uint32_t)rng_u64(&rng);
		l.hw_len = (uint8_t)rng_below(&rng, LEASE_HW_MAX + 1);
		l.client_id_len = (uint16_t)rng_below(&rng, rng_below(&rng, 2) ? 9 : 256);
		l.hostname[rng_below(&rng, 13)] = '\0';
		lease_csv_format(&l, rng_below(&rng, 4) == 0, &b);
		b.p[--b.len] = '\0';
		for (unsigned n = rng_below(&rng, 3); n > 0; n--) {
			at = rng_below(&rng, (uint32_t)b.len);
			if (rng_below(&rng, 4))
				b.p[at] = odd[rng_below(&rng, sizeof(odd) - 1)];
			else
				memmove(b.p + at, b.p + at + 1, b.len - at);
			b.len = strlen(b.p);
		}
		usual += same_both_ways(b.p);
		buf_fini(&b);
	}
	assert_in_range(usual, 60000, 199000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	   cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_infinite),   cmocka_unit_test(test_headers),
		cmocka_unit_test(test_states),	   cmocka_unit_test(test_bad_rows),
		cmocka_unit_test(test_usual_rows), cmocka_unit_test(test_odd_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
