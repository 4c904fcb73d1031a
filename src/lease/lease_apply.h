/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For stores that share leases with other servers: changes of the lease table that come from the
 * store, and go to no store. Thread-safe, like all of the table; the journal uses none of them.
 */
#pragma once

#include "lease/lease_db.h"

/*
 * Puts a row that another server or a database wrote into the table, or deletes the address's
 * record. It replaces any record, and ends the hold of the address: the writer owns it. seq: a
 * number of the store's own, by which expectations (struct lease_expect) notice the change; the
 * store counts it as durable. 0, -EBUSY while the leases are being loaded, -USHER_E_RANGE (no lease
 * of a lease file), -ENOMEM.
 */
int lease_db_apply(struct lease_db *db, const struct lease *l, bool deleted, uint64_t seq)
	must_check;
/*
 * Called when lease_store_owns() has changed for addresses from first to last: pools give the
 * addresses that the store owns now, and no others. Leases and offers stay unchanged.
 */
void lease_db_blocks_moved(struct lease_db *db, uint32_t first, uint32_t last);
