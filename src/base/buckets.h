/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Histograms of few buckets, each twice as wide as the one before, for metrics. One thread writes,
 * any thread reads. (hist.h has percentiles with an error below 1 %, for one thread.)
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum { BUCKETS_MAX = 20 };

/* first: the upper bound of the first bucket. n: buckets with a bound, at most BUCKETS_MAX. One
 * more, without a bound, follows. */
struct buckets_shape {
	uint64_t first;
	unsigned n;
};

struct buckets {
	_Atomic uint64_t n[BUCKETS_MAX + 1];
	_Atomic uint64_t sum; /* of the values */
};

/* The buckets as read, or the sums of several histograms of one shape. */
struct buckets_sum {
	uint64_t n[BUCKETS_MAX + 1];
	uint64_t sum;
};

/* Returns the index of the bucket of a value. A value at the bound belongs to the bucket below. */
static inline unsigned buckets_find(const struct buckets_shape *s, uint64_t v)
{
	uint64_t parts = v ? (v - 1) / s->first : 0; /* whole widths of the first bucket below v */
	unsigned i = parts ? 64 - (unsigned)__builtin_clzll(parts) : 0;

	return i < s->n ? i : s->n;
}

/* Records a value. */
static inline void buckets_add(struct buckets *b, const struct buckets_shape *s, uint64_t v)
{
	_Atomic uint64_t *n = &b->n[buckets_find(s, v)];

	atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	atomic_store_explicit(&b->sum, atomic_load_explicit(&b->sum, memory_order_relaxed) + v,
			      memory_order_relaxed);
}

/* Records a value where a lock guards the buckets. */
static inline void buckets_count(struct buckets_sum *b, const struct buckets_shape *s, uint64_t v)
{
	b->n[buckets_find(s, v)]++;
	b->sum += v;
}

/* Adds the buckets of b to *sum. */
static inline void buckets_read(const struct buckets *b, struct buckets_sum *sum)
{
	for (unsigned i = 0; i <= BUCKETS_MAX; i++)
		sum->n[i] += atomic_load_explicit(&b->n[i], memory_order_relaxed);
	sum->sum += atomic_load_explicit(&b->sum, memory_order_relaxed);
}
