/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A hierarchical bitmap: a bit of a higher level is set if its 64 bits below are not all zero. The
 * next set bit is found in O(levels), whether one bit of sixteen million is set or all.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BITMAP_LEVELS = 6 };

struct bitmap {
	uint64_t *level[BITMAP_LEVELS];
	unsigned n_levels;
	uint64_t n;
	uint64_t n_set;
};

/* Initialises n bits, all set. 0, -ENOMEM. */
int bitmap_init(struct bitmap *b, uint64_t n) must_check;
void bitmap_fini(struct bitmap *b);
bool bitmap_get(const struct bitmap *b, uint64_t i);
void bitmap_put(struct bitmap *b, uint64_t i, bool value);
/* Returns the first set bit >= from; -1: none. */
int64_t bitmap_next(const struct bitmap *b, uint64_t from);
