/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The journal: rows are formatted into `pending` as the table changes. The committer takes all
 * gathered rows, writes and syncs them once, and moves `durable`. While one group syncs the next
 * one gathers, so the size of groups follows the load by itself.
 *
 * A failed write is cut off and tried again. After a failed sync the kernel marks the pages clean,
 * so a second sync proves nothing: the rows behind the last good one are in memory and are written
 * again (journal_retail.c). Where only the table has them, the store is rebuilt from it on a fresh
 * file. This also happens after another program moved, removed or changed the live file: before a
 * group is acknowledged, and four times a second, its name must still lead to the file that is
 * open, and its length be ours. Until then the store is down, and reports it: up, epoch, and a
 * wake-up of all waiting exchanges.
 */
#include "lease/journal/journal_files.h"

#include "base/error.h"
#include "base/log.h"
#include "lease/lease_csv.h"

#include <errno.h>
#include <stdlib.h>

static struct journal *journal_of(struct lease_store *s)
{
	return container_of(s, struct journal, store);
}

static const struct journal *of_const(const struct lease_store *s)
{
	return (const struct journal *)(const void *)s;
}
_Static_assert(__builtin_offsetof(struct journal, store) == 0, "of_const relies on it");

/* --- appending -------------------------------------------------------------------------------- */

static uint64_t journal_append(struct lease_store *s, const struct lease *l, bool deleted)
{
	struct journal *j = journal_of(s);
	uint64_t seq;

	(void)pthread_mutex_lock(&j->mu);
	seq = ++j->seq;
	s->appended = seq;
	j->stats.rows++;
	if (!j->o.persist) {
		s->durable = seq;
	} else if (!j->lost) {
		lease_csv_format(l, deleted, &j->pending);
		if (j->pending_rows++ == 0)
			j->pending_ns = clock_mono_ns(&clock_system);
		if (j->pending_rows == GROUP_ROWS && s->gathering)
			(void)pthread_cond_signal(&j->work);
		if (j->pending.failed || j->pending.len > PENDING_MAX)
			journal_forget_rows(j);
	}
	(void)pthread_mutex_unlock(&j->mu);
	return seq;
}

static void journal_wake(struct lease_store *s)
{
	struct journal *j = journal_of(s);

	/* with the lock: the committer sets `idle` before it waits, so it is waiting already */
	(void)pthread_mutex_lock(&j->mu);
	(void)pthread_cond_signal(&j->work);
	(void)pthread_mutex_unlock(&j->mu);
}

/* --- the store's table ------------------------------------------------------------------------ */

static void journal_commit_now(struct lease_store *s)
{
	struct journal *j = journal_of(s);
	int r;

	if (j->has_threads || !j->o.persist)
		return;
	journal_turn(j);
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
	struct journal *j = journal_of(s);
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
	struct journal *j = journal_of(s);
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
		j->lfc_start_ns = clock_mono_ns(&clock_system);
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
	struct journal *j = journal_of(s);

	lease_db_attach(j->db, NULL);
	if (j->has_threads) {
		(void)pthread_mutex_lock(&j->mu);
		j->stop = true;
		(void)pthread_cond_broadcast(&j->work);
		(void)pthread_cond_broadcast(&j->moved);
		(void)pthread_mutex_unlock(&j->mu);
		(void)pthread_join(j->cleaner, NULL);
		(void)pthread_join(j->committer, NULL);
		lease_db_attach(j->db, NULL); /* loading may have ended meanwhile */
	} else if (j->o.persist) {
		journal_turn(j);
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
