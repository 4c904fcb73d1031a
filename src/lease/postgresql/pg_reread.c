/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rows that lost: the present row of their address is read, put into the table, and the row is
 * refused. If there is none any more, a claim is made again.
 */
#include "lease/postgresql/pg_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "lease/lease_apply.h"

#include <errno.h>
#include <stdatomic.h>

/* Returns the row of the result that has the address, or -1. */
static int find_row(const struct database_result *r, uint32_t addr)
{
	for (int i = 0; i < database_rows(r); i++)
		if (database_int(r, i, 0) == addr)
			return i;
	return -1;
}

static uint64_t next_seq(struct pg_store *p)
{
	uint64_t seq;

	(void)pthread_mutex_lock(&p->mu);
	seq = ++p->seq;
	p->store.appended = seq;
	(void)pthread_mutex_unlock(&p->mu);
	return seq;
}

/* Removes the record of a row that can never be durable. Exchanges that wait for it are dropped. */
static void give_up_row(struct pg_store *p, const struct pg_row *row)
{
	struct lease l;

	pg_row_lease(row, &l);
	(void)!lease_db_apply(p->db, &l, true, next_seq(p));
	(void)atomic_fetch_add(&p->store.epoch, 1);
	lease_store_moved(&p->store);
}

/* Decides a row whose address has the row of the result, -1: none. */
static enum pg_fate decide_row(struct pg_batch *b, unsigned i, const struct database_result *r,
			       int at)
{
	struct pg_store *p = b->p;
	const struct pg_row *row = b->row[i];
	struct lease holder;

	if (at < 0 && pg_row_is_deletion(p, row))
		return PG_WON;
	if (at < 0 && b->fate[i] == PG_LOST)
		return PG_OPEN;
	if (at >= 0 && pg_read_lease(r, at, &holder) &&
	    lease_store_refuse(&p->store, p->db, row->seq, &holder, next_seq(p)) == 0) {
		(void)pthread_mutex_lock(&p->mu);
		p->refused++;
		(void)pthread_mutex_unlock(&p->mu);
		return PG_WON;
	}
	give_up_row(p, row);
	return PG_WON;
}

static void on_holders(void *ctx, const struct database_result *r)
{
	struct pg_batch *b = ctx;

	if (database_fault(r) != DATABASE_OK)
		return;
	for (unsigned i = 0; i < b->n; i++)
		if (b->fate[i] == PG_LOST || b->fate[i] == PG_BAD)
			b->fate[i] = (uint8_t)decide_row(b, i, r, find_row(r, b->row[i]->addr));
}

static void on_reread(void *ctx, const struct database_result *r)
{
	struct pg_batch *b = ctx;
	bool open = false;

	if (database_fault(r) == DATABASE_LOST)
		return;
	if (database_fault(r) != DATABASE_OK) {
		pg_reread(b);
		return;
	}
	for (unsigned i = 0; i < b->n; i++)
		open = open || b->fate[i] == PG_OPEN;
	if (open && ++b->tries <= PG_TRIES)
		pg_batch_send(b);
	else if (open)
		database_reset(b->p->database, "a lease can neither be written nor read");
	else
		pg_batch_decided(b);
}

void pg_reread(struct pg_batch *b)
{
	struct pg_store *p = b->p;
	uint32_t addrs[PG_BATCH_ROWS];
	struct database_params params;
	size_t n = 0;
	int r;

	for (unsigned i = 0; i < b->n; i++)
		if (b->fate[i] == PG_LOST || b->fate[i] == PG_BAD)
			addrs[n++] = b->row[i]->addr;
	b->state = PG_READING;
	pg_read_params(p, addrs, n, &params);
	r = p->values.failed ? -ENOMEM
			     : database_send(p->database, PG_READ, &params, on_holders, b);
	if (r == 0)
		r = database_sync(p->database, on_reread, b);
	if (r < 0)
		database_reset(p->database, usher_strerror(r));
}
