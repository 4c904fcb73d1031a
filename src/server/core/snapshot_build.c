/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Building a snapshot: hook libraries, pools of the lease table, counters, server identifiers.
 * Parts of the previous snapshot that the new configuration does not change are shared, so that a
 * reload neither reloads libraries nor walks leases without need.
 */
#include "server/core/snapshot.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/error.h"
#include "config/config.h"
#include "config/json/problems.h"
#include "hook/hook.h"
#include "lease/lease_db.h"
#include "server/core/server.h"
#include "wire/option_codes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool hooks_same(const struct config *a, const struct config *b)
{
	if (a->n_hooks != b->n_hooks)
		return false;
	for (size_t i = 0; i < a->n_hooks; i++)
		if (strcmp(a->hooks[i].library, b->hooks[i].library) != 0 ||
		    !json_equal(a->hooks[i].parameters, b->hooks[i].parameters))
			return false;
	return true;
}

/* The first problem, and the list of all problems; either may be NULL. */
struct problem_sink {
	struct config_problems *all;
	struct config_error *first;
	size_t n;
};

static void sink_add(void *ctx, const struct config_error *e)
{
	struct problem_sink *s = ctx;

	if (!s->n++ && s->first)
		*s->first = *e;
	if (s->all)
		config_problems_add(s->all, e);
}

static int build_hooks(struct server *srv, struct snapshot *s, const struct config *cfg,
		       const struct snapshot *prev, struct problem_sink *sink)
{
	struct hook_registry_opts o = {
		.problem = sink_add,
		.ctx = sink,
		.cfg = cfg,
		.log = srv->log,
		.builtins = srv->builtins,
		.is_command = srv->is_command,
		.clock = &srv->clock,
		.db = srv->db,
		.network = srv->network,
		.config_file = srv->config_file,
		.n_threads = srv->n_workers ? srv->n_workers : server_worker_count(cfg),
		.before = prev ? prev->hooks : NULL,
	};

	if (prev &&
	    (cfg->edited || (hooks_same(prev->cfg, cfg) && !hook_registry_reloads(prev->hooks)))) {
		s->hooks = hook_registry_ref(prev->hooks);
		return 0;
	}
	return hook_registry_new(&o, &s->hooks, &(struct config_error){0});
}

/* A reserved address and the subnet whose pools it concerns; 0: every subnet that looks up
 * global reservations. */
struct reserved {
	uint32_t addr, subnet_id;
};

static int cmp_reserved(const void *a, const void *b)
{
	const struct reserved *x = a;
	const struct reserved *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static struct reserved *reserved_addresses(const struct config *cfg, size_t *ret_n)
{
	struct reserved *r = calloc(cfg->n_hosts ? cfg->n_hosts : 1, sizeof(*r));
	size_t n = 0;

	for (size_t i = 0; r && i < cfg->n_hosts; i++)
		if (cfg->hosts[i].addr)
			r[n++] = (struct reserved){cfg->hosts[i].addr, cfg->hosts[i].subnet_id};
	if (r)
		qsort(r, n, sizeof(*r), cmp_reserved);
	*ret_n = n;
	return r;
}

static size_t lower_bound(const struct reserved *r, size_t n, uint32_t v)
{
	size_t lo = 0;

	while (n) {
		size_t half = n / 2;

		if (r[lo + half].addr < v) {
			lo += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return lo;
}

/* Returns whether the allocator of a subnet's pools leaves this address to its reservation. */
static bool is_barred_by(const struct config_subnet *s, const struct reserved *r)
{
	if (s->params.reservations_out_of_pool)
		return false; /* no reservation is in a pool */
	return r->subnet_id ? r->subnet_id == s->id && s->params.reservations_in_subnet
			    : s->params.reservations_global;
}

/* Sets the reserved addresses of a pool, each once, in arena. Returns 0 or -ENOMEM. */
static int pool_reserved(struct lease_pool_def *d, const struct config_subnet *s,
			 const struct reserved *r, size_t n, struct arena *arena)
{
	size_t from = lower_bound(r, n, d->first);
	size_t to = from;
	uint32_t *a;

	while (to < n && r[to].addr <= d->last)
		to++;
	if (to == from)
		return 0;
	a = arena_calloc(arena, to - from, sizeof(*a));
	if (!a)
		return -ENOMEM;
	for (size_t i = from; i < to; i++)
		if (is_barred_by(s, &r[i]) && (!d->n_reserved || a[d->n_reserved - 1] != r[i].addr))
			a[d->n_reserved++] = r[i].addr;
	d->reserved = d->n_reserved ? a : NULL;
	return 0;
}

static int pool_def(const struct config *cfg, size_t i, const struct reserved *reserved,
		    size_t n_reserved, struct arena *arena, struct lease_pool_def *d)
{
	const struct config_pool *p = cfg->pools[i];
	const struct config_subnet *s = cfg->pool_subnets[i];

	*d = (struct lease_pool_def){
		.first = p->first,
		.last = p->last,
		.subnet_id = s->id,
		.pool_id = p->pool_id,
		.allocator = (enum lease_allocator)s->params.allocator,
		.exclude_first_last_24 = cfg->exclude_first_last_24 && s->prefix_len <= 24,
	};
	return pool_reserved(d, s, reserved, n_reserved, arena);
}

static int build_pools(struct server *srv, struct snapshot *s, const struct config *cfg)
{
	struct lease_pool_def *defs = calloc(cfg->n_pools ? cfg->n_pools : 1, sizeof(*defs));
	size_t n_reserved = 0;
	struct reserved *reserved = reserved_addresses(cfg, &n_reserved);
	struct arena arena;
	int r = defs && reserved ? 0 : -ENOMEM;

	arena_init(&arena);
	for (size_t i = 0; r == 0 && i < cfg->n_pools; i++)
		r = pool_def(cfg, i, reserved, n_reserved, &arena, &defs[i]);
	if (r == 0)
		r = lease_pools_build(srv->db, defs, cfg->n_pools, &s->pools);
	arena_fini(&arena);
	free(defs);
	free(reserved);
	return r;
}

struct subnet_order {
	uint32_t id, index;
};

static int order_by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct subnet_order *)a)->id;
	uint32_t y = ((const struct subnet_order *)b)->id;

	return (x > y) - (x < y);
}

static int build_subnet_stats(struct server *srv, struct snapshot *s, const struct config *cfg)
{
	size_t n = cfg->n_subnets;
	auto_free struct subnet_order *order = calloc(n + 1, sizeof(*order));
	auto_free uint32_t *ids = calloc(n + 1, sizeof(*ids));
	auto_free struct subnet_stats **stats = calloc(n + 1, sizeof(struct subnet_stats *));

	s->subnet_stats = calloc(n + 1, sizeof(struct subnet_stats *));
	if (!s->subnet_stats || !order || !ids || !stats)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		order[i] = (struct subnet_order){cfg->subnets[i].id, (uint32_t)i};
	qsort(order, n, sizeof(*order), order_by_id);
	for (size_t i = 0; i < n; i++)
		ids[i] = order[i].id;
	if (server_subnet_stats(srv, ids, n, stats) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		s->subnet_stats[order[i].index] = stats[i];
	return 0;
}

static void add_server_id(struct snapshot *s, const struct config_options *o)
{
	const struct config_option *id = config_option_find(o, OPTION_SPACE_DHCP4,
							    DHCP4_OPT_SERVER_ID);

	if (id && id->data.n == 4) {
		struct rd r = rd_init(id->data);

		s->server_ids[s->n_server_ids++] = rd_be32(&r);
	}
}

static int build_server_ids(struct snapshot *s, const struct config *cfg)
{
	s->server_ids = calloc(cfg->n_subnets + cfg->n_networks + cfg->n_classes + 1,
			       sizeof(uint32_t));
	if (!s->server_ids)
		return -ENOMEM;
	add_server_id(s, &cfg->options);
	for (size_t i = 0; i < cfg->n_subnets; i++)
		add_server_id(s, &cfg->subnets[i].options);
	for (size_t i = 0; i < cfg->n_networks; i++)
		add_server_id(s, &cfg->networks[i].options);
	for (size_t i = 0; i < cfg->n_classes; i++)
		add_server_id(s, &cfg->classes[i].options);
	return 0;
}

/* Calls dhcp4_srv_configured. A library decides last, and refuses the configuration by DROP. */
static int call_configured(struct snapshot *s, const struct config *cfg, struct problem_sink *sink)
{
	struct config_error e = {0};
	struct usher_call c = {.point = HOOK_DHCP4_SRV_CONFIGURED,
			       .cfg = cfg,
			       .config_data = s->hook_data,
			       .edit = cfg->edited,
			       .refusal = &e};

	if (!hook_any(s->hooks, HOOK_DHCP4_SRV_CONFIGURED) || hook_call(s->hooks, &c) != USHER_DROP)
		return 0;
	if (!e.text[0])
		(void)config_error_set(&e, NULL, -USHER_E_HOOK,
				       "a hook library refused the configuration");
	sink_add(sink, &e);
	return -USHER_E_HOOK;
}

int snapshot_check(struct server *srv, const struct config *cfg, const struct snapshot *prev,
		   struct config_problems *problems, struct config_error *err)
{
	struct problem_sink sink = {problems, err, 0};
	struct snapshot s = {0};
	int r = snapshot_limits(cfg, sink_add, &sink) ? -USHER_E_LIMIT
						      : build_hooks(srv, &s, cfg, prev, &sink);

	hook_registry_unref(s.hooks);
	return r;
}

/* Builds subnets, server identifiers and pools, which fail for want of memory only. */
static int build_tables(struct server *srv, struct snapshot *s, const struct config *cfg,
			struct problem_sink *sink)
{
	struct config_error e = {0};
	int r = build_subnet_stats(srv, s, cfg);

	if (r == 0)
		r = build_server_ids(s, cfg);
	if (r == 0)
		r = build_pools(srv, s, cfg);
	if (r < 0) {
		(void)config_error_set(&e, NULL, r, "configuration cannot be applied: %s",
				       usher_strerror(r));
		sink_add(sink, &e);
	}
	return r;
}

int snapshot_build(struct server *srv, struct config *cfg, const struct snapshot *prev,
		   struct snapshot **ret, struct config_problems *problems,
		   struct config_error *err)
{
	struct problem_sink sink = {problems, err, 0};
	struct snapshot *s;
	int r;

	if (snapshot_limits(cfg, sink_add, &sink))
		return -USHER_E_LIMIT;
	s = calloc(1, sizeof(*s));
	if (!s)
		return config_error_set(err, NULL, -ENOMEM, "out of memory");
	s->refs = 1;
	s->affinity = cfg->flush_reclaimed_timer_wait_s && cfg->hold_reclaimed_s;
	r = build_tables(srv, s, cfg, &sink);
	/* code of libraries runs only for a configuration that is correct otherwise */
	if (r == 0)
		r = build_hooks(srv, s, cfg, prev, &sink);
	if (r == 0)
		r = call_configured(s, cfg, &sink);
	if (r < 0) {
		snapshot_unref(s); /* cfg remains the caller's: it is not in s yet */
		return r;
	}
	s->cfg = cfg;
	s->packet_memory = snapshot_packet_memory(cfg);
	*ret = s;
	return 0;
}
