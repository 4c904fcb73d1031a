/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The contract of a lease store (lease_store.h), by a store that shares its leases: outcomes of
 * rows, rows of other servers, addresses that others own.
 */
#include "lease_db_util.h"

#include "base/error.h"
#include "fake/fake_store.h"
#include "lease/lease_apply.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The lease that another server gave to client n. */
static struct lease foreign(uint32_t addr, uint32_t n)
{
	struct lease l = client(n);

	l.addr = addr;
	return l;
}

static bool has(struct fix *f, uint32_t addr, uint32_t n)
{
	struct lease want = client(n);
	struct lease l;

	return lease_db_get(f->db, addr, NULL, &l, NULL) == 0 && l.state == LEASE_ASSIGNED &&
	       span_eq(lease_hw(&l), lease_hw(&want));
}

static int pick_for(struct fix *f, struct lease_pools *p, uint32_t n, uint32_t *ret)
{
	struct lease l = client(n);
	int r = lease_db_pick(f->db, p, 0, &l);

	*ret = l.addr;
	return r;
}

static void test_durable(void **state)
{
	struct fix *f = *state;
	struct fake_store s;
	struct lease_change ch;
	struct lease holder;
	uint64_t seen;
	int efd = eventfd(0, EFD_NONBLOCK);

	fake_store_init(&s, f->db);
	assert_int_equal(lease_store_notify(&s.store, efd), 0);
	assert_int_equal(assign(f, BASE, 1, &ch), 0);
	assert_int_equal(ch.seq, 1);
	assert_int_equal(lease_store_outcome(&s.store, 1, 0), LEASE_ROW_PENDING);
	assert_int_equal(lease_store_wait(&s.store, 1, 0), -ETIMEDOUT);
	assert_int_equal(s.wakes, 1);
	assert_int_equal(read(efd, &seen, sizeof(seen)), -1);
	fake_store_decide(&s);
	assert_int_equal(read(efd, &seen, sizeof(seen)), sizeof(seen));
	assert_int_equal(lease_store_outcome(&s.store, 1, 0), LEASE_ROW_DURABLE);
	assert_int_equal(lease_store_wait(&s.store, 1, 0), 0);
	assert_false(lease_store_refused(&s.store, 1, &holder));
	lease_store_unnotify(&s.store, efd);
	(void)close(efd);
	fake_store_fini(&s);
}

/* Two servers give one address away at once; the other one was first. */
static void test_refused(void **state)
{
	struct fix *f = *state;
	struct lease other = foreign(BASE, 2);
	struct lease holder;
	struct fake_store s;
	struct lease_change ch;

	fake_store_init(&s, f->db);
	assert_int_equal(assign(f, BASE, 1, &ch), 0);
	assert_int_equal(fake_store_refuse(&s, ch.seq, &other), 0);
	assert_int_equal(lease_store_outcome(&s.store, ch.seq, 0), LEASE_ROW_PENDING);
	assert_true(has(f, BASE, 2));
	fake_store_decide(&s);
	assert_int_equal(lease_store_outcome(&s.store, ch.seq, 0), LEASE_ROW_REFUSED);
	assert_int_equal(lease_store_wait(&s.store, ch.seq, 0), -USHER_E_IN_USE);
	assert_true(lease_store_refused(&s.store, ch.seq, &holder));
	assert_true(span_eq(lease_hw(&holder), lease_hw(&other)));
	assert_int_equal(assign(f, BASE, 1, &ch), -USHER_E_IN_USE);
	assert_int_equal(assign(f, BASE, 2, &ch), 0);
	fake_store_decide(&s);
	assert_int_equal(lease_store_outcome(&s.store, ch.seq, 0), LEASE_ROW_DURABLE);
	fake_store_fini(&s);
}

/* No row is taken for a durable one because its refusal was forgotten. */
static void test_refusals_forgotten(void **state)
{
	struct fix *f = *state;
	struct fake_store s;
	struct lease_change ch;
	struct lease holder;
	uint64_t first = 0;

	fake_store_init(&s, f->db);
	for (uint32_t i = 0; i <= LEASE_REFUSALS; i++) {
		struct lease other = foreign(BASE + i, 1000 + i);

		assert_int_equal(s.store.epoch, 0);
		assert_int_equal(assign(f, BASE + i, i, &ch), 0);
		first = first ? first : ch.seq;
		assert_int_equal(fake_store_refuse(&s, ch.seq, &other), 0);
	}
	fake_store_decide(&s);
	assert_false(lease_store_refused(&s.store, first, &holder));
	assert_int_equal(lease_store_outcome(&s.store, first, 0), LEASE_ROW_UNAVAILABLE);
	assert_true(lease_store_refused(&s.store, ch.seq, &holder));
	assert_int_equal(lease_store_outcome(&s.store, ch.seq, s.store.epoch), LEASE_ROW_REFUSED);
	fake_store_fini(&s);
}

static void test_unavailable(void **state)
{
	struct fix *f = *state;
	struct fake_store s;
	struct lease_change ch;
	uint64_t epoch;

	fake_store_init(&s, f->db);
	assert_int_equal(assign(f, BASE, 1, &ch), 0);
	epoch = lease_store_epoch(&s.store);
	fake_store_down(&s);
	assert_int_equal(lease_store_outcome(&s.store, ch.seq, epoch), LEASE_ROW_UNAVAILABLE);
	assert_int_equal(lease_store_outcome(&s.store, ch.seq, lease_store_epoch(&s.store)),
			 LEASE_ROW_UNAVAILABLE);
	assert_int_equal(lease_store_wait(&s.store, ch.seq, 0), -USHER_E_STORE_DOWN);
	fake_store_up(&s);
	/* nobody may be answered for the old row, though the table's state is on disk by now */
	assert_int_equal(lease_store_outcome(&s.store, ch.seq, epoch), LEASE_ROW_UNAVAILABLE);
	assert_int_equal(lease_store_outcome(&s.store, ch.seq, lease_store_epoch(&s.store)),
			 LEASE_ROW_DURABLE);
	fake_store_fini(&s);
}

static void test_foreign_rows(void **state)
{
	struct fix *f = *state;
	struct lease l = foreign(BASE, 7);
	struct lease_client c = who(&l);
	struct lease_counts counts;
	struct lease_change ch;
	struct fake_store s;
	struct lease found, read;

	fake_store_init(&s, f->db);
	assert_int_equal(fake_store_deliver(&s, &l, false), 0);
	assert_int_equal(lease_db_find(f->db, &c, &(uint32_t){1}, 1, NULL, &found, 1), 1);
	assert_int_equal(found.addr, BASE);
	lease_db_counts(f->db, 1, LEASE_ALL_POOLS, &counts);
	assert_int_equal(counts.assigned, 1);
	assert_int_equal(counts.cumulative_assigned, 0); /* another server gave it */
	/* no row of this server was written, and a change is noticed */
	assert_int_equal(s.store.appended, 0);
	assert_int_equal(lease_db_get(f->db, BASE, NULL, &read, NULL), 0);
	l.valid_lft = 200;
	assert_int_equal(fake_store_deliver(&s, &l, false), 0);
	assert_int_equal(lease_db_del(f->db, BASE, lease_expect_row(&read), &ch), -USHER_E_CHANGED);
	assert_int_equal(fake_store_deliver(&s, &l, true), 0);
	assert_int_equal(lease_db_size(f->db), 0);
	assert_int_equal(fake_store_deliver(&s, &l, true), 0);
	l.state = LEASE_OFFERED;
	assert_int_equal(fake_store_deliver(&s, &l, false), -USHER_E_RANGE);
	fake_store_fini(&s);
}

/* An address that another server gave away is no longer on offer here. */
static void test_foreign_row_ends_offer(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 2, LEASE_ALLOC_ITERATIVE);
	struct fake_store s;
	struct lease_change ch;
	struct lease l;
	uint32_t addr;

	fake_store_init(&s, f->db);
	assert_int_equal(pick_for(f, p, 1, &addr), 0);
	l = foreign(addr, 2);
	assert_int_equal(fake_store_deliver(&s, &l, false), 0);
	assert_int_equal(assign(f, addr, 1, &ch), -USHER_E_IN_USE);
	assert_int_equal(assign(f, addr, 2, &ch), 0);
	assert_int_equal(lease_pool_free(p, 0), 1);
	fake_store_fini(&s);
	lease_pools_unref(p);
}

static void test_blocks(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 8, LEASE_ALLOC_ITERATIVE);
	struct fake_store s;
	struct lease_change ch;
	struct lease l;
	uint32_t addr;

	fake_store_init(&s, f->db);
	assert_int_equal(lease_pool_free(p, 0), 8);
	fake_store_own(&s, BASE, BASE + 1);
	assert_true(lease_store_owns(&s.store, BASE + 1));
	assert_false(lease_store_owns(&s.store, BASE + 2));
	assert_int_equal(lease_pool_free(p, 0), 2);
	assert_int_equal(pick_for(f, p, 1, &addr), 0);
	assert_int_equal(addr, BASE);
	assert_int_equal(pick_for(f, p, 2, &addr), 0);
	assert_int_equal(addr, BASE + 1);
	assert_int_equal(pick_for(f, p, 3, &addr), -USHER_E_EXHAUSTED);
	/* an address that the client names is not given either */
	l = foreign(BASE + 2, 3);
	assert_int_equal(lease_db_hold(f->db, &l), -USHER_E_IN_USE);
	assert_int_equal(assign(f, BASE + 2, 3, &ch), -USHER_E_IN_USE);
	/* but a running lease is its client's: any server may renew it */
	assert_int_equal(fake_store_deliver(&s, &l, false), 0);
	assert_int_equal(assign(f, BASE + 2, 3, &ch), 0);
	assert_int_equal(assign(f, BASE + 2, 4, &ch), -USHER_E_IN_USE);
	/* the other server is gone, and its block is ours */
	fake_store_own(&s, BASE, BASE + 7);
	assert_int_equal(lease_pool_free(p, 0), 5);
	assert_int_equal(pick_for(f, p, 4, &addr), 0);
	assert_true(addr > BASE + 2);
	fake_store_fini(&s);
	lease_pools_unref(p);
}

/* A lease that is over goes to nobody while its address is another server's. */
static void test_blocks_kept(void **state)
{
	struct fix *f = *state;
	struct lease_pools *p = pool(f, 1, LEASE_ALLOC_ITERATIVE);
	struct lease_client c;
	struct fake_store s;
	struct lease_change ch;
	struct lease l = client(1);
	uint32_t addr;

	c = who(&l);
	fake_store_init(&s, f->db);
	assert_int_equal(assign(f, BASE, 1, &ch), 0);
	assert_int_equal(lease_db_release(f->db, BASE, &c, true, &ch), 0);
	assert_int_equal(lease_pool_free(p, 0), 1);
	fake_store_own(&s, BASE + 1, BASE + 1);
	assert_int_equal(lease_pool_free(p, 0), 0);
	assert_int_equal(pick_for(f, p, 2, &addr), -USHER_E_EXHAUSTED);
	fake_store_own(&s, 0, UINT32_MAX);
	assert_int_equal(pick_for(f, p, 2, &addr), 0);
	assert_int_equal(addr, BASE);
	fake_store_fini(&s);
	lease_pools_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_durable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unavailable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign_row_ends_offer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blocks_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
