/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The text of metrics from the inside: metrics_stream.c walks the families in their order, and the
 * writers of the other files write the samples of one.
 */
#pragma once

#include "base/buf.h"
#include "control/metrics.h"
#include "server/manage/daemon.h"
#include "server/view/stat_walk.h"

/* The labels of a subnet or a pool: octets of metrics_run.labels. */
struct metrics_place {
	uint32_t at, len;
};

struct metrics_subnet {
	struct metrics_place labels;
	uint64_t v[STAT_N - STAT_LEASES]; /* by stat_key.what */
};

struct metrics_pool {
	struct metrics_place labels;
	uint64_t v[STAT_SUBNET - STAT_LEASES];
};

/* A text under way. */
struct metrics_run {
	struct server_daemon *d;
	struct snapshot *snap; /* held */
	struct metrics m;
	unsigned family; /* enum metric_family; FAMILY_N: the process */
	bool begun;	 /* the head of the family is written */
	bool as_answer;	 /* inside of the answer of metrics-get */
	bool answer_begun;
	uint64_t server[STAT_SERVER_N]; /* global statistics, of the beginning */

	struct buf labels, scratch;
	struct metrics_subnet *subnets; /* [n_subnets] */
	struct metrics_pool *pools;	/* [n_pools] */
	/* published ones; how many of them were read; where the family continues */
	size_t n_subnets, n_pools, subnets_read, pools_read, at;
	size_t series, subnets_omitted, pools_omitted;
};

/* Writers. Each writes samples of metrics_run.family. True: it is to be called again. */
typedef bool metrics_writer(struct metrics_run *r);
/* --- metrics_address.c: subnets and pools */
metrics_writer metrics_write_subnets, metrics_write_pools, metrics_write_utilization,
	metrics_write_pool_utilization, metrics_write_networks, metrics_write_series;
/* --- metrics_worker.c: packets on their way */
metrics_writer metrics_write_stages, metrics_write_exchanges, metrics_write_parked,
	metrics_write_workers, metrics_write_busy;
/* --- metrics_program.c: leases, their store, the program */
metrics_writer metrics_write_leases, metrics_write_store, metrics_write_commits,
	metrics_write_rewrites, metrics_write_ddns, metrics_write_program, metrics_write_reloads,
	metrics_write_requests, metrics_write_request_times, metrics_write_hooks,
	metrics_write_hook_events, metrics_write_scripts;

/* Decides which series of subnets and pools are published, and makes room for them. 0 or -ENOMEM.
 */
int metrics_addresses_begin(struct metrics_run *r) must_check;
