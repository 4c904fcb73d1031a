/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared by workers and management: publishing of snapshots and interface tables, sums of
 * statistics, and the housekeeping of expired leases.
 */
#include "server/core/server.h"

#include "base/log.h"
#include "base/rng.h"
#include "config/config.h"
#include "hook/hook.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "runtime/iface.h"
#include "server/core/name_change.h"
#include "server/core/same_client.h"
#include "server/core/samples.h"
#include "server/core/snapshot.h"
#include "server/core/trace.h"
#include "wire/dhcp4.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void seed_key(struct server *srv, uint64_t seed)
{
	struct rng r;

	if (seed)
		rng_seed(&r, seed);
	else
		rng_seed_system(&r);
	srv->hash_key = (struct hash_key){rng_u64(&r), rng_u64(&r)};
}

int server_init(struct server *srv, const struct server_opts *o)
{
	struct lease_db_opts db = {.offer_hold_s = o->offer_hold_s ? o->offer_hold_s : 10};
	int r;

	memset(srv, 0, sizeof(*srv));
	srv->clock = o->clock;
	srv->log = o->log;
	srv->server_port = o->server_port ? o->server_port : DHCP4_SERVER_PORT;
	srv->client_port = o->client_port ? o->client_port : DHCP4_CLIENT_PORT;
	srv->builtins = o->builtins;
	srv->network = o->network;
	srv->is_command = o->is_command;
	srv->config_file = o->config_file;
	srv->started_ns = clock_wall_ns(&o->clock);
	srv->reloaded_ns = srv->started_ns;
	(void)pthread_mutex_init(&srv->lock, NULL);
	seed_key(srv, o->seed);
	stats_causes(srv->drop_cause);
	srv->mgmt_stats.cause = srv->drop_cause;
	db.clock = &srv->clock;
	db.hash_key = srv->hash_key;
	db.seed = o->seed ? o->seed : srv->hash_key.k0;
	r = lease_db_new(&db, &srv->db);
	if (r == 0)
		r = same_client_new(&srv->hash_key, &srv->same_client);
	if (r == 0)
		r = tracer_new(&srv->tracer);
	if (r == 0) {
		srv->samples = samples_new(srv->started_ns);
		r = srv->samples ? 0 : -ENOMEM;
	}
	if (r < 0)
		server_fini(srv);
	return r;
}

void server_drop_snapshots(struct server *srv)
{
	snapshot_unref(srv->snap);
	srv->snap = NULL;
	while (srv->retired) {
		struct snapshot *next = srv->retired->next_retired;

		snapshot_unref(srv->retired);
		srv->retired = next;
	}
}

void server_fini(struct server *srv)
{
	server_drop_snapshots(srv);
	iface_table_unref(srv->ifaces);
	if (srv->store)
		lease_store_close(srv->store);
	lease_db_free(srv->db);
	same_client_free(srv->same_client);
	tracer_free(srv->tracer);
	samples_free(srv->samples);
	while (srv->subnet_stats) {
		struct subnet_stats *next = srv->subnet_stats->next;

		free(srv->subnet_stats);
		srv->subnet_stats = next;
	}
	(void)pthread_mutex_destroy(&srv->lock);
	memset(srv, 0, sizeof(*srv));
}

unsigned server_worker_count(const struct config *cfg)
{
	long n = cfg->multi_threading ? (long)cfg->thread_pool_size : 1;

	if (n == 0)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > SERVER_MAX_WORKERS ? SERVER_MAX_WORKERS : (unsigned)n;
}

void server_publish_snapshot(struct server *srv, struct snapshot *s)
{
	struct snapshot *old;

	(void)pthread_mutex_lock(&srv->lock);
	old = srv->snap;
	srv->snap = s;
	(void)atomic_fetch_add(&srv->generation, 1);
	(void)pthread_mutex_unlock(&srv->lock);
	server_free_retired(srv);
	if (!old)
		return;
	if (old->hooks != s->hooks)
		hook_registry_retire(old->hooks);
	old->next_retired = srv->retired;
	srv->retired = old;
}

void server_free_retired(struct server *srv)
{
	struct snapshot **p = &srv->retired;

	while (*p) {
		struct snapshot *s = *p;

		/* a retired one gets no new references: ours remains the last one */
		if (s->refs > 1) {
			p = &s->next_retired;
			continue;
		}
		*p = s->next_retired;
		snapshot_unref(s);
	}
}

void server_publish_ifaces(struct server *srv, struct iface_table *t)
{
	struct iface_table *old;

	(void)pthread_mutex_lock(&srv->lock);
	old = srv->ifaces;
	srv->ifaces = t;
	(void)atomic_fetch_add(&srv->generation, 1);
	(void)pthread_mutex_unlock(&srv->lock);
	iface_table_unref(old);
}

struct snapshot *server_snapshot(struct server *srv)
{
	struct snapshot *s;

	(void)pthread_mutex_lock(&srv->lock);
	s = snapshot_ref(srv->snap);
	(void)pthread_mutex_unlock(&srv->lock);
	return s;
}

struct iface_table *server_ifaces(struct server *srv)
{
	struct iface_table *t;

	(void)pthread_mutex_lock(&srv->lock);
	t = iface_table_ref(srv->ifaces);
	(void)pthread_mutex_unlock(&srv->lock);
	return t;
}

int server_subnet_stats(struct server *srv, const uint32_t *ids, size_t n,
			struct subnet_stats **ret)
{
	struct subnet_stats **p = &srv->subnet_stats;
	size_t i;

	(void)pthread_mutex_lock(&srv->lock);
	for (i = 0; i < n; i++) {
		while (*p && (*p)->subnet_id < ids[i])
			p = &(*p)->next;
		if (!*p || (*p)->subnet_id != ids[i]) {
			struct subnet_stats *s = calloc(1, sizeof(*s));

			if (!s)
				break;
			s->subnet_id = ids[i];
			s->next = *p;
			*p = s;
		}
		ret[i] = *p;
	}
	(void)pthread_mutex_unlock(&srv->lock);
	return i < n ? -ENOMEM : 0;
}

static uint64_t load_counter(const _Atomic uint64_t *v)
{
	return atomic_load_explicit(v, memory_order_relaxed);
}

uint64_t server_metric(struct server *srv, enum metric m)
{
	uint64_t n = load_counter(&srv->mgmt_stats.metric[m]);

	for (unsigned i = 0; i < srv->n_workers; i++)
		n += load_counter(&srv->worker_stats[i]->metric[m]);
	return n;
}

uint64_t server_drop_count(struct server *srv, enum drop d)
{
	uint64_t n = load_counter(&srv->mgmt_stats.drop[d]);

	for (unsigned i = 0; i < srv->n_workers; i++)
		n += load_counter(&srv->worker_stats[i]->drop[d]);
	return n;
}

void server_sample_soon(struct server *srv)
{
	uint64_t one = 1;

	if (!atomic_load_explicit(&srv->sample_wanted, memory_order_relaxed) ||
	    !atomic_exchange(&srv->sample_wanted, false))
		return;
	(void)!write(srv->sample_fd, &one, sizeof(one));
}

/* --- expired leases --------------------------------------------------------------------------- */

struct reclaim_ctx {
	struct server *srv;
	struct snapshot *snap;
	bool remove;
};

/* Calls lease4_expire, or lease4_recover for a declined address. Returns false on SKIP: the
 * callout takes the lease over. */
static bool reclaim_hook(void *ctx, const struct lease *l)
{
	struct reclaim_ctx *r = ctx;
	enum hook_point p = l->state == LEASE_DECLINED ? HOOK_LEASE4_RECOVER : HOOK_LEASE4_EXPIRE;
	struct lease copy = *l;
	struct usher_call c = {.point = p,
			       .lease = &copy,
			       .remove_lease = r->remove,
			       .subnet_id = l->subnet_id,
			       .cfg = r->snap->cfg};

	if (!hook_any(r->snap->hooks, p))
		return true;
	return hook_call(r->snap->hooks, &c) != USHER_SKIP;
}

/* Removes the name of a reclaimed lease from the DNS. */
static void reclaimed(void *ctx, const struct lease *old)
{
	struct reclaim_ctx *r = ctx;

	(void)name_change_now(r->srv, r->snap->cfg, DDNS_REMOVE, old);
}

bool server_reclaim(struct server *srv, bool remove, uint32_t max_leases, uint32_t max_ms)
{
	struct reclaim_ctx ctx = {srv, server_snapshot(srv), remove};
	struct lease_reclaim_opts o = {
		.max_leases = max_leases,
		.max_ns = max_ms * NS_PER_MS,
		.remove = remove,
		.before = reclaim_hook,
		.ctx = &ctx,
	};
	bool more = false;
	size_t n;

	lease_db_expire_holds(srv->db);
	if (ctx.snap && ctx.snap->cfg->ddns.enabled)
		o.after = reclaimed;
	if (ctx.snap && (!srv->store || lease_store_up(srv->store))) {
		n = lease_db_reclaim(srv->db, &o, &more);
		if (n)
			log_msg(srv->log, LOG_ALLOC_ENGINE_V4_LEASES_RECLAMATION_COMPLETE,
				"reclaimed %zu leases%s", n, more ? ", more are due" : "");
	}
	snapshot_unref(ctx.snap);
	return more;
}

void server_flush_reclaimed(struct server *srv)
{
	struct snapshot *snap = server_snapshot(srv);
	size_t n = 0;

	if (snap && (!srv->store || lease_store_up(srv->store)))
		n = lease_db_flush_reclaimed(srv->db, snap->cfg->hold_reclaimed_s, 10000);
	if (n)
		log_msg(srv->log, LOG_ALLOC_ENGINE_V4_RECLAIMED_LEASES_DELETE,
			"deleted %zu reclaimed leases", n);
	snapshot_unref(snap);
}
