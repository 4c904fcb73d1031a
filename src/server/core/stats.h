/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Statistics: global counters (metrics.def, drop.def) a worker, counters a subnet. A worker's
 * counters are written by that worker only and read by anyone; a reset remembers the value then.
 */
#pragma once

#include "packet/packet.h"

#include <stdatomic.h>

enum metric {
#define METRIC(symbol, name) METRIC_##symbol,
#include "server/core/metrics.def"
#undef METRIC
	METRIC_N
};

const char *metric_name(enum metric m);
/* Returns the metric of a name; METRIC_N: there is none. */
enum metric metric_by_name(const char *name);

struct stats {
	const uint8_t *cause; /* drop to Kea's metric (METRIC_N: none), made by stats_causes */
	_Atomic uint64_t metric[METRIC_N];
	_Atomic uint64_t drop[DROP_N];
	_Atomic uint8_t
		drop_stage[DROP_N]; /* at which the last packet was dropped: a row of stages.def */
};

static inline void stats_add(struct stats *s, enum metric m, uint64_t n)
{
	atomic_store_explicit(&s->metric[m],
			      atomic_load_explicit(&s->metric[m], memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* Fills the table behind stats.cause; it is shared by all stats of a server. */
void stats_causes(uint8_t ret_cause[DROP_N]);
/* Counts a drop: its own row, Kea's cause, and pkt4-receive-drop where Kea has a cause. */
void stats_drop(struct stats *s, enum drop d);

/* Counters of one subnet that are not in the lease table. Shared by all workers. */
enum subnet_metric {
	SUBNET_ALLOCATION_FAIL,
	SUBNET_ALLOCATION_FAIL_SHARED_NETWORK,
	SUBNET_ALLOCATION_FAIL_SUBNET,
	SUBNET_ALLOCATION_FAIL_NO_POOLS,
	SUBNET_ALLOCATION_FAIL_CLASSES,
	SUBNET_RESERVATION_CONFLICTS,
	SUBNET_LEASE_REUSES,
	SUBNET_METRIC_N
};

struct subnet_stats {
	uint32_t subnet_id;
	_Atomic uint64_t c[SUBNET_METRIC_N];
	struct subnet_stats *next;
};

/* Returns the global metric of a subnet metric; the function below returns its suffix of
 * "subnet[id].". */
enum metric subnet_metric_global(enum subnet_metric m);
static inline void subnet_stats_add(struct subnet_stats *s, enum subnet_metric m)
{
	if (s)
		(void)atomic_fetch_add_explicit(&s->c[m], 1, memory_order_relaxed);
}
