/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Loading at start. A table after rows were taken over all at once is equal to one after they
 * were stored one by one, which is how a table takes them that has records already.
 */
#include "base/error.h"
#include "lease/lease_load.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
	BASE = 0x0a000000,
	ADDRS = 600,
	CLIENTS = 150,
	ROWS = 20000,
	FAR = 0xc0000201,
	T0 = 1700000000
};

struct side {
	struct virtual_clock clock;
	struct lease_db *db;
	struct lease_pools *pools;
	struct lease_rows *rows;
};

static struct lease client(uint32_t n)
{
	struct lease l = {.subnet_id = 1 + n % 3,
			  .pool_id = n % 2,
			  .valid_lft = 100,
			  .cltt = T0,
			  .hw_len = 6,
			  .hw = {2}};

	memcpy(l.hw + 2, &n, sizeof(n));
	if (n % 3) {
		/* some too long for the record itself */
		l.client_id_len = n % 5 ? 7 : 60;
		memset(l.client_id, (int)n, l.client_id_len);
	}
	return l;
}

static void open_side(struct side *s, bool one_by_one, bool pool_first)
{
	struct lease_db_opts o = {.hash_key = {1, 2},
				  .seed = 3,
				  .offer_hold_s = 10,
				  .clock = &s->clock.src};
	struct lease_pool_def d = {.first = BASE, .last = BASE + ADDRS - 1, .subnet_id = 1};
	struct lease l = client(1);
	struct lease_change ch;

	virtual_clock_init(&s->clock, T0 * NS_PER_S);
	assert_int_equal(lease_db_new(&o, &s->db), 0);
	assert_int_equal(lease_rows_new(&s->rows), 0);
	l.addr = FAR;
	if (one_by_one)
		assert_int_equal(lease_db_put(s->db, &l, LEASE_PUT_ADD, lease_expect_any(), &ch),
				 0);
	if (pool_first)
		assert_int_equal(lease_pools_build(s->db, &d, 1, &s->pools), 0);
}

static void add(struct side *s, const struct lease *l, bool flush)
{
	int r = lease_rows_add(s->rows, l);

	assert_true(r >= 0);
	if (r > 0 || flush)
		assert_int_equal(lease_db_load(s->db, s->rows), 0);
}

static void end_side(struct side *s, bool one_by_one, bool threads)
{
	struct lease_pool_def d = {.first = BASE, .last = BASE + ADDRS - 1, .subnet_id = 1};
	struct lease_change ch;

	assert_int_equal(lease_db_load(s->db, s->rows), 0);
	assert_int_equal(lease_db_load_end(s->db, threads), 0);
	if (one_by_one)
		assert_int_equal(lease_db_del(s->db, FAR, lease_expect_any(), &ch), 0);
	if (!s->pools)
		assert_int_equal(lease_pools_build(s->db, &d, 1, &s->pools), 0);
}

static void close_side(struct side *s)
{
	lease_pools_unref(s->pools);
	lease_rows_free(s->rows);
	lease_db_free(s->db);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void random_texts(struct rng *rng, struct lease *l, char *context, size_t cap)
{
	if (rng_below(rng, 2)) {
		size_t n = rng_below(rng, 10) ? rng_below(rng, 30)
					      : rng_below(rng, LEASE_HOSTNAME_MAX + 1);

		memset(l->hostname, 'a' + (int)rng_below(rng, 26), n);
	}
	if (rng_below(rng, 8) == 0) {
		(void)snprintf(context, cap, "{ \"n\": %u, \"%0*d\": 1 }", rng_below(rng, 1000),
			       (int)rng_below(rng, 200) + 1, 0);
		l->user_context = context;
	}
}

/* churn: rows delete, addresses change hands */
static struct lease random_row(struct rng *rng, bool churn, uint32_t i, char *context, size_t cap)
{
	uint32_t addr = churn ? rng_below(rng, ADDRS) : i % ADDRS;
	struct lease l = client(churn ? rng_below(rng, CLIENTS) : addr % CLIENTS);

	l.addr = BASE + addr;
	l.state = (uint8_t)(rng_below(rng, 4) ? LEASE_ASSIGNED : rng_below(rng, 4));
	l.cltt = T0 - rng_below(rng, 3) * 40;
	l.fqdn_fwd = rng_below(rng, 2);
	if (rng_below(rng, 10) == 0)
		l.valid_lft = LEASE_INFINITE;
	if (l.state == LEASE_RELEASED || (churn && rng_below(rng, 4) == 0))
		l.valid_lft = 0;
	random_texts(rng, &l, context, cap);
	return l;
}

/* --- comparing -------------------------------------------------------------------------------- */

static void same_lease(const struct lease *a, const struct lease *b)
{
	assert_int_equal(a->addr, b->addr);
	assert_int_equal(a->subnet_id, b->subnet_id);
	assert_int_equal(a->pool_id, b->pool_id);
	assert_int_equal(a->valid_lft, b->valid_lft);
	assert_int_equal(a->cltt, b->cltt);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->fqdn_fwd, b->fqdn_fwd);
	assert_true(span_eq(lease_hw(a), lease_hw(b)));
	assert_true(span_eq(lease_client_id(a), lease_client_id(b)));
	assert_string_equal(a->hostname, b->hostname);
	assert_string_equal(a->user_context ? a->user_context : "none",
			    b->user_context ? b->user_context : "none");
}

static void same_pages(struct side *a, struct side *b)
{
	static struct lease x[ADDRS], y[ADDRS];
	struct arena arena;
	size_t n;

	arena_init(&arena);
	n = lease_db_page(a->db, 0, NULL, &arena, x, ADDRS);
	assert_int_equal(n, lease_db_size(a->db));
	assert_int_equal(n, lease_db_page(b->db, 0, NULL, &arena, y, ADDRS));
	for (size_t i = 0; i < n; i++)
		same_lease(&x[i], &y[i]);
	arena_fini(&arena);
}

/* Records that are equal in rank come in the order of their chain. */
static void same_finds(struct side *a, struct side *b)
{
	static const uint32_t subnets[] = {1, 2, 3};
	static struct lease x[64], y[64];

	for (uint32_t i = 0; i < CLIENTS; i++) {
		struct lease l = client(i);
		struct lease_client c = {lease_client_id(&l), lease_hw(&l)};
		size_t n;

		if (i % 7 == 0)
			c.client_id.n = 0;
		n = lease_db_find(a->db, &c, subnets, 3, NULL, x, 64);
		assert_int_equal(n, lease_db_find(b->db, &c, subnets, 3, NULL, y, 64));
		for (size_t k = 0; k < n; k++)
			same_lease(&x[k], &y[k]);
	}
}

static void same_counts(struct side *a, struct side *b)
{
	for (uint32_t subnet = 0; subnet <= 3; subnet++) {
		for (uint32_t pool = 0; pool <= 2; pool++) {
			struct lease_counts x;
			struct lease_counts y;

			lease_db_counts(a->db, subnet, pool == 2 ? LEASE_ALL_POOLS : pool, &x);
			lease_db_counts(b->db, subnet, pool == 2 ? LEASE_ALL_POOLS : pool, &y);
			assert_int_equal(x.assigned, y.assigned);
			assert_int_equal(x.declined, y.declined);
		}
	}
	assert_int_equal(lease_pool_free(a->pools, 0), lease_pool_free(b->pools, 0));
}

static void same_life(struct side *a, struct side *b)
{
	struct lease_reclaim_opts o = {.max_leases = 0};
	struct side *s[2] = {a, b};
	bool more;
	size_t n[2];

	same_pages(a, b);
	same_finds(a, b);
	same_counts(a, b);
	for (int64_t t = 0; t <= 200; t += 20) {
		for (int i = 0; i < 2; i++) {
			virtual_clock_set(&s[i]->clock, (T0 + t) * NS_PER_S);
			lease_db_expire_holds(s[i]->db);
			n[i] = lease_db_reclaim(s[i]->db, &o, &more);
			assert_false(more);
		}
		assert_int_equal(n[0], n[1]);
		same_counts(a, b);
	}
	same_pages(a, b);
	for (int i = 0; i < 2; i++)
		n[i] = lease_db_flush_reclaimed(s[i]->db, 30, 0);
	assert_int_equal(n[0], n[1]);
	same_pages(a, b);
	for (int i = 0; i < 2; i++)
		(void)lease_db_wipe(s[i]->db, 0, NULL);
	assert_int_equal(lease_db_size(a->db), 0);
	same_counts(a, b);
}

static void compare(uint64_t seed, bool churn, bool pool_first, bool threads)
{
	struct side all = {.rows = NULL};
	struct side each = {.rows = NULL};
	struct rng rng;

	rng_seed(&rng, seed);
	open_side(&all, false, pool_first);
	open_side(&each, true, pool_first);
	for (uint32_t i = 0; i < ROWS; i++) {
		char context[256];
		struct lease l = random_row(&rng, churn, i, context, sizeof(context));
		bool flush = rng_below(&rng, 100) == 0;

		add(&all, &l, flush);
		add(&each, &l, flush);
	}
	end_side(&all, false, threads);
	end_side(&each, true, threads);
	same_life(&all, &each);
	close_side(&all);
	close_side(&each);
}

static void test_same(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		compare(i, i & 1, i & 2, i & 4);
}

/* Ten thousand clones, some of them in slots that others left: their order takes no square of
 * them. */
static void test_clones(void **state)
{
	enum { N = 10000 };
	static const uint32_t subnet = 1;
	struct side s = {.rows = NULL};
	struct lease l = client(0);
	struct lease_client c = {lease_client_id(&l), lease_hw(&l)};
	static struct lease got[64];

	(void)state;
	open_side(&s, false, false);
	for (uint32_t i = 0; i < 3 * N; i++) {
		l.addr = BASE + i % N;
		l.valid_lft = i / N == 1 && i % N % 3 == 0 ? 0 : 100;
		add(&s, &l, false);
	}
	/* a lease that was not deleted has one owner since its first row: it stays in its place */
	end_side(&s, false, true);
	assert_int_equal(lease_db_size(s.db), N);
	assert_int_equal(lease_db_find(s.db, &c, &subnet, 1, NULL, got, 64), 64);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(got[i].addr, BASE + N - 1 - 3 * i);
	close_side(&s);
}

/* Only deletions, or nothing at all. */
static void test_nothing(void **state)
{
	struct side s = {.rows = NULL};
	struct lease l = client(4);

	(void)state;
	open_side(&s, false, true);
	l.addr = BASE;
	add(&s, &l, true);
	l.valid_lft = 0;
	add(&s, &l, true);
	end_side(&s, false, true);
	assert_int_equal(lease_db_size(s.db), 0);
	assert_int_equal(lease_pool_free(s.pools, 0), ADDRS);
	assert_int_equal(lease_db_pick(s.db, s.pools, 0, &l), 0);
	close_side(&s);
}

/* Changes of a table that is being loaded are refused. */
static void test_refused(void **state)
{
	struct side s = {.rows = NULL};
	struct lease l = client(4);
	struct lease_client c = {lease_client_id(&l), lease_hw(&l)};
	struct lease_change ch;

	(void)state;
	open_side(&s, false, true);
	l.addr = BASE;
	add(&s, &l, true);
	assert_int_equal(lease_db_assign(s.db, &l, &c, &ch), -EBUSY);
	assert_int_equal(lease_db_release(s.db, BASE, &c, false, &ch), -EBUSY);
	assert_int_equal(lease_db_decline(s.db, BASE, &c, 10, &ch), -EBUSY);
	assert_int_equal(lease_db_put(s.db, &l, LEASE_PUT_FORCE, lease_expect_any(), &ch), -EBUSY);
	assert_int_equal(lease_db_del(s.db, BASE, lease_expect_any(), &ch), -EBUSY);
	assert_int_equal(lease_db_wipe(s.db, 0, NULL), 0);
	assert_int_equal(lease_db_hold(s.db, &l), -EBUSY);
	assert_int_equal(lease_db_pick(s.db, s.pools, 0, &l), -EBUSY);
	end_side(&s, false, false);
	assert_int_equal(lease_db_size(s.db), 1);
	assert_int_equal(lease_db_del(s.db, BASE, lease_expect_any(), &ch), 0);
	close_side(&s);
}

struct beside {
	struct side *s;
	_Atomic bool end;
};

/* Activity of a server meanwhile: ticks, look-ups, pages, a new configuration. */
static void *look(void *arg)
{
	static const uint32_t subnet = 1;
	struct lease_pool_def d = {.first = BASE, .last = BASE + 2 * ADDRS, .subnet_id = 2};
	struct beside *b = arg;
	struct lease got[8];

	for (uint32_t i = 0; !b->end; i++) {
		struct lease l = client(i % CLIENTS);
		struct lease_client c = {lease_client_id(&l), lease_hw(&l)};
		struct lease_pools *p = NULL;
		struct lease_counts n;

		lease_db_expire_holds(b->s->db);
		lease_db_expect(b->s->db, &c, 1);
		(void)lease_db_find(b->s->db, &c, &subnet, 1, NULL, got, 8);
		(void)lease_db_page(b->s->db, BASE + i % ADDRS, NULL, NULL, got, 8);
		(void)!lease_db_get(b->s->db, BASE + i % ADDRS, NULL, got, NULL);
		lease_db_counts(b->s->db, 0, LEASE_ALL_POOLS, &n);
		assert_int_equal(lease_pools_build(b->s->db, &d, 1, &p), 0);
		lease_pools_unref(p);
	}
	return NULL;
}

static void test_beside(void **state)
{
	struct side all = {.rows = NULL};
	struct side each = {.rows = NULL};
	struct beside b = {.s = &all};
	pthread_t looker;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 11);
	open_side(&all, false, false);
	open_side(&each, true, false);
	assert_int_equal(pthread_create(&looker, NULL, look, &b), 0);
	for (uint32_t i = 0; i < ROWS; i++) {
		char context[256];
		struct lease l = random_row(&rng, true, i, context, sizeof(context));

		add(&all, &l, i % 100 == 0);
		add(&each, &l, false);
	}
	end_side(&all, false, true);
	b.end = true;
	assert_int_equal(pthread_join(looker, NULL), 0);
	end_side(&each, true, false);
	same_life(&all, &each);
	close_side(&all);
	close_side(&each);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),	cmocka_unit_test(test_clones),
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
