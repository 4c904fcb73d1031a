/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Recovery: a store that is down tries to write its rows again, from memory (journal_retail.c) or
 * from the table (journal_lfc.c). Also the check of the live file, which others may have changed.
 */
#include "lease/journal/journal_files.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>

/* The limits of the time between attempts; long attempts are made less often. */
static const int64_t retry_min_ns = JOURNAL_RETRY_MS * NS_PER_MS;
static const int64_t retry_max_ns = NS_PER_S;
static const int64_t retry_long_ns = 30 * NS_PER_S;
enum { WATCH_MS = 250, TAIL_TRIES = 3 };
/* Cancels a rotation and waits until the cleaner sees that the store is down and closes its
 * files. */
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
	journal_forget_rows(j);
	j->lost = false;
	buf_reset(&j->batch);
	(void)pthread_mutex_unlock(&j->mu);
	r = journal_recover(j);
	if (r == 0)
		journal_group_take(j);
	return r;
}

/* Replaces the tail by a copy of the table where rewriting it fails again and again, and there is
 * room. */
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
	if (journal_is_lost(j))
		j->need_fresh = true;
	if (j->need_fresh)
		r = come_back_fresh(j);
	else if (j->need_tail)
		r = journal_retail(j);
	if (r >= 0 && journal_is_lost(j))
		r = -ENOMEM;
	if (r == 0)
		r = journal_group_write(j);
	if (r < 0 && j->need_fresh) {
		(void)pthread_mutex_lock(&j->mu);
		journal_forget_rows(j);
		(void)pthread_mutex_unlock(&j->mu);
	}
	return r;
}

/*
 * Returns the time until the next attempt. Quick failures are tried again soon: a full disk has
 * room the moment that a file is removed. A long attempt has written much of a copy: the disk is
 * left alone for nine times as long, so that retries are not all its load.
 */
static int64_t next_backoff(const struct journal *j, int64_t took_ns)
{
	int64_t twice = j->backoff_ns * 2 < retry_max_ns ? j->backoff_ns * 2 : retry_max_ns;

	if (took_ns * 9 > retry_max_ns)
		return took_ns * 9 < retry_long_ns ? took_ns * 9 : retry_long_ns;
	return took_ns < retry_min_ns / 2 || twice < retry_min_ns ? retry_min_ns : twice;
}

void journal_try_again(struct journal *j)
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
	journal_group_done(j);
	log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_STORE_UP, "%s is written again", j->path);
}

/* --- watching --------------------------------------------------------------------------------- */

bool journal_watch_is_due(const struct journal *j)
{
	return clock_mono_ns(j->o.clock) >= j->watch_ns;
}

void journal_watch_now(struct journal *j)
{
	int r = journal_watch(j, j->good);

	j->watch_ns = clock_mono_ns(j->o.clock) + WATCH_MS * NS_PER_MS;
	if (r == 0)
		return;
	journal_go_down(j, r);
	journal_try_again(j);
}
