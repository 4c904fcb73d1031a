/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Order of ends: three 4-ary heaps on wall-clock seconds (running, lapsed, kept). Chosen over a
 * timing wheel because absolute ends need no care when the clock steps: no entry depends on "now".
 * Cheap because it is lazy: a renewal only moves the record's end; its key stays early and is
 * corrected when it reaches the top. Invariant: a key is never later than the record's end, except
 * in the lapsed heap, where lease_db_reclaim defers leases that a callout keeps.
 */
#include "lease/lease_table.h"

#include <errno.h>

/* The first entry's index: children of one share a cache line. */
enum { ARITY = 4, FIRST = 3, CHUNK_BITS = 15, AHEAD = 16 };

uint32_t heap_key(int64_t s)
{
	if (s < 0)
		return 0;
	return s > UINT32_MAX ? UINT32_MAX : (uint32_t)s;
}

void heap_init(struct heap *h)
{
	*h = (struct heap){0};
	slab_init(&h->ents, sizeof(struct heap_ent), CHUNK_BITS);
	h->ents.used = FIRST;
}

void heap_fini(struct heap *h)
{
	slab_fini(&h->ents);
}

bool heap_reserve(struct lease_db *db, uint32_t n)
{
	for (int i = HEAP_RUNNING; i < HEAP_N; i++)
		if (!slab_take(&db->heaps[i].ents, n + FIRST))
			return false;
	return true;
}

/* Returns the entry at a position, as slab_at() does, with the constants known here. */
static inline struct heap_ent *get_entry(const struct heap *h, uint32_t pos)
{
	uint32_t idx = pos + FIRST;
	void *chunk = h->ents.chunks[idx >> CHUNK_BITS];

	return (struct heap_ent *)chunk + (idx & ((1U << CHUNK_BITS) - 1));
}

static void place(struct lease_db *db, struct heap *h, uint32_t pos, struct heap_ent e)
{
	*get_entry(h, pos) = e;
	rec_at(db, e.idx)->heap_pos = pos;
}

static void sift_up(struct lease_db *db, struct heap *h, uint32_t pos, struct heap_ent e)
{
	while (pos > 0) {
		uint32_t up = (pos - 1) / ARITY;

		if (get_entry(h, up)->key <= e.key)
			break;
		place(db, h, pos, *get_entry(h, up));
		pos = up;
	}
	place(db, h, pos, e);
}

/* Returns the child that ends first; NULL: there is none. */
static inline const struct heap_ent *least_child(const struct heap *h, uint32_t pos,
						 uint32_t *ret_pos)
{
	uint64_t first = (uint64_t)pos * ARITY + 1;
	const struct heap_ent *e;
	uint32_t best = 0;

	if (first >= h->n)
		return NULL;
	/* four in a row never cross the end of a chunk */
	e = get_entry(h, (uint32_t)first);
	if (first + ARITY <= h->n) {
		uint32_t low = e[1].key < e[0].key;
		uint32_t high = 2 + (e[3].key < e[2].key);

		best = e[high].key < e[low].key ? high : low;
	} else {
		for (uint32_t i = 1; first + i < h->n; i++)
			if (e[i].key < e[best].key)
				best = i;
	}
	*ret_pos = (uint32_t)first + best;
	return e + best;
}

static void sift_down(struct lease_db *db, struct heap *h, uint32_t pos, struct heap_ent e)
{
	const struct heap_ent *child;
	uint32_t at;

	while ((child = least_child(h, pos, &at)) && child->key < e.key) {
		place(db, h, pos, *child);
		pos = at;
	}
	place(db, h, pos, e);
}

static void heap_move(struct lease_db *db, struct heap *h, uint32_t pos, struct heap_ent e)
{
	if (pos > 0 && get_entry(h, (pos - 1) / ARITY)->key > e.key)
		sift_up(db, h, pos, e);
	else
		sift_down(db, h, pos, e);
}

void heap_del(struct lease_db *db, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);
	struct heap *h = &db->heaps[r->heap];
	struct heap_ent last;

	if (r->heap == HEAP_NONE)
		return;
	r->heap = HEAP_NONE;
	last = *get_entry(h, --h->n);
	if (last.idx != idx)
		heap_move(db, h, r->heap_pos, last);
}

void heap_put(struct lease_db *db, enum rec_heap which, uint32_t idx, int64_t key)
{
	struct rec *r = rec_at(db, idx);
	struct heap_ent e = {heap_key(key), idx};
	struct heap *h = &db->heaps[which];

	if (r->heap == which) {
		heap_move(db, h, r->heap_pos, e);
		return;
	}
	heap_del(db, idx);
	r->heap = which & 15U;
	sift_up(db, h, h->n++, e);
}

uint32_t heap_due(struct lease_db *db, enum rec_heap which, int64_t now, unsigned *steps)
{
	struct heap *h = &db->heaps[which];

	while (h->n && (int64_t)get_entry(h, 0)->key < now && steps[0] > 0) {
		struct heap_ent e = *get_entry(h, 0);
		uint32_t key = heap_key(rec_expire(rec_at(db, e.idx)));

		if (key <= e.key)
			return rec_over(rec_at(db, e.idx), now) ? e.idx : 0;
		e.key = key;
		sift_down(db, h, 0, e);
		--*steps;
	}
	return 0;
}

bool heap_is_late(const struct lease_db *db, uint32_t idx, int64_t end)
{
	const struct rec *r = rec_at(db, idx);

	return get_entry(&db->heaps[r->heap], r->heap_pos)->key > heap_key(end);
}

/* --- many at once ----------------------------------------------------------------------------- */

int heap_append(struct heap *h, uint32_t key, uint32_t idx)
{
	if (!slab_take(&h->ents, h->n + FIRST + 1))
		return -ENOMEM;
	*get_entry(h, h->n++) = (struct heap_ent){key, idx};
	return 0;
}

static void order_down(const struct heap *h, uint32_t pos)
{
	const struct heap_ent *child;
	struct heap_ent e = *get_entry(h, pos);
	uint32_t at;

	while ((child = least_child(h, pos, &at)) && child->key < e.key) {
		*get_entry(h, pos) = *child;
		pos = at;
	}
	*get_entry(h, pos) = e;
}

void heap_order(struct heap *h)
{
	/* without children there is nothing below */
	for (uint32_t pos = h->n / ARITY + 1; pos-- > 0;)
		if (pos < h->n)
			order_down(h, pos);
}

void heap_place(struct lease_db *db, const struct heap *h, enum rec_heap which, uint32_t pos)
{
	struct rec *r = rec_at(db, get_entry(h, pos)->idx);

	if (h->n - pos > AHEAD)
		__builtin_prefetch(rec_at(db, get_entry(h, pos + AHEAD)->idx), 1);
	r->heap = which & 15U;
	r->heap_pos = pos;
}
