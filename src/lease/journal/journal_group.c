/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Groups of rows: the committer takes the pending rows as a group, writes and syncs it, and
 * publishes it as durable; or the store goes down, and its epoch moves.
 */
#include "lease/journal/journal_files.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>

/* Drops the pending rows; only the table has them from now on. Called with mu held. */
void journal_forget_rows(struct journal *j)
{
	buf_reset(&j->pending);
	j->pending_rows = 0;
	j->lost = true;
}

void journal_go_down(struct journal *j, int why)
{
	/* rows acknowledged before the disk failed keep their time for a sync */
	if (!j->need_fresh && !j->changed)
		(void)!journal_sync(j);
	(void)pthread_mutex_lock(&j->mu);
	j->need_fresh = j->need_fresh || j->lost || j->changed;
	if (j->need_fresh) {
		journal_forget_rows(j);
		buf_reset(&j->batch);
	}
	j->store.epoch++;
	j->store.up = false;
	j->stats.errors++;
	j->backoff_ns = j->changed ? 0 : JOURNAL_RETRY_MS * NS_PER_MS;
	j->retry_ns = clock_mono_ns(j->o.clock) + j->backoff_ns;
	(void)pthread_cond_broadcast(&j->moved);
	(void)pthread_mutex_unlock(&j->mu);
	j->down_why = why;
	log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_STORE_DOWN, "%s cannot be written: %s", j->path,
		usher_strerror(why));
	lease_store_moved(&j->store);
}

/* Makes the pending rows the group, unless one is still to be written. */
void journal_group_take(struct journal *j)
{
	struct buf b;

	(void)pthread_mutex_lock(&j->mu);
	if (j->batch.len == 0) {
		b = j->batch;
		j->batch = j->pending;
		j->pending = b;
		j->batch_seq = j->seq;
		j->batch_rows = j->pending_rows;
		j->batch_ns = j->pending_ns;
		j->pending_rows = 0;
		j->store.hurry = false; /* a later hurry is for rows of the next group */
	}
	(void)pthread_mutex_unlock(&j->mu);
}

int journal_group_write(struct journal *j)
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

bool journal_sync_is_due(const struct journal *j)
{
	return j->o.durability == LEASE_SYNC_INTERVAL && j->unsynced &&
	       clock_mono_ns(j->o.clock) >= j->sync_ns;
}

void journal_group_done(struct journal *j)
{
	journal_tail_keep(j);
	(void)pthread_mutex_lock(&j->mu);
	j->good += (off_t)j->batch.len;
	j->stats.commits++;
	j->stats.bytes += j->batch.len;
	j->stats.file_bytes = (uint64_t)j->good;
	buckets_count(&j->stats.commit_ns, &lease_commit_ns_shape,
		      (uint64_t)(clock_mono_ns(&clock_system) - j->batch_ns));
	buckets_count(&j->stats.commit_rows, &lease_commit_rows_shape, j->batch_rows);
	if (j->batch_rows > j->stats.max_batch)
		j->stats.max_batch = j->batch_rows;
	j->stats.unsynced = j->unsynced;
	j->store.durable = j->batch_seq;
	buf_reset(&j->batch);
	(void)pthread_cond_broadcast(&j->moved);
	(void)pthread_mutex_unlock(&j->mu);
	lease_store_moved(&j->store);
}

bool journal_is_lost(struct journal *j)
{
	bool lost;

	(void)pthread_mutex_lock(&j->mu);
	lost = j->lost;
	(void)pthread_mutex_unlock(&j->mu);
	return lost;
}

void journal_commit(struct journal *j)
{
	int r;

	if (journal_is_lost(j)) {
		journal_go_down(j, -ENOMEM);
		return;
	}
	journal_group_take(j);
	if (j->batch.len == 0)
		return;
	r = journal_group_write(j);
	if (r < 0)
		journal_go_down(j, r);
	else
		journal_group_done(j);
}

void journal_sync_now(struct journal *j)
{
	int r = journal_sync(j);

	if (r < 0)
		journal_go_down(j, r);
}

void journal_rotate_now(struct journal *j)
{
	int fd = journal_create(j, ".next");
	int r = fd < 0 ? fd : journal_rotate(j, fd);

	if (fd >= 0 && r < 0)
		journal_go_down(j, r);
	(void)pthread_mutex_lock(&j->mu);
	j->stats.file_bytes = (uint64_t)j->good;
	j->rotate_result = r;
	j->rotate_wanted = false;
	(void)pthread_cond_broadcast(&j->moved);
	(void)pthread_mutex_unlock(&j->mu);
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
