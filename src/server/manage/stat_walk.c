/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One enumeration of all statistics: global counters, drops, counters of the lease table, sizes of
 * pools, counters of subnets. A key's `what` numbers them in this order.
 */
#include "server/manage/stat_walk.h"

#include "config/config.h"
#include "lease/lease_db.h"
#include "server/core/server.h"
#include "server/core/snapshot.h"

#include <stdio.h>
#include <string.h>

enum {
	WHAT_METRIC = 0,
	WHAT_DROP = WHAT_METRIC + METRIC_N,
	WHAT_LEASES = WHAT_DROP + DROP_N,
	WHAT_TOTAL = WHAT_LEASES + 5,
	WHAT_SUBNET = WHAT_TOTAL + 1,
};

/* The counters that come from the lease table, of a pool, a subnet or all. */
static const struct {
	const char *name;
	size_t offset;
	enum stat_kind kind; /* of a subnet's */
} lease_metrics[] = {
	{"assigned-addresses", offsetof(struct lease_counts, assigned), STAT_RECOUNTED},
	{"cumulative-assigned-addresses", offsetof(struct lease_counts, cumulative_assigned),
	 STAT_RESTARTED},
	{"declined-addresses", offsetof(struct lease_counts, declined), STAT_RECOUNTED},
	{"reclaimed-declined-addresses", offsetof(struct lease_counts, reclaimed_declined),
	 STAT_RESTARTED},
	{"reclaimed-leases", offsetof(struct lease_counts, reclaimed), STAT_RESTARTED},
};

_Static_assert(ARRAY_LEN(lease_metrics) == WHAT_TOTAL - WHAT_LEASES, "a number for each");

static int64_t count_at(const struct lease_counts *n, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)n + lease_metrics[i].offset, sizeof(v));
	return (int64_t)v;
}

static const char *what_name(uint32_t what)
{
	if (what < WHAT_DROP)
		return metric_name((enum metric)(what - WHAT_METRIC));
	if (what < WHAT_LEASES)
		return drop_info((enum drop)(what - WHAT_DROP))->name;
	if (what < WHAT_TOTAL)
		return lease_metrics[what - WHAT_LEASES].name;
	if (what == WHAT_TOTAL)
		return "total-addresses";
	return metric_name(subnet_metric_global((enum subnet_metric)(what - WHAT_SUBNET)));
}

const char *stat_name(const struct stat_key *k, char out[STAT_NAME_LEN])
{
	if (!k->subnet)
		(void)snprintf(out, STAT_NAME_LEN, "%s", what_name(k->what));
	else if (k->pool == LEASE_ALL_POOLS)
		(void)snprintf(out, STAT_NAME_LEN, "subnet[%u].%s", k->subnet, what_name(k->what));
	else
		(void)snprintf(out, STAT_NAME_LEN, "subnet[%u].pool[%u].%s", k->subnet, k->pool,
			       what_name(k->what));
	return out;
}

static void show_statistic(stat_fn fn, void *ctx, struct stat_key k, enum stat_kind kind,
			   int64_t raw)
{
	struct stat_now v = {k, kind, raw};

	fn(ctx, &v);
}

static void show_leases(struct server *srv, uint32_t subnet, uint32_t pool, stat_fn fn, void *ctx)
{
	struct lease_counts n;

	lease_db_counts(srv->db, subnet, pool, &n);
	for (uint32_t i = 0; i < ARRAY_LEN(lease_metrics); i++)
		show_statistic(fn, ctx, (struct stat_key){subnet, pool, WHAT_LEASES + i},
			       subnet ? lease_metrics[i].kind : STAT_COUNTER, count_at(&n, i));
}

void stat_walk_server(struct server *srv, stat_fn fn, void *ctx)
{
	for (uint32_t m = 0; m < METRIC_N; m++)
		show_statistic(fn, ctx, (struct stat_key){0, LEASE_ALL_POOLS, WHAT_METRIC + m},
			       STAT_COUNTER, (int64_t)server_metric(srv, (enum metric)m));
	for (uint32_t d = 1; d < DROP_N; d++)
		show_statistic(fn, ctx, (struct stat_key){0, LEASE_ALL_POOLS, WHAT_DROP + d},
			       STAT_COUNTER, (int64_t)server_drop_count(srv, (enum drop)d));
	show_leases(srv, 0, LEASE_ALL_POOLS, fn, ctx);
}

static uint64_t pool_size(const struct config_pool *p)
{
	return (uint64_t)p->last - p->first + 1;
}

uint64_t stat_subnet_size(const struct config_subnet *s)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->n_pools; i++)
		total += pool_size(&s->pools[i]);
	return total;
}

/* Calls fn for the statistics of a subnet's pools. Pools that share a pool-id are one statistic. */
static void walk_pools(struct server *srv, const struct config_subnet *s, stat_fn fn, void *ctx)
{
	for (size_t i = 0; i < s->n_pools; i++) {
		uint32_t id = s->pools[i].pool_id;
		uint64_t total = 0;
		bool seen = false;

		for (size_t j = 0; j < s->n_pools; j++) {
			if (s->pools[j].pool_id != id)
				continue;
			seen |= j < i;
			total += pool_size(&s->pools[j]);
		}
		if (seen)
			continue;
		show_statistic(fn, ctx, (struct stat_key){s->id, id, WHAT_TOTAL}, STAT_SIZE,
			       (int64_t)total);
		show_leases(srv, s->id, id, fn, ctx);
	}
}

void stat_walk_subnet(struct server *srv, const struct snapshot *snap,
		      const struct config_subnet *s, stat_fn fn, void *ctx)
{
	show_statistic(fn, ctx, (struct stat_key){s->id, LEASE_ALL_POOLS, WHAT_TOTAL}, STAT_SIZE,
		       (int64_t)stat_subnet_size(s));
	show_leases(srv, s->id, LEASE_ALL_POOLS, fn, ctx);
	for (uint32_t m = 0; m < SUBNET_METRIC_N; m++) {
		bool from_start = m == SUBNET_RESERVATION_CONFLICTS || m == SUBNET_LEASE_REUSES;

		show_statistic(fn, ctx, (struct stat_key){s->id, LEASE_ALL_POOLS, WHAT_SUBNET + m},
			       from_start ? STAT_COUNTER : STAT_LAZY,
			       (int64_t)snap->subnet_stats[s->index]->c[m]);
	}
	walk_pools(srv, s, fn, ctx);
}

/* --- histories -------------------------------------------------------------------------------- */

struct sampling {
	struct samples *samples;
	int64_t now_ns;
	bool changed;
};

static void see_statistic(void *ctx, const struct stat_now *v)
{
	struct sampling *k = ctx;

	k->changed |= samples_see(k->samples, v, k->now_ns);
}

bool stat_walk_sample(struct server *srv, size_t *from, size_t n_subnets, int64_t now_ns)
{
	struct sampling k = {srv->samples, now_ns, false};
	struct snapshot *snap = server_snapshot(srv);
	size_t n = snap ? snap->cfg->n_subnets : 0;

	stat_walk_server(srv, see_statistic, &k);
	for (size_t i = 0; i < n && i < n_subnets; i++) {
		*from = *from + 1 < n ? *from + 1 : 0;
		stat_walk_subnet(srv, snap, &snap->cfg->subnets[*from], see_statistic, &k);
	}
	snapshot_unref(snap);
	return k.changed;
}

static void restart_statistic(void *ctx, const struct stat_now *v)
{
	struct sampling *k = ctx;

	samples_restart(k->samples, v, k->now_ns);
}

void stat_walk_configured(struct server *srv, int64_t now_ns)
{
	struct sampling k = {srv->samples, now_ns, false};
	struct snapshot *snap = server_snapshot(srv);
	struct sample_limit limit;

	stat_walk_server(srv, see_statistic, &k);
	limit = (struct sample_limit){.by_age = snap->cfg->sample_count == 0};
	limit.n = limit.by_age ? snap->cfg->sample_age_s : snap->cfg->sample_count;
	samples_limit_all(srv->samples, limit);
	samples_configured(srv->samples, now_ns);
	for (size_t i = 0; i < snap->cfg->n_subnets; i++)
		stat_walk_subnet(srv, snap, &snap->cfg->subnets[i], restart_statistic, &k);
	snapshot_unref(snap);
}
