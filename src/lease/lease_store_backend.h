/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For implementers of lease stores: the table every store fills, the head of its object, and the
 * functions that make the contract of lease_store.h true.
 *
 * Order of locks: the lease table's, then the store's. append() is called with the table locked; a
 * store calls the table (lease_apply.h, lease_store_refuse) without its own lock.
 */
#pragma once

#include "lease/lease_store.h"

#include <pthread.h>

struct lease_db;

struct lease_store_ops {
	const char *name; /* "memfile" */
	/* Numbers the row, in the order of the calls. */
	uint64_t (*append)(struct lease_store *s, const struct lease *l, bool deleted);
	/* Names the record that the next appended row replaces, if the row has another identity.
	 * NULL: nobody asks. */
	void (*replaces)(struct lease_store *s, const struct lease *old);
	void (*wake)(struct lease_store *s); /* the committer, from sleeping or gathering */
	int (*wait)(struct lease_store *s, uint64_t seq, int64_t timeout_ns);
	void (*commit_now)(struct lease_store *s);
	int (*cleanup)(struct lease_store *s);
	void (*stats)(const struct lease_store *s, struct lease_store_stats *ret);
	const char *(*path)(const struct lease_store *s);
	const char *(*place)(const struct lease_store *s); /* of a database; NULL: a file */
	/* Called with the table locked; must not block. NULL: the store owns every address. One
	 * that does not calls lease_db_blocks_moved() when it is attached and when its blocks
	 * change. */
	bool (*owns)(const struct lease_store *s, uint32_t addr);
	void (*close)(struct lease_store *s);
};

/* The last refusals; the newest is at (n - 1) % LEASE_REFUSALS. */
struct lease_refusals {
	uint64_t n;
	struct lease_refusal {
		uint64_t seq;
		struct lease holder; /* without its user context */
	} last[LEASE_REFUSALS];
};

struct lease_store {
	const struct lease_store_ops *ops;
	_Atomic uint64_t durable;
	_Atomic uint64_t epoch;
	_Atomic bool up;
	_Atomic uint64_t appended; /* the last row's number */
	/* the committer waits, set with its lock: for rows, or for more of them */
	_Atomic bool idle, gathering;
	bool confirms;	    /* while it is down, running leases are confirmed */
	_Atomic bool hurry; /* the next group shall not gather */
	_Atomic int
		opening; /* 1: the leases are still being loaded; 0: they are; negative: why not */
	struct lease_refusals *_Atomic refusals; /* NULL: the store never refused a row */
	pthread_mutex_t mu;			 /* of the members below, and of the refusals */
	int notify[64];
	unsigned n_notify;
};

void lease_store_init(struct lease_store *s, const struct lease_store_ops *ops);
void lease_store_fini(struct lease_store *s);
/* Writes to the registered eventfds; called whenever durable, up or epoch moved. */
void lease_store_moved(struct lease_store *s);
/*
 * Refuses row seq, which is not decided yet: puts the holder's row into the table under holder_seq,
 * a number of the store's own, and remembers the refusal. The store moves `durable` afterwards. 0;
 * -ENOMEM, or as lease_db_apply(): nothing is refused, and the row stays undecided.
 */
int lease_store_refuse(struct lease_store *s, struct lease_db *db, uint64_t seq,
		       const struct lease *holder, uint64_t holder_seq) must_check;
