/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names of statistics and the counting of drops. Which of Kea's causes a drop moves is in drop.def.
 */
#include "server/core/stats.h"

#include "base/attr.h"

#include <string.h>

static const char *const names[] = {
#define METRIC(symbol, name, family, operation) name,
#include "server/core/metrics.def"
#undef METRIC
};

_Static_assert(METRIC_N < 256, "a cause fits into an octet");

const char *metric_name(enum metric m)
{
	return names[m];
}

enum metric metric_by_name(const char *name)
{
	for (unsigned m = 0; m < METRIC_N; m++)
		if (strcmp(names[m], name) == 0)
			return (enum metric)m;
	return METRIC_N;
}

void stats_causes(uint8_t ret_cause[DROP_N])
{
	for (unsigned d = 0; d < DROP_N; d++) {
		const char *name = d ? drop_info((enum drop)d)->statistic : "";

		ret_cause[d] = (uint8_t)(name[0] ? metric_by_name(name) : METRIC_N);
	}
}

void stats_drop(struct stats *s, enum drop d)
{
	stats_count(&s->drop[d], 1);
	if (!s->cause || s->cause[d] == METRIC_N)
		return;
	stats_add(s, (enum metric)s->cause[d], 1);
	stats_add(s, METRIC_RECEIVE_DROP, 1);
}

enum metric subnet_metric_global(enum subnet_metric m)
{
	static const enum metric global[] = {
#define SUBNET_METRIC(symbol, kind, family, second, context) METRIC_##symbol,
#include "server/core/metrics.def"
#undef SUBNET_METRIC
	};

	return global[m];
}

/* --- Walks through the pipeline --------------------------------------------------------------- */

const struct buckets_shape stats_exchange_shape = {.first = 25000, .n = 15};

const char *stage_name(enum stage s)
{
	static const char *const stages[] = {
#define STAGE(symbol, fn, hook, when, skip, does) #symbol,
#include "server/core/stages.def"
#undef STAGE
	};

	return stages[s];
}

static void add_walks(uint64_t ret[STAGE_N][VERDICT_N], unsigned begin, unsigned end,
		      const _Atomic uint64_t n[VERDICT_N])
{
	for (unsigned v = VERDICT_CONTINUE + 1; v < VERDICT_N; v++) {
		uint64_t walks = atomic_load_explicit(&n[v], memory_order_relaxed);

		ret[end][v] += walks;
		for (unsigned i = begin; i < end && walks; i++)
			ret[i][VERDICT_CONTINUE] += walks;
	}
}

void stats_stages(const struct stats *s, uint64_t ret[STAGE_N][VERDICT_N])
{
	for (unsigned begin = 0; begin < STAGE_N; begin++)
		for (unsigned end = begin; end < STAGE_N; end++)
			add_walks(ret, begin, end, s->walk[begin][end]);
}
