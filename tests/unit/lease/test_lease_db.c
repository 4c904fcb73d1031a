/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lease table: picking, holding, ownership, expiry with clock steps, counters, pages, and
 * many threads at one address.
 */
#include "base/error.h"
#include "lease/journal/journal.h"
#include "lease_db_util.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void test_allocators(void **state)
{
	struct fix *f = *state;

	for (int a = LEASE_ALLOC_ITERATIVE; a <= LEASE_ALLOC_FLQ; a++) {
		struct lease_pools *p = pool(f, 70, (enum lease_allocator)a);
		bool seen[70] = {false};
		struct lease_change ch;
		struct lease l;

		assert_int_equal(lease_pool_free(p, 0), 70);
		for (uint32_t i = 0; i < 70; i++) {
			l = client(i);
			assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
			assert_false(seen[l.addr - BASE]);
			seen[l.addr - BASE] = true;
			assert_int_equal(assign(f, l.addr, i, &ch), 0);
		}
		assert_int_equal(lease_pool_free(p, 0), 0);
		l = client(99);
		assert_int_equal(lease_db_pick(f->db, p, 0, &l), -USHER_E_EXHAUSTED);
		assert_int_equal(lease_db_del(f->db, BASE + 33, lease_expect_any(), &ch), 0);
		assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
		assert_int_equal(l.addr, BASE + 33);
		assert_int_equal(lease_db_wipe(f->db, 0, NULL), 69);
		at(f, 11 * (a + 1));
		lease_db_expire_holds(f->db);
		assert_int_equal(lease_pool_free(p, 0), 70);
		lease_pools_unref(p);
	}
}

/* An address follows another one seldom, but for the iterative allocator. */
static void test_allocator_order(void **state)
{
	struct fix *f = *state;

	for (int a = LEASE_ALLOC_ITERATIVE; a <= LEASE_ALLOC_FLQ; a++) {
		struct lease_pools *p = pool(f, 50000, (enum lease_allocator)a);
		unsigned next = 0;
		uint32_t last = 0;

		for (uint32_t i = 0; i < 100; i++) {
			struct lease l = client(i);

			assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
			next += l.addr == last + 1;
			last = l.addr;
		}
		assert_true(a == LEASE_ALLOC_ITERATIVE ? next == 99 : next < 10);
		at(f, 11 * (a + 1));
		lease_db_expire_holds(f->db);
		lease_pools_unref(p);
	}
}

/* As in Kea, the last address of a pool is not the first that is chosen. */
static void test_random_of_two(void **state)
{
	struct fix *f = *state;

	for (int i = 1; i <= 32; i++) {
		struct lease_pools *p = pool(f, 2, LEASE_ALLOC_RANDOM);
		struct lease l = client(1);

		assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
		assert_int_equal(l.addr, BASE);
		at(f, 11 * i);
		lease_db_expire_holds(f->db);
		lease_pools_unref(p);
	}
}

/* Leases that ended in one second are given away by address, the oldest second first. */
static void test_order_of_reuse(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 8, LEASE_ALLOC_ITERATIVE);
	struct lease_change ch;

	for (uint32_t i = 0; i < 8; i++) {
		at(f, i < 4 ? 1 : 0);
		assert_int_equal(assign(f, BASE + i, i, &ch), 0);
	}
	at(f, 200);
	lease_db_expire_holds(f->db);
	for (uint32_t i = 0; i < 8; i++) {
		struct lease l = client(100 + i);

		assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
		assert_int_equal(l.addr, BASE + (i + 4) % 8);
	}
	lease_pools_unref(p);
}

static void test_reserved(void **state)
{
	static const uint32_t reserved[] = {BASE + 2};
	struct fix *f = *state;
	struct lease_pool_def d = {.first = BASE,
				   .last = BASE + 255,
				   .subnet_id = 1,
				   .exclude_first_last_24 = true,
				   .reserved = reserved,
				   .n_reserved = 1};
	struct lease_pools *p, *q;
	struct lease_change ch;

	assert_int_equal(lease_pools_build(f->db, &d, 1, &p), 0);
	assert_int_equal(lease_pool_free(p, 0), 253);
	assert_int_equal(assign(f, BASE + 2, 1, &ch), 0);
	assert_int_equal(lease_db_del(f->db, BASE + 2, lease_expect_any(), &ch), 0);
	assert_int_equal(lease_pool_free(p, 0), 253);
	/* another subnet's pool over the same addresses, and a second generation */
	d.subnet_id = 2;
	d.n_reserved = 0;
	assert_int_equal(lease_pools_build(f->db, &d, 1, &q), 0);
	assert_int_equal(assign(f, BASE + 9, 1, &ch), 0);
	assert_int_equal(lease_pool_free(p, 0), 252);
	assert_int_equal(lease_pool_free(q, 0), 253);
	assert_int_equal(lease_pools_find(q, BASE + 7, 0), 0);
	assert_int_equal(lease_pools_find(q, BASE + 7, 1), -USHER_E_NOTFOUND);
	lease_pools_unref(p);
	lease_pools_unref(q);
}

static void test_oldest_first(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 3, LEASE_ALLOC_ITERATIVE);
	struct lease_change ch;
	struct lease l = client(50);

	for (uint32_t i = 0; i < 3; i++) {
		at(f, i == 1 ? 0 : i + 1);
		assert_int_equal(assign(f, BASE + i, i, &ch), 0);
	}
	at(f, 100); /* .1 runs through this second */
	assert_int_equal(lease_db_pick(f->db, p, 0, &l), -USHER_E_EXHAUSTED);
	at(f, 110);
	for (uint32_t i = 0; i < 3; i++) {
		static const uint32_t order[] = {1, 0, 2};

		l = client(50 + i);
		assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
		assert_int_equal(l.addr, BASE + order[i]);
		assert_int_equal(assign(f, l.addr, 50 + i, &ch), 0);
		assert_true(ch.old_expired);
		assert_int_equal(ch.old.hw[2], order[i]);
	}
	lease_pools_unref(p);
}

static void test_holds(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 1, LEASE_ALLOC_ITERATIVE);
	struct lease a = client(1), b = client(2), got[4];
	struct lease_client ca = who(&a), cb = who(&b);
	struct lease_change ch;
	uint32_t subnet = 1;

	assert_int_equal(lease_db_pick(f->db, p, 0, &a), 0);
	assert_int_equal(state_of(f, BASE), LEASE_OFFERED);
	assert_int_equal(lease_db_size(f->db), 0);
	assert_int_equal(lease_db_page(f->db, 0, NULL, NULL, got, 4), 0);
	assert_int_equal(lease_db_find(f->db, &ca, &subnet, 1, NULL, got, 4), 1);
	b.addr = BASE;
	assert_int_equal(lease_db_hold(f->db, &b), -USHER_E_IN_USE);
	lease_db_unhold(f->db, BASE, &cb);
	assert_int_equal(lease_db_hold(f->db, &b), -USHER_E_IN_USE);
	at(f, 11);
	assert_int_equal(lease_db_hold(f->db, &b), 0);
	at(f, -1000); /* the clock steps back: holds run on the other clock */
	assert_int_equal(lease_db_hold(f->db, &a), -USHER_E_IN_USE);
	lease_db_unhold(f->db, BASE, &cb);
	assert_int_equal(state_of(f, BASE), 255);
	assert_int_equal(lease_pool_free(p, 0), 1);
	/* the first client that requests it gets it, to whomever it was offered */
	assert_int_equal(lease_db_pick(f->db, p, 0, &a), 0);
	assert_int_equal(assign(f, BASE, 2, &ch), 0);
	assert_int_equal(assign(f, BASE, 1, &ch), -USHER_E_IN_USE);
	assert_int_equal(lease_db_find(f->db, &ca, &subnet, 1, NULL, got, 4), 0);
	lease_pools_unref(p);
}

static void test_ownership(void **state)
{
	struct fix *f = *state;
	struct lease l = client(1), o = client(1);
	struct lease_client c, d;
	struct lease_change ch;

	l.addr = BASE;
	l.client_id_len = 30;
	memset(l.client_id, 7, 30);
	memset(o.client_id, 8, 30);
	o.client_id_len = 30;
	c = who(&l);
	d = who(&o);
	assert_int_equal(lease_db_assign(f->db, &l, &c, &ch), 0);
	/* same hardware, other client identifier: another client */
	assert_int_equal(lease_db_assign(f->db, &l, &d, &ch), -USHER_E_IN_USE);
	assert_int_equal(lease_db_release(f->db, BASE, &d, true, &ch), -USHER_E_NOT_OWNER);
	assert_int_equal(lease_db_decline(f->db, BASE, &d, 10, &ch), -USHER_E_NOT_OWNER);
	assert_int_equal(lease_db_release(f->db, BASE + 1, &c, true, &ch), -USHER_E_NOTFOUND);
	/* no client identifier given: by hardware address */
	d.client_id = SPAN_NULL;
	assert_int_equal(lease_db_release(f->db, BASE, &d, true, &ch), 0);
	assert_int_equal(state_of(f, BASE), LEASE_RELEASED);
	assert_int_equal(lease_db_release(f->db, BASE, &c, true, &ch), -USHER_E_RANGE);
	assert_int_equal(assign(f, BASE, 5, &ch), 0);
	assert_true(ch.had_old && !ch.old_expired);
	d = (struct lease_client){.hw = span_of("\2\0\5\0\0\0", 6)};
	assert_int_equal(lease_db_release(f->db, BASE, &d, false, &ch), 0);
	assert_int_equal(state_of(f, BASE), 255);
}

static void expect_counts(struct fix *f, uint64_t assigned, uint64_t declined, uint64_t cumulative,
			  uint64_t reclaimed, uint64_t reclaimed_declined)
{
	static const uint32_t subnets[] = {0, 1, 1};
	static const uint32_t pools[] = {0, LEASE_ALL_POOLS, 0};

	for (int i = 0; i < 3; i++) {
		struct lease_counts c;

		lease_db_counts(f->db, subnets[i], pools[i], &c);
		assert_int_equal(c.assigned, assigned);
		assert_int_equal(c.declined, declined);
		assert_int_equal(c.cumulative_assigned, cumulative);
		assert_int_equal(c.reclaimed, reclaimed);
		assert_int_equal(c.reclaimed_declined, reclaimed_declined);
	}
}

static bool refuse(void *ctx, const struct lease *l)
{
	(void)l;
	++*(int *)ctx;
	return false;
}

static void test_expiry(void **state)
{
	struct fix *f = *state;
	int asked = 0;
	struct lease_reclaim_opts o = {0}, skip = {.before = refuse, .ctx = &asked};
	struct lease l = client(2);
	struct lease_client c = who(&l);
	struct lease_change ch;
	bool more;

	assert_int_equal(assign(f, BASE + 1, 1, &ch), 0);
	assert_int_equal(assign(f, BASE + 2, 2, &ch), 0);
	assert_int_equal(lease_db_decline(f->db, BASE + 2, &c, 50, &ch), 0);
	assert_int_equal(assign(f, BASE + 2, 2, &ch), -USHER_E_IN_USE);
	expect_counts(f, 2, 1, 2, 0, 0);
	at(f, 51);
	assert_int_equal(lease_db_reclaim(f->db, &o, &more), 1);
	assert_int_equal(state_of(f, BASE + 2), 255);
	expect_counts(f, 1, 0, 2, 1, 1);
	at(f, 60);
	assert_int_equal(assign(f, BASE + 1, 1, &ch), 0); /* renewed: ends at 160 */
	at(f, 150);
	assert_int_equal(lease_db_reclaim(f->db, &o, &more), 0);
	at(f, 161);
	assert_int_equal(lease_db_reclaim(f->db, &skip, &more), 1);
	assert_int_equal(asked, 1);
	assert_int_equal(state_of(f, BASE + 1), LEASE_ASSIGNED);
	at(f, 163);
	assert_int_equal(lease_db_reclaim(f->db, &o, &more), 1);
	assert_false(more);
	assert_int_equal(state_of(f, BASE + 1), LEASE_RECLAIMED);
	expect_counts(f, 0, 0, 2, 2, 1);
	assert_int_equal(lease_db_flush_reclaimed(f->db, 10, 0), 0);
	at(f, 180);
	assert_int_equal(lease_db_flush_reclaimed(f->db, 10, 0), 1);
	assert_int_equal(lease_db_size(f->db), 0);
}

static void test_clock_steps(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 1, LEASE_ALLOC_ITERATIVE);
	struct lease_reclaim_opts o = {0};
	struct lease_change ch;
	struct lease l = client(9);
	bool more;

	assert_int_equal(assign(f, BASE, 1, &ch), 0);
	at(f, 86400);
	lease_db_expire_holds(f->db); /* lapses it */
	assert_int_equal(lease_pool_free(p, 0), 1);
	at(f, 50); /* and back: it runs again, to its own end */
	assert_int_equal(lease_db_reclaim(f->db, &o, &more), 0);
	assert_int_equal(lease_db_pick(f->db, p, 0, &l), -USHER_E_EXHAUSTED);
	assert_int_equal(assign(f, BASE, 2, &ch), -USHER_E_IN_USE);
	at(f, -86400);
	assert_int_equal(assign(f, BASE, 1, &ch), 0); /* renewed a day ago: ends at -86300 */
	at(f, -86299);
	assert_int_equal(lease_db_reclaim(f->db, &o, &more), 1);
	assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
	lease_pools_unref(p);
}

static void test_find_order(void **state)
{
	struct fix *f = *state;
	struct lease l = client(1), got[4];
	struct lease_client c = who(&l);
	uint32_t subnets[] = {1, 2};
	struct lease_change ch;

	assert_int_equal(assign(f, BASE + 1, 1, &ch), 0);
	assert_int_equal(lease_db_release(f->db, BASE + 1, &c, true, &ch), 0);
	assert_int_equal(assign(f, BASE + 2, 1, &ch), 0);
	l.addr = BASE + 3;
	assert_int_equal(lease_db_hold(f->db, &l), 0);
	assert_int_equal(lease_db_find(f->db, &c, subnets, 2, NULL, got, 4), 3);
	assert_int_equal(got[0].addr, BASE + 2);
	assert_int_equal(got[1].addr, BASE + 3);
	assert_int_equal(got[2].addr, BASE + 1);
	assert_int_equal(lease_db_find(f->db, &c, subnets + 1, 1, NULL, got, 4), 0);
	assert_int_equal(lease_db_find(f->db, &c, subnets, 2, NULL, got, 1), 1);
	assert_int_equal(got[0].addr, BASE + 2);
}

/* A renewal keeps the context that it does not replace; another client's lease begins without. */
static void test_context_of_renewals(void **state)
{
	struct fix *f = *state;
	struct lease l = client(1), got;
	struct lease_client who = {lease_client_id(&l), lease_hw(&l)};
	struct lease_change ch;
	struct arena a;

	arena_init(&a);
	l.addr = BASE + 1;
	l.user_context = "{\"a\":1}";
	assert_int_equal(lease_db_assign(f->db, &l, &who, &ch), 0);
	l.user_context = NULL;
	(void)snprintf(l.hostname, sizeof(l.hostname), "new");
	assert_int_equal(lease_db_assign(f->db, &l, &who, &ch), 0);
	assert_int_equal(lease_db_get(f->db, l.addr, &a, &got, NULL), 0);
	assert_string_equal(got.user_context, "{\"a\":1}");
	assert_string_equal(got.hostname, "new");
	l.user_context = "{}";
	assert_int_equal(lease_db_assign(f->db, &l, &who, &ch), 0);
	assert_int_equal(lease_db_get(f->db, l.addr, &a, &got, NULL), 0);
	assert_string_equal(got.user_context, "{}");
	assert_int_equal(lease_db_release(f->db, l.addr, &who, true, &ch), 0);
	l = client(2);
	l.addr = BASE + 1;
	who = (struct lease_client){lease_client_id(&l), lease_hw(&l)};
	assert_int_equal(lease_db_assign(f->db, &l, &who, &ch), 0);
	assert_int_equal(lease_db_get(f->db, l.addr, &a, &got, NULL), 0);
	assert_null(got.user_context);
	arena_fini(&a);
}

static void test_pages(void **state)
{
	struct fix *f = *state;
	struct lease_filter by_hw = {.state = -1};
	static struct lease got[64];
	struct lease l;
	struct lease_change ch;
	uint32_t from = 0;
	size_t n, total = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		l = client(i % 10);
		l.addr = BASE + i * 977;
		l.user_context = i == 0 ? "{ }" : NULL;
		(void)snprintf(l.hostname, sizeof(l.hostname), i == 500 ? "Five" : "x");
		assert_int_equal(lease_db_put(f->db, &l, LEASE_PUT_ADD, lease_expect_any(), &ch),
				 0);
		assert_int_equal(lease_db_put(f->db, &l, LEASE_PUT_ADD, lease_expect_any(), &ch),
				 -USHER_E_EXISTS);
	}
	while ((n = lease_db_page(f->db, from, NULL, NULL, got, 64)) > 0) {
		for (size_t i = 0; i < n; i++, total++)
			assert_int_equal(got[i].addr, BASE + total * 977);
		from = got[n - 1].addr;
	}
	assert_int_equal(total, 1000);
	l = client(3);
	by_hw.hw = lease_hw(&l);
	assert_int_equal(lease_db_page(f->db, BASE + 3 * 977, &by_hw, NULL, got, 64), 64);
	assert_int_equal(got[0].addr, BASE + 13 * 977);
	by_hw = (struct lease_filter){.state = -1, .hostname = "five"};
	assert_int_equal(lease_db_page(f->db, 0, &by_hw, NULL, got, 64), 1);
	assert_int_equal(lease_db_del(f->db, BASE + 1, lease_expect_any(), &ch), -USHER_E_NOTFOUND);
	assert_int_equal(lease_db_put(f->db, &(struct lease){.addr = 1}, LEASE_PUT_FORCE,
				      lease_expect_any(), &ch),
			 -USHER_E_RANGE);
	l.addr = 5;
	assert_int_equal(lease_db_put(f->db, &l, LEASE_PUT_UPDATE, lease_expect_any(), &ch),
			 -USHER_E_NOTFOUND);
	assert_int_equal(lease_db_wipe(f->db, 2, NULL), 0);
	assert_int_equal(lease_db_wipe(f->db, 1, NULL), 1000);
}

static void test_rebuild(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 8, LEASE_ALLOC_ITERATIVE), *q, *r;
	struct lease_change ch;
	struct lease l = client(77);

	for (uint32_t i = 0; i < 8; i++)
		assert_int_equal(assign(f, BASE + i, i, &ch), 0);
	at(f, 200);
	lease_db_expire_holds(f->db);
	q = pool(f, 8, LEASE_ALLOC_ITERATIVE); /* the same pool */
	r = pool(f, 6, LEASE_ALLOC_ITERATIVE); /* a new one: takes the records over */
	assert_int_equal(lease_pool_free(q, 0), 2);
	assert_int_equal(lease_pool_free(r, 0), 6);
	lease_pools_unref(r); /* the reload failed: they come back */
	assert_int_equal(lease_pool_free(p, 0), 8);
	lease_pools_unref(p);
	assert_int_equal(lease_db_pick(f->db, q, 0, &l), 0);
	lease_pools_unref(lease_pools_ref(q));
	lease_pools_unref(q);
}

/* --- threads ---------------------------------------------------------------------------------- */

enum { N_THREADS = 4, N_CLAIMS = 3000, N_CLAIMED = 64 };

struct hammer {
	struct fix *f;
	struct lease_pools *p;
	uint32_t id;
	uint32_t won[N_CLAIMED];
};

static void *hammer_main(void *ctx)
{
	struct hammer *h = ctx;
	struct lease_change ch;

	for (uint32_t i = 0; i < N_CLAIMS; i++) {
		struct lease l = client(1000 + h->id);
		uint32_t a = i % N_CLAIMED;

		if (assign(h->f, BASE + a, h->id, &ch) == 0 && !ch.had_old)
			h->won[a]++;
		if (lease_db_pick(h->f->db, h->p, 0, &l) == 0)
			lease_db_unhold(h->f->db, l.addr,
					&(struct lease_client){.hw = lease_hw(&l)});
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 128, LEASE_ALLOC_RANDOM);
	struct hammer h[N_THREADS];
	pthread_t t[N_THREADS];

	for (uint32_t i = 0; i < N_THREADS; i++) {
		h[i] = (struct hammer){.f = f, .p = p, .id = i};
		assert_int_equal(pthread_create(&t[i], NULL, hammer_main, &h[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	for (int a = 0; a < N_CLAIMED; a++) {
		uint32_t owners = 0;

		for (int i = 0; i < N_THREADS; i++)
			owners += h[i].won[a];
		assert_in_range(owners, 0, 1);
	}
	lease_pools_unref(p);
}

/* --- cost ------------------------------------------------------------------------------------- */

static uint64_t resident(void)
{
	FILE *fp = fopen("/proc/self/statm", "r");
	unsigned long total = 0, pages = 0;

	assert_non_null(fp);
	assert_int_equal(fscanf(fp, "%lu %lu", &total, &pages), 2);
	(void)fclose(fp);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* --- the client indexes against a plain list -------------------------------------------------- */

enum { N_MODEL = 3000, N_IDS = 40 };

struct model {
	uint8_t hw[N_MODEL], cid[N_MODEL]; /* identity numbers, 0: none; both 0: no lease */
};

static struct lease model_lease(uint32_t i, uint8_t hw, uint8_t cid)
{
	struct lease l = {.addr = BASE + i, .subnet_id = 1, .valid_lft = 100, .cltt = T0};

	if (hw) {
		l.hw_len = 6;
		l.hw[0] = hw;
	}
	if (cid) {
		l.client_id_len = cid < 5 ? 60 : 7; /* some do not fit into a record */
		l.client_id[6] = cid;
	}
	return l;
}

/* The result of lease_db_page for one key is equal to the model, by address. */
static void expect_key(struct fix *f, const struct model *m, bool by_hw, uint8_t id)
{
	struct lease key = model_lease(0, by_hw ? id : 0, by_hw ? 0 : id);
	struct lease_filter filter = {.state = -1,
				      .hw = lease_hw(&key),
				      .client_id = lease_client_id(&key)};
	struct lease page[16];
	uint32_t from = 0;
	size_t have = 0;
	size_t want = 0;
	size_t n;

	while ((n = lease_db_page(f->db, from, &filter, NULL, page, 16)) > 0) {
		for (size_t i = 0; i < n; i++)
			assert_int_equal((by_hw ? m->hw : m->cid)[page[i].addr - BASE], id);
		from = page[n - 1].addr;
		have += n;
	}
	for (uint32_t i = 0; i < N_MODEL; i++)
		want += (by_hw ? m->hw : m->cid)[i] == id;
	assert_int_equal(have, want);
}

/* A few clients with very many leases each, made, handed over and ended in any order. */
static void test_clones(void **state)
{
	struct fix *f = *state;
	struct model *m = calloc(1, sizeof(*m));
	struct lease_change ch;
	struct rng rng;

	assert_non_null(m);
	rng_seed(&rng, 9);
	for (uint32_t k = 0; k < 60000; k++) {
		uint32_t i = rng_below(&rng, N_MODEL);
		uint8_t hw = (uint8_t)rng_below(&rng, N_IDS);
		uint8_t cid = (uint8_t)rng_below(&rng, N_IDS);
		struct lease l = model_lease(i, hw, cid);

		if (rng_below(&rng, 4) == 0) {
			bool there = m->hw[i] || m->cid[i];

			assert_int_equal(lease_db_del(f->db, l.addr, lease_expect_any(), &ch),
					 there ? 0 : -USHER_E_NOTFOUND);
			m->hw[i] = m->cid[i] = 0;
		} else if (hw || cid) {
			assert_int_equal(lease_db_put(f->db, &l, LEASE_PUT_FORCE,
						      lease_expect_any(), &ch),
					 0);
			m->hw[i] = hw;
			m->cid[i] = cid;
		}
		if (k % 10000 == 9999)
			for (uint8_t id = 1; id < N_IDS; id++) {
				expect_key(f, m, true, id);
				expect_key(f, m, false, id);
			}
	}
	free(m);
}

/* A hundred thousand distinct clients come and go: every one is found while it is there. */
static void test_many_clients(void **state)
{
	enum { N = 100000 };
	static const uint32_t subnet = 1;
	struct fix *f = *state;
	struct lease_change ch;
	struct lease found;

	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(assign(f, BASE + i, i, &ch), 0);
	for (uint32_t i = 0; i < N; i += 3)
		assert_int_equal(lease_db_del(f->db, BASE + i, lease_expect_any(), &ch), 0);
	for (uint32_t i = 0; i < N; i++) {
		struct lease l = client(i);
		struct lease_client c = who(&l);

		assert_int_equal(lease_db_find(f->db, &c, &subnet, 1, NULL, &found, 1), i % 3 != 0);
		if (i % 3)
			assert_int_equal(found.addr, BASE + i);
	}
}

/* The client's hold becomes its lease; another one's does not. */
static void test_hold_becomes_lease(void **state)
{
	static const uint32_t subnet = 1;
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 4, LEASE_ALLOC_ITERATIVE);
	struct lease_change ch;
	struct lease_counts n;
	struct lease found[4];
	struct lease l = client(1);
	struct lease_client c = who(&l);

	assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
	assert_int_equal(lease_db_size(f->db), 0);
	assert_int_equal(assign(f, l.addr, 1, &ch), 0);
	assert_false(ch.had_old);
	assert_int_equal(lease_db_size(f->db), 1);
	assert_int_equal(lease_db_find(f->db, &c, &subnet, 1, NULL, found, 4), 1);
	assert_int_equal(found[0].state, LEASE_ASSIGNED);
	lease_db_counts(f->db, 1, LEASE_ALL_POOLS, &n);
	assert_int_equal(n.assigned, 1);
	assert_int_equal(n.cumulative_assigned, 1);
	/* the end of the hold does not end the lease */
	at(f, 20);
	lease_db_expire_holds(f->db);
	assert_int_equal(state_of(f, l.addr), LEASE_ASSIGNED);
	assert_int_equal(lease_pool_free(p, 0), 3);
	/* administration puts a lease where somebody holds */
	l = client(2);
	assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
	l.hw[1] = 7;
	assert_int_equal(lease_db_put(f->db, &l, LEASE_PUT_ADD, lease_expect_any(), &ch), 0);
	assert_int_equal(state_of(f, l.addr), LEASE_ASSIGNED);
	assert_int_equal(lease_db_del(f->db, l.addr, lease_expect_any(), &ch), 0);
	assert_int_equal(state_of(f, l.addr), 255);
	assert_int_equal(lease_pool_free(p, 0), 3);
	lease_pools_unref(p);
}

/* Very many leases renewed once and over in one second: a few steps each, nothing forgotten. */
static void test_all_end_at_once(void **state)
{
	enum { N = 20000 };
	struct lease_reclaim_opts o = {.max_leases = 100};
	struct fix *f = *state;
	struct lease_pools *p = pool(f, N, LEASE_ALLOC_ITERATIVE);
	struct lease_change ch;
	size_t n = 0;
	bool more = true;

	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(assign(f, BASE + i, i, &ch), 0);
	at(f, 50);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(assign(f, BASE + i, i, &ch), 0);
	at(f, 120);
	lease_db_expire_holds(f->db);
	assert_int_equal(lease_pool_free(p, 0), 0);
	at(f, 151);
	for (int i = 0; i < 20000 && lease_pool_free(p, 0) < N; i++)
		lease_db_expire_holds(f->db);
	assert_int_equal(lease_pool_free(p, 0), N);
	for (int i = 0; more && i < 1000; i++)
		n += lease_db_reclaim(f->db, &o, &more);
	assert_int_equal(n, N);
	assert_int_equal(lease_db_flush_reclaimed(f->db, 10, 0), 0);
	at(f, 200);
	assert_int_equal(lease_db_flush_reclaimed(f->db, 10, 0), N);
	assert_int_equal(lease_db_size(f->db), 0);
	lease_pools_unref(p);
}

/* Very many leases over at once, and packets before the clock: each pick finds one, the oldest
 * left. */
static void test_pick_before_clock(void **state)
{
	enum { N = 3000 };
	struct fix *f = *state;
	struct lease_pools *p = pool(f, N, LEASE_ALLOC_ITERATIVE);
	struct lease_change ch;
	struct lease l;

	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(assign(f, BASE + i, i, &ch), 0);
	at(f, 101);
	for (uint32_t i = 0; i < N; i++) {
		l = client(N + i);
		assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
		assert_int_equal(state_of(f, l.addr), LEASE_OFFERED);
	}
	l = client(3 * N);
	assert_int_equal(lease_db_pick(f->db, p, 0, &l), -USHER_E_EXHAUSTED);
	lease_pools_unref(p);
}

static void test_memory(void **state)
{
	enum { N = 400000 };
	struct fix *f = *state;
	uint64_t before = resident();
	struct lease_change ch;
	uint64_t each;

	for (uint32_t i = 0; i < N; i++) {
		struct lease l = client(i);
		struct lease_client c;

		l.addr = BASE + i;
		l.client_id_len = 19;
		memcpy(l.client_id, &i, sizeof(i));
		c = who(&l);
		assert_int_equal(lease_db_assign(f->db, &l, &c, &ch), 0);
	}
	each = (resident() - before) / N;
	print_message("%llu octets a lease\n", (unsigned long long)each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	assert_in_range(each, 1, 160);
#endif
}

/* Returns the processor time of this thread, ns: other load of the machine does not count. */
static int64_t own_ns(void)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts), 0);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void test_big_pool(void **state)
{
	enum { SIZE = 1 << 24, LEFT = 10 };
	struct fix *f = *state;
	uint32_t *reserved = malloc((SIZE - LEFT) * sizeof(*reserved));
	struct lease_pool_def d = {.first = BASE,
				   .last = BASE + SIZE - 1,
				   .subnet_id = 1,
				   .reserved = reserved,
				   .n_reserved = SIZE - LEFT};
	struct lease_pools *p = NULL;
	int64_t t0;

	assert_non_null(reserved);
	for (uint32_t i = 0; i < SIZE - LEFT; i++)
		reserved[i] = BASE + i;
	assert_int_equal(lease_pools_build(f->db, &d, 1, &p), 0);
	free(reserved);
	assert_int_equal(lease_pool_free(p, 0), LEFT);
	t0 = own_ns();
	for (uint32_t i = 0; i < LEFT; i++) {
		struct lease l = client(i);

		assert_int_equal(lease_db_pick(f->db, p, 0, &l), 0);
		assert_int_equal(l.addr, BASE + SIZE - LEFT + i);
	}
	t0 = own_ns() - t0;
	print_message("pick in a full pool of 16M: %lld ns\n", (long long)t0 / LEFT);
	assert_true(t0 / LEFT < NS_PER_MS);
	lease_pools_unref(p);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A cloned identity in very many subnets: each finds its own record, and the others' stay. */
static void test_cloned_identity(void **state)
{
	enum { SUBNETS = 2000 };
	struct fix *f = *state;
	struct lease_change ch;

	for (int kind = 0; kind < 2; kind++) {
		struct lease l = {.valid_lft = 3600,
				  .cltt = clock_wall_s(&f->clock.src),
				  .hw_len = 6,
				  .hw = {2, 9},
				  .client_id_len = kind ? 3 : 0,
				  .client_id = {1, 2, 3}};
		struct lease_client me = {lease_client_id(&l), lease_hw(&l)};

		for (uint32_t i = 1; i <= SUBNETS; i++) {
			l.addr = 0x0b000000 + (uint32_t)kind * 0x100000 + i;
			l.subnet_id = (uint32_t)kind * SUBNETS + i;
			assert_int_equal(lease_db_assign(f->db, &l, &me, &ch), 0);
		}
		for (uint32_t i = 1; i <= SUBNETS; i++) {
			uint32_t subnet = (uint32_t)kind * SUBNETS + i;
			struct lease own[2];

			assert_int_equal(lease_db_find(f->db, &me, &subnet, 1, NULL, own, 2), 1);
			assert_int_equal(own[0].addr, 0x0b000000 + (uint32_t)kind * 0x100000 + i);
		}
	}
}

/* A change that was decided on a record that is another one by now does nothing. */
static void test_expected_row(void **state)
{
	struct fix *f = *state;
	struct lease l = {.addr = BASE + 5,
			  .subnet_id = 1,
			  .valid_lft = 10,
			  .cltt = clock_wall_s(&f->clock.src),
			  .hw_len = 6,
			  .hw = {2, 1}};
	struct lease_client a = {.hw = lease_hw(&l)};
	struct journal_opts jo = {.persist = false, .clock = &f->clock.src};
	struct lease_store *store;
	struct lease_change ch;
	struct lease read, other;
	struct arena mem;

	arena_init(&mem);
	assert_int_equal(journal_open(&jo, f->db, &store, NULL), 0); /* it numbers the rows */
	assert_int_equal(lease_db_assign(f->db, &l, &a, &ch), 0);
	assert_int_equal(lease_db_get(f->db, l.addr, NULL, &read, NULL), 0);
	virtual_clock_set(&f->clock, f->clock.wall + 20 * NS_PER_S);
	other = l;
	other.hw[1] = 2;
	other.cltt = clock_wall_s(&f->clock.src);
	assert_int_equal(lease_db_assign(f->db, &other,
					 &(struct lease_client){.hw = lease_hw(&other)}, &ch),
			 0);
	assert_int_equal(lease_db_del(f->db, l.addr, lease_expect_row(&read), &ch),
			 -USHER_E_CHANGED);
	assert_int_equal(lease_db_put(f->db, &read, LEASE_PUT_UPDATE, lease_expect_row(&read), &ch),
			 -USHER_E_CHANGED);
	assert_int_equal(lease_db_set_context(f->db, &read, "{}", &ch), -USHER_E_CHANGED);
	assert_int_equal(lease_db_get(f->db, l.addr, NULL, &read, NULL), 0);
	assert_int_equal(read.hw[1], 2);
	assert_int_equal(lease_db_set_context(f->db, &read, "{\"a\":1}", &ch), 0);
	assert_int_equal(lease_db_get(f->db, l.addr, &mem, &read, NULL), 0);
	assert_string_equal(read.user_context, "{\"a\":1}");
	assert_int_equal(read.row, ch.seq);
	arena_fini(&mem);
	assert_int_equal(lease_db_del(f->db, l.addr, lease_expect_row(&read), &ch), 0);
	lease_store_close(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_allocators),
		T(test_allocator_order),
		T(test_order_of_reuse),
		T(test_random_of_two),
		T(test_reserved),
		T(test_oldest_first),
		T(test_holds),
		T(test_ownership),
		T(test_expiry),
		T(test_clock_steps),
		T(test_find_order),
		T(test_clones),
		T(test_cloned_identity),
		T(test_expected_row),
		T(test_many_clients),
		T(test_hold_becomes_lease),
		T(test_all_end_at_once),
		T(test_context_of_renewals),
		T(test_pages),
		T(test_rebuild),
		T(test_threads),
		T(test_memory),
		T(test_pick_before_clock),
		T(test_big_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
