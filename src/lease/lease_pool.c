/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Pools: a bitmap of never-used addresses each, and a list of kept and lapsed records, oldest
 * first. Every living pool of every generation is registered with the table, so a change of an
 * address reaches all of them, overlapping ones and those of an old configuration included.
 * A record is in the list of one pool only, its home: its own subnet's, and the newest of those.
 */
#include "lease/lease_table.h"

#include <stdatomic.h>

void pool_publish(struct pool *p)
{
	atomic_store_explicit(&p->n_free, p->free.n_set + p->lru.n, memory_order_relaxed);
}

/* --- lists ------------------------------------------------------------------------------------ */

void list_push(struct lease_db *db, struct rec_list *l, uint32_t idx, bool front)
{
	struct rec *r = rec_at(db, idx);

	r->prev = front ? 0 : l->tail;
	r->next = front ? l->head : 0;
	if (r->prev)
		rec_at(db, r->prev)->next = idx;
	else
		l->head = idx;
	if (r->next)
		rec_at(db, r->next)->prev = idx;
	else
		l->tail = idx;
	l->n++;
}

void list_del(struct lease_db *db, struct rec_list *l, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);

	if (r->prev)
		rec_at(db, r->prev)->next = r->next;
	else
		l->head = r->next;
	if (r->next)
		rec_at(db, r->next)->prev = r->prev;
	else
		l->tail = r->prev;
	r->prev = r->next = 0;
	l->n--;
}

/* --- which pools have an address -------------------------------------------------------------- */

size_t pools_below(const struct lease_db *db, uint32_t addr)
{
	size_t lo = 0;
	size_t hi = db->n_pools;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (db->pools[mid]->def.first <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Returns the next lower registered pool that has addr; *i goes down from pools_below(). */
static struct pool *pool_having(const struct lease_db *db, uint32_t addr, size_t *i)
{
	while (*i > 0 && db->max_last[*i - 1] >= addr) {
		struct pool *p = db->pools[--*i];

		if (p->def.last >= addr)
			return p;
	}
	return NULL;
}

/* Returns whether the pool never gives the address: it is reserved, or not this server's. */
static bool is_barred(const struct lease_db *db, const struct pool *p, uint32_t addr)
{
	size_t lo = 0;
	size_t hi = p->def.n_reserved;

	if (p->def.exclude_first_last_24 && ((addr & 255) == 0 || (addr & 255) == 255))
		return true;
	if (!db_owns(db, addr))
		return true;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->def.reserved[mid] == addr)
			return true;
		if (p->def.reserved[mid] < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

void pool_refresh(struct lease_db *db, struct pool *p, uint32_t addr)
{
	bool is_free = !addr_get(&db->addrs, addr) && !is_barred(db, p, addr);

	bitmap_put(&p->free, addr - p->def.first, is_free);
	pool_publish(p);
}

void pools_refresh(struct lease_db *db, uint32_t addr)
{
	size_t i = pools_below(db, addr);
	struct pool *p;

	while ((p = pool_having(db, addr, &i)))
		pool_refresh(db, p, addr);
}

uint64_t pools_next(const struct lease_db *db, uint32_t addr)
{
	size_t i = pools_below(db, addr);

	if (i > 0 && db->max_last[i - 1] >= addr)
		return addr;
	return i < db->n_pools ? db->pools[i]->def.first : UINT64_MAX;
}

static struct pool *home_of(const struct lease_db *db, const struct rec *r)
{
	size_t i = pools_below(db, r->addr);
	struct pool *best = NULL;
	struct pool *p;

	while ((p = pool_having(db, r->addr, &i))) {
		bool own = p->def.subnet_id == r->subnet_id;
		bool best_own = best && best->def.subnet_id == r->subnet_id;

		if (p->refs == 0 || is_barred(db, p, r->addr))
			continue;
		if (!best || own > best_own ||
		    (own == best_own && p->generation > best->generation))
			best = p;
	}
	return best;
}

void lru_update(struct lease_db *db, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);
	bool want = (rec_is_kept(r) || r->heap == HEAP_LAPSED) && !r->hold;
	struct pool *p = want ? home_of(db, r) : NULL;
	uint32_t home = p ? p->number : 0;

	if (home == r->home)
		return;
	if (r->home) {
		list_del(db, &db->by_number[r->home]->lru, idx);
		pool_publish(db->by_number[r->home]);
	}
	r->home = home;
	if (!p)
		return;
	/* a record that comes back from a hold was the oldest, mostly */
	list_push(db, &p->lru, idx,
		  p->lru.head && rec_expire(r) <= rec_expire(rec_at(db, p->lru.head)));
	pool_publish(p);
}

void pools_reconsider(struct lease_db *db, uint32_t addr)
{
	uint32_t idx = addr_get(&db->addrs, addr);

	pools_refresh(db, addr);
	if (idx && rec_at(db, idx)->state != LEASE_OFFERED)
		lru_update(db, idx);
}

/* --- holds of a pool -------------------------------------------------------------------------- */

void pool_hold_add(struct lease_db *db, struct pool *p, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);

	if (!p)
		p = home_of(db, r);
	if (!p)
		return;
	r->home = p->number;
	r->heap_pos = p->youngest_hold;
	r->hold = 0;
	if (p->youngest_hold)
		rec_at(db, p->youngest_hold)->hold = idx;
	else
		p->oldest_hold = idx;
	p->youngest_hold = idx;
}

void pool_hold_del(struct lease_db *db, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);
	struct pool *p;

	if (!r->home)
		return;
	p = db->by_number[r->home];
	if (r->heap_pos)
		rec_at(db, r->heap_pos)->hold = r->hold;
	else
		p->oldest_hold = r->hold;
	if (r->hold)
		rec_at(db, r->hold)->heap_pos = r->heap_pos;
	else
		p->youngest_hold = r->heap_pos;
	r->home = r->heap_pos = r->hold = 0;
}
