/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The allocation engine: which address a client may have, and the lease that says so. Reads the
 * candidates that HOST made; changes the lease table; never waits.
 */
#pragma once

#include "server/core/exchange.h"

struct lease_client;

/* The pools that were asked for an address, and those of them that are closed to the client. */
struct alloc_tally {
	unsigned pools, closed;
};
/* Counts a failure in its five counters, and logs the case. x->subnet: the selected one. */
void alloc_count_failure(struct exchange *x, const struct alloc_tally *t);

/* Returns whether the client may have addr of this candidate: it is the client's reservation, or
 * in an open pool and not reserved for another client. *ret_pool: the pool, NULL outside pools. */
bool alloc_allowed(const struct exchange *x, const struct candidate *c, uint32_t addr,
		   const struct config_pool **ret_pool);
/* Returns the candidate whose reserved address is the client's; NULL: none. The first reservation
 * of a subnet decides, also one without an address: reservations behind it do not count. */
const struct candidate *alloc_reserved(const struct exchange *x);
/* Returns whether any pool of the client's network contains addr, open or not. */
bool alloc_in_any_pool(const struct exchange *x, uint32_t addr);

/* Sets x->subnet, x->pool and x->host, where the options of the answer come from. */
void alloc_place(struct exchange *x, const struct candidate *c, const struct config_pool *pool);
/* Returns a lease for the client at addr, in the packet's arena, with identity, lifetime, host
 * name and times; NULL when the arena is full. Sets x->subnet, x->pool, x->host. */
struct lease *alloc_lease(struct exchange *x, const struct candidate *c,
			  const struct config_pool *pool, uint32_t addr);
/* Finds the client's own records in the network, best first, in the arena. Returns their number. */
size_t alloc_own(struct exchange *x, struct lease **ret);
/* Returns whether the lease is over at this moment. */
bool alloc_expired(const struct exchange *x, const struct lease *l);

/* An assignment that took over another client's lease which was over: its end is passed to
 * lease4_expire (lease4_recover for a declined one), whose status comes too late to matter. */
struct lease_change;
void alloc_reclaimed(struct exchange *x, const struct lease_change *change);

/*
 * Finds the address to offer (reservation, own lease, requested address, the pools) and holds it in
 * the table. Returns 0 with *ret_lease, or -USHER_E_EXHAUSTED (counted and logged), -USHER_E_HOOK
 * (lease4_select set SKIP).
 */
int alloc_offer(struct exchange *x, struct lease **ret_lease) must_check;
/* Finds and holds an address for the client as for a DISCOVER, without the callouts; NULL: there is
 * none, which is counted and logged, or no memory. */
struct lease *alloc_any(struct exchange *x);
