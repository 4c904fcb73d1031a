/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lease table under pressure: offers that are withdrawn, very many pools, very many leases of
 * one client.
 */
#include "base/error.h"
#include "lease/lease_store.h"
#include "lease_db_util.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { OFFER_POOL = 40, OFFER_STEPS = 20000, OFFER_CLIENTS = 100 };

/* Any order of offers, withdrawn offers, requests, ends and reloads: an address that is leased is
 * its client's. */
static void test_offers_again(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, OFFER_POOL, LEASE_ALLOC_ITERATIVE);
	uint32_t owner[OFFER_POOL] = {0}; /* client + 1 */
	uint32_t again = 0;
	uint32_t leased = 0;

	srand(11);
	for (int i = 0; i < OFFER_STEPS; i++) {
		uint32_t n = (uint32_t)rand() % OFFER_CLIENTS;
		uint32_t a = (uint32_t)rand() % OFFER_POOL;
		struct lease l = client(n);
		struct lease_change ch;

		switch (rand() % 16) {
		case 0:
			if (owner[a] && lease_db_del(f->db, BASE + a, lease_expect_any(), &ch) == 0)
				owner[a] = 0;
			break;
		case 1:
			lease_db_unhold(f->db, BASE + a,
					&(struct lease_client){.hw = lease_hw(&l)});
			break;
		case 2: {
			struct lease_pools *q = pool(f, i % 3 ? OFFER_POOL : OFFER_POOL / 2,
						     LEASE_ALLOC_ITERATIVE);

			lease_pools_unref(p);
			p = q;
			break;
		}
		case 3:
		case 4:
			if (assign(f, BASE + a, n, &ch) == 0) {
				assert_true(!owner[a] || owner[a] == n + 1);
				owner[a] = n + 1;
			}
			break;
		case 5:
			l.addr = BASE + a;
			l.subnet_id = 1;
			(void)!lease_db_hold(f->db, &l);
			break;
		default:
			again += lease_db_pick(f->db, p, 0, &l) < 0;
			if (lease_db_pick_held(f->db, p, 0, &l) == 0)
				assert_int_equal(owner[l.addr - BASE], 0);
		}
	}
	assert_true(again > OFFER_STEPS / 20);
	for (uint32_t a = 0; a < OFFER_POOL; a++) {
		assert_int_equal(state_of(f, BASE + a) == LEASE_ASSIGNED, owner[a] != 0);
		leased += owner[a] != 0;
	}
	lease_pools_unref(p);
	p = pool(f, OFFER_POOL, LEASE_ALLOC_ITERATIVE);
	at(f, 12); /* no lease has ended */
	lease_db_expire_holds(f->db);
	assert_int_equal(lease_pool_free(p, 0), OFFER_POOL - leased);
	lease_pools_unref(p);
}

/* A pool whose addresses are all leased has neither a free one nor an offer: none is picked. */
static void test_no_offer(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 2, LEASE_ALLOC_ITERATIVE);
	struct lease_change ch;
	struct lease l = client(9);

	assert_int_equal(assign(f, BASE, 1, &ch), 0);
	assert_int_equal(lease_pool_oldest_offer(f->db, p, 0), INT64_MAX);
	assert_int_equal(assign(f, BASE + 1, 2, &ch), 0);
	assert_int_equal(lease_db_pick_held(f->db, p, 0, &l), -USHER_E_EXHAUSTED);
	assert_int_equal(lease_pool_oldest_offer(f->db, p, 1), INT64_MAX);
	lease_pools_unref(p);
}

/* CPU time of making n pools beside as many of an older set, and of ending both; the least of
 * three, for others use the machine too. */
static double pools_cost(uint32_t n)
{
	struct lease_pool_def *defs = calloc(n, sizeof(*defs));
	double best = 1e9;

	assert_non_null(defs);
	for (int round = 0; round < 3; round++) {
		struct lease_db_opts o = {.hash_key = {1, 2}, .seed = 3, .clock = &clock_system};
		struct lease_pools *old;
		struct lease_pools *p;
		struct lease_db *db;
		clock_t start;
		double s;

		assert_int_equal(lease_db_new(&o, &db), 0);
		for (uint32_t i = 0; i < n; i++) /* from the highest down: the worst order */
			defs[i] = (struct lease_pool_def){.first = BASE + (n - i) * 64,
							  .last = BASE + (n - i) * 64 + 9,
							  .subnet_id = i + 1};
		start = clock();
		assert_int_equal(lease_pools_build(db, defs, n, &old), 0);
		for (uint32_t i = 0; i < n; i++)
			defs[i].last += 9;
		assert_int_equal(lease_pools_build(db, defs, n, &p), 0);
		lease_pools_unref(old);
		lease_pools_unref(p);
		s = (double)(clock() - start) / CLOCKS_PER_SEC;
		best = s < best ? s : best;
		lease_db_free(db);
	}
	free(defs);
	return best;
}

/* Four times the pools cost about four times as much; in a quadratic way it was sixteen and
 * more. */
static void test_many_pools(void **state)
{
	double small = pools_cost(10000);
	double large = pools_cost(40000);

	(void)state;
	print_message("pools: 10,000 in %.0f ms, 40,000 in %.0f ms\n", small * 1e3, large * 1e3);
	assert_true(large < 8 * small);
}

enum { N_CLONES = 200000, OTHERS_MIN = 8, PAGES_MAX = 50 };

struct beside {
	struct lease_db *db;
	_Atomic uint64_t n;
	_Atomic bool stop;
};

static void *look_beside(void *ctx)
{
	struct beside *b = ctx;

	while (!b->stop) {
		(void)lease_db_size(b->db);
		b->n++;
	}
	return NULL;
}

/* Very many leases of one hardware address: others have their turn while they are listed. */
static void test_pages_of_a_clone(void **state)
{
	struct fix *f = *state;
	struct lease key = client(7);
	struct lease_filter filter = {.state = -1, .hw = lease_hw(&key)};
	struct beside b = {.db = f->db};
	uint64_t most = 0;
	struct lease page[16];
	struct lease_change ch;
	pthread_t t;

	for (uint32_t i = 0; i < N_CLONES; i++)
		assert_int_equal(assign(f, BASE + i, 7, &ch), 0);
	assert_int_equal(pthread_create(&t, NULL, look_beside, &b), 0);
	for (int i = 0; i < PAGES_MAX && most < OTHERS_MIN; i++) {
		uint64_t before = b.n;

		assert_int_equal(lease_db_page(f->db, BASE + N_CLONES / 2, &filter, NULL, page, 16),
				 16);
		assert_int_equal(page[0].addr, BASE + N_CLONES / 2 + 1);
		assert_int_equal(page[15].addr, BASE + N_CLONES / 2 + 16);
		most = b.n - before > most ? b.n - before : most;
	}
	b.stop = true;
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_true(most >= OTHERS_MIN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(test_offers_again),
		T(test_no_offer),
		T(test_pages_of_a_clone),
		cmocka_unit_test(test_many_pools),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
