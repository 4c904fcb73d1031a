/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where leases are made durable. The table appends rows; a committer thread writes and syncs
 * them in groups; a row's sequence number is durable once lease_store_durable() has reached it.
 * A response that promises a lease waits for that. Implementers: lease_store_backend.h.
 */
#pragma once

#include "base/attr.h"
#include "base/clock.h"
#include "base/file_ops.h"
#include "lease/lease.h"

struct lease_store;
struct lease_db;
struct log;

/* The meaning of "durable". */
enum lease_durability {
	LEASE_SYNC_COMMIT,   /* written and synced: survives the machine */
	LEASE_SYNC_INTERVAL, /* written: survives the process; the machine's crash may lose an
				interval */
	LEASE_SYNC_NONE, /* written: survives the process; the kernel says when it survives more */
};

struct lease_store_stats {
	uint64_t rows, commits, bytes, errors;
	uint64_t syncs; /* of the live file */
	uint64_t max_batch;
	uint64_t pending;  /* rows appended and not yet durable */
	uint64_t unsynced; /* rows that are durable in the sense above and not yet synced */
	enum lease_durability durability;
	bool persist;
};

/*
 * Queues one row (a whole image of the lease; deleted: valid_lft 0 in the file) and returns its
 * sequence number, > 0. Called by the table with its lock held, so rows of an address keep their
 * order. Never blocks, never fails: a store that is down keeps the table's state as the truth and
 * writes it again when it comes back.
 */
uint64_t lease_store_append(struct lease_store *s, const struct lease *l, bool deleted);

/*
 * Appending wakes no thread: the appending thread reports, once the table's lock is released, that
 * there are rows (kick: more may follow, they may gather for max_delay_us) or that there are no
 * more for now (flush: they are written at once). A worker kicks while packets keep coming and
 * flushes when it runs out of them, so light load never waits and heavy load shares a sync.
 */
void lease_store_kick(struct lease_store *s);
void lease_store_flush(struct lease_store *s);

/* Every row up to this number is as safe as enum lease_durability says. */
uint64_t lease_store_durable(const struct lease_store *s);
/* False while nothing can be made durable (disk full, EIO, read-only). */
bool lease_store_up(const struct lease_store *s);
/* 1: the file is still being loaded, and nothing may be changed or promised; 0: it is; else why it
 * cannot be. */
int lease_store_opening(const struct lease_store *s);
/*
 * Rows appended while `epoch` was current and not durable when it ended do not become
 * durable: an exchange that waits for them must not be answered. The number grows with each
 * failure.
 */
uint64_t lease_store_epoch(const struct lease_store *s);
/* Writes to eventfd whenever durable, up, epoch or opening moved. At most 64. 0, or
 * -USHER_E_LIMIT. */
int lease_store_notify(struct lease_store *s, int eventfd) must_check;
void lease_store_unnotify(struct lease_store *s, int eventfd);
/* Waits for seq: 0 when durable, -USHER_E_STORE_DOWN, -ETIMEDOUT. For commands, not for workers. */
int lease_store_wait(struct lease_store *s, uint64_t seq, int64_t timeout_ns) must_check;
/* Does the committer's work now, in this thread (stores opened with threads == false). */
void lease_store_commit_now(struct lease_store *s);
void lease_store_stats(const struct lease_store *s, struct lease_store_stats *ret);
/* Path of the live file; "" for a store without one. */
const char *lease_store_path(const struct lease_store *s);
/* Starts a clean-up in the background (kea-lfc). 0, -USHER_E_IN_USE if one runs. */
int lease_store_cleanup(struct lease_store *s) must_check;
/* Stops the committer after everything queued is durable (or cannot be); frees. */
void lease_store_close(struct lease_store *s);

struct journal_opts {
	unsigned kea_wait_ms; /* for a kea-lfc that is still at work on the file; then -EBUSY */
	const char *path;     /* the CSV file, e.g. /var/lib/kea/kea-leases4.csv */
	bool persist;	      /* false: keep nothing, everything is "durable" at once */
	bool threads;	      /* committer and clean-up threads; false: lease_store_commit_now() */
	bool background;      /* with threads: journal_open returns before the file is loaded */
	uint32_t max_row_errors; /* bad rows tolerated while loading; 0: any number */
	enum lease_durability durability;
	uint32_t interval_ms;  /* LEASE_SYNC_INTERVAL: from a row's writing to its sync; 0: a second
				*/
	uint32_t max_delay_us; /* how long a group may be gathered while workers are busy; 0: not at
				  all */
	const struct file_ops *files; /* NULL: the kernel's */
	const struct clock_src *clock;
	struct log *log;
};

enum { JOURNAL_BAD_RANGES = 32 };

struct journal_load_stats {
	uint64_t rows, bad_rows, leases;
	uint64_t torn_bytes; /* cut off at the end */
	uint64_t first_bad_line;
	char first_bad_file[256];
	char first_bad_why[128];
	/* the lines that were set aside in <name>.rejected; more than fit are counted in bad_rows
	 * only */
	unsigned n_bad;
	struct journal_bad_range {
		char suffix[12]; /* of the file: "" the live file, ".1", ".2", ".completed" */
		uint64_t first, last;
	} bad[JOURNAL_BAD_RANGES];
};

/* "lease-file lines 3-5, 9; lease-file.2 line 7" into out, for the log and status-get. */
void journal_bad_text(const struct journal_load_stats *st, const char *name, char *out, size_t cap);

/*
 * Opens Kea's lease file: loads .completed, else .2, .1, then the live file into db (last row of an
 * address wins, valid_lft 0 deletes), sets rows aside that cannot be read (<name>.rejected), cuts
 * off a torn last row, repairs left-overs of an interrupted clean-up, attaches itself to db. A torn
 * row is an incomplete last line or zeroes. 0; -USHER_E_LIMIT (more than max_row_errors bad rows);
 * -USHER_E_FOREIGN: a file of these names is no DHCPv4 lease file, and nothing was changed;
 * -EADDRINUSE: another server has the file; -EBUSY: kea-lfc cleans it up; -errno.
 * In the background: the store is not up, and not attached, until lease_store_opening() is 0.
 */
int journal_open(const struct journal_opts *o, struct lease_db *db, struct lease_store **ret,
		 struct journal_load_stats *ret_stats) must_check;
/* Waits for the end of the loading, and returns its result: 1 while it lasts, else as
 * journal_open. */
int journal_opened(struct lease_store *s, int64_t timeout_ns, struct journal_load_stats *ret_stats)
	must_check;
