/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A connection to a PostgreSQL database with Kea's schema, on an event loop: never blocks but for
 * the name of the host, connects again by itself. Statements are sent in pipeline mode. Those
 * between two calls of database_sync() are one transaction. One thread, the loop's.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct config_database;
struct database;
struct database_result;
struct log;
struct loop;
struct pq;

/* The numbers of schema_version, and their meaning for the tables that are used. */
struct database_schema {
	int version, minor;
	bool has_relay_ids;	 /* lease4.relay_id, remote_id */
	bool has_pool_id;	 /* lease4.pool_id, lease4_pool_stat */
	bool has_released_state; /* lease_state 3 */
};
/* The versions of schema_version that are supported, as given in messages. */
enum { DATABASE_SCHEMA_FIRST = 13, DATABASE_SCHEMA_LAST = 34 };

/* The outcome of a statement or a transaction. */
enum database_fault {
	DATABASE_OK,
	DATABASE_AGAIN, /* a conflict with others or a time-out: may be tried again */
	DATABASE_DATA,	/* the values are refused */
	DATABASE_LOST,	/* anything else: the connection is closed, and opened again */
};

typedef void (*database_fn)(void *ctx, const struct database_result *r);

struct database_opts {
	struct loop *loop;
	const struct config_database *config; /* borrowed, as long as the connection */
	const struct pq *pq;
	struct log *log;
	const char *role; /* "leases": a part of application_name and of messages */
	/* Called when the connection is there and the schema was checked; prepares statements. */
	void (*up)(void *ctx);
	/*
	 * Called when an attempt failed (was_up == false) or the connection is lost: statements
	 * without a result have none. for_good: further attempts are useless, because the database
	 * is not Kea's or of an unsupported version; they are made nevertheless.
	 */
	void (*down)(void *ctx, const char *why, bool was_up, bool for_good);
	void *ctx;
};

int database_open(const struct database_opts *o, struct database **ret) must_check;
void database_close(struct database *d);
const struct database_schema *database_schema(const struct database *d);
/* Closes the connection for the reason given, and opens it again. */
void database_reset(struct database *d, const char *why);
/* Writes "name at host:port" to out, for messages and status. */
void database_place(const struct config_database *c, char *out, size_t cap);

/* --- statements -------------------------------------------------------------------------------- */

/* The OIDs of the types that parameters have. */
enum {
	DATABASE_BOOL = 16,
	DATABASE_BYTEA = 17,
	DATABASE_INT8 = 20,
	DATABASE_INT4 = 23,
	DATABASE_TEXT = 25,
	DATABASE_BOOLS = 1000,
	DATABASE_BYTEAS = 1001,
	DATABASE_INT8S = 1016,
	DATABASE_TEXTS = 1009,
	DATABASE_TIME = 1184,
	DATABASE_TIMES = 1185,
};

enum { DATABASE_PARAMS_MAX = 24, DATABASE_IN_FLIGHT = 1024 };

/* The values of a statement's parameters, in binary; database_value.h makes them. p == NULL: null.
 */
struct database_params {
	unsigned n;
	struct span value[DATABASE_PARAMS_MAX];
};

/* Prepares a statement, whose name and text outlive the connection. Part of the transaction. */
int database_prepare(struct database *d, const char *name, const char *sql, const uint32_t *types,
		     unsigned n) must_check;
/* Sends a prepared statement; fn is called with its rows, unless the connection is lost before.
 * -EAGAIN: DATABASE_IN_FLIGHT statements wait for their results; -ENOTCONN. */
int database_send(struct database *d, const char *name, const struct database_params *p,
		  database_fn fn, void *ctx) must_check;
/* Ends the transaction: fn is called with its fault when it is committed or failed. */
int database_sync(struct database *d, database_fn fn, void *ctx) must_check;

/* --- results ----------------------------------------------------------------------------------- */

/* Returns the fault of the statement, or of the first one of the transaction. */
enum database_fault database_fault(const struct database_result *r);
/* Returns the text of the error; "" if there is none. */
const char *database_error(const struct database_result *r);
int database_rows(const struct database_result *r);
/* Returns a value in its binary form, of the result's life. */
struct span database_value(const struct database_result *r, int row, int column);
/* Returns an int8, int4, int2, or bool; 0 where it is null. */
int64_t database_int(const struct database_result *r, int row, int column);
/* Returns a timestamptz in microseconds since 1970. */
int64_t database_time_us(const struct database_result *r, int row, int column);
