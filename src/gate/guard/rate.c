/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rows of eight buckets: a hash has its place in one row.
 */
#include "gate/guard/rate.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

enum { WAYS = 8 };

struct bucket {
	uint64_t hash;
	int64_t paid_ns;
};

struct guard_buckets {
	uint32_t n_rows;
	struct bucket at[];
};

static int64_t price(const struct guard_rate *r)
{
	return NS_PER_S / r->a_second;
}

bool guard_rate_ok(const struct guard_rate *r, int64_t paid_ns, int64_t now_ns)
{
	return !r->a_second || paid_ns <= now_ns || paid_ns - now_ns <= price(r) * (r->burst - 1);
}

void guard_rate_take(const struct guard_rate *r, int64_t *paid_ns, int64_t now_ns)
{
	if (r->a_second)
		*paid_ns = (*paid_ns > now_ns ? *paid_ns : now_ns) + price(r);
}

int guard_buckets_new(uint32_t max, struct guard_buckets **ret)
{
	uint32_t n = max / WAYS + (max % WAYS != 0);
	struct guard_buckets *t;

	n = n ? n : 1;
	t = calloc(1, sizeof(*t) + (size_t)n * WAYS * sizeof(t->at[0]));
	if (!t)
		return -ENOMEM;
	t->n_rows = n;
	*ret = t;
	return 0;
}

void guard_buckets_free(struct guard_buckets *t)
{
	free(t);
}

int64_t *guard_buckets_get(struct guard_buckets *t, uint64_t hash)
{
	struct bucket *row = &t->at[hash % t->n_rows * WAYS], *rested = row;

	for (unsigned i = 0; i < WAYS; i++) {
		if (row[i].hash == hash)
			return &row[i].paid_ns;
		if (row[i].paid_ns < rested->paid_ns)
			rested = &row[i];
	}
	*rested = (struct bucket){.hash = hash};
	return &rested->paid_ns;
}
