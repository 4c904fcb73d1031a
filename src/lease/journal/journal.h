/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The journal: the lease store that writes Kea's lease file. It never refuses a row, owns every
 * address, and receives no other rows after its file is loaded.
 */
#pragma once

#include "base/clock.h"
#include "base/file/file_ops.h"
#include "lease/lease_store.h"

struct lease_db;
struct log;

struct journal_opts {
	unsigned kea_wait_ms; /* for a kea-lfc that still works on the file; then -EBUSY */
	const char *path;     /* the CSV file, e.g. /var/lib/kea/kea-leases4.csv */
	bool persist;	      /* false: keep nothing, everything is "durable" at once */
	bool threads;	      /* committer and clean-up threads; false: lease_store_commit_now() */
	bool background;      /* with threads: journal_open returns before the file is loaded */
	uint32_t max_row_errors; /* bad rows tolerated while loading; 0: any number */
	enum lease_durability durability;
	uint32_t interval_ms;  /* LEASE_SYNC_INTERVAL: from a row's writing to its sync; 0: a second
				*/
	uint32_t max_delay_us; /* the longest time that a group gathers while workers are busy; 0:
				  none */
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

/* Writes "lease-file lines 3-5, 9; lease-file.2 line 7" to out, for the log and status-get. */
void journal_bad_text(const struct journal_load_stats *st, const char *name, char *out, size_t cap);

/*
 * Opens Kea's lease file. Loads .completed, else .2, .1, then the live file into db: the last row
 * of an address wins, valid_lft 0 deletes. Sets rows aside that cannot be read (<name>.rejected),
 * cuts off a torn last row, repairs left-overs of an interrupted clean-up, attaches itself to db. A
 * torn row is an incomplete last line or zeroes. 0; -USHER_E_LIMIT (more than max_row_errors bad
 * rows); -USHER_E_FOREIGN: a file of these names is no DHCPv4 lease file, and nothing was changed;
 * -EADDRINUSE: another server has the file; -EBUSY: kea-lfc cleans it up; -errno.
 * In the background: the store is not up, and not attached, until lease_store_opening() is 0.
 */
int journal_open(const struct journal_opts *o, struct lease_db *db, struct lease_store **ret,
		 struct journal_load_stats *ret_stats) must_check;
/* Waits for the end of the loading, and returns its result: 1 while it lasts, else as
 * journal_open. */
int journal_opened(struct lease_store *s, int64_t timeout_ns, struct journal_load_stats *ret_stats)
	must_check;
