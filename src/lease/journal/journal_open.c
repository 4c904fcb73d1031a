/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Opening the journal: load, cut off a torn end, make the rows that were read durable, end an
 * interrupted clean-up, start the threads.
 */
#include "lease/journal/journal_files.h"

#include "lease/lease_csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

enum { KEA_STEP_MS = 50 };

/* Opens the live file for appending and locks it, before anything is read. */
static int open_live(struct journal *j)
{
	const struct file_ops *f = j->files;
	int r = journal_check_kind(j, "");

	if (r < 0)
		return r;
	j->fd = f->open(f->ctx, j->path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK, 0640);
	return j->fd < 0 ? j->fd : journal_adopt(j);
}

/* Cuts a torn end, writes a header if there is none, syncs. */
static int repair_live(struct journal *j, const struct journal_loaded *loaded)
{
	const struct file_ops *f = j->files;
	int64_t size = f->size(f->ctx, j->fd);
	off_t end = loaded->end;
	int r = 0;

	if (size < 0)
		return (int)size;
	if (size != end)
		r = f->ftruncate(f->ctx, j->fd, end);
	if (r >= 0 && end == 0) {
		r = journal_write_all(j, j->fd, lease_csv_head(), LEASE_CSV_HEAD_LEN);
		end = LEASE_CSV_HEAD_LEN;
	} else if (r >= 0 && loaded->newline) {
		r = journal_write_all(j, j->fd, "\n", 1);
		end++;
	}
	/* also rows that a killed process wrote and did not sync: they are served from now on */
	if (r >= 0)
		r = f->fdatasync(f->ctx, j->fd);
	if (r >= 0)
		r = f->sync_dir(f->ctx, j->path);
	j->good = end;
	(void)pthread_mutex_lock(&j->mu);
	j->stats.file_bytes = (uint64_t)end;
	(void)pthread_mutex_unlock(&j->mu);
	return r < 0 ? r : 0;
}

/* Ends an interrupted clean-up. */
static int end_cleanup(struct journal *j)
{
	int r = journal_clear(j, ".output");

	if (r >= 0)
		r = journal_clear(j, ".next");
	if (r < 0)
		return r;
	return journal_exists(j, ".completed") ? journal_finish(j) : 0;
}

static int journal_new(const struct journal_opts *o, struct lease_db *db, struct journal **ret)
{
	struct journal *j = calloc(1, sizeof(*j));
	pthread_condattr_t attr;

	if (!j)
		return -ENOMEM;
	j->o = *o;
	j->path = strdup(o->persist ? o->path : "");
	if (!j->path) {
		free(j);
		return -ENOMEM;
	}
	lease_store_init(&j->store, &journal_ops);
	j->files = o->files ? o->files : &file_ops_system;
	if (!j->o.clock)
		j->o.clock = &clock_system;
	if (!j->o.interval_ms)
		j->o.interval_ms = 1000;
	j->db = db;
	j->fd = j->lfc.fd = -1;
	(void)pthread_mutex_init(&j->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&j->work, &attr);
	(void)pthread_cond_init(&j->moved, &attr);
	(void)pthread_condattr_destroy(&attr);
	*ret = j;
	return 0;
}

/* Waits for the end of a kea-lfc that Kea left behind. 0 or -EBUSY. */
static int wait_for_kea(struct journal *j)
{
	static const struct timespec step = {.tv_nsec = KEA_STEP_MS * 1000000L};

	for (unsigned waited = 0; journal_kea_cleans(j); waited += KEA_STEP_MS) {
		if (waited >= j->o.kea_wait_ms)
			return -EBUSY;
		(void)nanosleep(&step, NULL);
	}
	return 0;
}

static int open_files(struct journal *j, struct journal_load_stats *st)
{
	struct journal_loaded loaded = {0};
	struct journal_kea_files before, after;
	int r = wait_for_kea(j);

	journal_kea_look(j, &before);
	if (r == 0)
		r = open_live(j);
	if (r == 0)
		r = journal_load(j, st, &loaded);
	/* files that are renamed while others are read hide rows */
	journal_kea_look(j, &after);
	if (j->completed_aside)
		before.file[0] = after.file[0];
	if (r == 0 && (journal_kea_cleans(j) || !journal_kea_same(&before, &after)))
		r = -EBUSY;
	if (r == 0)
		r = repair_live(j, &loaded);
	if (r == 0)
		r = end_cleanup(j);
	/* Kea would refuse our rows below other columns: a new file */
	if (r == 0 && loaded.other_header)
		r = journal_recover(j);
	return r;
}

/* Loads the files, attaches the table; continues an interrupted clean-up. */
static int open_all(struct journal *j)
{
	int r = j->o.persist ? open_files(j, &j->load) : 0;

	j->load.leases = lease_db_size(j->db);
	if (r < 0)
		return r;
	/* in this order: a thread that sees the store up may change the table */
	lease_db_attach(j->db, &j->store);
	j->store.up = true;
	if (j->o.persist && journal_exists(j, ".1"))
		(void)!lease_store_cleanup(&j->store);
	return 0;
}

/* Loads in the committer's thread. False: loading failed, or is no longer wanted. */
static bool open_late(struct journal *j)
{
	int r = open_all(j);

	(void)pthread_mutex_lock(&j->mu);
	j->store.opening = r;
	(void)pthread_cond_broadcast(&j->moved);
	(void)pthread_mutex_unlock(&j->mu);
	lease_store_moved(&j->store);
	return r == 0;
}

static void *run_committer(void *ctx)
{
	struct journal *j = ctx;

	return j->store.opening == 1 && !open_late(j) ? NULL : journal_committer(j);
}

static int start_threads(struct journal *j)
{
	int r = pthread_create(&j->committer, NULL, run_committer, j);

	if (r)
		return -r;
	j->has_threads = true;
	r = pthread_create(&j->cleaner, NULL, journal_cleaner, j);
	if (r == 0)
		return 0;
	(void)pthread_mutex_lock(&j->mu);
	j->stop = true;
	(void)pthread_cond_broadcast(&j->work);
	(void)pthread_mutex_unlock(&j->mu);
	(void)pthread_join(j->committer, NULL);
	return -r;
}

int journal_opened(struct lease_store *s, int64_t timeout_ns, struct journal_load_stats *ret_stats)
{
	struct journal *j = container_of(s, struct journal, store);
	int64_t end = clock_mono_ns(&clock_system) + timeout_ns;
	int64_t left = timeout_ns;
	int r;

	(void)pthread_mutex_lock(&j->mu);
	while (s->opening == 1 && left > 0) {
		journal_wait_for(j, &j->moved, left);
		left = end - clock_mono_ns(&clock_system);
	}
	r = s->opening;
	if (r != 1 && ret_stats)
		*ret_stats = j->load;
	(void)pthread_mutex_unlock(&j->mu);
	return r;
}

int journal_open(const struct journal_opts *o, struct lease_db *db, struct lease_store **ret,
		 struct journal_load_stats *ret_stats)
{
	bool late = o->background && o->threads && o->persist;
	struct journal *j;
	int r = o->persist && strlen(o->path) > PATH_CAP - 16 ? -ENAMETOOLONG : 0;

	if (r == 0)
		r = journal_new(o, db, &j);
	if (r < 0)
		return r;
	r = o->persist ? journal_resolve(j) : 0;
	if (r < 0) {
		journal_free(j);
		return r;
	}
	j->store.opening = late;
	/* a load by the committer may start clean-ups for the cleaner; a load here passes them
	 * on */
	j->has_threads = late;
	if (!late)
		r = open_all(j);
	if (ret_stats)
		*ret_stats = j->load;
	if (r == 0 && o->persist && o->threads) {
		j->lfc_wanted = j->lfc_busy;
		j->lfc_busy = false;
		r = start_threads(j);
	}
	if (r < 0) {
		lease_db_attach(db, NULL);
		journal_free(j);
		return r;
	}
	*ret = &j->store;
	return 0;
}
