/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rows on their way into the table at start. One thread reads and parses, another one, which has
 * the cache misses, inserts; batches go around between them. Without a second thread the batches
 * are inserted where they are filled. Either way rows reach the table in the order of the files.
 *
 * The reader has time to spare: it also has the kernel clear the memory that the next records
 * will need.
 */
#include "lease/journal_rows.h"

#include "lease/lease_load.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_ROWS = 256, BATCHES = 4 };

struct batch {
	size_t n;
	struct lease l[BATCH_ROWS];
};

struct rows {
	struct lease_db *db;
	bool threaded;
	struct batch *batch[BATCHES];
	struct batch *filling;	/* the reader's */
	pthread_mutex_t mu;
	pthread_cond_t moved;
	uint64_t filled, taken;	/* batches, ever */
	bool end;
	int result;		/* of inserting */
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
		/* not cleared: a parsed row sets all that is read of it */
		r->batch[i] = malloc(sizeof(struct batch));
		if (!r->batch[i]) {
			rows_free(r);
			return -ENOMEM;
		}
		r->batch[i]->n = 0;
	}
	r->filling = r->batch[0];
	*ret = r;
	return 0;
}

static void batch_reset(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free((void *)(uintptr_t)b->l[i].user_context);
	b->n = 0;
}

void rows_free(struct rows *r)
{
	if (!r)
		return;
	for (int i = 0; i < BATCHES; i++) {
		if (r->batch[i])
			batch_reset(r->batch[i]);
		free(r->batch[i]);
	}
	(void)pthread_mutex_destroy(&r->mu);
	(void)pthread_cond_destroy(&r->moved);
	free(r);
}

/* --- the reader -------------------------------------------------------------------------------- */

static int hand_over(struct rows *r)
{
	int result;

	if (!r->threaded) {
		result = lease_db_load(r->db, r->filling->l, r->filling->n);
		batch_reset(r->filling);
		return result;
	}
	(void)pthread_mutex_lock(&r->mu);
	r->filled++;
	(void)pthread_cond_signal(&r->moved);
	while (r->filled - r->taken == BATCHES)
		(void)pthread_cond_wait(&r->moved, &r->mu);
	r->filling = r->batch[r->filled % BATCHES];
	result = r->result;
	(void)pthread_mutex_unlock(&r->mu);
	lease_db_load_ahead(r->db);
	return result;
}

struct lease *rows_slot(struct rows *r)
{
	return &r->filling->l[r->filling->n];
}

int rows_push(struct rows *r)
{
	struct lease *l = rows_slot(r);

	if (l->user_context) {
		l->user_context = strdup(l->user_context);
		if (!l->user_context)
			return -ENOMEM;
	}
	return ++r->filling->n == BATCH_ROWS ? hand_over(r) : 0;
}

int rows_end(struct rows *r)
{
	int result = r->filling->n ? hand_over(r) : 0;

	(void)pthread_mutex_lock(&r->mu);
	r->end = true;
	(void)pthread_cond_signal(&r->moved);
	(void)pthread_mutex_unlock(&r->mu);
	return result;
}

/* --- who inserts -------------------------------------------------------------------------------- */

int rows_insert(struct rows *r)
{
	int result = 0;

	(void)pthread_mutex_lock(&r->mu);
	for (;;) {
		struct batch *b = r->batch[r->taken % BATCHES];

		while (r->filled == r->taken && !r->end)
			(void)pthread_cond_wait(&r->moved, &r->mu);
		if (r->filled == r->taken)
			break;
		(void)pthread_mutex_unlock(&r->mu);
		/* after an error the reader is still let run to its end */
		if (result == 0)
			result = lease_db_load(r->db, b->l, b->n);
		batch_reset(b);
		(void)pthread_mutex_lock(&r->mu);
		r->result = result;
		r->taken++;
		(void)pthread_cond_signal(&r->moved);
	}
	(void)pthread_mutex_unlock(&r->mu);
	return result;
}
