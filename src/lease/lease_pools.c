/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Sets of pools, one a configuration, and picking an address. Pools are named by their index in the
 * set; sets share the pools that did not change between them, and are made and ended in one pass
 * over the registry. All allocators have an equal cost: a bit of the bitmap, else the head of the
 * list. FLQ therefore is equal to random: Kea's, too, takes the addresses that nobody has had in
 * random order.
 */
#include "lease/lease_table.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct lease_pools {
	_Atomic unsigned refs;
	struct lease_db *db;
	struct pool **pool; /* by index in defs */
	uint32_t *order;    /* indexes by first address */
	uint32_t *max_last; /* of order[0..i] */
	size_t n;
};

static int order_cmp(const void *a, const void *b, void *ctx)
{
	const struct lease_pools *p = ctx;
	uint32_t x = p->pool[*(const uint32_t *)a]->def.first;
	uint32_t y = p->pool[*(const uint32_t *)b]->def.first;

	return (x > y) - (x < y);
}

static void pools_order(struct lease_pools *p)
{
	uint32_t max = 0;

	for (size_t i = 0; i < p->n; i++)
		p->order[i] = (uint32_t)i;
	if (p->n)
		qsort_r(p->order, p->n, sizeof(*p->order), order_cmp, p);
	for (size_t i = 0; i < p->n; i++) {
		if (p->pool[p->order[i]]->def.last > max)
			max = p->pool[p->order[i]]->def.last;
		p->max_last[i] = max;
	}
}

static int first_cmp(const void *a, const void *b)
{
	uint32_t x = (*(struct pool *const *)a)->def.first;
	uint32_t y = (*(struct pool *const *)b)->def.first;

	return (x > y) - (x < y);
}

/* Takes the pools that exist, and makes the rest. fresh[*ret_fresh]: the new pools by address, not
 * registered yet. */
static int pools_find_or_make(struct lease_pools *p, const struct lease_pool_def *defs, size_t n,
			      struct pool **fresh, size_t *ret_fresh)
{
	for (; p->n < n; p->n++) {
		const struct lease_pool_def *d = &defs[p->n];

		if (d->first > d->last)
			return -USHER_E_RANGE;
		p->pool[p->n] = pool_reuse(p->db, d);
		if (p->pool[p->n])
			continue;
		p->pool[p->n] = pool_new(d);
		if (!p->pool[p->n])
			return -ENOMEM;
		fresh[(*ret_fresh)++] = p->pool[p->n];
	}
	if (*ret_fresh)
		qsort(fresh, *ret_fresh, sizeof(*fresh), first_cmp);
	return 0;
}

int lease_pools_build(struct lease_db *db, const struct lease_pool_def *defs, size_t n,
		      struct lease_pools **ret)
{
	struct lease_pools *p = calloc(1, sizeof(*p));
	auto_free struct pool **fresh = calloc(n + 1, sizeof(*fresh));
	size_t n_fresh = 0;
	int r = 0;

	if (!p || !fresh) {
		free(p);
		return -ENOMEM;
	}
	p->db = db;
	p->refs = 1;
	p->pool = calloc(n + 1, sizeof(struct pool *));
	p->order = calloc(n + 1, sizeof(*p->order));
	p->max_last = calloc(n + 1, sizeof(*p->max_last));
	if (!p->pool || !p->order || !p->max_last)
		r = -ENOMEM;
	db_lock(db);
	db->generation++;
	db_unlock(db);
	if (r == 0)
		r = pools_find_or_make(p, defs, n, fresh, &n_fresh);
	if (r == 0 && n_fresh)
		r = pools_register(db, fresh, n_fresh);
	if (r < 0) {
		lease_pools_unref(p);
		return r;
	}
	pools_order(p);
	*ret = p;
	return 0;
}

struct lease_pools *lease_pools_ref(struct lease_pools *p)
{
	p->refs++;
	return p;
}

void lease_pools_unref(struct lease_pools *p)
{
	if (!p || --p->refs > 0)
		return;
	if (p->n)
		pools_unref(p->db, p->pool, p->n);
	free(p->pool);
	free(p->order);
	free(p->max_last);
	free(p);
}

uint64_t lease_pool_free(const struct lease_pools *p, size_t i)
{
	if (i >= p->n)
		return 0;
	return atomic_load_explicit(&p->pool[i]->n_free, memory_order_relaxed);
}

int lease_pools_find(const struct lease_pools *p, uint32_t addr, size_t start)
{
	size_t lo = 0;
	size_t hi = p->n;
	int best = -USHER_E_NOTFOUND;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->pool[p->order[mid]]->def.first <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo-- > 0 && p->max_last[lo] >= addr) {
		uint32_t i = p->order[lo];

		if (p->pool[i]->def.last >= addr && i >= start && (best < 0 || (int)i < best))
			best = (int)i;
	}
	return best;
}

enum { LAPSE_PICK = 4, LAPSE_STRETCH = 64, LAPSE_STRETCHES = 16, TIES_MAX = 8 };

/* --- picking ---------------------------------------------------------------------------------- */

static int64_t pick_fresh(struct lease_db *db, struct pool *p)
{
	uint32_t size = p->def.last - p->def.first;
	uint64_t from = p->cursor - p->def.first;
	int64_t bit;

	if (!p->free.n_set)
		return -1;
	if (p->def.allocator != LEASE_ALLOC_ITERATIVE)
		from = size ? rng_below(&db->rng, size) : 0; /* never the last one, as in Kea */
	bit = bitmap_next(&p->free, from);
	if (bit < 0)
		bit = bitmap_next(&p->free, 0);
	if (bit < 0)
		return -1;
	p->cursor = (uint32_t)bit == size ? p->def.first : p->def.first + (uint32_t)bit + 1;
	return p->def.first + bit;
}

/* Returns the lowest address of the records behind the head of the list that ended in its second.
 */
static uint32_t lowest_tie(const struct lease_db *db, const struct pool *p)
{
	const struct rec *head = rec_at(db, p->lru.head);
	uint32_t idx = head->next;
	uint32_t addr = head->addr;

	for (unsigned i = 0; idx && i < TIES_MAX; i++, idx = rec_at(db, idx)->next) {
		if (rec_expire(rec_at(db, idx)) != rec_expire(head))
			break;
		if (rec_at(db, idx)->addr < addr)
			addr = rec_at(db, idx)->addr;
	}
	return addr;
}

/* Picks the address of the oldest kept or lapsed record. Of some that ended in one second it is the
 * lowest address. */
static int64_t pick_kept(struct lease_db *db, struct pool *p, int64_t now)
{
	while (p->lru.head) {
		uint32_t idx = p->lru.head;
		const struct rec *r = rec_at(db, idx);

		if (rec_is_kept(r) || rec_over(r, now))
			return lowest_tie(db, p);
		/* the clock went back: it runs again */
		heap_put(db, HEAP_RUNNING, idx, rec_expire(r));
		lru_update(db, idx);
	}
	return -1;
}

/*
 * Picks the address of a lease that has just ended. The clock moves such leases to the lists,
 * mostly soon enough; a pool that has nothing to give moves one more. When very many ended at once,
 * anywhere, this packet does not pay for them all: one packet a millisecond continues the work,
 * besides the clock.
 */
static int64_t pick_lapsed(struct lease_db *db, struct pool *p, int64_t now)
{
	bool all = false;
	int64_t addr = -1;

	for (unsigned i = 0; addr < 0 && !all && i < LAPSE_PICK; i++) {
		all = rec_lapse(db, now, 1);
		addr = pick_kept(db, p, now);
	}
	if (addr >= 0 || all || clock_mono_ns(db->o.clock) < db->lapse_ns)
		return addr;
	db->lapse_ns = clock_mono_ns(db->o.clock) + NS_PER_MS;
	for (unsigned i = 0; addr < 0 && !all && i < LAPSE_STRETCHES; i++) {
		/* other threads get the lock between stretches */
		db_unlock(db);
		db_lock(db);
		all = rec_lapse(db, now, LAPSE_STRETCH);
		addr = pick_kept(db, p, now);
	}
	return addr;
}

static int64_t pick_addr(struct lease_db *db, struct pool *p)
{
	int64_t addr = pick_fresh(db, p);
	int64_t now;

	if (addr >= 0)
		return addr;
	now = clock_wall_s(db->o.clock);
	addr = pick_kept(db, p, now);
	return addr >= 0 ? addr : pick_lapsed(db, p, now);
}

/* Returns the address that was offered first and not requested since, -1 if there is none. */
static int64_t pick_held(struct lease_db *db, const struct pool *p)
{
	return p->oldest_hold ? (int64_t)rec_at(db, p->oldest_hold)->addr : -1;
}

static int pick_and_hold(struct lease_db *db, struct lease_pools *ps, size_t i, bool reoffer,
			 struct lease *l)
{
	int r = -USHER_E_EXHAUSTED;
	struct pool *p;
	int64_t addr;

	if (i >= ps->n)
		return r;
	p = ps->pool[i];
	db_lock(db);
	holds_expire(db, 64);
	addr = pick_addr(db, p);
	if (reoffer && addr < 0)
		addr = pick_held(db, p);
	if (addr >= 0) {
		l->addr = (uint32_t)addr;
		l->subnet_id = p->def.subnet_id;
		l->pool_id = p->def.pool_id;
		r = hold_set(db, l, p);
	}
	db_unlock(db);
	return r;
}

int lease_db_pick(struct lease_db *db, struct lease_pools *ps, size_t i, struct lease *l)
{
	return pick_and_hold(db, ps, i, false, l);
}

int lease_db_pick_held(struct lease_db *db, struct lease_pools *ps, size_t i, struct lease *l)
{
	return pick_and_hold(db, ps, i, true, l);
}

int64_t lease_pool_oldest_offer(struct lease_db *db, const struct lease_pools *ps, size_t i)
{
	int64_t end = INT64_MAX;

	if (i >= ps->n)
		return end;
	db_lock(db);
	if (ps->pool[i]->oldest_hold)
		end = (int64_t)rec_at(db, ps->pool[i]->oldest_hold)->seq;
	db_unlock(db);
	return end;
}
