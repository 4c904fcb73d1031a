/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Hierarchical bitmap. Invariants: bits at and above n are zero; bit i of level k+1 is set
 * exactly when word i of level k is not zero; n_set counts level 0.
 */
#include "lease/lease_bitmap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t words(uint64_t bits)
{
	return (bits + 63) / 64;
}

int bitmap_init(struct bitmap *b, uint64_t n)
{
	uint64_t bits = n;

	*b = (struct bitmap){.n = n, .n_set = n};
	do {
		uint64_t w = words(bits);
		uint64_t *p = malloc((w ? w : 1) * sizeof(*p));

		if (!p) {
			bitmap_fini(b);
			return -ENOMEM;
		}
		memset(p, 0xff, w * sizeof(*p));
		if (bits % 64)
			p[w - 1] = (1ULL << bits % 64) - 1;
		b->level[b->n_levels++] = p;
		bits = w;
	} while (bits > 1);
	return 0;
}

void bitmap_fini(struct bitmap *b)
{
	for (unsigned i = 0; i < b->n_levels; i++)
		free(b->level[i]);
	*b = (struct bitmap){0};
}

bool bitmap_get(const struct bitmap *b, uint64_t i)
{
	return b->level[0][i / 64] >> i % 64 & 1;
}

void bitmap_put(struct bitmap *b, uint64_t i, bool value)
{
	if (bitmap_get(b, i) == value)
		return;
	b->n_set += value ? 1 : UINT64_MAX;
	for (unsigned k = 0; k < b->n_levels; k++) {
		uint64_t *w = &b->level[k][i / 64];
		uint64_t before = *w;

		if (value)
			*w |= 1ULL << i % 64;
		else
			*w &= ~(1ULL << i % 64);
		/* the level above changes only when a word becomes zero or was zero */
		if (value ? before != 0 : *w != 0)
			return;
		i /= 64;
	}
}

static uint64_t descend(const struct bitmap *b, unsigned k, uint64_t i)
{
	while (k-- > 0)
		i = i * 64 + (unsigned)__builtin_ctzll(b->level[k][i]);
	return i;
}

int64_t bitmap_next(const struct bitmap *b, uint64_t from)
{
	uint64_t i = from;
	uint64_t bits = b->n;

	for (unsigned k = 0; k < b->n_levels; k++) {
		if (i < bits) {
			uint64_t w = b->level[k][i / 64] >> i % 64;

			if (w)
				return (int64_t)descend(b, k, i + (unsigned)__builtin_ctzll(w));
		}
		i = i / 64 + 1;
		bits = words(bits);
	}
	return -1;
}
