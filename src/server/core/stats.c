/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names of statistics and the counting of drops. Which of Kea's causes a drop moves is in drop.def.
 */
#include "server/core/stats.h"

#include "base/attr.h"

#include <string.h>

static const char *const names[] = {
#define METRIC(symbol, name) name,
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

	atomic_store_explicit(&s->drop[d],
			      atomic_load_explicit(&s->drop[d], memory_order_relaxed) + 1,
			      memory_order_relaxed);
	if (!s->cause || s->cause[d] == METRIC_N)
		return;
	stats_add(s, (enum metric)s->cause[d], 1);
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
