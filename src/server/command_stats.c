/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands about statistics. A statistic is [[value, "time"]]: the sample taken when it is asked for.
 * Names are Kea's; every drop reason has a statistic of its own besides ("drop-…").
 */
#include "config/config.h"
#include "lease/lease_db.h"
#include "server/command.h"
#include "server/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The counters that come from the lease table, of a subnet or of all. */
static const struct {
	const char *name;
	size_t offset;
} lease_metrics[] = {
	{"assigned-addresses", offsetof(struct lease_counts, assigned)},
	{"cumulative-assigned-addresses", offsetof(struct lease_counts, cumulative_assigned)},
	{"declined-addresses", offsetof(struct lease_counts, declined)},
	{"reclaimed-declined-addresses", offsetof(struct lease_counts, reclaimed_declined)},
	{"reclaimed-leases", offsetof(struct lease_counts, reclaimed)},
};

static uint64_t count_at(const struct lease_counts *n, size_t i)
{
	uint64_t v;

	memcpy(&v, (const char *)n + lease_metrics[i].offset, sizeof(v));
	return v;
}

struct collect {
	struct command *c;
	struct json *out;
	const char *only;	/* NULL: all */
	char when[40];
};

static void stamp(struct collect *k)
{
	int64_t now = clock_wall_ns(&k->c->d->srv.clock);
	time_t s = (time_t)(now / NS_PER_S);
	struct tm tm;
	size_t n;

	(void)localtime_r(&s, &tm);
	n = strftime(k->when, sizeof(k->when), "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(k->when + n, sizeof(k->when) - n, ".%06d", (int)(now % NS_PER_S / 1000));
}

static void put(struct collect *k, const char *name, uint64_t value)
{
	struct arena *a = k->c->arena;
	struct json *sample;
	struct json *samples;

	if (k->only && strcmp(k->only, name) != 0)
		return;
	sample = json_list(a);
	(void)json_add(a, sample, NULL, json_int(a, (int64_t)value));
	(void)json_add(a, sample, NULL, json_str(a, k->when));
	samples = json_list(a);
	(void)json_add(a, samples, NULL, sample);
	(void)json_add(a, k->out, name, samples);
}

static void put_counts(struct collect *k, const char *prefix, const struct lease_counts *n)
{
	char name[160];

	for (size_t i = 0; i < ARRAY_LEN(lease_metrics); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", prefix, lease_metrics[i].name);
		put(k, name, count_at(n, i));
	}
}

static void put_global(struct collect *k)
{
	struct server *srv = &k->c->d->srv;
	struct lease_counts n;

	for (unsigned m = 0; m < METRIC_N; m++)
		put(k, metric_name((enum metric)m), server_metric(srv, (enum metric)m));
	for (unsigned d = 1; d < DROP_N; d++)
		put(k, drop_info((enum drop)d)->name, server_drop_count(srv, (enum drop)d));
	lease_db_counts(srv->db, 0, LEASE_ALL_POOLS, &n);
	put_counts(k, "", &n);
}

static uint64_t pool_size(const struct config_pool *p)
{
	return (uint64_t)p->last - p->first + 1;
}

static void put_pools(struct collect *k, const struct config_subnet *s)
{
	struct lease_counts n;
	char prefix[96];
	char name[160];

	for (size_t i = 0; i < s->n_pools; i++) {
		uint64_t total = 0;
		bool seen = false;

		/* pools that share a pool-id are one statistic */
		for (size_t j = 0; j < s->n_pools; j++) {
			if (s->pools[j].pool_id != s->pools[i].pool_id)
				continue;
			seen |= j < i;
			total += pool_size(&s->pools[j]);
		}
		if (seen)
			continue;
		(void)snprintf(prefix, sizeof(prefix), "subnet[%u].pool[%u].", s->id, s->pools[i].pool_id);
		(void)snprintf(name, sizeof(name), "%stotal-addresses", prefix);
		put(k, name, total);
		lease_db_counts(k->c->d->srv.db, s->id, s->pools[i].pool_id, &n);
		put_counts(k, prefix, &n);
	}
}

static uint64_t subnet_total(const struct config_subnet *s)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->n_pools; i++)
		total += pool_size(&s->pools[i]);
	return total;
}

static void put_subnet(struct collect *k, const struct snapshot *snap, const struct config_subnet *s)
{
	struct lease_counts n;
	char prefix[64];
	char name[160];

	(void)snprintf(prefix, sizeof(prefix), "subnet[%u].", s->id);
	(void)snprintf(name, sizeof(name), "%stotal-addresses", prefix);
	put(k, name, subnet_total(s));
	lease_db_counts(k->c->d->srv.db, s->id, LEASE_ALL_POOLS, &n);
	put_counts(k, prefix, &n);
	for (unsigned m = 0; m < SUBNET_METRIC_N; m++) {
		(void)snprintf(name, sizeof(name), "%s%s", prefix,
			       metric_name(subnet_metric_global((enum subnet_metric)m)));
		put(k, name, snap->subnet_stats[s->index]->c[m]);
	}
	put_pools(k, s);
}

/* Only the subnet that is asked for: ten thousand subnets must not make one name slow. */
static bool subnet_asked(const struct collect *k, const struct config_subnet *s)
{
	if (!k->only)
		return true;
	if (strncmp(k->only, "subnet[", 7) != 0)
		return false;
	return strtoul(k->only + 7, NULL, 10) == s->id;
}

static void collect(struct collect *k)
{
	struct snapshot *snap = server_snapshot(&k->c->d->srv);

	stamp(k);
	k->out = json_map(k->c->arena);
	put_global(k);
	for (size_t i = 0; i < snap->cfg->n_subnets; i++)
		if (subnet_asked(k, &snap->cfg->subnets[i]))
			put_subnet(k, snap, &snap->cfg->subnets[i]);
	snapshot_unref(snap);
}

struct json *command_statistic_get_all(struct command *c)
{
	struct collect k = {.c = c};

	collect(&k);
	return command_ok(c, k.out, "%s", "");
}

struct json *command_statistic_get(struct command *c)
{
	struct collect k = {.c = c, .only = command_str(c, "name")};

	if (!k.only)
		return command_fail(c, "'name' (of a statistic) is missing");
	collect(&k);
	return command_ok(c, k.out, "%s", "");
}

struct json *command_statistic_reset(struct command *c)
{
	const char *name = command_str(c, "name");
	struct server *srv = &c->d->srv;
	enum metric m;

	if (!name)
		return command_fail(c, "'name' (of a statistic) is missing");
	m = metric_by_name(name);
	if (m != METRIC_N) {
		server_metric_reset(srv, m);
		return command_ok(c, NULL, "Statistic '%s' reset.", name);
	}
	for (unsigned d = 1; d < DROP_N; d++) {
		if (strcmp(drop_info((enum drop)d)->name, name) == 0) {
			server_drop_reset(srv, (enum drop)d);
			return command_ok(c, NULL, "Statistic '%s' reset.", name);
		}
	}
	return command_fail(c, "No '%s' statistic found that can be reset", name);
}

struct json *command_statistic_reset_all(struct command *c)
{
	struct server *srv = &c->d->srv;

	for (unsigned m = 0; m < METRIC_N; m++)
		server_metric_reset(srv, (enum metric)m);
	for (unsigned d = 1; d < DROP_N; d++)
		server_drop_reset(srv, (enum drop)d);
	return command_ok(c, NULL, "All statistics reset to neutral values.");
}

/* --- stat-lease4-get ------------------------------------------------------------------------------- */

static void stat_row(struct command *c, struct json *rows, const struct config_subnet *s)
{
	struct json *row = json_list(c->arena);
	struct lease_counts n;

	lease_db_counts(c->d->srv.db, s->id, LEASE_ALL_POOLS, &n);
	(void)json_add(c->arena, row, NULL, json_int(c->arena, s->id));
	(void)json_add(c->arena, row, NULL, json_int(c->arena, (int64_t)subnet_total(s)));
	(void)json_add(c->arena, row, NULL, json_int(c->arena, (int64_t)n.cumulative_assigned));
	(void)json_add(c->arena, row, NULL, json_int(c->arena, (int64_t)n.assigned));
	(void)json_add(c->arena, row, NULL, json_int(c->arena, (int64_t)n.declined));
	(void)json_add(c->arena, rows, NULL, row);
}

/* Which subnets: one, a range, all. NULL, or the answer that refuses. */
static struct json *stat_range(struct command *c, int64_t *first, int64_t *last)
{
	const struct json *range = json_get(c->args, "subnet-range");

	*first = 0;
	*last = UINT32_MAX;
	if (json_get(c->args, "subnet-id")) {
		if (range)
			return command_fail(c, "'subnet-id' and 'subnet-range' exclude each other");
		if (!command_int(c, "subnet-id", first) || *first <= 0)
			return command_fail(c, "'subnet-id' must be a positive integer");
		*last = *first;
	} else if (range) {
		if (!json_get_int(range, "first-subnet-id", first) || !json_get_int(range, "last-subnet-id", last) ||
		    *first > *last)
			return command_fail(c, "'subnet-range' must hold first-subnet-id <= last-subnet-id");
	}
	return NULL;
}

struct json *command_stat_lease4(struct command *c)
{
	static const char *const columns[] = {"subnet-id", "total-addresses", "cumulative-assigned-addresses",
					      "assigned-addresses", "declined-addresses"};
	struct arena *a = c->arena;
	struct json *rows = json_list(a);
	struct json *cols = json_list(a);
	struct json *set = json_map(a);
	struct json *args = json_map(a);
	struct collect k = {.c = c};
	struct snapshot *s;
	struct json *bad;
	int64_t first;
	int64_t last;

	bad = stat_range(c, &first, &last);
	if (bad)
		return bad;
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		(void)json_add(a, cols, NULL, json_str(a, columns[i]));
	s = server_snapshot(&c->d->srv);
	for (size_t i = 0; i < s->cfg->n_subnets; i++)
		if (s->cfg->subnets[i].id >= first && s->cfg->subnets[i].id <= last)
			stat_row(c, rows, &s->cfg->subnets[i]);
	snapshot_unref(s);
	stamp(&k);
	(void)json_add(a, set, "columns", cols);
	(void)json_add(a, set, "rows", rows);
	(void)json_add(a, set, "timestamp", json_str(a, k.when));
	(void)json_add(a, args, "result-set", set);
	if (!rows->count) {
		struct json *m = control_answer(a, CONTROL_EMPTY, "stat-lease4-get: 0 rows found");

		(void)json_add(a, m, "arguments", args);
		return m;
	}
	return command_ok(c, args, "stat-lease4-get: %zu rows found", rows->count);
}
