/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The one visitor of all statistics of the server: statistic-get-all, the histories (samples.h) and
 * the text of metrics (metrics_stream.c) take each value from here. The rows are in
 * core/metrics.def. Used by the management thread alone.
 */
#pragma once

#include "lease/lease_db.h"
#include "server/core/samples.h"
#include "server/core/stats.h"

struct config_subnet;
struct server;
struct snapshot;

enum { STAT_NAME_LEN = 160 };

/* Families of metrics. FAMILY_NONE: none. */
enum metric_family {
#define FAMILY(symbol, name, type, unit, writer, labels, help) FAMILY_##symbol,
#include "server/core/metrics.def"
#undef FAMILY
	FAMILY_N,
	FAMILY_NONE = FAMILY_N
};

enum {
#define LEASE_METRIC(member, name, kind, server, subnet, pool) STAT_INDEX_##member,
#include "server/core/metrics.def"
#undef LEASE_METRIC
	STAT_LEASE_N
};

/* The values of stat_key.what, in the order of a walk. A walk of the server visits those below
 * STAT_SERVER_N, one of a subnet those from STAT_LEASES on, of its pools those below STAT_SUBNET.
 */
enum {
	STAT_METRIC = 0,
	STAT_DROP = STAT_METRIC + METRIC_N,
	STAT_LEASES = STAT_DROP + DROP_N,
	STAT_SERVER_N = STAT_LEASES + STAT_LEASE_N,
	STAT_TOTAL = STAT_SERVER_N,
	STAT_SUBNET = STAT_TOTAL + 1,
	STAT_N = STAT_SUBNET + SUBNET_METRIC_N,
	STAT_OF_LIBRARIES = STAT_N, /* and above: hook_statistic.number */
};

enum stat_scope { STAT_OF_SERVER, STAT_OF_SUBNET, STAT_OF_POOL };

/* The place of a statistic in the metrics: a family, and a label ("": none) with its value. */
struct stat_series {
	enum metric_family family;
	const char *label, *value;
};

typedef void (*stat_fn)(void *ctx, const struct stat_now *v);

/* Calls fn for each statistic of the server, and for each of a subnet and its pools. */
void stat_walk_server(struct server *srv, stat_fn fn, void *ctx);
void stat_walk_subnet(struct server *srv, const struct snapshot *snap,
		      const struct config_subnet *s, stat_fn fn, void *ctx);
/* Calls fn for the statistics that remain of subnets which are not configured any more. subnet: of
 * this one, UINT32_MAX: of all. */
void stat_walk_removed(struct server *srv, const struct snapshot *snap, uint32_t subnet, stat_fn fn,
		       void *ctx);
/* Calls fn for each statistic of the hook libraries, of the server and of subnets; subnet: of this
 * one, UINT32_MAX: of all. */
void stat_walk_libraries(const struct snapshot *snap, uint32_t subnet, stat_fn fn, void *ctx);
/* Returns the families that publish a statistic, at most two; their number. */
unsigned stat_find_series(uint32_t what, enum stat_scope scope, struct stat_series ret[2]);
/* Writes and returns Kea's name, such as "subnet[1].pool[0].assigned-addresses". */
const char *stat_name(const struct stat_now *v, char out[STAT_NAME_LEN]);
/* Returns the number of addresses in a subnet's pools. */
uint64_t stat_subnet_size(const struct config_subnet *s);

/* Takes samples of changed statistics: all of the server, and of some subnets beginning with
 * index *from, which it advances. Returns true if a statistic changed. */
bool stat_walk_sample(struct server *srv, size_t *from, size_t n_subnets, int64_t now_ns);
/* Begins the statistics of subnets anew, because a configuration is in effect or the lease file was
 * read. */
void stat_walk_configured(struct server *srv, int64_t now_ns);
