/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lease store on a PostgreSQL database with Kea's schema, alone or with other servers on the
 * same database: the database decides about each row. The leases are read at start, and the table
 * is the place to read them from then on. A thread of its own has the connection.
 */
#pragma once

#include "base/clock.h"
#include "config/database/config_database.h"
#include "lease/lease_store.h"

struct lease_db;
struct log;
struct pq;

struct pg_store_opts {
	const struct config_database *config; /* copied */
	const struct pq *pq;
	uint32_t max_delay_us; /* the longest time that rows gather while workers are busy */
	const struct clock_src *clock;
	struct log *log;
	/* Called from the store's thread when the policy of on-fail ends the server. */
	void (*give_up)(void *ctx);
	void *ctx;
};

struct pg_load_stats {
	uint64_t leases;
	char place[256]; /* of the database */
	char why[256];	 /* the reason, if it failed */
};

/* Starts the store, which connects and loads in its thread. It is not up, and not attached to db,
 * until lease_store_opening() is 0. 0 or negative. */
int pg_store_open(const struct pg_store_opts *o, struct lease_db *db, struct lease_store **ret)
	must_check;
/* Waits for the end of the loading: 1 while it lasts, 0, or the negative reason why the leases
 * cannot be loaded. */
int pg_store_opened(struct lease_store *s, int64_t timeout_ns, struct pg_load_stats *ret)
	must_check;
