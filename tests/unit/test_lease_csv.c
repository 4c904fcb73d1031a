/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rows of the lease file: exact text, escapes, older headers, infinite leases, bad rows.
 */
#include "base/error.h"
#include "lease/lease_csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct lease sample(void)
{
	return (struct lease){.addr = 0xc0000205, .subnet_id = 7, .pool_id = 3, .valid_lft = 3600,
			      .cltt = 1700000000, .hw_len = 6, .hw = {0, 0x1b, 0x2c, 3, 4, 0xff},
			      .client_id_len = 3, .client_id = {1, 2, 0xab}, .fqdn_fwd = true,
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
	expect(&l, false, "192.0.2.5,00:1b:2c:03:04:ff,01:02:ab,3600,1700003600,7,1,0,host.example,"
			  "0,,3\n");
	expect(&l, true, "192.0.2.5,00:1b:2c:03:04:ff,01:02:ab,0,1700003600,7,1,0,host.example,0,,3\n");
	l.valid_lft = LEASE_INFINITE;
	l.user_context = "{ \"a\": 1, \"b\": 2 }";
	expect(&l, false, "192.0.2.5,00:1b:2c:03:04:ff,01:02:ab,4294967295,5994967295,7,1,0,"
			  "host.example,0,{ \"a\": 1&#x2c \"b\": 2 },3\n");
}

static void test_round_trip(void **state)
{
	static const char *const names[] = {"", "a,b", "line\nbreak\r", "&#x2c", "&#x", "x&#x4",
					    "\x01\x7f\xff", "%n;'\"--"};
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
	assert_int_equal(parse("10.0.0.1,01:02,,4294967295,5994967295,1,0,0,,0,,0", 12, &l, &why), 0);
	assert_int_equal(l.cltt, 1700000000);
	assert_int_equal(lease_expire(&l), INT64_MAX);
}

static void test_headers(void **state)
{
	static const char old[] = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,"
				  "fqdn_rev,hostname";
	struct lease l;
	const char *why;

	(void)state;
	assert_int_equal(lease_csv_header(LEASE_CSV_HEADER, strlen(LEASE_CSV_HEADER)), 12);
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

static void test_bad_rows(void **state)
{
	static const char *const rows[] = {
		"", ",", "x", "10.0.0,01:02,,60,1,1,0,0,,0,,0", "10.0.0.1,,,60,1,1,0,0,,0,,0",
		"10.0.0.1,zz,,60,1,1,0,0,,0,,0", "10.0.0.1,01,,-1,1,1,0,0,,0,,0",
		"10.0.0.1,01,,4294967296,1,1,0,0,,0,,0", "10.0.0.1,01,,60,,1,0,0,,0,,0",
		"10.0.0.1,01,,60,1,x,0,0,,0,,0", "10.0.0.1,01,,60,1,1,2,0,,0,,0",
		"10.0.0.1,01,,60,1,1,0,0,,4,,0", "10.0.0.1,01,,60,1,1,0,0,,0,,0,1",
		"10.0.0.1,01,,60,1,1,0,0,a&#x00b,0,,0", "10.0.0.1,01,,60,1,1,0,0,,0,,z",
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lease l;
		const char *why = NULL;

		assert_int_equal(parse(rows[i], 12, &l, &why), -USHER_E_SYNTAX);
		assert_non_null(why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_infinite),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_bad_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
