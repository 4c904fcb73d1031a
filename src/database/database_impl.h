/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The inside of a connection: making it (database_connect.c), statements and their results
 * (database_pipeline.c), faults (database_fault.c).
 */
#pragma once

#include "config/database/config_database.h"
#include "database/database.h"
#include "database/pq.h"
#include "runtime/loop.h"

enum database_state {
	DATABASE_PAUSE,	     /* until the next attempt */
	DATABASE_CONNECTING, /* PQconnectPoll() */
	DATABASE_CHECKING,   /* the schema's version is being read */
	DATABASE_UP,
};

struct database_result {
	const struct pq *pq;
	const PGresult *result; /* NULL: the end of a transaction, or no rows */
	enum database_fault fault;
	char error[256];
};

/* A statement, or the end of a transaction, that has no result yet. */
struct database_sent {
	database_fn fn; /* NULL: nobody asks */
	void *ctx;
	bool sync;
};

struct database {
	struct database_opts o;
	const struct pq *pq;
	PGconn *conn;
	enum database_state state;
	struct database_schema schema;
	struct loop_source *source;
	bool wants_write;
	struct loop_timer *timer; /* of a pause, an attempt, or of results */
	int64_t pause_ns;
	bool was_up; /* there was a connection before */
	ConnStatusType attempt_status;
	bool refused;	/* resetting because of the schema's version */
	bool resetting; /* the connection is lost, for reset_why */
	char reset_why[256];
	/* a ring: sent[(first + i) % DATABASE_IN_FLIGHT] */
	struct database_sent sent[DATABASE_IN_FLIGHT];
	unsigned first, n_sent;
	enum database_fault fault; /* of the transaction whose results come now */
	char error[256];
};

/* Ends the connection; every statement without a result is forgotten. */
void database_lose(struct database *d, const char *why, bool for_good);
/* Reads and writes as far as possible. */
void database_work(struct database *d);
/* Watches the connection's descriptor. */
void database_watch(struct database *d, bool write);
/* Called when the connection is made: begins pipeline mode and the check of the schema. */
void database_begin(struct database *d);
/* Ends the connection because of the schema's version. */
void database_refuse(struct database *d);
/* Classifies the error of a result. */
enum database_fault database_fault_of(const struct pq *pq, const PGresult *r);
