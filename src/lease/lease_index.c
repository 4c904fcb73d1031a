/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The indexes of the table. Addresses: a tree of three flat levels (16, 10 and 6 bits), which
 * never has to be rebuilt and gives the leases in order. Clients: chained hash tables, keyed
 * with the process's secret, because strangers choose their identifiers.
 */
#include "lease/lease_table.h"

#include <errno.h>
#include <stdlib.h>

enum { LEAF_BITS = 6, MID_BITS = 10, ROOT_BITS = 16 };

int addr_index_init(struct addr_index *ix)
{
	slab_init(&ix->mid, sizeof(uint32_t) << MID_BITS, 9);
	slab_init(&ix->leaf, sizeof(uint32_t) << LEAF_BITS, 13);
	ix->root = calloc((size_t)1 << ROOT_BITS, sizeof(*ix->root));
	return ix->root ? 0 : -ENOMEM;
}

void addr_index_fini(struct addr_index *ix)
{
	free(ix->root);
	ix->root = NULL;
	slab_fini(&ix->mid);
	slab_fini(&ix->leaf);
}

static inline uint32_t mid_no(uint32_t addr)
{
	return addr >> LEAF_BITS & ((1U << MID_BITS) - 1);
}

static inline uint32_t leaf_no(uint32_t addr)
{
	return addr & ((1U << LEAF_BITS) - 1);
}

uint32_t addr_get(const struct addr_index *ix, uint32_t addr)
{
	uint32_t n = ix->root[addr >> (MID_BITS + LEAF_BITS)];
	const uint32_t *node;

	if (!n)
		return 0;
	node = slab_at(&ix->mid, n);
	n = node[mid_no(addr)];
	if (!n)
		return 0;
	node = slab_at(&ix->leaf, n);
	return node[leaf_no(addr)];
}

uint32_t *addr_slot(struct addr_index *ix, uint32_t addr)
{
	uint32_t *n = &ix->root[addr >> (MID_BITS + LEAF_BITS)];
	uint32_t *node;

	if (!*n)
		*n = slab_new(&ix->mid);
	if (!*n)
		return NULL;
	node = slab_at(&ix->mid, *n);
	n = &node[mid_no(addr)];
	if (!*n)
		*n = slab_new(&ix->leaf);
	if (!*n)
		return NULL;
	node = slab_at(&ix->leaf, *n);
	return &node[leaf_no(addr)];
}

uint64_t addr_seek(const struct addr_index *ix, uint64_t from, unsigned *budget)
{
	const uint64_t mid_span = 1ULL << (MID_BITS + LEAF_BITS);
	const uint64_t leaf_span = 1ULL << LEAF_BITS;

	for (uint64_t a = from; a <= UINT32_MAX; (*budget)--) {
		uint32_t n = ix->root[a / mid_span];
		const uint32_t *node;

		if (*budget == 0)
			return a;
		if (!n) {
			a = (a / mid_span + 1) * mid_span;
			continue;
		}
		node = slab_at(&ix->mid, n);
		n = node[mid_no((uint32_t)a)];
		if (!n) {
			a = (a / leaf_span + 1) * leaf_span;
			continue;
		}
		node = slab_at(&ix->leaf, n);
		for (uint64_t end = (a / leaf_span + 1) * leaf_span; a < end; a++)
			if (node[leaf_no((uint32_t)a)])
				return a;
	}
	return UINT64_MAX;
}

int client_index_init(struct client_index *ix, bool by_hw)
{
	*ix = (struct client_index){.cap = 1024, .mask = 255, .by_hw = by_hw};
	ix->head = calloc(ix->cap, sizeof(*ix->head));
	return ix->head ? 0 : -ENOMEM;
}

static uint32_t *next_of(const struct client_index *ix, struct rec *r)
{
	return ix->by_hw ? &r->hw_next : &r->cid_next;
}

static struct span key_of(const struct client_index *ix, const struct rec *r)
{
	return ix->by_hw ? rec_hw(r) : rec_cid(r);
}

static uint32_t bucket_of(const struct lease_db *db, const struct client_index *ix, struct span key)
{
	uint32_t h = (uint32_t)hash_bytes(&db->o.hash_key, key);
	uint32_t b = h & ix->mask;

	return b < ix->split ? h & (ix->mask * 2 + 1) : b;
}

static bool heads_grow(struct client_index *ix)
{
	uint32_t *p = reallocarray(ix->head, (size_t)ix->cap * 2, sizeof(*p));

	if (!p)
		return false;
	memset(p + ix->cap, 0, (size_t)ix->cap * sizeof(*p));
	ix->head = p;
	ix->cap *= 2;
	return true;
}

/* One more bucket: the one at `split` gives half of its chain to a new one at the end. */
static void index_split(struct lease_db *db, struct client_index *ix)
{
	uint32_t from = ix->split;
	uint32_t to = ix->mask + 1 + ix->split;
	uint32_t idx;

	/* without memory for it the chains just get longer */
	if (to >= ix->cap && !heads_grow(ix))
		return;
	idx = ix->head[from];
	ix->head[from] = 0;
	ix->head[to] = 0;
	ix->split++;
	while (idx) {
		struct rec *r = rec_at(db, idx);
		uint32_t next = *next_of(ix, r);
		uint32_t b = bucket_of(db, ix, key_of(ix, r));

		*next_of(ix, r) = ix->head[b];
		ix->head[b] = idx;
		idx = next;
	}
	if (ix->split == ix->mask + 1) {
		ix->mask = ix->mask * 2 + 1;
		ix->split = 0;
	}
}

void client_index_add(struct lease_db *db, struct client_index *ix, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);
	struct span key = key_of(ix, r);
	uint32_t b;

	if (!key.n)
		return;
	if (++ix->n > (uint64_t)ix->mask + 1 + ix->split && ix->mask < UINT32_MAX / 4)
		index_split(db, ix);
	b = bucket_of(db, ix, key);
	*next_of(ix, r) = ix->head[b];
	ix->head[b] = idx;
}

void client_index_del(struct lease_db *db, struct client_index *ix, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);
	struct span key = key_of(ix, r);
	uint32_t *p;

	if (!key.n)
		return;
	for (p = &ix->head[bucket_of(db, ix, key)]; *p; p = next_of(ix, rec_at(db, *p))) {
		if (*p != idx)
			continue;
		*p = *next_of(ix, r);
		*next_of(ix, r) = 0;
		ix->n--;
		return;
	}
}

uint32_t client_index_first(const struct lease_db *db, const struct client_index *ix, struct span key)
{
	return key.n ? ix->head[bucket_of(db, ix, key)] : 0;
}

uint32_t client_index_next(const struct lease_db *db, const struct client_index *ix, uint32_t idx)
{
	return *next_of(ix, rec_at(db, idx));
}
