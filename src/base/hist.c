/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Buckets: v < HIST_SUB has the index v. Above, with k = the position of the highest bit minus
 * (HIST_SUB_BITS - 1), v >> k lies in [HIST_SUB / 2, HIST_SUB), and the index is
 * k * HIST_SUB / 2 + (v >> k): the rows follow each other without a gap.
 */
#include "base/hist.h"

#include <string.h>

#define VALUE_MAX ((UINT64_C(1) << HIST_BITS) - 1)

void hist_reset(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

static unsigned row_of(uint64_t v)
{
	unsigned top = 63U - (unsigned)__builtin_clzll(v | 1);

	return top < HIST_SUB_BITS ? 0 : top - (HIST_SUB_BITS - 1);
}

void hist_record(struct hist *h, uint64_t v)
{
	uint64_t in = v > VALUE_MAX ? VALUE_MAX : v;
	unsigned row = row_of(in);

	h->count[row * (HIST_SUB / 2) + (in >> row)]++;
	h->n++;
	if (v > h->max)
		h->max = v;
}

/* Returns the largest value that bucket i counts. */
static uint64_t bucket_end(unsigned i)
{
	unsigned row = i < HIST_SUB ? 0 : i / (HIST_SUB / 2) - 1;

	return ((uint64_t)(i - row * (HIST_SUB / 2) + 1) << row) - 1;
}

uint64_t hist_percentile(const struct hist *h, double p)
{
	double exact = p * (double)h->n;
	uint64_t rank = (uint64_t)exact;
	uint64_t seen = 0;

	if ((double)rank < exact || rank == 0)
		rank++;
	for (unsigned i = 0; i < HIST_BUCKETS && h->n; i++) {
		seen += h->count[i];
		/* the last bucket also holds values beyond its range */
		if (seen >= rank && i < HIST_BUCKETS - 1)
			return bucket_end(i) < h->max ? bucket_end(i) : h->max;
	}
	return h->max;
}
