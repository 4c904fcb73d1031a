/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The registry of pools: making, registering, sharing and ending them. A pool that registers is
 * filled from the records of its range in bounded stretches; one that ends first moves its records
 * to others.
 */
#include "lease/lease_table.h"

#include <errno.h>
#include <stdlib.h>

enum { LOCK_STRETCH = 2048 };

/* Computes max_last of the registered pools from one on. */
static void registry_measure(struct lease_db *db, size_t from)
{
	uint32_t max = from ? db->max_last[from - 1] : 0;

	for (size_t i = from; i < db->n_pools; i++) {
		if (db->pools[i]->def.last > max)
			max = db->pools[i]->def.last;
		db->max_last[i] = max;
	}
}

static int registry_reserve(struct lease_db *db, size_t more)
{
	size_t n = db->n_pools + more;
	struct pool **pools = reallocarray(db->pools, n, sizeof(*pools));
	uint32_t *max_last;
	struct pool **numbers;

	if (!pools)
		return -ENOMEM;
	db->pools = pools;
	max_last = reallocarray(db->max_last, n, sizeof(*max_last));
	if (!max_last)
		return -ENOMEM;
	db->max_last = max_last;
	numbers = reallocarray(db->by_number, db->n_numbers + more + 1, sizeof(*numbers));
	if (!numbers)
		return -ENOMEM;
	db->by_number = numbers;
	return 0;
}

/* Gives a pool the lowest number from *from on that no pool has. */
static void registry_number(struct lease_db *db, struct pool *p, size_t *from)
{
	if (db->n_numbers == 0)
		db->by_number[db->n_numbers++] = NULL;
	while (*from < db->n_numbers && db->by_number[*from])
		++*from;
	if (*from == db->n_numbers)
		db->n_numbers++;
	p->number = (uint32_t)*from;
	db->by_number[p->number] = p;
}

/* Registers pools, which are in the order of their first addresses, from the end of the list on:
 * one pass. */
static int registry_merge(struct lease_db *db, struct pool *const *p, size_t n)
{
	size_t old = db->n_pools;
	size_t from = 1;
	int r = registry_reserve(db, n);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		registry_number(db, p[i], &from);
	db->n_pools += n;
	for (size_t to = db->n_pools; n > 0;) {
		if (old > 0 && db->pools[old - 1]->def.first > p[n - 1]->def.first)
			db->pools[--to] = db->pools[--old];
		else
			db->pools[--to] = p[--n];
	}
	registry_measure(db, old);
	return 0;
}

/* Removes the pools without references and records from the registry: one pass. */
static void registry_sweep(struct lease_db *db)
{
	size_t n = 0;

	for (size_t i = 0; i < db->n_pools; i++) {
		struct pool *p = db->pools[i];

		if (p->ended)
			db->by_number[p->number] = NULL;
		else
			db->pools[n++] = p;
	}
	db->n_pools = n;
	registry_measure(db, 0);
}

static void pool_free(struct pool *p)
{
	const void *reserved = p->def.reserved;

	bitmap_fini(&p->free);
	free((void *)(uintptr_t)reserved);
	free(p);
}

static void pool_bar_all(struct pool *p)
{
	for (size_t i = 0; i < p->def.n_reserved; i++) {
		uint32_t a = p->def.reserved[i];

		if (a >= p->def.first && a <= p->def.last)
			bitmap_put(&p->free, a - p->def.first, false);
	}
	if (!p->def.exclude_first_last_24)
		return;
	for (uint64_t a = p->def.first; a <= p->def.last; a += 256) {
		uint64_t net = a & ~255ULL;

		if (net >= p->def.first)
			bitmap_put(&p->free, net - p->def.first, false);
		if (net + 255 <= p->def.last && net + 255 >= p->def.first)
			bitmap_put(&p->free, net + 255 - p->def.first, false);
	}
	if ((p->def.last & 255) == 255)
		bitmap_put(&p->free, p->def.last - p->def.first, false);
	if ((p->def.last & ~255U) >= p->def.first)
		bitmap_put(&p->free, (p->def.last & ~255U) - p->def.first, false);
}

struct pool *pool_new(const struct lease_pool_def *d)
{
	struct pool *p = calloc(1, sizeof(*p));
	uint32_t *reserved = NULL;

	if (!p)
		return NULL;
	p->refs = 1;
	p->def = *d;
	p->cursor = d->first;
	p->def.reserved = NULL;
	if (d->n_reserved) {
		reserved = reallocarray(NULL, d->n_reserved, sizeof(*reserved));
		if (!reserved)
			goto fail;
		memcpy(reserved, d->reserved, d->n_reserved * sizeof(*reserved));
		p->def.reserved = reserved;
	}
	if (bitmap_init(&p->free, (uint64_t)d->last - d->first + 1) < 0)
		goto fail;
	pool_bar_all(p);
	pool_publish(p);
	return p;
fail:
	free(reserved);
	free(p);
	return NULL;
}

struct kept {
	int64_t end;
	uint32_t name; /* address or index */
};

struct kept_list {
	struct kept *k;
	size_t n, cap;
};

static int kept_add(struct kept_list *l, struct kept k)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 256;
		struct kept *p = reallocarray(l->k, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		l->k = p;
		l->cap = cap;
	}
	l->k[l->n++] = k;
	return 0;
}

static int kept_cmp(const void *a, const void *b)
{
	const struct kept *x = a;
	const struct kept *y = b;

	return (x->end > y->end) - (x->end < y->end);
}

/* Marks the records of the range, in bounded stretches; gathers the records a list wants. */
static int pool_fill(struct lease_db *db, struct pool *p, struct kept_list *kept)
{
	uint64_t at = p->def.first;
	int r = 0;

	while (r == 0 && at <= p->def.last) {
		unsigned budget = LOCK_STRETCH;

		db_lock(db);
		for (; r == 0 && budget > 0; at++) {
			const struct rec *rec;

			at = addr_seek(&db->addrs, at, &budget);
			if (at > p->def.last || budget == 0)
				break;
			budget--;
			pool_refresh(db, p, (uint32_t)at);
			rec = rec_at(db, addr_get(&db->addrs, (uint32_t)at));
			if (rec_is_kept(rec) || rec->heap == HEAP_LAPSED)
				r = kept_add(kept, (struct kept){rec_expire(rec), rec->addr});
		}
		db_unlock(db);
	}
	return r;
}

static void pool_adopt(struct lease_db *db, const struct kept_list *kept)
{
	for (size_t i = 0; i < kept->n;) {
		db_lock(db);
		for (unsigned k = 0; k < LOCK_STRETCH && i < kept->n; k++, i++) {
			uint32_t idx = addr_get(&db->addrs, kept->k[i].name);

			if (idx && rec_at(db, idx)->state != LEASE_OFFERED)
				lru_update(db, idx);
		}
		db_unlock(db);
	}
}

/* Moves the records and holds of a pool without references to other homes; refs == 0 keeps home_of
 * from choosing it. */
static void pool_empty(struct lease_db *db, struct pool *p)
{
	for (unsigned k = 1; p->lru.head || p->oldest_hold; k++) {
		uint32_t hold = p->oldest_hold;

		if (p->lru.head)
			lru_update(db, p->lru.head);
		if (hold) {
			pool_hold_del(db, hold);
			pool_hold_add(db, NULL, hold);
		}
		if (k % LOCK_STRETCH == 0) {
			db_unlock(db);
			db_lock(db);
		}
	}
	p->ended = true;
}

void pools_unref(struct lease_db *db, struct pool *const *pools, size_t n)
{
	struct pool *ended = NULL;

	db_lock(db);
	for (size_t i = 0; i < n; i++) {
		struct pool *p = pools[i];

		if (--p->refs > 0)
			continue;
		pool_empty(db, p);
		p->next_ended = ended;
		ended = p;
		if (i % LOCK_STRETCH == LOCK_STRETCH - 1) {
			db_unlock(db);
			db_lock(db);
		}
	}
	if (ended)
		registry_sweep(db);
	db_unlock(db);
	while (ended) {
		struct pool *p = ended;

		ended = p->next_ended;
		pool_free(p);
	}
}

static int pool_join(struct lease_db *db, struct pool *p)
{
	struct kept_list kept = {0};
	int r = pool_fill(db, p, &kept);

	if (r == 0) {
		if (kept.n)
			qsort(kept.k, kept.n, sizeof(*kept.k), kept_cmp);
		pool_adopt(db, &kept);
	}
	free(kept.k);
	return r;
}

int pools_register(struct lease_db *db, struct pool *const *pools, size_t n)
{
	int r;

	db_lock(db);
	for (size_t i = 0; i < n; i++)
		pools[i]->generation = db->generation;
	r = registry_merge(db, pools, n);
	db_unlock(db);
	for (size_t i = 0; i < n && r == 0; i++)
		r = pool_join(db, pools[i]);
	return r;
}

static bool same_def(const struct lease_pool_def *a, const struct lease_pool_def *b)
{
	return a->first == b->first && a->last == b->last && a->subnet_id == b->subnet_id &&
	       a->pool_id == b->pool_id && a->allocator == b->allocator &&
	       a->exclude_first_last_24 == b->exclude_first_last_24 &&
	       a->n_reserved == b->n_reserved &&
	       (!a->n_reserved ||
		memcmp(a->reserved, b->reserved, a->n_reserved * sizeof(*a->reserved)) == 0);
}

struct pool *pool_reuse(struct lease_db *db, const struct lease_pool_def *d)
{
	struct pool *found = NULL;

	db_lock(db);
	for (size_t i = pools_below(db, d->first);
	     !found && i > 0 && db->pools[i - 1]->def.first == d->first; i--)
		if (db->pools[i - 1]->refs > 0 && same_def(&db->pools[i - 1]->def, d))
			found = db->pools[i - 1];
	if (found)
		found->refs++;
	db_unlock(db);
	return found;
}

static void lru_sort(struct lease_db *db, struct rec_list *l)
{
	struct kept_list all = {0};
	uint32_t idx;

	/* without memory only the order of reuse suffers */
	for (idx = l->head; idx; idx = rec_at(db, idx)->next)
		if (kept_add(&all, (struct kept){rec_expire(rec_at(db, idx)), idx}) < 0)
			break;
	if (!idx && all.n) {
		qsort(all.k, all.n, sizeof(*all.k), kept_cmp);
		*l = (struct rec_list){0};
		for (size_t i = 0; i < all.n; i++)
			list_push(db, l, all.k[i].name, false);
	}
	free(all.k);
}

void pools_sort(struct lease_db *db)
{
	for (size_t i = 0; i < db->n_pools; i++)
		lru_sort(db, &db->pools[i]->lru);
}

void pools_fini(struct lease_db *db)
{
	free(db->pools);
	free(db->max_last);
	free(db->by_number);
}
