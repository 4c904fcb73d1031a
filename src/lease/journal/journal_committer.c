/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The committer's thread: it waits for rows, for the end of an interval, or for the time to examine
 * the live file, and does one turn of the work.
 */
#include "lease/journal/journal_impl.h"

/* Returns whether there is anything for the committer. Called with mu held. */
static bool has_work(const struct journal *j)
{
	if (!j->store.up)
		return clock_mono_ns(j->o.clock) >= j->retry_ns;
	return j->pending.len || j->lost || j->rotate_wanted || journal_sync_is_due(j) ||
	       journal_watch_is_due(j);
}

/* Returns the nanoseconds until the live file is to be synced or examined. */
static int64_t until_due(const struct journal *j)
{
	int64_t due = j->watch_ns;

	if (j->o.durability == LEASE_SYNC_INTERVAL && j->unsynced && j->sync_ns < due)
		due = j->sync_ns;
	return due - clock_mono_ns(j->o.clock);
}

void journal_turn(struct journal *j)
{
	bool want;

	if (!j->store.up) {
		if (clock_mono_ns(j->o.clock) >= j->retry_ns)
			journal_try_again(j);
		return;
	}
	journal_commit(j);
	if (j->store.up && journal_sync_is_due(j))
		journal_sync_now(j);
	if (j->store.up && journal_watch_is_due(j))
		journal_watch_now(j);
	(void)pthread_mutex_lock(&j->mu);
	want = j->rotate_wanted && j->store.up;
	(void)pthread_mutex_unlock(&j->mu);
	if (want)
		journal_rotate_now(j);
}

/* Waits until there is something to do. Called with mu held. */
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
	bool stop = false;

	while (!stop) {
		(void)pthread_mutex_lock(&j->mu);
		wait_for_work(j);
		gather(j);
		stop = j->stop;
		(void)pthread_mutex_unlock(&j->mu);
		journal_turn(j);
	}
	return NULL;
}
