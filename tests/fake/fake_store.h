/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A lease store that shares its leases with other servers, in memory: it decides rows on demand,
 * refuses them, goes down and comes back, delivers rows of others, and owns a block of addresses.
 * One thread at a time.
 */
#pragma once

#include "lease/lease_db.h"
#include "lease/lease_store_backend.h"

struct fake_store {
	struct lease_store store;
	struct lease_db *db;
	uint64_t seq;
	uint32_t first, last; /* the addresses it owns */
	unsigned wakes;
};

/* Attaches the store to the table. It is up, and owns every address. */
void fake_store_init(struct fake_store *f, struct lease_db *db);
void fake_store_fini(struct fake_store *f);
/* Decides all rows that were appended: those that were not refused are durable. */
void fake_store_decide(struct fake_store *f);
/* Another server gave the address of row seq to the holder. 0 or as lease_store_refuse(). */
int fake_store_refuse(struct fake_store *f, uint64_t seq, const struct lease *holder);
/* Loses its connection: the rows that are not decided never are. */
void fake_store_down(struct fake_store *f);
void fake_store_up(struct fake_store *f);
/* Another server wrote a row. 0 or as lease_db_apply(). */
int fake_store_deliver(struct fake_store *f, const struct lease *l, bool deleted);
/* From now on it owns these addresses and no others. */
void fake_store_own(struct fake_store *f, uint32_t first, uint32_t last);
