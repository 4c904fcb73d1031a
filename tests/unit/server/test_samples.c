/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Histories of statistics, as Kea keeps them: bounds by number and by age, reset, removal,
 * configurations.
 */
#include "unit/unit.h"

#include "base/attr.h"
#include "base/clock.h"
#include "server/core/samples.h"

#include <stdio.h>
#include <string.h>

static struct samples *s;
static int64_t now = 1000 * NS_PER_S;
static const struct stat_key server_key = {0, 0, 1}, subnet_key = {1, 0, 2};

static int setup(void **state)
{
	(void)state;
	s = samples_new(now);
	return s ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	samples_free(s);
	return 0;
}

static struct stat_now counter(int64_t raw)
{
	return (struct stat_now){server_key, STAT_COUNTER, raw, NULL};
}

static struct stat_now subnet(enum stat_kind kind, int64_t raw)
{
	return (struct stat_now){subnet_key, kind, raw, NULL};
}

static void add_text(void *ctx, const struct sample *v)
{
	char *out = ctx;

	(void)snprintf(out + strlen(out), 200 - strlen(out), "%s%lld", out[0] ? " " : "",
		       (long long)v->value);
}

static void assert_history(struct stat_now v, const char *want)
{
	char text[200] = "";

	(void)samples_see(s, &v, now);
	samples_each(s, &v, add_text, text);
	assert_string_equal(text, want);
	assert_int_equal(samples_exist(s, &v), want[0] != '\0');
}

static void see(struct stat_now v)
{
	now += NS_PER_S;
	(void)samples_see(s, &v, now);
}

static void test_changes(void **state)
{
	struct stat_now same = counter(2);

	(void)state;
	assert_history(counter(0), "0");
	see(counter(1));
	see(counter(2));
	assert_false(samples_see(s, &same, now));
	assert_history(counter(2), "2 1 0");
	for (int i = 3; i < 40; i++)
		see(counter(i));
	assert_history(counter(39), "39 38 37 36 35 34 33 32 31 30 29 28 27 26 25 24 23 22 21 20");
}

static void test_limits(void **state)
{
	struct stat_now v = counter(0);

	(void)state;
	assert_true(samples_limit(s, &v, (struct sample_limit){false, 2}, now));
	for (int i = 1; i < 4; i++)
		see(counter(i));
	assert_history(counter(3), "3 2");
	v = counter(3);
	assert_true(samples_limit(s, &v, (struct sample_limit){true, 3}, now));
	for (int i = 4; i < 9; i++)
		see(counter(i));
	assert_history(counter(8), "8 7 6 5"); /* 3 seconds apart at most */
	samples_limit_all(s, (struct sample_limit){false, 1});
	assert_history(counter(8), "8");
	see(subnet(STAT_COUNTER, 1));
	see(subnet(STAT_COUNTER, 2));
	assert_history(subnet(STAT_COUNTER, 2), "2");
}

static void test_reset_and_remove(void **state)
{
	struct stat_now v = counter(2);

	(void)state;
	see(counter(1));
	assert_true(samples_reset(s, &v, now));
	assert_history(counter(2), "0");
	see(counter(3));
	assert_history(counter(4), "2 1 0");
	v = counter(4);
	assert_true(samples_remove(s, &v, now));
	assert_history(counter(4), "");
	assert_false(samples_reset(s, &v, now));
	assert_false(samples_limit(s, &v, (struct sample_limit){false, 5}, now));
	see(counter(5));
	assert_history(counter(6), "2 1"); /* the first change makes it anew */
	see(counter(9));
	samples_reset_all(s, now);
	assert_history(counter(9), "0");
	samples_remove_all(s);
	assert_history(counter(9), "");
	assert_history(subnet(STAT_COUNTER, 0), "");
	see(subnet(STAT_COUNTER, 1));
	assert_history(subnet(STAT_COUNTER, 1), "1");
}

static void test_lazy(void **state)
{
	(void)state;
	assert_history(subnet(STAT_LAZY, 0), "");
	see(subnet(STAT_LAZY, 1));
	assert_history(subnet(STAT_LAZY, 2), "2 1");
}

/* Effect of a configuration on statistics of subnets; those of the server continue. */
static void test_configured(void **state)
{
	static const struct {
		enum stat_kind kind;
		int64_t before, after;
		const char *want, *then;
	} rows[] = {
		{STAT_COUNTER, 3, 3, "3 0", "4 3 0"},
		{STAT_RESTARTED, 3, 3, "0", "1 0"},
		{STAT_RECOUNTED, 3, 2, "2", "3 2"},
		{STAT_SIZE, 10, 20, "20", "21"}, /* moved by configurations only */
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stat_now v = {{1, i, i}, rows[i].kind, rows[i].before, NULL};

		see(v);
		v.raw = rows[i].after;
		samples_configured(s, now);
		samples_restart(s, &v, now);
		assert_history(v, rows[i].want);
		v.raw++;
		assert_history(v, rows[i].then);
	}
	/* a removed one of a subnet is back */
	samples_remove_all(s);
	samples_configured(s, now);
	for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stat_now v = {{1, i, i}, rows[i].kind, 7, NULL};

		samples_restart(s, &v, now);
		assert_history(v, rows[i].kind == STAT_COUNTER || rows[i].kind == STAT_RESTARTED
					  ? "0"
					  : "7");
	}
}

/* All histories together have a bound: the newest sample of each stays. */
static void test_total(void **state)
{
	struct stat_now v = {{0, 0, 7}, STAT_COUNTER, 0, NULL};

	(void)state;
	samples_limit_all(s, (struct sample_limit){false, UINT32_MAX});
	for (int i = 0; i < SAMPLES_TOTAL_MAX + 10; i++) {
		v.raw++;
		assert_true(samples_see(s, &v, now));
	}
	see(counter(5));
	assert_history(counter(5), "5");
	v.raw = 0;
	assert_true(samples_reset(s, &v, now));
	see(counter(6));
	assert_history(counter(6), "6 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_and_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lazy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configured, setup, teardown),
		cmocka_unit_test_setup_teardown(test_total, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
