/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The store's thread: its loop has the connection, the wake-ups of workers, and a timer. It decides
 * when the store is up and down, and applies the policy of on-fail.
 */
#include "lease/postgresql/pg_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The time that rows have to become durable when the store is closed. */
static const int64_t end_ns = 2 * NS_PER_S;

static const char *place_of(struct pg_store *p)
{
	return p->load.place;
}

/* --- state ------------------------------------------------------------------------------------- */

/* Returns the number up to which all rows are decided. */
static uint64_t decided_up_to(struct pg_store *p)
{
	if (p->n_batches)
		return p->batch[p->oldest].first_seq - 1;
	if (p->taken_rows)
		return pg_row_at(&p->taken, p->taken_at)->seq - 1;
	return p->pending_rows ? pg_row_at(&p->pending, 0)->seq - 1 : p->seq;
}

void pg_publish(struct pg_store *p)
{
	bool up;

	(void)pthread_mutex_lock(&p->mu);
	p->store.durable = decided_up_to(p);
	up = !p->store.up && p->attached && p->connected && p->store.durable >= p->up_at;
	if (up)
		p->store.up = true;
	(void)pthread_cond_broadcast(&p->moved);
	(void)pthread_mutex_unlock(&p->mu);
	if (up)
		log_msg(p->o.log, LOG_DHCP4_DB_RECONNECT_SUCCEEDED, "database %s is used again",
			place_of(p));
	lease_store_moved(&p->store);
}

void pg_go_down(struct pg_store *p, const char *why)
{
	bool was_up;

	(void)pthread_mutex_lock(&p->mu);
	was_up = p->store.up;
	p->up_at = UINT64_MAX;
	if (was_up) {
		p->store.up = false;
		(void)atomic_fetch_add(&p->store.epoch, 1);
		p->stats.errors++;
	}
	(void)pthread_cond_broadcast(&p->moved);
	(void)pthread_mutex_unlock(&p->mu);
	if (!was_up)
		return;
	log_msg(p->o.log, LOG_DHCP4_DB_RECONNECT_LOST_CONNECTION, "database %s cannot be used: %s",
		place_of(p), why);
	lease_store_moved(&p->store);
}

void pg_opened(struct pg_store *p, int result, const char *why)
{
	uint64_t leases;

	if (p->store.opening != 1)
		return;
	if (result == 0) {
		/* in this order: a thread that sees the store up may change the table */
		lease_db_attach(p->db, &p->store);
		p->attached = true;
		p->store.up = true;
	}
	leases = lease_db_size(p->db); /* the table's lock comes before mu */
	(void)pthread_mutex_lock(&p->mu);
	p->load.leases = leases;
	(void)snprintf(p->load.why, sizeof(p->load.why), "%s", why);
	p->store.opening = result;
	(void)pthread_cond_broadcast(&p->moved);
	(void)pthread_mutex_unlock(&p->mu);
	lease_store_moved(&p->store);
	pg_send_batches(p);
}

/* --- the connection ---------------------------------------------------------------------------- */

static void on_prepared(void *ctx, const struct database_result *r)
{
	struct pg_store *p = ctx;

	if (database_fault(r) != DATABASE_OK) {
		database_reset(p->database, database_error(r));
		return;
	}
	p->connected = true;
	p->failures = 0;
	if (!p->attached) {
		p->loading = true;
		pg_load_next(p);
		return;
	}
	(void)pthread_mutex_lock(&p->mu);
	p->up_at = p->seq;
	(void)pthread_mutex_unlock(&p->mu);
	pg_publish(p);
	pg_send_batches(p);
}

static void on_connected(void *ctx)
{
	struct pg_store *p = ctx;
	int r = pg_prepare(p);

	if (r == 0)
		r = database_sync(p->database, on_prepared, p);
	if (r < 0)
		database_reset(p->database, usher_strerror(r));
}

/* Returns whether the policy ends the server now. */
static bool has_given_up(const struct pg_store *p, bool for_good)
{
	const struct config_database *c = p->o.config;

	if (!p->attached && (for_good || !c->retry_on_startup))
		return true;
	return c->on_fail != ON_FAIL_SERVE_RETRY_CONTINUE && p->failures >= c->max_tries;
}

static void on_down(void *ctx, const char *why, bool was_up, bool for_good)
{
	struct pg_store *p = ctx;

	p->connected = p->loading = false;
	p->store.idle = p->store.gathering = false;
	pg_batches_lost(p);
	p->failures += !was_up;
	if (!was_up && strcmp(why, p->last_why) != 0)
		log_msg(p->o.log, LOG_PGSQL_LB_DB_RECONNECT_ATTEMPT_FAILED,
			"database %s cannot be reached, and is tried again: %s", place_of(p), why);
	(void)snprintf(p->last_why, sizeof(p->last_why), "%s", was_up ? "" : why);
	pg_go_down(p, why);
	if (p->given_up || !has_given_up(p, for_good))
		return;
	p->given_up = true;
	if (!p->attached) {
		pg_opened(p, -USHER_E_STORE_DOWN, why);
		return;
	}
	log_msg(p->o.log, LOG_DHCP4_DB_RECONNECT_FAILED,
		"database %s: the server ends, because of on-fail and max-reconnect-tries %u",
		place_of(p), p->o.config->max_tries);
	if (p->o.give_up)
		p->o.give_up(p->o.ctx);
}

/* --- the loop ----------------------------------------------------------------------------------- */

/* Ends the loop when nothing is to be written any more, or it cannot be written in time. */
static void check_end(struct pg_store *p)
{
	bool stop;

	(void)pthread_mutex_lock(&p->mu);
	stop = p->stop;
	(void)pthread_mutex_unlock(&p->mu);
	if (!stop)
		return;
	if (!p->end_at_ns)
		p->end_at_ns = clock_mono_ns(&clock_system) + end_ns;
	if (!p->connected || p->loading || !pg_has_rows(p) ||
	    clock_mono_ns(&clock_system) >= p->end_at_ns)
		loop_stop(p->loop);
	else
		loop_timer_set(p->timer, 10 * NS_PER_MS);
}

/* Takes the store down while more rows wait than may: workers make no more until they are written.
 */
static void check_pending(struct pg_store *p)
{
	bool full;

	(void)pthread_mutex_lock(&p->mu);
	full = p->pending.len > PG_PENDING_MAX;
	(void)pthread_mutex_unlock(&p->mu);
	if (!full || !p->store.up)
		return;
	pg_go_down(p, "it is too slow, and too many rows wait for it");
	(void)pthread_mutex_lock(&p->mu);
	p->up_at = p->seq;
	(void)pthread_mutex_unlock(&p->mu);
}

static void on_wake(void *ctx, uint32_t events)
{
	struct pg_store *p = ctx;
	uint64_t n;
	ssize_t ignored = read(p->wake, &n, sizeof(n));

	(void)events, (void)ignored;
	pg_send_batches(p);
	check_pending(p);
	check_end(p);
}

static void on_timer(void *ctx)
{
	struct pg_store *p = ctx;

	pg_send_batches(p);
	check_end(p);
}

static int open_loop(struct pg_store *p)
{
	struct database_opts o = {.config = p->o.config,
				  .pq = p->o.pq,
				  .log = p->o.log,
				  .role = "leases",
				  .up = on_connected,
				  .down = on_down,
				  .ctx = p};
	int r = loop_new(&p->loop);

	o.loop = p->loop;
	if (r == 0)
		r = loop_add(p->loop, p->wake, EPOLLIN, on_wake, p, &p->wake_source);
	if (r == 0)
		r = loop_timer_new(p->loop, on_timer, p, &p->timer);
	return r == 0 ? database_open(&o, &p->database) : r;
}

void *pg_thread(void *store)
{
	struct pg_store *p = store;
	int r = open_loop(p);

	if (r == 0)
		r = loop_run(p->loop);
	if (r < 0)
		pg_opened(p, r, usher_strerror(r));
	database_close(p->database);
	loop_timer_free(p->timer);
	loop_remove(p->wake_source);
	loop_free(p->loop);
	return NULL;
}
