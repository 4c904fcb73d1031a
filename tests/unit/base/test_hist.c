/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The histogram: exact below HIST_SUB, within 1 % above, gapless rows, both ends.
 */
#include "unit/unit.h"

#include "base/hist.h"
#include "base/rng.h"

#include <stdlib.h>

static struct hist h;

static void test_empty(void **state)
{
	(void)state;
	hist_reset(&h);
	assert_int_equal(hist_percentile(&h, 0.5), 0);
	assert_int_equal(hist_percentile(&h, 1), 0);
}

static void test_small_values_are_exact(void **state)
{
	(void)state;
	hist_reset(&h);
	for (unsigned v = 1; v <= 100; v++)
		hist_record(&h, v);
	assert_int_equal(hist_percentile(&h, 0), 1);
	assert_int_equal(hist_percentile(&h, 0.01), 1);
	assert_int_equal(hist_percentile(&h, 0.5), 50);
	assert_int_equal(hist_percentile(&h, 0.501), 51);
	assert_int_equal(hist_percentile(&h, 0.99), 99);
	assert_int_equal(hist_percentile(&h, 1), 100);
	assert_int_equal(h.max, 100);
}

/* Every value alone: its percentile is itself (max), with a larger one beside it at most 1 %
 * above. */
static void test_error_is_below_one_percent(void **state)
{
	(void)state;
	for (uint64_t v = 1; v < UINT64_C(100000000000); v += v / 3 + 1) {
		uint64_t p;

		hist_reset(&h);
		hist_record(&h, v);
		hist_record(&h, v * 3);
		p = hist_percentile(&h, 0.5);
		assert_true(p >= v);
		assert_true(p - v <= v / 100);
		assert_int_equal(hist_percentile(&h, 1), v * 3);
	}
}

static void test_too_long_counts_as_the_longest(void **state)
{
	(void)state;
	hist_reset(&h);
	hist_record(&h, UINT64_MAX);
	hist_record(&h, 1000);
	assert_int_equal(h.n, 2);
	assert_int_equal(hist_percentile(&h, 1), UINT64_MAX);
	assert_true(hist_percentile(&h, 0.5) <= 1010);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a;
	const uint64_t *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Against the sorted values themselves. */
static void test_percentiles_of_a_random_load(void **state)
{
	enum { N = 20000 };
	static const double ps[] = {0.01, 0.5, 0.9, 0.99, 0.999, 0.9999};
	static uint64_t v[N];
	struct rng r;

	(void)state;
	hist_reset(&h);
	rng_seed(&r, 4711);
	for (size_t i = 0; i < N; i++) {
		v[i] = rng_u64(&r) >> (30 + rng_below(&r, 24));
		hist_record(&h, v[i]);
	}
	qsort(v, N, sizeof(v[0]), compare);
	for (size_t i = 0; i < sizeof(ps) / sizeof(ps[0]); i++) {
		uint64_t want = v[(size_t)(ps[i] * N + 0.999999) - 1];
		uint64_t got = hist_percentile(&h, ps[i]);

		assert_true(got >= want && got - want <= want / 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_small_values_are_exact),
		cmocka_unit_test(test_error_is_below_one_percent),
		cmocka_unit_test(test_too_long_counts_as_the_longest),
		cmocka_unit_test(test_percentiles_of_a_random_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
