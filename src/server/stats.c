/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names of statistics and the counting of drops. Which of Kea's causes a drop moves is in drop.def.
 */
#include "server/stats.h"

#include "base/attr.h"

#include <string.h>

static const char *const names[] = {
#define M(symbol, name) name,
#include "server/metrics.def"
#undef M
};

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

void stats_drop(struct stats *s, enum drop d)
{
	const char *cause = drop_info(d)->statistic;

	atomic_store_explicit(&s->drop[d], atomic_load_explicit(&s->drop[d], memory_order_relaxed) + 1,
			      memory_order_relaxed);
	if (!cause[0])
		return;
	stats_add(s, metric_by_name(cause), 1);
	stats_add(s, METRIC_RECEIVE_DROP, 1);
}

enum metric subnet_metric_global(enum subnet_metric m)
{
	static const enum metric global[] = {
		[SUBNET_ALLOCATION_FAIL] = METRIC_ALLOCATION_FAIL,
		[SUBNET_ALLOCATION_FAIL_SHARED_NETWORK] = METRIC_ALLOCATION_FAIL_SHARED_NETWORK,
		[SUBNET_ALLOCATION_FAIL_SUBNET] = METRIC_ALLOCATION_FAIL_SUBNET,
		[SUBNET_ALLOCATION_FAIL_NO_POOLS] = METRIC_ALLOCATION_FAIL_NO_POOLS,
		[SUBNET_ALLOCATION_FAIL_CLASSES] = METRIC_ALLOCATION_FAIL_CLASSES,
		[SUBNET_RESERVATION_CONFLICTS] = METRIC_RESERVATION_CONFLICTS,
		[SUBNET_LEASE_REUSES] = METRIC_LEASE_REUSES,
	};

	return global[m];
}
