/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The journal: rows are formatted into `pending` as the table changes; the committer takes all
 * that has gathered, writes and syncs it once, and moves `durable`. While one group syncs the
 * next one gathers, so the size of groups follows the load by itself.
 *
 * A failed write is cut off and tried again. After a failed sync the kernel marks the pages clean,
 * so a second sync proves nothing: the rows behind the last good one are in memory and are written
 * again (journal_tail.c). Where only the table has them, the store is rebuilt from it on a fresh
 * file. So it is after another program moved, removed or changed the live file: before a group is
 * acknowledged, and four times a second, its name must still lead to the file that is open, and its
 * length be ours. Until then the store is down, and says so: up, epoch, and everybody who waits.
 */
#include "lease/journal_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "lease/lease_csv.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A disk that has room again is noticed within this time; attempts that take long are made less
 * often. */
static const int64_t retry_min_ns = 100 * NS_PER_MS;
static const int64_t retry_max_ns = NS_PER_S;
static const int64_t retry_long_ns = 30 * NS_PER_S;
enum { WATCH_MS = 250, TAIL_TRIES = 3 };

int journal_write_all(struct journal *j, int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t w = j->files->write(j->files->ctx, fd, p, n);

		if (w <= 0)
			return w < 0 ? (int)w : -EIO;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static struct journal *of(struct lease_store *s)
{
	return container_of(s, struct journal, store);
}

static const struct journal *of_const(const struct lease_store *s)
{
	return (const struct journal *)(const void *)s;
}
_Static_assert(__builtin_offsetof(struct journal, store) == 0, "of_const relies on it");

/* --- appending -------------------------------------------------------------------------------- */

/* From now on only the table knows; called with mu held. */
static void rows_forget(struct journal *j)
{
	buf_reset(&j->pending);
	j->pending_rows = 0;
	j->lost = true;
}

static uint64_t journal_append(struct lease_store *s, const struct lease *l, bool deleted)
{
	struct journal *j = of(s);
	uint64_t seq;

	(void)pthread_mutex_lock(&j->mu);
	seq = ++j->seq;
	s->appended = seq;
	j->stats.rows++;
	if (!j->o.persist) {
		s->durable = seq;
	} else if (!j->lost) {
		lease_csv_format(l, deleted, &j->pending);
		j->pending_rows++;
		if (j->pending_rows == GROUP_ROWS && s->gathering)
			(void)pthread_cond_signal(&j->work);
		if (j->pending.failed || j->pending.len > PENDING_MAX)
			rows_forget(j);
	}
	(void)pthread_mutex_unlock(&j->mu);
	return seq;
}

static void journal_wake(struct lease_store *s)
{
	struct journal *j = of(s);

	/* with the lock: the committer sets `idle` before it waits, so it is waiting already */
	(void)pthread_mutex_lock(&j->mu);
	(void)pthread_cond_signal(&j->work);
	(void)pthread_mutex_unlock(&j->mu);
}

/* --- committing ------------------------------------------------------------------------------- */

static void go_down(struct journal *j, int why)
{
	/* rows acknowledged before the disk failed keep their term */
	if (!j->need_fresh && !j->changed)
		(void)!journal_sync(j);
	(void)pthread_mutex_lock(&j->mu);
	j->need_fresh = j->need_fresh || j->lost || j->changed;
	if (j->need_fresh) {
		rows_forget(j);
		buf_reset(&j->batch);
	}
	j->store.epoch++;
	j->store.up = false;
	j->stats.errors++;
	j->backoff_ns = j->changed ? 0 : retry_min_ns;
	j->retry_ns = clock_mono_ns(j->o.clock) + j->backoff_ns;
	(void)pthread_cond_broadcast(&j->moved);
	(void)pthread_mutex_unlock(&j->mu);
	j->down_why = why;
	log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_STORE_DOWN, "%s cannot be written: %s", j->path,
		usher_strerror(why));
	lease_store_moved(&j->store);
}

/* Makes the pending rows the group, unless one is still to be written. */
static void group_take(struct journal *j)
{
	struct buf b;

	(void)pthread_mutex_lock(&j->mu);
	if (j->batch.len == 0) {
		b = j->batch;
		j->batch = j->pending;
		j->pending = b;
		j->batch_seq = j->seq;
		j->batch_rows = j->pending_rows;
		j->pending_rows = 0;
		j->store.hurry = false; /* a later hurry is for rows of the next group */
	}
	(void)pthread_mutex_unlock(&j->mu);
}

static int group_write(struct journal *j)
{
	const struct file_ops *f = j->files;
	int r = journal_write_all(j, j->fd, j->batch.p, j->batch.len);

	if (r < 0) {
		if (f->ftruncate(f->ctx, j->fd, j->good) < 0)
			j->need_tail = true;
		return r;
	}
	if (j->unsynced == 0 && j->o.durability == LEASE_SYNC_INTERVAL)
		j->sync_ns = clock_mono_ns(j->o.clock) + j->o.interval_ms * NS_PER_MS;
	j->unsynced += j->batch_rows;
	if (j->o.durability == LEASE_SYNC_COMMIT)
		r = journal_sync(j);
	return r < 0 ? r : journal_watch(j, j->good + (off_t)j->batch.len);
}

int journal_sync(struct journal *j)
{
	int r = 0;

	if (j->o.durability == LEASE_SYNC_NONE || j->unsynced == 0)
		return 0;
	r = j->files->fdatasync(j->files->ctx, j->fd);
	if (r < 0) {
		journal_tail_doubt(j);
		return r;
	}
	journal_tail_synced(j);
	(void)pthread_mutex_lock(&j->mu);
	j->stats.syncs++;
	j->stats.unsynced = 0;
	(void)pthread_mutex_unlock(&j->mu);
	return 0;
}

static bool sync_is_due(const struct journal *j)
{
	return j->o.durability == LEASE_SYNC_INTERVAL && j->unsynced &&
	       clock_mono_ns(j->o.clock) >= j->sync_ns;
}

static void group_done(struct journal *j)
{
	journal_tail_keep(j);
	(void)pthread_mutex_lock(&j->mu);
	j->good += (off_t)j->batch.len;
	j->stats.commits++;
	j->stats.bytes += j->batch.len;
	if (j->batch_rows > j->stats.max_batch)
		j->stats.max_batch = j->batch_rows;
	j->stats.unsynced = j->unsynced;
	j->store.durable = j->batch_seq;
	buf_reset(&j->batch);
	(void)pthread_cond_broadcast(&j->moved);
	(void)pthread_mutex_unlock(&j->mu);
	lease_store_moved(&j->store);
}

static bool is_lost(struct journal *j)
{
	bool lost;

	(void)pthread_mutex_lock(&j->mu);
	lost = j->lost;
	(void)pthread_mutex_unlock(&j->mu);
	return lost;
}

static void commit(struct journal *j)
{
	int r;

	if (is_lost(j)) {
		go_down(j, -ENOMEM);
		return;
	}
	group_take(j);
	if (j->batch.len == 0)
		return;
	r = group_write(j);
	if (r < 0)
		go_down(j, r);
	else
		group_done(j);
}

static void sync_now(struct journal *j)
{
	int r = journal_sync(j);

	if (r < 0)
		go_down(j, r);
}

void journal_rotate_now(struct journal *j)
{
	int fd = journal_create(j, ".next");
	int r = fd < 0 ? fd : journal_rotate(j, fd);

	if (fd >= 0 && r < 0)
		go_down(j, r);
	(void)pthread_mutex_lock(&j->mu);
	j->rotate_result = r;
	j->rotate_wanted = false;
	(void)pthread_cond_broadcast(&j->moved);
	(void)pthread_mutex_unlock(&j->mu);
}

/* --- coming back ------------------------------------------------------------------------------ */

/* The cleaner sees that the store is down and lets go. */
static void lfc_take_back(struct journal *j)
{
	(void)pthread_mutex_lock(&j->mu);
	if (j->rotate_wanted) {
		j->rotate_wanted = false;
		j->rotate_result = -USHER_E_STORE_DOWN;
		(void)pthread_cond_broadcast(&j->moved);
	}
	while (j->has_threads && j->lfc_busy)
		(void)pthread_cond_wait(&j->moved, &j->mu);
	(void)pthread_mutex_unlock(&j->mu);
	if (!j->has_threads && j->lfc_busy) {
		lfc_abort(j);
		j->lfc_busy = false;
	}
}

static int come_back_fresh(struct journal *j)
{
	int r;

	/* from here on rows are gathered again: the snapshot has all before, they all behind */
	(void)pthread_mutex_lock(&j->mu);
	rows_forget(j);
	j->lost = false;
	buf_reset(&j->batch);
	(void)pthread_mutex_unlock(&j->mu);
	r = journal_recover(j);
	if (r == 0)
		group_take(j);
	return r;
}

/* Where rewriting the tail fails again and again, and there is room, a copy of the table may do. */
static void give_up_tail(struct journal *j)
{
	if (j->need_tail && ++j->tail_tries % (TAIL_TRIES + 1) == 0 && journal_has_room(j))
		j->need_fresh = true;
}

static int come_back(struct journal *j)
{
	int r = 0; /* 1: the group is written already */

	lfc_take_back(j);
	give_up_tail(j);
	if (j->names_in_doubt && !j->need_fresh)
		r = journal_settle_names(j);
	if (r < 0)
		return r;
	if (is_lost(j))
		j->need_fresh = true;
	if (j->need_fresh)
		r = come_back_fresh(j);
	else if (j->need_tail)
		r = journal_retail(j);
	if (r >= 0 && is_lost(j))
		r = -ENOMEM;
	if (r == 0)
		r = group_write(j);
	if (r < 0 && j->need_fresh) {
		(void)pthread_mutex_lock(&j->mu);
		rows_forget(j);
		(void)pthread_mutex_unlock(&j->mu);
	}
	return r;
}

/*
 * Quick failures are tried again soon: a full disk has room the moment that a file is removed. A
 * long one has written much of a copy: the disk is left alone for nine times as long, lest retries
 * be all its load.
 */
static int64_t next_backoff(const struct journal *j, int64_t took_ns)
{
	int64_t twice = j->backoff_ns * 2 < retry_max_ns ? j->backoff_ns * 2 : retry_max_ns;

	if (took_ns * 9 > retry_max_ns)
		return took_ns * 9 < retry_long_ns ? took_ns * 9 : retry_long_ns;
	return took_ns < retry_min_ns / 2 || twice < retry_min_ns ? retry_min_ns : twice;
}

static void try_again(struct journal *j)
{
	int64_t start = clock_mono_ns(j->o.clock);
	int r = come_back(j);

	if (r < 0) {
		(void)pthread_mutex_lock(&j->mu);
		j->stats.errors++;
		(void)pthread_mutex_unlock(&j->mu);
		j->backoff_ns = next_backoff(j, clock_mono_ns(j->o.clock) - start);
		j->retry_ns = clock_mono_ns(j->o.clock) + j->backoff_ns;
		if (r != j->down_why)
			log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_STORE_DOWN,
				"%s still cannot be written: %s", j->path, usher_strerror(r));
		j->down_why = r;
		return;
	}
	j->need_fresh = j->need_tail = false;
	j->tail_tries = 0;
	j->store.up = true;
	group_done(j);
	log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_STORE_UP, "%s is written again", j->path);
}

/* --- watching --------------------------------------------------------------------------------- */

static bool watch_is_due(const struct journal *j)
{
	return clock_mono_ns(j->o.clock) >= j->watch_ns;
}

static void watch_now(struct journal *j)
{
	int r = journal_watch(j, j->good);

	j->watch_ns = clock_mono_ns(j->o.clock) + WATCH_MS * NS_PER_MS;
	if (r == 0)
		return;
	go_down(j, r);
	try_again(j);
}

/* --- threads ---------------------------------------------------------------------------------- */

/* With mu held: is there anything for the committer? */
static bool has_work(const struct journal *j)
{
	if (!j->store.up)
		return clock_mono_ns(j->o.clock) >= j->retry_ns;
	return j->pending.len || j->lost || j->rotate_wanted || sync_is_due(j) || watch_is_due(j);
}

/* Nanoseconds until the live file is to be synced or looked at. */
static int64_t until_due(const struct journal *j)
{
	int64_t due = j->watch_ns;

	if (j->o.durability == LEASE_SYNC_INTERVAL && j->unsynced && j->sync_ns < due)
		due = j->sync_ns;
	return due - clock_mono_ns(j->o.clock);
}

static void turn(struct journal *j)
{
	bool want;

	if (!j->store.up) {
		if (clock_mono_ns(j->o.clock) >= j->retry_ns)
			try_again(j);
		return;
	}
	commit(j);
	if (j->store.up && sync_is_due(j))
		sync_now(j);
	if (j->store.up && watch_is_due(j))
		watch_now(j);
	(void)pthread_mutex_lock(&j->mu);
	want = j->rotate_wanted && j->store.up;
	(void)pthread_mutex_unlock(&j->mu);
	if (want)
		journal_rotate_now(j);
}

void journal_wait_for(struct journal *j, pthread_cond_t *cond, int64_t ns)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ns += ts.tv_nsec;
	ts.tv_sec += (time_t)(ns / NS_PER_S);
	ts.tv_nsec = (long)(ns % NS_PER_S);
	(void)pthread_cond_timedwait(cond, &j->mu, &ts);
}

/* With mu held: until there is something to do. */
static void wait_for_work(struct journal *j)
{
	while (!j->stop && !has_work(j)) {
		j->store.idle = true;
		journal_wait_for(j, &j->work, j->store.up ? until_due(j) : 50 * NS_PER_MS);
	}
	j->store.idle = false;
}

/*
 * Called with mu held. While workers are busy a sync (some 90 us of CPU time in the kernel) is
 * shared by the rows of the longest delay; a worker that runs out of packets ends the wait. Only
 * rows that must be synced are worth a wait.
 */
static void gather(struct journal *j)
{
	int64_t end = clock_mono_ns(&clock_system) + j->o.max_delay_us * 1000LL;

	if (j->o.durability != LEASE_SYNC_COMMIT)
		return;
	j->store.gathering = true;
	while (!j->stop && j->store.up && !j->rotate_wanted && !j->store.hurry &&
	       j->pending_rows < GROUP_ROWS) {
		int64_t left = end - clock_mono_ns(&clock_system);

		if (left <= 0)
			break;
		journal_wait_for(j, &j->work, left);
	}
	j->store.gathering = false;
}

void *journal_committer(void *ctx)
{
	struct journal *j = ctx;
	bool stop = j->store.opening == 1 && !journal_open_late(j);

	while (!stop) {
		(void)pthread_mutex_lock(&j->mu);
		wait_for_work(j);
		gather(j);
		stop = j->stop;
		(void)pthread_mutex_unlock(&j->mu);
		turn(j);
	}
	return NULL;
}

/* --- the store's table ------------------------------------------------------------------------ */

static void journal_commit_now(struct lease_store *s)
{
	struct journal *j = of(s);
	int r;

	if (j->has_threads || !j->o.persist)
		return;
	turn(j);
	if (!j->lfc_busy || !s->up)
		return;
	r = cleaner_step(j);
	if (r > 0)
		return;
	j->lfc_busy = false;
	cleaner_report(j, r);
}

static int journal_wait(struct lease_store *s, uint64_t seq, int64_t timeout_ns)
{
	struct journal *j = of(s);
	int64_t end = clock_mono_ns(&clock_system) + timeout_ns;
	int64_t left = timeout_ns;
	int r = 0;

	journal_commit_now(s);
	(void)pthread_mutex_lock(&j->mu);
	while (s->durable < seq && s->up && j->has_threads && left > 0) {
		journal_wait_for(j, &j->moved, left);
		left = end - clock_mono_ns(&clock_system);
	}
	if (s->durable < seq)
		r = s->up ? -ETIMEDOUT : -USHER_E_STORE_DOWN;
	(void)pthread_mutex_unlock(&j->mu);
	return r;
}

static int journal_cleanup(struct lease_store *s)
{
	struct journal *j = of(s);
	int r = 0;

	if (!j->o.persist)
		return 0;
	(void)pthread_mutex_lock(&j->mu);
	if (j->lfc_wanted || j->lfc_busy) {
		r = -USHER_E_IN_USE;
	} else if (!s->up) {
		r = -USHER_E_STORE_DOWN;
	} else if (j->has_threads) {
		j->lfc_wanted = true;
		(void)pthread_cond_broadcast(&j->moved);
	} else {
		j->lfc_busy = true;
		j->lfc.stage = LFC_BEGIN;
	}
	(void)pthread_mutex_unlock(&j->mu);
	if (r == 0)
		log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_LFC_START, "clean-up of %s", j->path);
	return r;
}

static void journal_stats(const struct lease_store *s, struct lease_store_stats *ret)
{
	const struct journal *j = of_const(s);
	pthread_mutex_t *mu = (pthread_mutex_t *)(uintptr_t)&j->mu;

	(void)pthread_mutex_lock(mu);
	*ret = j->stats;
	ret->pending = j->seq - s->durable;
	ret->durability = j->o.durability;
	ret->persist = j->o.persist;
	(void)pthread_mutex_unlock(mu);
}

static const char *journal_path(const struct lease_store *s)
{
	return of_const(s)->path;
}

void journal_free(struct journal *j)
{
	if (j->fd >= 0)
		(void)j->files->close(j->files->ctx, j->fd);
	lfc_abort(j);
	buf_fini(&j->pending);
	buf_fini(&j->batch);
	buf_fini(&j->tail);
	(void)pthread_mutex_destroy(&j->mu);
	lease_store_fini(&j->store);
	(void)pthread_cond_destroy(&j->work);
	(void)pthread_cond_destroy(&j->moved);
	free(j->path);
	free(j);
}

static void journal_close(struct lease_store *s)
{
	struct journal *j = of(s);

	lease_db_attach(j->db, NULL);
	if (j->has_threads) {
		(void)pthread_mutex_lock(&j->mu);
		j->stop = true;
		(void)pthread_cond_broadcast(&j->work);
		(void)pthread_cond_broadcast(&j->moved);
		(void)pthread_mutex_unlock(&j->mu);
		(void)pthread_join(j->cleaner, NULL);
		(void)pthread_join(j->committer, NULL);
		lease_db_attach(j->db, NULL); /* it may have come to the end of loading meanwhile */
	} else if (j->o.persist) {
		turn(j);
	}
	if (j->store.up && journal_sync(j) < 0)
		log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_STORE_DOWN,
			"%s could not be synced at the end", j->path);
	journal_free(j);
}

const struct lease_store_ops journal_ops = {
	.name = "memfile",
	.append = journal_append,
	.wake = journal_wake,
	.wait = journal_wait,
	.commit_now = journal_commit_now,
	.cleanup = journal_cleanup,
	.stats = journal_stats,
	.path = journal_path,
	.owns = NULL, /* every address */
	.close = journal_close,
};
