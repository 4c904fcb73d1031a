/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The index by address: a tree of three flat levels (16, 10 and 6 bits), which never has to be
 * rebuilt and gives the leases in order.
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
