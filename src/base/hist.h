/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Histogram of durations with a relative error below 1 %: values below HIST_SUB are counted
 * exactly, above that every power of two is cut into HIST_SUB / 2 equal parts. Nanoseconds up to
 * 2^HIST_BITS - 1 (137 s); longer ones count as that. Recording neither allocates nor branches
 * on data beyond one comparison. One thread at a time.
 */
#pragma once

#include <stdint.h>

enum {
	HIST_SUB_BITS = 8,
	HIST_SUB = 1 << HIST_SUB_BITS,
	HIST_BITS = 37,
	HIST_BUCKETS = (HIST_BITS - HIST_SUB_BITS + 2) * (HIST_SUB / 2),
};

struct hist {
	uint64_t n;
	uint64_t max; /* exact */
	uint64_t count[HIST_BUCKETS];
};

void hist_reset(struct hist *h);
void hist_record(struct hist *h, uint64_t v);
/*
 * Returns the smallest value that at least the share p (0 to 1) of the records does not exceed: the
 * upper end of its bucket, never above max. 0 of an empty histogram.
 */
uint64_t hist_percentile(const struct hist *h, double p);
