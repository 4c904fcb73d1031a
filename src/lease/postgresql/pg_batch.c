/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Batches: the rows that gathered become one transaction of at most two statements. While one is on
 * its way the next one gathers, so the size of batches follows the load. Batches in flight have no
 * address in common: their order does not matter, and each may be tried again by itself.
 */
#include "lease/postgresql/pg_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "runtime/loop.h"

#include <errno.h>
#include <stdlib.h>

/* --- addresses of a batch ---------------------------------------------------------------------- */

static unsigned slot_of(uint32_t addr)
{
	return addr * 2654435761U >> 23; /* of PG_SET */
}

static bool set_has(const struct pg_batch *b, uint32_t addr)
{
	if (addr == 0)
		return b->has_zero;
	for (unsigned i = slot_of(addr); b->set[i]; i = (i + 1) % PG_SET)
		if (b->set[i] == addr)
			return true;
	return false;
}

static void set_add(struct pg_batch *b, uint32_t addr)
{
	unsigned i = slot_of(addr);

	while (b->set[i])
		i = (i + 1) % PG_SET;
	b->set[i] = addr;
	b->has_zero = b->has_zero || addr == 0;
}

static struct pg_batch *batch_at(struct pg_store *p, unsigned i)
{
	return &p->batch[(p->oldest + i) % PG_BATCHES];
}

static bool is_in_flight(struct pg_store *p, uint32_t addr)
{
	for (unsigned i = 0; i < p->n_batches; i++)
		if (set_has(batch_at(p, i), addr))
			return true;
	return false;
}

/* --- making batches ---------------------------------------------------------------------------- */

/* Takes the rows that were appended, once those taken before are in batches. */
static void take_pending(struct pg_store *p)
{
	struct buf b = p->taken;

	if (p->taken_rows)
		return;
	(void)pthread_mutex_lock(&p->mu);
	p->taken = p->pending;
	p->pending = b;
	buf_reset(&p->pending);
	p->taken_rows = p->pending_rows;
	p->pending_rows = 0;
	p->taken_ns = p->pending_ns;
	p->store.hurry = false;
	(void)pthread_mutex_unlock(&p->mu);
	p->taken_at = 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct pg_row *x = *(struct pg_row *const *)a, *y = *(struct pg_row *const *)b;

	if (x->subnet_id != y->subnet_id)
		return x->subnet_id < y->subnet_id ? -1 : 1;
	if (x->pool_id != y->pool_id)
		return x->pool_id < y->pool_id ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Copies rows until one whose address is on its way. Returns false if the first is. */
static bool fill_batch(struct pg_store *p, struct pg_batch *b)
{
	size_t at = 0;

	buf_reset(&b->rows);
	memset(b->set, 0, sizeof(b->set));
	memset(b->fate, 0, sizeof(b->fate));
	b->has_zero = b->singly = false;
	b->n = b->tries = 0;
	while (p->taken_rows && b->n < PG_BATCH_ROWS) {
		const struct pg_row *r = pg_row_at(&p->taken, p->taken_at);

		if (set_has(b, r->addr) || is_in_flight(p, r->addr) ||
		    !buf_reserve(&b->rows, r->len))
			break;
		set_add(b, r->addr);
		buf_add(&b->rows, r, r->len);
		b->n++;
		p->taken_at += r->len;
		p->taken_rows--;
	}
	for (unsigned i = 0; i < b->n; i++) {
		b->row[i] = pg_row_at(&b->rows, at);
		at += b->row[i]->len;
	}
	if (!b->n)
		return false;
	b->first_seq = b->row[0]->seq;
	b->last_seq = b->row[b->n - 1]->seq;
	b->since_ns = p->taken_ns;
	/* transactions that lock counters and rows in one order do not deadlock */
	qsort(b->row, b->n, sizeof(b->row[0]), compare_rows);
	return true;
}

/* --- results ----------------------------------------------------------------------------------- */

static void mark_returned(struct pg_batch *b, const struct database_result *r, bool deleted)
{
	unsigned at = 0;

	for (int i = 0; i < database_rows(r); i++) {
		int64_t addr = database_int(r, i, 0);

		/* mostly they return in their order */
		for (unsigned n = 0; n < b->n; n++, at = (at + 1) % b->n)
			if (b->row[at]->addr == addr)
				break;
		if (b->row[at]->addr == addr && b->fate[at] == PG_OPEN &&
		    pg_row_is_deletion(b->p, b->row[at]) == deleted)
			b->fate[at] = PG_RETURNED;
	}
}

static void on_claimed(void *ctx, const struct database_result *r)
{
	mark_returned(ctx, r, false);
}

static void on_deleted(void *ctx, const struct database_result *r)
{
	mark_returned(ctx, r, true);
}

/* Ends a transaction for row i, with the fate of rows that no statement returned. */
static void end_row(struct pg_batch *b, unsigned i, bool committed, enum pg_fate otherwise)
{
	if (b->fate[i] == PG_RETURNED)
		b->fate[i] = committed ? PG_WON : PG_OPEN;
	else if (b->fate[i] == PG_OPEN)
		b->fate[i] = otherwise;
}

static void end_rows(struct pg_batch *b, bool committed, enum pg_fate otherwise)
{
	for (unsigned i = 0; i < b->n; i++)
		end_row(b, i, committed, otherwise);
}

static unsigned count_fate(const struct pg_batch *b, enum pg_fate f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n; i++)
		n += b->fate[i] == f;
	return n;
}

/* Continues with a batch after its transactions: rows are still open, or their addresses are to be
 * read, or it is decided. */
static void continue_batch(struct pg_batch *b, const char *why)
{
	struct pg_store *p = b->p;

	if (count_fate(b, PG_OPEN)) {
		b->state = PG_READY;
		if (++b->tries > PG_TRIES)
			database_reset(p->database, why);
		else
			pg_batch_send(b);
	} else if (count_fate(b, PG_LOST) + count_fate(b, PG_BAD)) {
		pg_reread(b);
	} else {
		pg_batch_decided(b);
	}
}

static void on_committed(void *ctx, const struct database_result *r)
{
	struct pg_batch *b = ctx;

	switch (database_fault(r)) {
	case DATABASE_OK:
		end_rows(b, true, PG_LOST);
		break;
	case DATABASE_DATA:
		b->singly = true;
		end_rows(b, false, PG_OPEN);
		break;
	case DATABASE_AGAIN:
		end_rows(b, false, PG_OPEN);
		break;
	case DATABASE_LOST:
		end_rows(b, false, PG_OPEN);
		b->state = PG_READY;
		return; /* the connection is being closed */
	}
	continue_batch(b, database_error(r));
}

static void report_bad(struct pg_batch *b, const struct pg_row *row, const char *why)
{
	log_msg(b->p->o.log, LOG_USHER_DATABASE_ROW_REFUSED,
		"the database refuses the lease of %u.%u.%u.%u: %s", row->addr >> 24,
		row->addr >> 16 & 255, row->addr >> 8 & 255, row->addr & 255, why);
}

/* Called at the end of the transaction of one row. */
static void on_committed_one(void *ctx, const struct database_result *r)
{
	struct pg_batch *b = ctx;
	unsigned i = b->at;

	while (i < b->n && b->fate[i] > PG_RETURNED)
		i++;
	b->at = i + 1;
	if (i >= b->n)
		return;
	end_row(b, i, database_fault(r) == DATABASE_OK,
		database_fault(r) == DATABASE_OK     ? PG_LOST
		: database_fault(r) == DATABASE_DATA ? PG_BAD
						     : PG_OPEN);
	if (b->fate[i] == PG_BAD)
		report_bad(b, b->row[i], database_error(r));
	if (database_fault(r) == DATABASE_LOST)
		b->state = PG_READY;
	else if (--b->left == 0)
		continue_batch(b, database_error(r));
}

/* --- sending ----------------------------------------------------------------------------------- */

static int send_rows(struct pg_batch *b, struct pg_row *const *claims, size_t n_claims,
		     struct pg_row *const *deletes, size_t n_deletes)
{
	struct pg_store *p = b->p;
	struct database_params params;
	int r = 0;

	if (n_deletes) {
		pg_delete_params(p, deletes, n_deletes, &params);
		r = p->values.failed
			    ? -ENOMEM
			    : database_send(p->database, PG_DELETE, &params, on_deleted, b);
	}
	if (r == 0 && n_claims) {
		pg_claim_params(p, claims, n_claims, &params);
		r = p->values.failed ? -ENOMEM
				     : database_send(p->database, PG_CLAIM, &params, on_claimed, b);
	}
	if (r == 0)
		r = database_sync(p->database, b->singly ? on_committed_one : on_committed, b);
	return r;
}

/* Sends rows from first to last - 1 that are open, as one transaction. Returns their number or
 * negative. */
static int send_range(struct pg_batch *b, unsigned first, unsigned last)
{
	struct pg_row *claims[PG_BATCH_ROWS], *deletes[PG_BATCH_ROWS];
	size_t n_claims = 0, n_deletes = 0;
	int n = 0;
	int r;

	for (unsigned i = first; i < last; i++) {
		bool deletion = pg_row_is_deletion(b->p, b->row[i]);

		if (b->fate[i] != PG_OPEN)
			continue;
		if (deletion || b->row[i]->replaces)
			deletes[n_deletes++] = b->row[i];
		if (!deletion)
			claims[n_claims++] = b->row[i];
		n++;
	}
	r = n ? send_rows(b, claims, n_claims, deletes, n_deletes) : 0;
	return r < 0 ? r : n;
}

void pg_batch_send(struct pg_batch *b)
{
	int r = 0;

	b->at = 0;
	b->left = count_fate(b, PG_OPEN);
	b->state = PG_SENT;
	if (!b->singly)
		r = send_range(b, 0, b->n);
	for (unsigned i = 0; b->singly && r >= 0 && i < b->n; i++)
		r = send_range(b, i, i + 1);
	if (r >= 0)
		return;
	b->state = PG_READY;
	database_reset(b->p->database, usher_strerror(r));
}

/* Returns whether rows shall gather for longer: no batch is on its way, and workers are busy. */
static bool shall_gather(struct pg_store *p)
{
	int64_t left;
	bool gather;

	(void)pthread_mutex_lock(&p->mu);
	left = p->pending_ns + p->o.max_delay_us * 1000LL - clock_mono_ns(&clock_system);
	gather = p->pending_rows && p->pending_rows < PG_BATCH_ROWS && !p->store.hurry &&
		 !p->stop && left > 0;
	p->store.gathering = gather;
	(void)pthread_mutex_unlock(&p->mu);
	if (gather)
		loop_timer_set(p->timer, left);
	return gather;
}

/* Makes the next batch. False: there is none to be made now. */
static bool make_batch(struct pg_store *p)
{
	struct pg_batch *b;

	if (p->n_batches == PG_BATCHES)
		return false;
	if (!p->n_batches && !p->taken_rows && shall_gather(p))
		return false;
	take_pending(p);
	if (!p->taken_rows || (p->n_batches && p->taken_rows < PG_BATCH_MIN))
		return false;
	b = batch_at(p, p->n_batches);
	b->p = p;
	if (!fill_batch(p, b))
		return false;
	b->state = PG_READY;
	p->n_batches++;
	return true;
}

void pg_send_batches(struct pg_store *p)
{
	bool more = true;

	if (!p->connected || p->loading)
		return;
	/* before rows are taken: one that is appended from here on wakes the thread */
	p->store.idle = true;
	while (more) {
		for (unsigned i = 0; i < p->n_batches; i++)
			if (batch_at(p, i)->state == PG_READY)
				pg_batch_send(batch_at(p, i));
		more = make_batch(p);
	}
}

void pg_batches_lost(struct pg_store *p)
{
	for (unsigned i = 0; i < p->n_batches; i++) {
		struct pg_batch *b = batch_at(p, i);

		if (b->state == PG_DECIDED)
			continue;
		/* committed or not: each row is sent again, which changes nothing in the first case
		 */
		memset(b->fate, 0, sizeof(b->fate));
		b->tries = 0;
		b->state = PG_READY;
	}
}

static void count_commit(struct pg_store *p, const struct pg_batch *b)
{
	(void)pthread_mutex_lock(&p->mu);
	p->stats.commits++;
	buckets_count(&p->stats.commit_ns, &lease_commit_ns_shape,
		      (uint64_t)(clock_mono_ns(&clock_system) - b->since_ns));
	buckets_count(&p->stats.commit_rows, &lease_commit_rows_shape, b->n);
	if (b->n > p->stats.max_batch)
		p->stats.max_batch = b->n;
	(void)pthread_mutex_unlock(&p->mu);
}

void pg_batch_decided(struct pg_batch *b)
{
	struct pg_store *p = b->p;

	b->state = PG_DECIDED;
	count_commit(p, b);
	while (p->n_batches && batch_at(p, 0)->state == PG_DECIDED) {
		batch_at(p, 0)->state = PG_FREE;
		p->oldest = (p->oldest + 1) % PG_BATCHES;
		p->n_batches--;
	}
	pg_publish(p);
	pg_send_batches(p);
}

bool pg_has_rows(struct pg_store *p)
{
	bool has;

	(void)pthread_mutex_lock(&p->mu);
	has = p->n_batches || p->taken_rows || p->pending_rows;
	(void)pthread_mutex_unlock(&p->mu);
	return has;
}
