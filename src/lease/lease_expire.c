/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reclaiming leases that are over. Each lease is one critical section; the callout is called
 * without the lock, and the lease is checked again afterwards.
 */
#include "lease/lease_table.h"

static void count_reclaim(struct lease_db *db, const struct rec *r)
{
	counts_bump(db, r, COUNT_RECLAIMED);
	if (r->state == LEASE_DECLINED)
		counts_bump(db, r, COUNT_RECLAIMED_DECLINED);
}

static void reclaim_locked(struct lease_db *db, uint32_t idx, bool remove)
{
	struct rec *r = rec_at(db, idx);
	struct lease l uninit;

	count_reclaim(db, r);
	if (remove || r->state == LEASE_DECLINED) {
		(void)rec_log(db, idx, true);
		rec_delete(db, idx);
		return;
	}
	rec_view(r, &l);
	l.fqdn_fwd = l.fqdn_rev = false;
	l.hostname[0] = '\0';
	/* without memory it stays as it is, and is tried again */
	if (rec_store(db, &l, LEASE_RECLAIMED, &idx) == 0)
		(void)rec_log(db, idx, false);
}

/* Calls the callout, without the lock; 0: the lease has changed meanwhile. */
static uint32_t ask_before(struct lease_db *db, const struct lease_reclaim_opts *o, uint32_t idx,
			   bool *ret_go)
{
	struct arena arena;
	struct lease l;
	struct rec_pair p;
	uint64_t seq = rec_at(db, idx)->seq;

	arena_init(&arena);
	rec_copy(rec_at(db, idx), &arena, &l);
	db_unlock(db);
	*ret_go = o->before(o->ctx, &l);
	arena_fini(&arena);
	db_lock(db);
	p = rec_lookup(db, l.addr);
	if (!p.main || rec_at(db, p.main)->seq != seq || rec_at(db, p.main)->heap != HEAP_LAPSED ||
	    rec_at(db, p.main)->cltt != l.cltt)
		return 0;
	return p.main;
}

enum { LAPSE_STEPS = 64 };

/* Returns the number reclaimed, 1 or 0 (call again); -1: there are none. */
static int reclaim_next(struct lease_db *db, const struct lease_reclaim_opts *o, int64_t now)
{
	unsigned steps = LAPSE_STEPS;
	struct lease old uninit;
	bool go = true;
	bool done = false;
	bool all;
	uint32_t idx;

	db_lock(db);
	all = rec_lapse(db, now, steps);
	idx = heap_due(db, HEAP_LAPSED, now, &steps);
	if (!idx) {
		db_unlock(db);
		return all && steps > 0 ? -1 : 0;
	}
	if (o->before)
		idx = ask_before(db, o, idx, &go);
	done = idx && go;
	if (done && o->after)
		rec_copy(rec_at(db, idx), NULL, &old);
	if (done)
		reclaim_locked(db, idx, o->remove);
	else if (idx) /* not before the next run */
		heap_put(db, HEAP_LAPSED, idx, now + 1);
	db_unlock(db);
	if (done && o->after)
		o->after(o->ctx, &old);
	return 1;
}

size_t lease_db_reclaim(struct lease_db *db, const struct lease_reclaim_opts *o, bool *ret_more)
{
	int64_t now = clock_wall_s(db->o.clock);
	int64_t end = o->max_ns ? clock_mono_ns(db->o.clock) + o->max_ns : INT64_MAX;
	unsigned steps = LAPSE_STEPS;
	size_t n = 0;
	int got = 0;

	while ((!o->max_leases || n < o->max_leases) && clock_mono_ns(db->o.clock) < end &&
	       got >= 0) {
		got = reclaim_next(db, o, now);
		n += got > 0;
	}
	db_lock(db);
	*ret_more = heap_due(db, HEAP_LAPSED, now, &steps) ||
		    heap_due(db, HEAP_RUNNING, now, &steps) || steps == 0;
	db_unlock(db);
	return n;
}
