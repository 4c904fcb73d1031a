/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Statements in pipeline mode. Results come in the order of the statements; a ring holds the
 * functions that wait for them. After an error the rest of a transaction has no results of its own
 * (PGRES_PIPELINE_ABORTED) until its end, which reports the first fault.
 */
#include "base/clock.h"
#include "database/database_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A commit that waits for a standby server may take long; the server ends statements after two
 * seconds. */
static const int64_t answer_ns = 5 * NS_PER_S;

/* --- sending ------------------------------------------------------------------------------------- */

static int add_sent(struct database *d, database_fn fn, void *ctx, bool sync)
{
	d->sent[(d->first + d->n_sent) % DATABASE_IN_FLIGHT] = (struct database_sent){fn, ctx,
										      sync};
	if (d->n_sent++ == 0)
		loop_timer_set(d->timer, answer_ns);
	return 0;
}

/* Checks that a statement may be sent now. */
static int check_room(const struct database *d)
{
	if ((d->state != DATABASE_UP && d->state != DATABASE_CHECKING) || d->resetting)
		return -ENOTCONN;
	return d->n_sent == DATABASE_IN_FLIGHT ? -EAGAIN : 0;
}

/* Called behind each function of libpq that sends: on failure the connection is lost. */
static int end_send(struct database *d, int ok, database_fn fn, void *ctx, bool sync)
{
	if (ok)
		return add_sent(d, fn, ctx, sync);
	database_reset(d, d->pq->errorMessage(d->conn));
	return -ENOTCONN;
}

int database_prepare(struct database *d, const char *name, const char *sql, const uint32_t *types,
		     unsigned n)
{
	int r = check_room(d);

	if (r < 0)
		return r;
	return end_send(d, d->pq->sendPrepare(d->conn, name, sql, (int)n, types), NULL, NULL,
			false);
}

int database_send(struct database *d, const char *name, const struct database_params *p,
		  database_fn fn, void *ctx)
{
	const char *values[DATABASE_PARAMS_MAX];
	int lengths[DATABASE_PARAMS_MAX], formats[DATABASE_PARAMS_MAX];
	int r = check_room(d);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < p->n; i++) {
		values[i] = (const char *)p->value[i].p;
		lengths[i] = (int)p->value[i].n;
		formats[i] = 1;
	}
	return end_send(d,
			d->pq->sendQueryPrepared(d->conn, name, (int)p->n, values, lengths, formats,
						 1),
			fn, ctx, false);
}

int database_sync(struct database *d, database_fn fn, void *ctx)
{
	int r = check_room(d);

	if (r < 0)
		return r;
	r = end_send(d, d->pq->pipelineSync(d->conn), fn, ctx, true);
	if (r == 0)
		database_watch(d, d->pq->flush(d->conn) > 0);
	return r;
}

/* --- results ------------------------------------------------------------------------------------- */

static void note_fault(struct database *d, enum database_fault fault, const char *text)
{
	if (d->fault != DATABASE_OK)
		return;
	d->fault = fault;
	(void)snprintf(d->error, sizeof(d->error), "%.*s", (int)strcspn(text, "\n"), text);
}

/* Calls the function of the oldest statement or end without a result, and removes it. */
static void deliver(struct database *d, const PGresult *result, enum database_fault fault)
{
	struct database_sent s = d->sent[d->first];
	struct database_result r = {.pq = d->pq, .result = result, .fault = fault};

	d->first = (d->first + 1) % DATABASE_IN_FLIGHT;
	d->n_sent--;
	loop_timer_set(d->timer, d->n_sent ? answer_ns : -1);
	(void)snprintf(r.error, sizeof(r.error), "%s", fault == DATABASE_OK ? "" : d->error);
	if (s.sync) {
		d->fault = DATABASE_OK;
		d->error[0] = '\0';
	}
	if (s.fn)
		s.fn(s.ctx, &r);
	if (s.sync && fault == DATABASE_LOST)
		database_reset(d, r.error);
}

/* Handles a result of the oldest statement. */
static void take_result(struct database *d, const PGresult *result)
{
	switch ((int)d->pq->resultStatus(result)) {
	case PGRES_TUPLES_OK:
	case PGRES_COMMAND_OK:
		if (!d->sent[d->first].sync)
			deliver(d, result, DATABASE_OK);
		return;
	case PGRES_PIPELINE_SYNC:
		deliver(d, NULL, d->fault);
		return;
	case PGRES_PIPELINE_ABORTED:
		if (!d->sent[d->first].sync)
			deliver(d, NULL, d->fault);
		return;
	default:
		note_fault(d, database_fault_of(d->pq, result), d->pq->resultErrorMessage(result));
		/* an error of the commit itself comes before its end */
		if (!d->sent[d->first].sync)
			deliver(d, NULL, d->fault);
	}
}

void database_work(struct database *d)
{
	const struct pq *pq = d->pq;
	int nulls = 0;

	if (!pq->consumeInput(d->conn)) {
		database_lose(d, pq->errorMessage(d->conn), false);
		return;
	}
	/* a NULL ends the results of a statement; two of them: there are no more */
	while (d->n_sent && !d->resetting && nulls < 2 && !pq->isBusy(d->conn)) {
		PGresult *result = pq->getResult(d->conn);

		nulls = result ? 0 : nulls + 1;
		if (result) {
			take_result(d, result);
			pq->clear(result);
		}
	}
	if (d->resetting)
		return;
	if (pq->status(d->conn) == CONNECTION_BAD)
		database_lose(d, pq->errorMessage(d->conn), false);
	else
		database_watch(d, pq->flush(d->conn) > 0);
}

/* --- the session ----------------------------------------------------------------------------------- */

static void set_schema(struct database_schema *s, int version, int minor)
{
	*s = (struct database_schema){
		.version = version,
		.minor = minor,
		.has_relay_ids = version >= 15,
		.has_pool_id = version >= 17,
		.has_released_state = version >= 23,
	};
}

static void on_version(void *ctx, const struct database_result *r)
{
	struct database *d = ctx;

	if (database_fault(r) == DATABASE_OK && database_rows(r) == 1)
		set_schema(&d->schema, (int)database_int(r, 0, 0), (int)database_int(r, 0, 1));
}

void database_refuse(struct database *d)
{
	char place[256], why[512];
	int v = d->schema.version;

	database_place(d->o.config, place, sizeof(place));
	if (v < 0)
		(void)snprintf(
			why, sizeof(why),
			"database %s has no version of Kea's schema: create it with kea-admin db-init pgsql",
			place);
	else
		(void)snprintf(
			why, sizeof(why),
			"database %s has version %d.%d of Kea's schema, expected %d to %d: %s",
			place, v, d->schema.minor, DATABASE_SCHEMA_FIRST, DATABASE_SCHEMA_LAST,
			v < DATABASE_SCHEMA_FIRST ? "upgrade it with kea-admin db-upgrade pgsql"
						  : "it is newer than this server");
	database_lose(d, why, true);
}

static void on_checked(void *ctx, const struct database_result *r)
{
	struct database *d = ctx;

	/* a missing table is no Kea database; any other fault is that of the connection */
	if (d->schema.version < DATABASE_SCHEMA_FIRST || d->schema.version > DATABASE_SCHEMA_LAST) {
		d->refused = database_fault(r) == DATABASE_OK ||
			     strstr(database_error(r), "schema_version") != NULL;
		if (!d->refused)
			database_reset(d, database_error(r));
		else
			database_reset(d, "schema");
		return;
	}
	d->state = DATABASE_UP;
	d->pause_ns = 0;
	d->o.up(d->o.ctx);
}

/* The session's time zone and limits: a transaction that waits for another one longer than half a
 * second is tried again. */
static const char settings[] = "SELECT set_config('TimeZone','UTC',false),"
			       "set_config('statement_timeout','2000',false),"
			       "set_config('lock_timeout','500',false),"
			       "set_config('idle_in_transaction_session_timeout','5000',false)";

static int send_plain(struct database *d, const char *sql, database_fn fn)
{
	return end_send(d, d->pq->sendQueryParams(d->conn, sql, 0, NULL, NULL, NULL, NULL, 1), fn,
			d, false);
}

void database_begin(struct database *d)
{
	d->state = DATABASE_CHECKING;
	d->first = d->n_sent = 0;
	d->fault = DATABASE_OK;
	d->schema.version = -1;
	d->refused = false;
	loop_remove(d->source);
	d->source = NULL;
	if (d->pq->setnonblocking(d->conn, 1) != 0 || !d->pq->enterPipelineMode(d->conn)) {
		database_lose(d, d->pq->errorMessage(d->conn), false);
		return;
	}
	if (send_plain(d, settings, NULL) == 0 &&
	    send_plain(d, "SELECT version, minor FROM schema_version", on_version) == 0)
		(void)!database_sync(d, on_checked, d);
}
