/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Housekeeping timers: expired-leases-processing, lease file clean-up, socket retries,
 * dhcp-disable's end. Their periods come from the current configuration each time they fire.
 */
#include "base/log.h"
#include "config/config.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "runtime/loop.h"
#include "server/manage/daemon_impl.h"
#include "server/core/snapshot.h"
#include "server/worker/worker.h"

#include <stdatomic.h>

/* Arms a timer from its last expiry; a new period begins now. A reload without changes leaves
 * the timer as it is. */
static void arm_periodic(struct daemon_periodic *p, uint32_t s, bool fired)
{
	if (!fired && s == p->period_s)
		return;
	p->period_s = s;
	loop_timer_set(p->timer, s ? s * NS_PER_S : -1);
}

static void on_reclaim(void *ctx)
{
	struct server_daemon *d = ctx;
	struct snapshot *s = server_snapshot(&d->srv);

	if (!server_reclaim(&d->srv, s->cfg->hold_reclaimed_s == 0, s->cfg->max_reclaim_leases,
			    s->cfg->max_reclaim_ms))
		d->reclaim_cycles_behind = 0;
	else if (++d->reclaim_cycles_behind == s->cfg->unwarned_reclaim_cycles &&
		 d->reclaim_cycles_behind)
		log_msg(d->srv.log, LOG_ALLOC_ENGINE_V4_LEASES_RECLAMATION_SLOW,
			"expired leases were left over %u times: max-reclaim-leases or max-reclaim-time is too small",
			d->reclaim_cycles_behind);
	arm_periodic(&d->reclaim, s->cfg->reclaim_timer_wait_s, true);
	snapshot_unref(s);
}

static void on_flush(void *ctx)
{
	struct server_daemon *d = ctx;
	struct snapshot *s = server_snapshot(&d->srv);

	server_flush_reclaimed(&d->srv);
	arm_periodic(&d->flush, s->cfg->flush_reclaimed_timer_wait_s, true);
	snapshot_unref(s);
}

static void on_lfc(void *ctx)
{
	struct server_daemon *d = ctx;
	struct snapshot *s = server_snapshot(&d->srv);

	if (d->srv.store && s->cfg->persist && !s->cfg->lease_database)
		(void)!lease_store_cleanup(d->srv.store);
	arm_periodic(&d->lfc, s->cfg->lfc_interval, true);
	snapshot_unref(s);
}

static void on_retry(void *ctx)
{
	daemon_sync_ports(ctx);
}

/* Called when the time of one origin is over; service that others disabled stays disabled. */
static void on_enable(void *ctx)
{
	const struct daemon_enable *e = ctx;

	(void)atomic_fetch_and(&e->d->srv.disabled, ~e->bit);
}

static void on_second(void *ctx)
{
	struct server_daemon *d = ctx;
	uint64_t lost = log_lost(d->srv.log);

	lease_db_expire_holds(d->srv.db);
	server_free_retired(&d->srv);
	daemon_queue_update(d);
	for (unsigned i = 0; i < d->srv.n_workers; i++)
		worker_ask_drops(d->srv.workers[i]);
	if (lost != d->log_lost_seen) {
		log_msg(d->srv.log, LOG_USHER_LOG_LINES_LOST,
			"%llu log lines were lost: an output was blocked",
			(unsigned long long)(lost - d->log_lost_seen));
		d->log_lost_seen = lost;
	}
	daemon_absent_check(d, false);
	loop_timer_set(d->second, NS_PER_S);
}

static void make_timer(struct server_daemon *d, struct loop_timer **t, loop_timer_fn fn)
{
	if (!*t)
		(void)!loop_timer_new(d->loop, fn, d, t);
}

void daemon_timers(struct server_daemon *d)
{
	struct snapshot *s = server_snapshot(&d->srv);

	make_timer(d, &d->reclaim.timer, on_reclaim);
	make_timer(d, &d->flush.timer, on_flush);
	make_timer(d, &d->lfc.timer, on_lfc);
	make_timer(d, &d->second, on_second);
	arm_periodic(&d->reclaim, s->cfg->reclaim_timer_wait_s, false);
	arm_periodic(&d->flush, s->cfg->flush_reclaimed_timer_wait_s, false);
	arm_periodic(&d->lfc, s->cfg->lfc_interval, false);
	loop_timer_set(d->second, NS_PER_S);
	make_timer(d, &d->retry, on_retry);
	snapshot_unref(s);
}

void daemon_enable_after(struct server_daemon *d, unsigned origins, uint32_t s)
{
	for (unsigned i = 0; i < DAEMON_ORIGINS; i++) {
		struct daemon_enable *e = &d->enable[i];

		if (!(origins >> i & 1))
			continue;
		*e = (struct daemon_enable){d, e->timer, 1U << i};
		if (!e->timer && s)
			(void)!loop_timer_new(d->loop, on_enable, e, &e->timer);
		if (e->timer)
			loop_timer_set(e->timer, s ? s * NS_PER_S : -1);
	}
}
