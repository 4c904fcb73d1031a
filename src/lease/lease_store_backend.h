/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For implementers of lease stores: the table every store fills and the head of its object.
 */
#pragma once

#include "lease/lease_store.h"

#include <pthread.h>

struct lease_store_ops {
	const char *name; /* "memfile" */
	uint64_t (*append)(struct lease_store *s, const struct lease *l, bool deleted);
	void (*wake)(struct lease_store *s); /* the committer, from sleeping or gathering */
	int (*wait)(struct lease_store *s, uint64_t seq, int64_t timeout_ns);
	void (*commit_now)(struct lease_store *s);
	int (*cleanup)(struct lease_store *s);
	void (*stats)(const struct lease_store *s, struct lease_store_stats *ret);
	const char *(*path)(const struct lease_store *s);
	void (*close)(struct lease_store *s);
};

struct lease_store {
	const struct lease_store_ops *ops;
	_Atomic uint64_t durable;
	_Atomic uint64_t epoch;
	_Atomic bool up;
	_Atomic uint64_t appended; /* the last row's number */
	/* the committer waits, set with its lock: for rows, or for more of them */
	_Atomic bool idle, gathering;
	_Atomic bool hurry;  /* the next group shall not gather */
	_Atomic int opening; /* 1: the file is still being loaded; 0: it is; negative: why not */
	pthread_mutex_t notify_mu; /* the store makes and destroys it */
	int notify[64];
	unsigned n_notify;
};

/* Writes to the registered eventfds; called whenever durable, up or epoch moved. */
void lease_store_moved(struct lease_store *s);
