/* SPDX-License-Identifier: MPL-2.0 */
/* Unit tests of the library limits: rate clocks against a list of all times, threads, bounds of
 * memory; classes in contexts. */
#include "unit.h"

#include "base/rng.h"
#include "library/limits/limits.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int init_limiters(void **state)
{
	struct limiters *all = calloc(1, sizeof(*all));

	assert_non_null(all);
	limiters_init(all);
	*state = all;
	return 0;
}

static int free_limiters(void **state)
{
	limiters_fini(*state);
	free(*state);
	return 0;
}

static bool admit(struct limiters *all, struct limiter *l, const struct rate *r,
		  const char *spawned, int64_t now)
{
	struct rate_use u = {.limiter = l,
			     .rate = r,
			     .name = span_str(spawned ? spawned : "x"),
			     .spawned = spawned != NULL};
	unsigned order;

	return limiter_admit(all, &u, 1, now, &order) == 0;
}

/* --- Times ------------------------------------------------------------------------------------ */

enum { N_TIMES = 20000 };

/* A limiter that keeps every time. */
struct model {
	int64_t times[N_TIMES];
	size_t n;
};

static size_t model_count(const struct model *m, int64_t now, int64_t period)
{
	size_t n = 0;

	for (size_t i = m->n; i > 0 && now - m->times[i - 1] < period; i--)
		n++;
	return n;
}

/* Compares with the model at random times. slack: places may become free so much later. */
static void compare(struct limiters *all, uint32_t n, const char *spawned, int64_t slack)
{
	struct limiter *l = limiter_ref(all, "class x");
	struct rate r = {.n = n, .period_ns = NS_PER_S, .text = ""};
	struct model *m = calloc(1, sizeof(*m));
	int64_t now = 5;
	struct rng rng;
	size_t yes = 0;

	assert_non_null(m);
	rng_seed(&rng, n);
	for (int i = 0; i < N_TIMES; i++) {
		now += rng_below(&rng, 4096) == 0 ? rng_below(&rng, NS_PER_S / 4)
						  : rng_below(&rng, (uint32_t)(NS_PER_S / n));
		if (admit(all, l, &r, spawned, now)) {
			yes++;
			assert_true(model_count(m, now, r.period_ns) < n);
			m->times[m->n++] = now;
		} else {
			assert_true(model_count(m, now, r.period_ns + slack) >= n);
		}
	}
	assert_in_range(yes, n, N_TIMES - 1);
	free(m);
	limiter_unref(all, l);
}

static void test_exact(void **state)
{
	compare(*state, 1, NULL, 0);
	compare(*state, 3, NULL, 0);
	compare(*state, 4096, NULL, 0);
	compare(*state, 256, "SPAWN_a_b", 0);
}

static void test_slots(void **state)
{
	compare(*state, 5000, NULL, NS_PER_S / 4096 * 2);
	compare(*state, 300, "SPAWN_a_b", NS_PER_S / 256 * 2);
}

static void test_extremes(void **state)
{
	struct limiters *all = *state;
	struct limiter *l = limiter_ref(all, "class x");
	struct rate none = {.n = 0, .period_ns = NS_PER_S};
	struct rate most = {.n = UINT32_MAX, .period_ns = 365LL * 86400 * NS_PER_S};

	assert_false(admit(all, l, &none, NULL, 1));
	assert_false(admit(all, l, &none, "a", 1));
	for (int64_t i = 0; i < 100000; i++)
		assert_true(admit(all, l, &most, NULL, i * NS_PER_S));
	/* a lower limit in the place of this one finds the packets */
	most.n = 99999;
	assert_false(admit(all, l, &most, NULL, 100000 * NS_PER_S));
	limiter_unref(all, l);
}

/* A packet is counted in all of its limits, or in none. */
static void test_together(void **state)
{
	struct limiters *all = *state;
	struct rate few = {.n = 2, .period_ns = NS_PER_S};
	struct rate more = {.n = 5, .period_ns = NS_PER_S};
	struct limiter *a = limiter_ref(all, "class a");
	struct limiter *b = limiter_ref(all, "class b");
	unsigned yes = 0;
	unsigned order;

	assert_ptr_not_equal(a, b);
	assert_ptr_equal(a, limiter_ref(all, "class a"));
	for (int i = 0; i < 9; i++) {
		struct rate_use u[3] =
			{{.limiter = b, .rate = &more, .name = span_str("b"), .order = 0},
			 {.limiter = a, .rate = &few, .name = span_str("a"), .order = 1},
			 {.limiter = b,
			  .rate = &more,
			  .name = span_str("SPAWN_b_c"),
			  .spawned = true,
			  .order = 2}};

		if (limiter_admit(all, u, 3, 7, &order) == 0)
			yes++;
		else
			assert_int_equal(order, 1);
	}
	assert_int_equal(yes, 2);
	for (int i = 0; i < 3; i++)
		assert_true(admit(all, b, &more, NULL, 8));
	assert_false(admit(all, b, &more, NULL, 8));
	for (int i = 0; i < 3; i++)
		assert_true(admit(all, b, &more, "SPAWN_b_c", 8));
	assert_false(admit(all, b, &more, "SPAWN_b_c", 8));
	limiter_unref(all, a);
	limiter_unref(all, a);
	limiter_unref(all, b);
	/* without references the times are gone */
	a = limiter_ref(all, "class a");
	assert_true(admit(all, a, &few, NULL, 9));
	limiter_unref(all, a);
}

/* The names of spawned classes are bounded: the oldest is forgotten; idle ones go by themselves. */
static void test_spawned(void **state)
{
	struct limiters *all = *state;
	struct rate one = {.n = 1, .period_ns = 1000};
	struct limiter *l = limiter_ref(all, "class t");
	char name[32];

	for (unsigned i = 0; i <= LIMITER_SPAWNED_MAX; i++) {
		(void)snprintf(name, sizeof(name), "SPAWN_t_%u", i);
		assert_true(admit(all, l, &one, name, 5));
	}
	assert_false(admit(all, l, &one, "SPAWN_t_1", 6));
	assert_false(admit(all, l, &one, name, 6));
	assert_true(admit(all, l, &one, "SPAWN_t_0", 7)); /* forgotten; now SPAWN_t_2 is */
	assert_true(admit(all, l, &one, "SPAWN_t_2", 8));
	assert_false(admit(all, l, &one, "SPAWN_t_0", 8));
	for (unsigned i = 0; i < LIMITER_SPAWNED_MAX; i++) {
		(void)snprintf(name, sizeof(name), "SPAWN_t_x%u", i);
		assert_true(admit(all, l, &one, name, 5000 + i));
	}
	limiter_unref(all, l);
}

/* --- Threads ---------------------------------------------------------------------------------- */

enum { N_THREADS = 4, N_PACKETS = 3000, MANY = 500 };

static _Atomic unsigned admitted[3];

static void *packets_main(void *limiters)
{
	static const struct rate r = {.n = MANY, .period_ns = 1000000};
	struct limiters *all = limiters;
	struct limiter *a = limiter_ref(all, "class a");
	struct limiter *b = limiter_ref(all, "class b");

	for (unsigned i = 0; i < N_PACKETS; i++) {
		struct rate_use u[2] = {{.limiter = i % 2 ? a : b, .rate = &r, .order = 0},
					{.limiter = i % 2 ? b : a, .rate = &r, .order = 1}};
		unsigned order;

		if (i % 3 == 0)
			admitted[0] += limiter_admit(all, u, 2, 10, &order) == 0;
		else
			admitted[i % 3] += admit(all, i % 3 == 1 ? a : b, &r, NULL, 10);
	}
	limiter_unref(all, a);
	limiter_unref(all, b);
	return NULL;
}

static void test_threads(void **state)
{
	struct limiters *all = *state;
	struct limiter *a = limiter_ref(all, "class a");
	struct limiter *b = limiter_ref(all, "class b");
	pthread_t t[N_THREADS];

	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, packets_main, all), 0);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(admitted[0] + admitted[1], MANY);
	assert_int_equal(admitted[0] + admitted[2], MANY);
	limiter_unref(all, a);
	limiter_unref(all, b);
}

/* --- Contexts --------------------------------------------------------------------------------- */

static void join_name(void *text, const char *name, size_t n)
{
	char *p = text;

	(void)snprintf(p + strlen(p), 100, "%.*s;", (int)n, name);
}

static const char *names_of(const char *context)
{
	static char text[8192];

	text[0] = '\0';
	limits_names(context, join_name, text);
	return text;
}

static void test_names(void **state)
{
	char *big = malloc(200000);
	size_t n;

	(void)state;
	assert_string_equal(names_of("{\"ISC\":{\"client-classes\":[\"ALL\",\"a b\"]}}"),
			    "ALL;a b;");
	assert_string_equal(names_of("{\"ISC\":{\"client-classes\":[]}}"), "");
	assert_string_equal(names_of("{\"ISC\":{\"client-classes\":\"ALL\"}}"), "");
	assert_string_equal(names_of("{\"ISC\":[],\"client-classes\":[\"x\"]}"), "");
	assert_string_equal(names_of("{\"x\":{\"client-classes\":[\"y\"]}}"), "");
	assert_string_equal(names_of("{\"ISC\":{\"client-classes\":[1,\"\",null,\"z\"]}}"), "z;");
	assert_string_equal(names_of("client-classes"), "");
	assert_string_equal(names_of("{\"ISC\":{\"client-classes\":[\"a"), "");
	/* more than the stack's memory, and more than is read */
	assert_non_null(big);
	for (int k = 1; k <= 10; k += 9) {
		n = (size_t)sprintf(big, "{\"a\":[");
		for (int i = 0; i < 2000 * k; i++)
			n += (size_t)sprintf(big + n, "%s%d", i ? "," : "", i);
		(void)sprintf(big + n, "],\"ISC\":{\"client-classes\":[\"ALL\"]}}");
		assert_string_equal(names_of(big), k == 1 ? "ALL;" : "");
	}
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exact, init_limiters, free_limiters),
		cmocka_unit_test_setup_teardown(test_slots, init_limiters, free_limiters),
		cmocka_unit_test_setup_teardown(test_extremes, init_limiters, free_limiters),
		cmocka_unit_test_setup_teardown(test_together, init_limiters, free_limiters),
		cmocka_unit_test_setup_teardown(test_spawned, init_limiters, free_limiters),
		cmocka_unit_test_setup_teardown(test_threads, init_limiters, free_limiters),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
