/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Statistics: global counters (metrics.def, drop.def) a worker, counters a subnet. A worker's
 * counters are written by that worker only and read by anyone. They never go down: a reset of a
 * statistic remembers the value then (samples.h).
 */
#pragma once

#include "base/buckets.h"
#include "packet/packet.h"
#include "server/core/stage.h"

#include <stdatomic.h>

enum metric {
#define METRIC(symbol, name, family, operation) METRIC_##symbol,
#include "server/core/metrics.def"
#undef METRIC
	METRIC_N
};

const char *metric_name(enum metric m);
/* Returns the metric of a name; METRIC_N: there is none. */
enum metric metric_by_name(const char *name);

/* Answers whose time is measured, from the reading of the query to the sending of the answer. */
enum stats_answer { STATS_OFFER, STATS_ACK, STATS_NAK, STATS_ANSWER_N };
extern const struct buckets_shape stats_exchange_shape; /* nanoseconds */

struct stats {
	const uint8_t *cause; /* drop to Kea's metric (METRIC_N: none), made by stats_causes */
	_Atomic uint64_t metric[METRIC_N];
	_Atomic uint64_t drop[DROP_N];
	_Atomic uint8_t
		drop_stage[DROP_N]; /* at which the last packet was dropped: a row of stages.def */
	/*
	 * Walks through the pipeline, by the stage that they began with, the stage that ended them,
	 * and its verdict. So a walk costs one counter, whatever the number of its stages.
	 */
	_Atomic uint64_t walk[STAGE_N][STAGE_N][VERDICT_N];
	struct buckets exchange[STATS_ANSWER_N];
	_Atomic uint64_t receive_batches, receive_packets, send_batches;
};

static inline void stats_count(_Atomic uint64_t *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static inline void stats_add(struct stats *s, enum metric m, uint64_t n)
{
	stats_count(&s->metric[m], n);
}

/* Adds the walks that passed a stage with a verdict, of one worker, to ret[stage][verdict]. A walk
 * passed the stages before its last one with CONTINUE. */
void stats_stages(const struct stats *s, uint64_t ret[STAGE_N][VERDICT_N]);
/* Returns the name of a stage: "RECEIVE". */
const char *stage_name(enum stage s);

/* Fills the table behind stats.cause; it is shared by all stats of a server. */
void stats_causes(uint8_t ret_cause[DROP_N]);
/* Counts a drop: its own row, Kea's cause, and pkt4-receive-drop where Kea has a cause. */
void stats_drop(struct stats *s, enum drop d);

/* Counters of one subnet that are not in the lease table. Shared by all workers. */
enum subnet_metric {
#define SUBNET_METRIC(symbol, kind, family, second, context) SUBNET_##symbol,
#include "server/core/metrics.def"
#undef SUBNET_METRIC
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
