/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The contract of a lease store: the place where leases are made durable, alone or together with
 * other servers. Implementers: lease_store_backend.h. The journal (journal.h) is one.
 *
 * Rows. The table appends a row at each change, and the store numbers the rows from 1. A row is
 * *decided* when lease_store_durable() has reached its number. A decided row is durable, or the
 * store has *refused* it, because another server gave the address to another client first; then the
 * row of the present holder is in the table already. A response that promises a lease waits for the
 * decision. Rows that are not decided when the store goes down never are: the epoch moves, and
 * nothing may be promised until the store is up again.
 *
 * Addresses. A store may own a part of the addresses only, and other servers the rest. The table
 * offers and assigns an address that it does not own only to the client whose running lease it is.
 *
 * Rows of others. A row that another server or a database wrote is put into the table by the store,
 * under a number of its own (lease_apply.h); users see it only there.
 */
#pragma once

#include "base/attr.h"
#include "base/buckets.h"
#include "lease/lease.h"

struct lease_store;

/* The meaning of "durable". */
enum lease_durability {
	LEASE_SYNC_COMMIT,   /* written and synced: survives the machine */
	LEASE_SYNC_INTERVAL, /* written: survives the process; the machine's crash may lose an
				interval */
	LEASE_SYNC_NONE, /* written: survives the process; the kernel decides when it is on disk */
};

struct lease_store_stats {
	uint64_t rows, commits, bytes, errors;
	uint64_t syncs; /* of the live file */
	uint64_t max_batch;
	uint64_t pending;    /* rows appended and not yet durable */
	uint64_t unsynced;   /* rows that are durable by the chosen meaning and not yet synced */
	uint64_t file_bytes; /* length of the live file, as of its last row or rotation */
	uint64_t refused;    /* rows */
	uint64_t rewrites, rewrite_failures; /* clean-ups that ended */
	int64_t rewrite_ns;		     /* duration of the last complete one; 0: none was */
	int64_t rewritten_ns;		     /* its end on the wall clock; 0: none was */
	struct buckets_sum commit_ns;	     /* of each commit: from its first row to durable */
	struct buckets_sum commit_rows;	     /* of each commit */
	enum lease_durability durability;
	bool persist;
};

/* The shapes of lease_store_stats.commit_ns and commit_rows. */
extern const struct buckets_shape lease_commit_ns_shape, lease_commit_rows_shape;

/*
 * Queues one row (a whole image of the lease; deleted: valid_lft 0 in the file) and returns its
 * sequence number, > 0. Called by the table with its lock held, so rows of an address keep their
 * order. Never blocks, never fails: a store that is down keeps the table's state as the truth and
 * writes it again when it is up.
 */
uint64_t lease_store_append(struct lease_store *s, const struct lease *l, bool deleted);

/* Names the record that the next row replaces, where the row has another identity: another server
 * may have given the address to a third client since. Called with the table locked. */
void lease_store_replaces(struct lease_store *s, const struct lease *old);
/* Returns whether the store needs that. */
bool lease_store_asks_replaced(const struct lease_store *s);

/*
 * Reports, once the table's lock is released, that the thread has appended rows; appending itself
 * wakes no thread. More rows may follow, and they may gather for max_delay_us. lease_store_flush()
 * reports that there are no more for now: they are written at once. A worker kicks while packets
 * keep coming and flushes when it runs out of them. So light load never waits and heavy load shares
 * a sync.
 */
void lease_store_kick(struct lease_store *s);
void lease_store_flush(struct lease_store *s);

/* Returns the number up to which every row is decided: as safe as enum lease_durability defines, or
 * refused. */
uint64_t lease_store_durable(const struct lease_store *s);

enum lease_outcome {
	LEASE_ROW_PENDING,     /* not decided yet */
	LEASE_ROW_DURABLE,     /* as safe as enum lease_durability defines */
	LEASE_ROW_REFUSED,     /* the address is another client's now */
	LEASE_ROW_UNAVAILABLE, /* the store went down before it was decided */
};
/* Returns the outcome of row seq, which the caller has waited for since the epoch. */
enum lease_outcome lease_store_outcome(const struct lease_store *s, uint64_t seq, uint64_t epoch);
/* Returns whether row seq was refused, and the row of the address's holder. A store keeps its last
 * LEASE_REFUSALS refusals; when it drops one, the epoch moves. */
enum { LEASE_REFUSALS = 64 };
bool lease_store_refused(const struct lease_store *s, uint64_t seq, struct lease *ret_holder);
/* Returns whether this server may give the address to a new client. */
bool lease_store_owns(const struct lease_store *s, uint32_t addr);
/* Returns false while nothing can be made durable (disk full, EIO, read-only). */
bool lease_store_up(const struct lease_store *s);
/* Returns whether a running lease may be confirmed, for no longer than it has left, while the store
 * is down. */
bool lease_store_confirms(const struct lease_store *s);
/* Returns 1 while the leases are being loaded, and nothing may be changed or promised; 0 when they
 * are loaded; else the reason why they cannot be. */
int lease_store_opening(const struct lease_store *s);
/*
 * Returns the epoch, which grows with each failure. Rows appended in one epoch and not durable at
 * its end do not become durable: an exchange that waits for them must not be answered.
 */
uint64_t lease_store_epoch(const struct lease_store *s);
/* Writes to eventfd whenever durable, up, epoch or opening moved. At most 64. 0, or
 * -USHER_E_LIMIT. */
int lease_store_notify(struct lease_store *s, int eventfd) must_check;
void lease_store_unnotify(struct lease_store *s, int eventfd);
/* Waits for seq: 0 when durable, -USHER_E_IN_USE (refused), -USHER_E_STORE_DOWN, -ETIMEDOUT. For
 * commands, not for workers. */
int lease_store_wait(struct lease_store *s, uint64_t seq, int64_t timeout_ns) must_check;
/* Runs the committer's work now, in this thread (stores opened with threads == false). */
void lease_store_commit_now(struct lease_store *s);
void lease_store_stats(const struct lease_store *s, struct lease_store_stats *ret);
/* Returns the path of the file that the leases are in; "" for a store without one. */
const char *lease_store_path(const struct lease_store *s);
/* Returns the place of the database that the leases are in; NULL: they are in a file. */
const char *lease_store_place(const struct lease_store *s);
/* Starts a clean-up of old rows in the background. 0, -USHER_E_IN_USE if one runs. */
int lease_store_cleanup(struct lease_store *s) must_check;
/* Stops the committer after everything queued is durable (or cannot be); frees. */
void lease_store_close(struct lease_store *s);
