/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The inside of the journal, shared by its files. From below: the files and their names
 * (journal_files.h), rows that may be lost (journal_tail.c, journal_retail.c), groups
 * (journal_group.c), coming back (journal_return.c), the threads (journal_committer.c,
 * journal_cleaner.c), the store's table (journal.c), start (journal_open.c).
 *
 * Ownership: `mu` guards the members under it. Everything else belongs to the committer,
 * except struct lfc, which belongs to the thread that set lfc_busy.
 * Order of locks: table, then journal. No function calls the table with mu held.
 */
#pragma once

#include "base/buf.h"
#include "lease/journal/journal.h"
#include "lease/lease_db.h"
#include "lease/lease_store_backend.h"

#include <pthread.h>

enum {
	PATH_CAP = 4096,
	/* rows waiting for a disk that does not answer: then the table is the only truth */
	PENDING_MAX = 64 << 20,
	SHRINK_BYTES = 8 << 20, /* of an old file at a time */
	/* a disk that has room again is noticed within this time */
	JOURNAL_RETRY_MS = 100,
};

enum lfc_stage { LFC_IDLE, LFC_BEGIN, LFC_ROTATE, LFC_OPEN, LFC_COPY, LFC_SHRINK, LFC_FINISH };

/* One clean-up on its way; lfc_step does one bounded piece. */
struct lfc {
	enum lfc_stage stage;
	int fd;	       /* of .output, then of an old file that is made shorter */
	uint32_t from; /* addresses up to here are written */
	off_t written; /* octets of .output */
	unsigned old;  /* the next old file, and the rest of the one before */
	int64_t old_left;
	struct buf buf;
};

enum { GROUP_ROWS = 512 }; /* share a sync well enough: such a group is not gathered further */

struct journal {
	struct lease_store store;
	struct journal_opts o;
	const struct file_ops *files;
	struct lease_db *db;
	char *path;	      /* owns o.path */
	bool completed_aside; /* the load set a .completed aside */
	pthread_t committer, cleaner;
	bool has_threads;
	/* committer */
	int fd;		       /* the live file; -1: none */
	struct file_info live; /* its inode, once it is open */
	off_t good;	       /* its length up to the last whole group */
	struct buf batch;
	uint64_t batch_seq, batch_rows;
	int64_t batch_ns;    /* when its first row was appended, monotonic */
	uint64_t unsynced;   /* rows written to the live file since its last sync */
	int64_t sync_ns;     /* when to sync them at the latest */
	bool need_fresh;     /* the live file cannot be trusted any more, and only the table has its
				rows */
	bool need_tail;	     /* the live file can be trusted up to `good`; the group after it is in
				memory */
	bool names_in_doubt; /* a rotation failed: the live file may have the name .1 */
	struct buf tail; /* rows that were acknowledged and wait for the interval's sync: the last
			    `unsynced` */
	bool changed;	 /* another program moved, removed or changed the live file */
	unsigned tail_tries; /* since the last good group */
	int down_why;	     /* the reason logged last */
	int64_t watch_ns;    /* when to examine the live file again */
	int64_t retry_ns;    /* when to try again while down, and how long to wait then */
	int64_t backoff_ns;
	struct lfc lfc;

	pthread_mutex_t mu;
	pthread_cond_t work;  /* committer */
	pthread_cond_t moved; /* waiters and cleaner */
	struct buf pending;
	uint64_t seq, pending_rows;
	int64_t pending_ns;   /* when the first of the pending rows was appended, monotonic */
	int64_t lfc_start_ns; /* of the clean-up that runs, monotonic */
	bool lost;	      /* rows were dropped: only the table has them */
	bool stop;
	bool lfc_wanted, lfc_busy, rotate_wanted;
	int rotate_result;
	struct journal_load_stats load; /* complete when store.opening is no longer 1 */
	struct lease_store_stats stats;
};

/* --- journal_tail.c --------------------------------------------------------------------------- */
/* Keeps the group that was written, until a sync covers it. */
void journal_tail_keep(struct journal *j);
/* Drops the kept rows: all written rows are synced. */
void journal_tail_synced(struct journal *j);
/* Makes the rows of a failed sync the group that is to be written. */
void journal_tail_doubt(struct journal *j);
/* Syncs the rows that were written and not synced, where the mode requires it: 0 or -errno. */
int journal_sync(struct journal *j) must_check;

/* --- journal_retail.c ------------------------------------------------------------------------- */
/* Repairs the live file behind its last good row, for rows that are in memory. 1: the group is in
 * it, synced; 0: it is still to be written. */
int journal_retail(struct journal *j) must_check;
/* Gives the live file its name again after a rotation that failed. */
int journal_settle_names(struct journal *j) must_check;

/* --- journal_group.c -------------------------------------------------------------------------- */
/* Drops the pending rows: from now on only the table has them. Called with mu held. */
void journal_forget_rows(struct journal *j);
/* Returns whether rows were dropped. */
bool journal_is_lost(struct journal *j);
/* Ends the epoch: nothing can be made durable, for this reason. */
void journal_go_down(struct journal *j, int why);
/* Makes the pending rows the group, unless one is still to be written. */
void journal_group_take(struct journal *j);
/* Writes the group, and syncs it where the mode requires it. 0 or -errno. */
int journal_group_write(struct journal *j) must_check;
/* Publishes the group as durable. */
void journal_group_done(struct journal *j);
/* Takes, writes and finishes a group, or goes down. */
void journal_commit(struct journal *j);
bool journal_sync_is_due(const struct journal *j);
void journal_sync_now(struct journal *j);
/* Rotates on behalf of the committer; the outcome is rotate_result. */
void journal_rotate_now(struct journal *j);
/* Waits on one of the journal's conditions for at most ns. Called with mu held. */
void journal_wait_for(struct journal *j, pthread_cond_t *cond, int64_t ns);

/* --- journal_return.c ------------------------------------------------------------------------- */
/* Tries to bring a down store back. */
void journal_try_again(struct journal *j);
bool journal_watch_is_due(const struct journal *j);
/* Examines the live file, and recovers on a fresh one if others changed it. */
void journal_watch_now(struct journal *j);

/* --- journal_committer.c ---------------------------------------------------------------------- */
/* Runs all the work that is due now. */
void journal_turn(struct journal *j);
void *journal_committer(void *journal);

/* --- journal_cleaner.c ------------------------------------------------------------------------ */
/* Runs one piece of a clean-up as lfc_step() does, with the rotation. */
int cleaner_step(struct journal *j) must_check;
void cleaner_report(struct journal *j, int result);
void *journal_cleaner(void *journal);

/* --- journal.c -------------------------------------------------------------------------------- */
extern const struct lease_store_ops journal_ops;
void journal_free(struct journal *j);
