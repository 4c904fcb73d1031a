/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rows on their way into the table at start. One thread reads and parses, another one inserts;
 * batches circulate between them. Without a second thread the batches are inserted where they are
 * filled. Either way rows reach the table in the order of the files.
 *
 * The machine, mostly its memory, determines which of the two waits for the other. The waiting
 * thread has the kernel clear some of the memory that the next records will need.
 */
#include "lease/journal/journal_rows.h"

#include "lease/lease_load.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { BATCHES = 4, PIECE = 2 << 20 };

struct rows {
	struct lease_db *db;
	bool threaded;
	struct lease_rows *batch[BATCHES];
	struct lease_rows *filling; /* the reader's */
	pthread_mutex_t mu;
	pthread_cond_t moved;
	uint64_t filled, taken; /* batches, ever */
	uint8_t *ahead;		/* memory to be cleared */
	size_t ahead_len;
	bool end;
	int result; /* of inserting */
};

int rows_new(struct lease_db *db, bool threaded, struct rows **ret)
{
	struct rows *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->db = db;
	r->threaded = threaded;
	(void)pthread_mutex_init(&r->mu, NULL);
	(void)pthread_cond_init(&r->moved, NULL);
	for (int i = 0; i < (threaded ? BATCHES : 1); i++) {
		if (lease_rows_new(&r->batch[i]) < 0) {
			rows_free(r);
			return -ENOMEM;
		}
	}
	r->filling = r->batch[0];
	*ret = r;
	return 0;
}

void rows_free(struct rows *r)
{
	if (!r)
		return;
	for (int i = 0; i < BATCHES; i++)
		lease_rows_free(r->batch[i]);
	(void)pthread_mutex_destroy(&r->mu);
	(void)pthread_cond_destroy(&r->moved);
	free(r);
}

/* Waits, or has the kernel clear memory in the meantime. Called with mu held. */
static void wait_moved(struct rows *r)
{
	uint8_t *p = r->ahead;
	size_t len = r->ahead_len < PIECE ? r->ahead_len : PIECE;

	if (!len) {
		(void)pthread_cond_wait(&r->moved, &r->mu);
		return;
	}
	r->ahead += len;
	r->ahead_len -= len;
	(void)pthread_mutex_unlock(&r->mu);
	lease_load_touch(p, len);
	(void)pthread_mutex_lock(&r->mu);
}

/* --- the reader ------------------------------------------------------------------------------- */

static int hand_over(struct rows *r)
{
	int result;

	if (!r->threaded)
		return lease_db_load(r->db, r->filling);
	(void)pthread_mutex_lock(&r->mu);
	r->filled++;
	(void)pthread_cond_signal(&r->moved);
	while (r->filled - r->taken == BATCHES)
		wait_moved(r);
	r->filling = r->batch[r->filled % BATCHES];
	result = r->result;
	(void)pthread_mutex_unlock(&r->mu);
	return result;
}

int rows_push(struct rows *r, const struct lease *l)
{
	int n = lease_rows_add(r->filling, l);

	return n > 0 ? hand_over(r) : n;
}

int rows_end(struct rows *r)
{
	int result = lease_rows_empty(r->filling) ? 0 : hand_over(r);

	(void)pthread_mutex_lock(&r->mu);
	r->end = true;
	(void)pthread_cond_signal(&r->moved);
	(void)pthread_mutex_unlock(&r->mu);
	return result;
}

/* --- inserting -------------------------------------------------------------------------------- */

/* Gets the next memory to be cleared, once there is some. Called with mu held. */
static void look_ahead(struct rows *r)
{
	size_t len = 0;
	uint8_t *p;

	if (r->ahead_len)
		return;
	p = lease_db_load_ahead(r->db, &len);
	r->ahead = p;
	r->ahead_len = p ? len : 0;
}

int rows_insert(struct rows *r)
{
	int result = 0;

	(void)pthread_mutex_lock(&r->mu);
	for (;;) {
		struct lease_rows *b = r->batch[r->taken % BATCHES];

		while (r->filled == r->taken && !r->end)
			wait_moved(r);
		if (r->filled == r->taken)
			break;
		(void)pthread_mutex_unlock(&r->mu);
		/* after an error the reader still runs to its end */
		if (result == 0)
			result = lease_db_load(r->db, b);
		(void)pthread_mutex_lock(&r->mu);
		look_ahead(r);
		r->result = result;
		r->taken++;
		(void)pthread_cond_signal(&r->moved);
	}
	(void)pthread_mutex_unlock(&r->mu);
	return result;
}
