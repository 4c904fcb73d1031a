/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Criteria, as the files that make and compile them share them. A criterion is a userdata: sorted,
 * disjoint ranges of numbers, and in its environment the set of texts.
 */
#pragma once

#include "script/rules/filter.h"

struct criterion_range {
	uint64_t lo, hi;
};

struct criterion {
	uint64_t magic;
	bool outside; /* of the ranges and texts */
	bool absent;  /* holds for an absent field only */
	uint32_t n;
	struct criterion_range ranges[];
};

/* Returns whether v is in one of n ranges, which are sorted. */
static inline bool criterion_includes(const struct criterion_range *r, uint32_t n, uint64_t v)
{
	uint32_t lo = 0;

	while (n > 1) {
		uint32_t half = n / 2;

		lo = r[lo + half].lo <= v ? lo + half : lo;
		n -= half;
	}
	return n && r[lo].lo <= v && v <= r[lo].hi;
}

/* Sorts and joins n ranges. Returns how many are left. */
uint32_t criterion_sort(struct criterion_range *r, uint32_t n);
