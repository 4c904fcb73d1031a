/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The cleaner: walks a clean-up through its stages, in its own thread or, without threads, one step
 * a commit. It closes everything as soon as the store goes down: recovery is the committer's, and
 * uses the files of the clean-up.
 */
#include "lease/journal/journal_files.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

static int ask_rotation(struct journal *j)
{
	int r;

	(void)pthread_mutex_lock(&j->mu);
	j->rotate_wanted = true;
	(void)pthread_cond_signal(&j->work);
	while (j->rotate_wanted && !j->stop && j->store.up)
		(void)pthread_cond_wait(&j->moved, &j->mu);
	r = j->rotate_wanted ? -ECANCELED : j->rotate_result;
	j->rotate_wanted = false;
	(void)pthread_mutex_unlock(&j->mu);
	return r;
}

int cleaner_step(struct journal *j)
{
	int r;

	if (j->lfc.stage != LFC_ROTATE)
		return lfc_step(j);
	if (j->has_threads) {
		r = ask_rotation(j);
	} else {
		journal_rotate_now(j);
		r = j->rotate_result;
	}
	if (r < 0) {
		lfc_abort(j);
		return r;
	}
	j->lfc.stage = LFC_OPEN;
	return 1;
}

/* Counts a clean-up that ended with result r. */
static void count_cleanup(struct journal *j, int r)
{
	(void)pthread_mutex_lock(&j->mu);
	if (r < 0) {
		j->stats.rewrite_failures++;
	} else {
		j->stats.rewrites++;
		j->stats.rewrite_ns = clock_mono_ns(&clock_system) - j->lfc_start_ns;
		j->stats.rewritten_ns = clock_wall_ns(j->o.clock);
	}
	(void)pthread_mutex_unlock(&j->mu);
}

void cleaner_report(struct journal *j, int r)
{
	count_cleanup(j, r);
	if (r < 0)
		log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_LFC_FAIL, "clean-up of %s failed: %s",
			j->path, usher_strerror(r));
	else
		log_msg(j->o.log, LOG_DHCPSRV_MEMFILE_LFC_COMPLETE, "clean-up of %s done", j->path);
}

enum { PACE_BYTES_S = 32 << 20, SHRINK_PAUSE_US = 4000 };

/* Slows the clean-up down to PACE_BYTES_S a second: it shares the disk with the committer. */
static void limit_pace(const struct journal *j, int64_t start_ns)
{
	int64_t due = start_ns + j->lfc.written * (NS_PER_S / 1000) / (PACE_BYTES_S / 1000);
	int64_t early = due - clock_mono_ns(&clock_system);

	if (j->lfc.stage == LFC_SHRINK)
		(void)usleep(SHRINK_PAUSE_US);
	if (j->lfc.stage == LFC_COPY && early > NS_PER_MS)
		(void)usleep((useconds_t)(early < NS_PER_S ? early / 1000 : 999999));
}

static void clean_once(struct journal *j)
{
	uint64_t epoch = j->store.epoch;
	int r = 1;

	j->lfc_start_ns = clock_mono_ns(&clock_system);
	j->lfc.stage = LFC_BEGIN;
	while (r > 0) {
		bool stop;

		(void)pthread_mutex_lock(&j->mu);
		stop = j->stop;
		(void)pthread_mutex_unlock(&j->mu);
		if (stop || j->store.epoch != epoch) {
			lfc_abort(j);
			r = -ECANCELED;
		} else {
			r = cleaner_step(j);
			limit_pace(j, j->lfc_start_ns);
		}
	}
	cleaner_report(j, r);
}

void *journal_cleaner(void *ctx)
{
	static const struct sched_param plain = {0};
	struct journal *j = ctx;

	/*
	 * Never runs in place of a thread that just woke up. Not SCHED_IDLE, nor a lower I/O class:
	 * the cleaner holds the table's lock now and then, and the file system may wait for its
	 * pages. A thread that waits for the cleaner would then wait for all others.
	 */
	(void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &plain);

	(void)pthread_mutex_lock(&j->mu);
	while (!j->stop) {
		if (!j->lfc_wanted || !j->store.up) {
			journal_wait_for(j, &j->moved, NS_PER_S);
			continue;
		}
		j->lfc_wanted = false;
		j->lfc_busy = true;
		(void)pthread_mutex_unlock(&j->mu);
		clean_once(j);
		(void)pthread_mutex_lock(&j->mu);
		j->lfc_busy = false;
		(void)pthread_cond_broadcast(&j->moved);
	}
	(void)pthread_mutex_unlock(&j->mu);
	return NULL;
}
