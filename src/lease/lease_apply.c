/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Changes of the lease table that come from its store: rows of other servers, and blocks of
 * addresses that this server may assign.
 */
#include "lease/lease_apply.h"

#include "base/error.h"
#include "lease/lease_table.h"

#include <errno.h>

static int apply_locked(struct lease_db *db, const struct lease *l, bool deleted, uint64_t seq)
{
	struct rec_pair p = rec_lookup(db, l->addr);
	uint32_t idx;
	int r;

	if (db->loading)
		return -EBUSY;
	if (deleted) {
		if (p.main)
			rec_delete(db, p.main);
		return 0;
	}
	if (p.hold)
		hold_drop(db, p.hold);
	r = rec_store(db, l, l->state, &idx);
	if (r == 0)
		rec_at(db, idx)->seq = seq;
	return r;
}

int lease_db_apply(struct lease_db *db, const struct lease *l, bool deleted, uint64_t seq)
{
	int r;

	if (!deleted && (l->state > LEASE_RELEASED ||
			 (!l->hw_len && !l->client_id_len && l->state != LEASE_DECLINED)))
		return -USHER_E_RANGE;
	db_lock(db);
	r = apply_locked(db, l, deleted, seq);
	db_unlock(db);
	return r;
}

enum { LOCK_STRETCH = 2048 };

void lease_db_blocks_moved(struct lease_db *db, uint32_t first, uint32_t last)
{
	uint64_t at = first;

	while (at <= last) {
		unsigned budget = LOCK_STRETCH;

		db_lock(db);
		while (budget-- > 0 && at <= last) {
			uint64_t next = pools_next(db, (uint32_t)at);

			if (next == at)
				pools_reconsider(db, (uint32_t)at++);
			else
				at = next;
		}
		db_unlock(db);
	}
}
