/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Numbers of leases by the names in their contexts, and upper bounds of them: the address limits of
 * client classes and subnets. The table counts while a library asks for it, and costs nothing
 * otherwise. Thread-safe, as lease_db.h.
 */
#pragma once

#include "lease/lease_db.h"

/* Calls each for every name in a context, which is a JSON text. Called with the lock of the
 * table. */
typedef void lease_names_fn(const char *context,
			    void (*each)(void *ctx, const char *name, size_t n), void *ctx);

/*
 * Counts the leases in state ASSIGNED by the names that fn finds in their contexts, from now on:
 * those that are in the table, too. Calls nest; all of them name one function. Takes the lock in
 * short stretches. While leases are loaded the end of loading counts them. 0, -ENOMEM.
 */
int lease_db_count_names(struct lease_db *db, lease_names_fn *fn) must_check;
/* Ends one lease_db_count_names(). The last one frees the counters. */
void lease_db_uncount_names(struct lease_db *db);
/* Returns the number of leases that have the name. */
uint64_t lease_db_named(struct lease_db *db, struct span name);

/* An upper bound. */
struct lease_bound {
	struct span name; /* of the leases with this name; empty: of the assigned and declined
			     leases of a subnet */
	uint32_t subnet_id;
	uint64_t max;
};
struct lease_bounds {
	const struct lease_bound *v;
	size_t n;
};

/* Returns the number of the first bound that one more lease at addr would exceed, -1: none. A lease
 * that is at addr now, and would be replaced, does not count. */
int lease_db_beyond(struct lease_db *db, uint32_t addr, const struct lease_bounds *b);
/* Assigns as lease_db_assign(), within bounds (NULL: none). A renewal is not bounded.
 * -USHER_E_LIMIT: a bound would be exceeded. */
int lease_db_assign_within(struct lease_db *db, const struct lease *l,
			   const struct lease_client *who, const struct lease_bounds *b,
			   struct lease_change *ret) must_check;
