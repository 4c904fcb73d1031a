/* SPDX-License-Identifier: MPL-2.0 */
/* Unit tests of src/lease/lease_names.c: leases by the names in their contexts, and bounds. A
 * context of these tests is a list of names between commas. */
#include "unit.h"

#include "base/error.h"
#include "lease/lease_db_util.h"
#include "lease/lease_limit.h"
#include "lease/lease_load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { N_NAMES = 5, N_ADDRS = 64 };

static const char *const name_list[N_NAMES] = {"a", "b", "gold", "silver", "all"};

static void each_name(const char *context, void (*each)(void *ctx, const char *name, size_t n),
		      void *ctx)
{
	for (const char *p = context; *p;) {
		size_t n = strcspn(p, ",");

		if (n)
			each(ctx, p, n);
		p += n + (p[n] == ',');
	}
}

static bool names_it(const char *context, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = context; p && *p;) {
		size_t len = strcspn(p, ",");

		if (len == n && strncmp(p, name, n) == 0)
			return true;
		p += len + (p[len] == ',');
	}
	return false;
}

/* Compares all counters with the leases themselves. */
static void check_counts(struct fix *f)
{
	const struct lease_filter any = {.state = -1};
	struct lease *l = calloc(N_ADDRS, sizeof(*l));
	struct arena arena;
	size_t n;

	assert_non_null(l);
	arena_init(&arena);
	n = lease_db_page(f->db, 0, &any, &arena, l, N_ADDRS);
	for (int i = 0; i < N_NAMES; i++) {
		uint64_t named = 0;

		for (size_t k = 0; k < n; k++)
			named += l[k].state == LEASE_ASSIGNED &&
				 names_it(l[k].user_context, name_list[i]);
		assert_int_equal(lease_db_named(f->db, span_str(name_list[i])), named);
	}
	arena_fini(&arena);
	free(l);
}

static const char *const contexts[] = {NULL,	     "a",      "a,b",	 "gold,all",
				       "silver,all", "b,all,", "a,gold", "other,else"};

static struct lease named_client(uint32_t n, uint32_t addr, const char *context)
{
	struct lease l = client(n);

	l.addr = addr;
	l.user_context = context;
	return l;
}

static void change_lease(struct fix *f, struct rng *rng)
{
	struct lease l = named_client(1 + rng_below(rng, 6), BASE + rng_below(rng, N_ADDRS),
				      contexts[rng_below(rng, ARRAY_LEN(contexts))]);
	struct lease_client c = who(&l);
	struct lease_reclaim_opts o = {.remove = rng_below(rng, 2)};
	struct lease_change ch;
	bool more;

	l.cltt = clock_wall_s(&f->clock.src);
	switch (rng_below(rng, 9)) {
	case 0:
	case 1:
	case 2:
		(void)!lease_db_assign(f->db, &l, &c, &ch);
		break;
	case 3:
		(void)!lease_db_release(f->db, l.addr, &c, rng_below(rng, 2), &ch);
		break;
	case 4:
		(void)!lease_db_decline(f->db, l.addr, &c, 50, &ch);
		break;
	case 5:
		(void)!lease_db_put(f->db, &l, LEASE_PUT_FORCE, lease_expect_any(), &ch);
		break;
	case 6:
		(void)!lease_db_del(f->db, l.addr, lease_expect_any(), &ch);
		break;
	case 7:
		(void)lease_db_reclaim(f->db, &o, &more);
		break;
	default:
		(void)!lease_db_hold(f->db, &l);
		break;
	}
}

/* The counters follow every kind of change, also such that begin while the table has leases. */
static void test_changes(void **state)
{
	struct fix *f = *state;
	struct rng rng;

	rng_seed(&rng, 7);
	for (int i = 0; i < 200; i++)
		change_lease(f, &rng);
	assert_int_equal(lease_db_named(f->db, span_str("a")), 0);
	assert_int_equal(lease_db_count_names(f->db, each_name), 0);
	check_counts(f);
	for (int i = 0; i < 4000; i++) {
		if (i % 20 == 0)
			at(f, i);
		change_lease(f, &rng);
		check_counts(f);
	}
	assert_true(lease_db_wipe(f->db, 0, &(uint64_t){0}) > 0);
	check_counts(f);
	lease_db_uncount_names(f->db);
	assert_int_equal(lease_db_named(f->db, span_str("a")), 0);
}

static void load_leases(struct fix *f, uint32_t first, uint32_t n)
{
	struct lease_rows *rows;

	assert_int_equal(lease_rows_new(&rows), 0);
	for (uint32_t i = first; i < first + n; i++) {
		struct lease l = named_client(i, BASE + i % N_ADDRS,
					      contexts[i % ARRAY_LEN(contexts)]);

		assert_return_code(lease_rows_add(rows, &l), 0);
	}
	assert_int_equal(lease_db_load(f->db, rows), 0);
	lease_rows_free(rows);
}

/* Counting that begins before, while and after leases are loaded. */
static void test_load(void **state)
{
	struct fix *f = *state;

	assert_int_equal(lease_db_count_names(f->db, each_name), 0);
	load_leases(f, 1, 100);
	assert_int_equal(lease_db_load_end(f->db, false), 0);
	check_counts(f);
	assert_true(lease_db_named(f->db, span_str("all")) > 0);
	lease_db_uncount_names(f->db);
}

static void test_load_meanwhile(void **state)
{
	struct fix *f = *state;

	load_leases(f, 1, 50);
	assert_int_equal(lease_db_count_names(f->db, each_name), 0);
	load_leases(f, 40, 50);
	assert_int_equal(lease_db_load_end(f->db, false), 0);
	check_counts(f);
	assert_true(lease_db_named(f->db, span_str("all")) > 0);
	/* the calls of a reload nest: the old library ends after the new one began */
	assert_int_equal(lease_db_count_names(f->db, each_name), 0);
	lease_db_uncount_names(f->db);
	check_counts(f);
	lease_db_uncount_names(f->db);
}

static int bounded(struct fix *f, uint32_t addr, uint32_t n, const char *context, uint64_t max)
{
	struct lease_bound v[] = {{.name = span_str("gold"), .max = max},
				  {.subnet_id = 1, .max = 3}};
	struct lease_bounds b = {v, 2};
	struct lease l = named_client(n, addr, context);
	struct lease_client c = who(&l);
	struct lease_change ch;

	l.cltt = clock_wall_s(&f->clock.src);
	return lease_db_assign_within(f->db, &l, &c, &b, &ch);
}

static void test_bounds(void **state)
{
	struct lease_bound v[] = {{.name = span_str("gold"), .max = 1}};
	struct lease_bounds b = {v, 1};
	struct fix *f = *state;

	assert_int_equal(lease_db_count_names(f->db, each_name), 0);
	assert_int_equal(lease_db_beyond(f->db, BASE, &b), -1);
	assert_int_equal(bounded(f, BASE, 1, "gold", 1), 0);
	assert_int_equal(bounded(f, BASE + 1, 2, "gold", 1), -USHER_E_LIMIT);
	assert_int_equal(state_of(f, BASE + 1), 255);
	assert_int_equal(lease_db_beyond(f->db, BASE + 1, &b), 0);
	/* the lease at the address itself does not count */
	assert_int_equal(lease_db_beyond(f->db, BASE, &b), -1);
	/* a renewal is not bounded */
	assert_int_equal(bounded(f, BASE, 1, "gold", 0), 0);
	assert_int_equal(bounded(f, BASE + 1, 2, "silver", 2), 0);
	assert_int_equal(bounded(f, BASE + 2, 3, "silver", 2), 0);
	/* the subnet has three */
	assert_int_equal(bounded(f, BASE + 3, 4, "silver", 2), -USHER_E_LIMIT);
	/* an expired lease that is replaced does not count */
	at(f, 1000);
	assert_int_equal(bounded(f, BASE, 9, "gold", 1), 0);
	check_counts(f);
	lease_db_uncount_names(f->db);
}

/* --- Threads ---------------------------------------------------------------------------------- */

enum { N_THREADS = 4, N_ROUNDS = 300, MOST = 7 };

struct racer {
	struct fix *f;
	uint32_t id;
	unsigned won;
};

static _Atomic unsigned now_held, most_held;

static void *race_main(void *racer)
{
	struct racer *r = racer;

	for (uint32_t i = 0; i < N_ROUNDS; i++) {
		struct lease_bound v[] = {{.name = span_str("gold"), .max = MOST}};
		struct lease_bounds b = {v, 1};
		struct lease l = named_client(r->id * 1000 + i, BASE + r->id * 16 + i % 16,
					      "all,gold");
		struct lease_client c = who(&l);
		struct lease_change ch;
		int e = lease_db_assign_within(r->f->db, &l, &c, &b, &ch);
		unsigned held;

		assert_true(e == 0 || e == -USHER_E_LIMIT);
		if (e < 0)
			continue;
		held = ++now_held;
		if (held > most_held)
			most_held = held;
		r->won++;
		now_held--;
		assert_int_equal(lease_db_del(r->f->db, l.addr, lease_expect_any(), &ch), 0);
	}
	return NULL;
}

/* Counting begins and ends while others change leases; no burst exceeds the bound. */
static void test_threads(void **state)
{
	struct fix *f = *state;
	struct racer r[N_THREADS];
	pthread_t t[N_THREADS];
	unsigned won = 0;

	assert_int_equal(lease_db_count_names(f->db, each_name), 0);
	for (uint32_t i = 0; i < N_THREADS; i++) {
		r[i] = (struct racer){.f = f, .id = i};
		assert_int_equal(pthread_create(&t[i], NULL, race_main, &r[i]), 0);
	}
	for (int i = 0; i < 50; i++) {
		assert_true(lease_db_named(f->db, span_str("gold")) <= MOST);
		assert_int_equal(lease_db_count_names(f->db, each_name), 0);
		lease_db_uncount_names(f->db);
	}
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		won += r[i].won;
	}
	assert_true(won > 0);
	assert_true(most_held <= MOST);
	assert_int_equal(lease_db_named(f->db, span_str("gold")), 0);
	lease_db_uncount_names(f->db);
}

static void *assign_main(void *racer)
{
	struct racer *r = racer;

	for (uint32_t i = 0; i < 16; i++)
		r->won += bounded(r->f, BASE + r->id * 16 + i, r->id * 16 + i + 1, "gold", 2) == 0;
	return NULL;
}

/* Of a burst, exactly as many leases are assigned as the bound allows. */
static void test_burst(void **state)
{
	struct fix *f = *state;
	struct racer r[N_THREADS];
	pthread_t t[N_THREADS];
	unsigned won = 0;

	assert_int_equal(lease_db_count_names(f->db, each_name), 0);
	for (uint32_t i = 0; i < N_THREADS; i++) {
		r[i] = (struct racer){.f = f, .id = i};
		assert_int_equal(pthread_create(&t[i], NULL, assign_main, &r[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		won += r[i].won;
	}
	assert_int_equal(won, 2);
	check_counts(f);
	lease_db_uncount_names(f->db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_burst, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
