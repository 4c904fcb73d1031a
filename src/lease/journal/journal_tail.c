/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The tail of the live file: the rows behind its last sync that succeeded. After a failed sync
 * nothing is known about them, so they are kept in memory until a sync covers them. With "commit"
 * they are the group that no client has an answer for; with "interval" (`tail`) they were
 * acknowledged. Both are written again, and neither needs room for more than those rows.
 *
 * Acknowledged rows are never cut off before another place has them: a process that ends meanwhile
 * finds them in the page cache, and a machine that ends finds the octets that its disk took.
 */
#include "lease/journal/journal_impl.h"

#include "lease/lease_csv.h"

#include <errno.h>
#include <fcntl.h>

/* The most octets that wait for the sync of an interval: some 40,000 rows. More is synced early. */
enum { TAIL_MAX = 4 << 20 };

void journal_tail_keep(struct journal *j)
{
	if (j->unsynced == 0 || j->o.durability != LEASE_SYNC_INTERVAL)
		return;
	buf_add(&j->tail, j->batch.p, j->batch.len);
	if (j->tail.failed || j->tail.len > TAIL_MAX)
		j->sync_ns = clock_mono_ns(j->o.clock);
}

void journal_tail_synced(struct journal *j)
{
	j->unsynced = 0;
	buf_reset(&j->tail);
}

void journal_tail_doubt(struct journal *j)
{
	struct buf rows = j->tail;

	if (j->o.durability == LEASE_SYNC_INTERVAL && !rows.failed) {
		size_t len = rows.len;

		buf_add(&rows, j->batch.p, j->batch.len);
		if (!rows.failed) {
			if (j->batch.len == 0)
				j->batch_seq = j->store.durable;
			j->batch_rows += j->unsynced;
			j->good -= (off_t)len;
			j->tail = j->batch;
			j->batch = rows;
			buf_reset(&j->tail);
		} else {
			j->tail = rows;
		}
	}
	j->need_tail = true;
	/* rows that memory could not keep are in the table only */
	if (j->tail.failed)
		j->need_fresh = true;
	else
		j->unsynced = 0;
}

int journal_sync(struct journal *j)
{
	int r = 0;

	if (j->o.durability == LEASE_SYNC_NONE || j->unsynced == 0)
		return 0;
	r = j->files->fdatasync(j->files->ctx, j->fd);
	if (r < 0) {
		journal_tail_doubt(j);
		return r;
	}
	journal_tail_synced(j);
	(void)pthread_mutex_lock(&j->mu);
	j->stats.syncs++;
	j->stats.unsynced = 0;
	(void)pthread_mutex_unlock(&j->mu);
	return 0;
}
