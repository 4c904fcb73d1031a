/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The inside of the journal, shared by journal.c (appending, committing, going down and coming
 * back), journal_cleaner.c and journal_lfc.c (rotation, snapshots, clean-up), journal_open.c and
 * journal_load.c (start).
 *
 * Ownership: `mu` guards the members under it. Everything else belongs to the committer,
 * except struct lfc, which belongs to the thread that set lfc_busy.
 * Order of locks: table, then journal. No function calls the table with mu held.
 */
#pragma once

#include "base/buf.h"
#include "lease/journal.h"
#include "lease/lease_db.h"
#include "lease/lease_store_backend.h"

#include <pthread.h>

enum {
	PATH_CAP = 4096,
	/* rows waiting for a disk that does not answer: then the table is the only truth */
	PENDING_MAX = 64 << 20,
	SHRINK_BYTES = 8 << 20, /* of an old file at a time */
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
	uint64_t unsynced;   /* rows written to the live file since its last sync */
	int64_t sync_ns;     /* when to sync them at the latest */
	bool need_fresh;     /* the live file cannot be trusted any more, and only the table has its
				rows */
	bool need_tail;	     /* the live file can be trusted up to `good`; the group after it is in
				memory */
	bool names_in_doubt; /* a rotation failed: the live file may have the name .1 */
	struct buf tail;     /* rows that an interval has acknowledged and not synced: the last
				`unsynced` */
	bool changed;	     /* another program moved, removed or changed the live file */
	unsigned tail_tries; /* since the last good group */
	int down_why;	     /* the reason logged last */
	int64_t watch_ns;    /* when to look at the live file again */
	int64_t retry_ns;    /* when to try again while down, and how long to wait then */
	int64_t backoff_ns;
	struct lfc lfc;

	pthread_mutex_t mu;
	pthread_cond_t work;  /* committer */
	pthread_cond_t moved; /* waiters and cleaner */
	struct buf pending;
	uint64_t seq, pending_rows;
	bool lost; /* rows were thrown away: only the table has them */
	bool stop;
	bool lfc_wanted, lfc_busy, rotate_wanted;
	int rotate_result;
	struct journal_load_stats load; /* complete when store.opening is no longer 1 */
	struct lease_store_stats stats;
};

/* --- journal.c -------------------------------------------------------------------------------- */
extern const struct lease_store_ops journal_ops;
int journal_write_all(struct journal *j, int fd, const char *p, size_t n) must_check;
/* Syncs the rows that were written and not synced, where the mode asks for syncs: 0 or -errno. */
int journal_sync(struct journal *j) must_check;
/* Rotates in the committer's name; the outcome is rotate_result. */
void journal_rotate_now(struct journal *j);
/* With mu held: waits on one of the journal's conditions for so long. */
void journal_wait_for(struct journal *j, pthread_cond_t *cond, int64_t ns);
void *journal_committer(void *journal);
void journal_free(struct journal *j);

/* --- journal_open.c --------------------------------------------------------------------------- */
/* Loads in the committer's thread. False: it could not be, or is no longer wanted. */
bool journal_open_late(struct journal *j);

/* --- journal_files.c -------------------------------------------------------------------------- */
/* Renames name + suffix to a new name (.aside-1 ...) and logs it. */
int journal_set_aside(struct journal *j, const char *suffix, const char *why) must_check;
/* Removes the file that an interrupted clean-up left under the name; a file of another kind is set
 * aside. */
int journal_clear(struct journal *j, const char *suffix) must_check;
/* Is this all of a lease file whose header was being written when the power went? */
bool journal_torn_header(const char *p, size_t n);
/* 0: a regular file, or none; 1: a pipe to read from (not for the live file); -USHER_E_FOREIGN:
 * anything else. */
int journal_check_kind(struct journal *j, const char *suffix) must_check;
/* May the file be cut without harm to anything but the name? */
bool journal_may_shrink(struct journal *j, const char *suffix);
/* Locks the inode of the live file and remembers it. -EADDRINUSE: another server has it. */
int journal_adopt(struct journal *j) must_check;
/* -USHER_E_CHANGED: the name is no longer this file's, or the file has another length. */
int journal_watch(struct journal *j, off_t expected) must_check;
/* Renames a file that others have put under the live file's name. -EADDRINUSE: another server
 * serves from it. */
int journal_make_way(struct journal *j) must_check;
/* Follows a symbolic link: the journal's files are then beside the link's target. */
int journal_resolve(struct journal *j) must_check;
/* Returns whether a kea-lfc runs on these files. */
bool journal_kea_cleans(struct journal *j);

/* The files that a kea-lfc renames and removes: .completed, .2, .1; all zeroes: not there. */
struct journal_kea_files {
	struct file_info file[3];
};

void journal_kea_look(struct journal *j, struct journal_kea_files *ret);
bool journal_kea_same(const struct journal_kea_files *a, const struct journal_kea_files *b);
bool journal_completed_whole(struct journal *j);

/* --- journal_cleaner.c ------------------------------------------------------------------------ */
/* As lfc_step, with the rotation. */
int cleaner_step(struct journal *j) must_check;
void cleaner_report(struct journal *j, int result);
void *journal_cleaner(void *journal);

/* --- journal_lfc.c ---------------------------------------------------------------------------- */
/* name + suffix (".1", ".2", ".output", ".completed", ".next"; "" the live file). */
const char *journal_name(const struct journal *j, const char *suffix, char out[PATH_CAP]);
bool journal_exists(const struct journal *j, const char *suffix);
/* A new, synced file that has the header: its descriptor, or -errno. */
int journal_create(struct journal *j, const char *suffix) must_check;
/* live -> .1, .next -> live. For the committer, between groups. Takes next_fd. On an error the
 * names are in doubt. */
int journal_rotate(struct journal *j, int next_fd) must_check;
/* Finishes a clean-up once .completed is durable. */
int journal_finish(struct journal *j) must_check;
/* Runs one bounded piece of a clean-up: 1 more to do, 0 done, -errno failed (and put away). */
int lfc_step(struct journal *j) must_check;
void lfc_abort(struct journal *j);
/* Writes a whole snapshot at once: .1 and .2 are replaced by the contents of the table. */
int journal_snapshot(struct journal *j) must_check;
/* Brings a down store back on a fresh file. Leaves fd and good right. */
int journal_recover(struct journal *j) must_check;
/* Is there room for a copy of the table? */
bool journal_has_room(struct journal *j);

/* --- journal_tail.c --------------------------------------------------------------------------- */
/* Keeps the group that was written, until a sync covers it. */
void journal_tail_keep(struct journal *j);
/* All that was written is synced. */
void journal_tail_synced(struct journal *j);
/* A sync failed: makes the rows it was to cover the group that is to be written. */
void journal_tail_doubt(struct journal *j);
/* Makes the live file right again behind its last good row, for rows that are in memory. 1: the
 * group is in it, synced; 0: it is still to be written. */
int journal_retail(struct journal *j) must_check;
/* Gives the live file its name again after a rotation that failed. */
int journal_settle_names(struct journal *j) must_check;

/* --- journal_load.c --------------------------------------------------------------------------- */
struct journal_loaded {
	off_t end;	   /* of the live file: where to cut it */
	bool newline;	   /* its last row lacks a newline */
	bool other_header; /* it has other columns than ours */
};
/* Reads every file there is into the table; rows that cannot be read are in .rejected, synced. */
int journal_load(struct journal *j, struct journal_load_stats *st, struct journal_loaded *ret)
	must_check;
