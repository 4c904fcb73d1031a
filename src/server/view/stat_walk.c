/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One enumeration of all statistics: global counters, drops, counters of the lease table, sizes of
 * pools, counters of subnets.
 */
#include "server/view/stat_walk.h"

#include "config/config.h"
#include "hook/hook_cost.h"
#include "server/core/server.h"
#include "server/core/snapshot.h"

#include <stdio.h>
#include <string.h>

/* The counters that come from the lease table, of a pool, a subnet or all. */
static const struct {
	const char *name;
	size_t offset;
	enum stat_kind kind; /* of a subnet's */
	enum metric_family family[STAT_OF_POOL + 1];
} lease_metrics[] = {
#define LEASE_METRIC(member, name, kind, server, subnet, pool) \
	{(name),                                               \
	 offsetof(struct lease_counts, member),                \
	 STAT_##kind,                                          \
	 {[STAT_OF_SERVER] = FAMILY_##server,                  \
	  [STAT_OF_SUBNET] = FAMILY_##subnet,                  \
	  [STAT_OF_POOL] = FAMILY_##pool}},
#include "server/core/metrics.def"
#undef LEASE_METRIC
};

/* The counters of a subnet that are not in the lease table. */
static const struct {
	enum stat_kind kind;
	enum metric_family family, second;
	const char *context; /* label of the second family */
} subnet_metrics[] = {
#define SUBNET_METRIC(symbol, kind, family, second, context) \
	{STAT_##kind, FAMILY_##family, FAMILY_##second, (context)},
#include "server/core/metrics.def"
#undef SUBNET_METRIC
};

/* The families of global counters. */
static const struct {
	enum metric_family family;
	const char *operation;
} global_metrics[] = {
#define METRIC(symbol, name, family, operation) {FAMILY_##family, (operation)},
#include "server/core/metrics.def"
#undef METRIC
};

static int64_t count_at(const struct lease_counts *n, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)n + lease_metrics[i].offset, sizeof(v));
	return (int64_t)v;
}

static const char *what_name(uint32_t what)
{
	if (what < STAT_DROP)
		return metric_name((enum metric)(what - STAT_METRIC));
	if (what < STAT_LEASES)
		return drop_info((enum drop)(what - STAT_DROP))->name;
	if (what < STAT_TOTAL)
		return lease_metrics[what - STAT_LEASES].name;
	if (what == STAT_TOTAL)
		return "total-addresses";
	return metric_name(subnet_metric_global((enum subnet_metric)(what - STAT_SUBNET)));
}

const char *stat_name(const struct stat_now *v, char out[STAT_NAME_LEN])
{
	const struct stat_key *k = &v->key;

	if (v->name)
		(void)snprintf(out, STAT_NAME_LEN, "%s", v->name);
	else if (!k->subnet)
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
	struct stat_now v = {.key = k, .kind = kind, .raw = raw};

	fn(ctx, &v);
}

static void show_leases(struct server *srv, uint32_t subnet, uint32_t pool, stat_fn fn, void *ctx)
{
	struct lease_counts n;

	lease_db_counts(srv->db, subnet, pool, &n);
	for (uint32_t i = 0; i < ARRAY_LEN(lease_metrics); i++)
		show_statistic(fn, ctx, (struct stat_key){subnet, pool, STAT_LEASES + i},
			       subnet ? lease_metrics[i].kind : STAT_COUNTER, count_at(&n, i));
}

void stat_walk_server(struct server *srv, stat_fn fn, void *ctx)
{
	for (uint32_t m = 0; m < METRIC_N; m++)
		show_statistic(fn, ctx, (struct stat_key){0, LEASE_ALL_POOLS, STAT_METRIC + m},
			       STAT_COUNTER, (int64_t)server_metric(srv, (enum metric)m));
	for (uint32_t d = 1; d < DROP_N; d++)
		show_statistic(fn, ctx, (struct stat_key){0, LEASE_ALL_POOLS, STAT_DROP + d},
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
		show_statistic(fn, ctx, (struct stat_key){s->id, id, STAT_TOTAL}, STAT_SIZE,
			       (int64_t)total);
		show_leases(srv, s->id, id, fn, ctx);
	}
}

static void show_counters(const struct subnet_stats *s, stat_fn fn, void *ctx)
{
	for (uint32_t m = 0; m < SUBNET_METRIC_N; m++)
		show_statistic(fn, ctx,
			       (struct stat_key){s->subnet_id, LEASE_ALL_POOLS, STAT_SUBNET + m},
			       subnet_metrics[m].kind, (int64_t)s->c[m]);
}

void stat_walk_subnet(struct server *srv, const struct snapshot *snap,
		      const struct config_subnet *s, stat_fn fn, void *ctx)
{
	show_statistic(fn, ctx, (struct stat_key){s->id, LEASE_ALL_POOLS, STAT_TOTAL}, STAT_SIZE,
		       (int64_t)stat_subnet_size(s));
	show_leases(srv, s->id, LEASE_ALL_POOLS, fn, ctx);
	show_counters(snap->subnet_stats[s->index], fn, ctx);
	walk_pools(srv, s, fn, ctx);
}

void stat_walk_removed(struct server *srv, const struct snapshot *snap, uint32_t subnet, stat_fn fn,
		       void *ctx)
{
	for (const struct subnet_stats *s = srv->subnet_stats; s; s = s->next)
		if ((subnet == UINT32_MAX || s->subnet_id == subnet) &&
		    !config_subnet_by_id(snap->cfg, s->subnet_id))
			show_counters(s, fn, ctx);
}

/* --- hook libraries --------------------------------------------------------------------------- */

struct showing {
	uint32_t subnet;
	stat_fn fn;
	void *ctx;
};

static void show_library(void *showing, const struct hook_statistic *s)
{
	const struct showing *k = showing;
	struct stat_now v = {.key = {s->subnet_id, LEASE_ALL_POOLS, STAT_OF_LIBRARIES + s->number},
			     .kind = STAT_LAZY,
			     .raw = s->value,
			     .name = s->name};

	if (k->subnet == UINT32_MAX || k->subnet == s->subnet_id)
		k->fn(k->ctx, &v);
}

void stat_walk_libraries(const struct snapshot *snap, uint32_t subnet, stat_fn fn, void *ctx)
{
	struct showing k = {subnet, fn, ctx};

	hook_statistics_each(snap->hooks, show_library, &k);
}

/* --- places in the metrics -------------------------------------------------------------------- */

static unsigned put_series(struct stat_series ret[2], enum metric_family family, const char *label,
			   const char *value)
{
	if (family == FAMILY_NONE)
		return 0;
	*ret = (struct stat_series){family, value[0] ? label : "", value};
	return 1;
}

unsigned stat_find_series(uint32_t what, enum stat_scope scope, struct stat_series ret[2])
{
	uint32_t m = what - STAT_SUBNET;
	unsigned n;

	if (what < STAT_DROP)
		return put_series(ret, global_metrics[what].family, "operation",
				  global_metrics[what].operation);
	if (what == STAT_DROP) /* DROP_NONE */
		return 0;
	if (what < STAT_LEASES)
		return put_series(ret, FAMILY_PACKETS_DROPPED, "reason",
				  drop_info((enum drop)(what - STAT_DROP))->name + sizeof("drop-") -
					  1);
	if (what < STAT_TOTAL)
		return put_series(ret, lease_metrics[what - STAT_LEASES].family[scope], "", "");
	if (what == STAT_TOTAL)
		return put_series(ret, scope == STAT_OF_POOL ? FAMILY_POOL_TOTAL : FAMILY_TOTAL, "",
				  "");
	n = put_series(ret, subnet_metrics[m].family, "", "");
	return n +
	       put_series(ret + n, subnet_metrics[m].second, "context", subnet_metrics[m].context);
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
	if (snap)
		stat_walk_libraries(snap, UINT32_MAX, see_statistic, &k);
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
