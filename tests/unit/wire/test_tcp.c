/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The walk over the options of a TCP header: every kind of end, and octets that are no options.
 */
#include "unit/unit.h"

#include "base/attr.h"
#include "wire/tcp.h"

#include <string.h>

/* Walks the options, and compares their kinds; the walk ends behind the last one. */
static void assert_kinds(struct span options, const char *kinds, size_t end)
{
	struct tcp_option_place o = {0};
	size_t at = 0;

	for (; *kinds; kinds++) {
		assert_true(tcp_next_option(options, &at, &o));
		assert_int_equal(o.kind, *kinds - '0');
		assert_int_equal(options.p[o.at], o.kind);
		assert_int_equal(options.p[o.at + 1], o.data.n + 2);
		assert_int_equal(at, o.at + 2 + o.data.n);
	}
	assert_int_equal(at, end);
	assert_false(tcp_next_option(options, &at, &o));
	assert_int_equal(at, end);
}

#define KINDS(kinds, end, ...)                                        \
	assert_kinds(span_of((const uint8_t[]){__VA_ARGS__},          \
			     sizeof((const uint8_t[]){__VA_ARGS__})), \
		     kinds, end)

static void test_walk(void **state)
{
	(void)state;
	assert_kinds(SPAN_NULL, "", 0);
	/* as Linux opens a connection: MSS, SACK permitted, time stamps, NOP, window scale */
	KINDS("2483", 20, 2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7);
	KINDS("", 0, 1, 1, 1);
	KINDS("2", 5, 1, 2, 4, 5, 180, 1, 1);
}

static void test_end(void **state)
{
	(void)state;
	/* nothing behind the end counts */
	KINDS("", 0, 0, 2, 4, 5, 180);
	KINDS("4", 2, 4, 2, 0, 4, 2);
}

static void test_malformed(void **state)
{
	(void)state;
	KINDS("", 0, 2);
	KINDS("", 0, 2, 0);
	KINDS("", 0, 2, 1, 1, 1);
	KINDS("", 0, 2, 4, 5);
	KINDS("4", 2, 4, 2, 2, 255);
}

static void test_data(void **state)
{
	static const uint8_t octets[] = {1, 2, 4, 5, 180};
	struct tcp_option_place o = {0};
	size_t at = 0;

	(void)state;
	assert_true(tcp_next_option(span_of(octets, sizeof(octets)), &at, &o));
	assert_int_equal(o.at, 1);
	assert_int_equal(o.data.n, 2);
	assert_ptr_equal(o.data.p, octets + 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
