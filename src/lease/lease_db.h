/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lease table, from which the server serves. Thread-safe: every call takes and returns values.
 * It holds its locks for a short time, and never across disk or callouts. Every change that must
 * survive is appended to the store in its critical section, and its sequence number is returned.
 *
 * An address is *free* when it has no record, or only a kept one (RECLAIMED, RELEASED, expired) of
 * some client; *held* when it was offered a moment ago; *taken* otherwise.
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/rng.h"
#include "lease/lease.h"

struct lease_db;
struct lease_store;

struct lease_db_opts {
	const struct clock_src *clock;
	struct hash_key hash_key;
	uint64_t seed;	       /* of the random allocator */
	uint32_t offer_hold_s; /* the time that an offered address is kept for its client */
};

int lease_db_new(const struct lease_db_opts *o, struct lease_db **ret) must_check;
void lease_db_free(struct lease_db *db);
/* Sets the store that rows go to; NULL: none (everything counts as durable). */
void lease_db_attach(struct lease_db *db, struct lease_store *store);

/* --- pools ------------------------------------------------------------------------------------ */

enum lease_allocator { LEASE_ALLOC_ITERATIVE, LEASE_ALLOC_RANDOM, LEASE_ALLOC_FLQ };

struct lease_pool_def {
	uint32_t first, last; /* inclusive */
	uint32_t subnet_id;
	uint32_t pool_id;
	enum lease_allocator allocator;
	bool exclude_first_last_24; /* never pick x.x.x.0 and x.x.x.255 */
	const uint32_t *reserved;   /* addresses inside that are not to be picked; sorted */
	size_t n_reserved;
};

/*
 * Replaces the set of pools. A pool whose range and settings are unchanged keeps its index; the
 * others are built from the leases. Pools are then named by their index in defs. Old pool sets
 * stay valid for callers that still hold the old generation (unref it).
 */
struct lease_pools;
int lease_pools_build(struct lease_db *db, const struct lease_pool_def *defs, size_t n,
		      struct lease_pools **ret) must_check;
struct lease_pools *lease_pools_ref(struct lease_pools *p);
void lease_pools_unref(struct lease_pools *p);
/* Returns the free addresses of pool i (kept ones included), in constant time. */
uint64_t lease_pool_free(const struct lease_pools *p, size_t i);

/* --- one lease -------------------------------------------------------------------------------- */

/*
 * Copies the record of addr; user_context goes into arena (may be NULL: then user_context is NULL).
 * ret_seq, where not NULL: the number of its last row. 0, -USHER_E_NOTFOUND. Offered addresses are
 * found too (state LEASE_OFFERED).
 */
int lease_db_get(struct lease_db *db, uint32_t addr, struct arena *arena, struct lease *ret,
		 uint64_t *ret_seq) must_check;
/* Copies the record of addr that is in the file, also where another one holds the address;
 * user_context is NULL. 0, -USHER_E_NOTFOUND. */
int lease_db_stored(struct lease_db *db, uint32_t addr, struct lease *ret) must_check;
/*
 * Returns the client's records in any of the subnets, best first, at most n, and their number.
 * Order: ASSIGNED before OFFERED before kept; by client_id before by hw; later cltt first. The 64
 * newest records of each identity are examined, and more of them (8,192) when none of those is in
 * the subnets.
 */
size_t lease_db_find(struct lease_db *db, const struct lease_client *c, const uint32_t *subnet_ids,
		     size_t n_subnets, struct arena *arena, struct lease *ret, size_t n);

/* A running lease in short. */
struct lease_brief {
	uint32_t addr;
	int64_t cltt;
};
/*
 * Returns the running leases of a client in all subnets, newest first, those of a second by
 * address: at most n, and their number. c: either the client identifier or the hardware address;
 * leases of a hardware address have any client identifier. ret_more: there may be others, because n
 * or the 512 records that are examined were too few.
 */
size_t lease_db_running(struct lease_db *db, const struct lease_client *c, struct lease_brief *ret,
			size_t n, bool *ret_more);

enum { LEASE_EXPECT_MAX = 64 };
/*
 * Prefetches for clients that will be looked up soon, up to LEASE_EXPECT_MAX: brings the index
 * entries of their records to the cache. Changes nothing.
 */
void lease_db_expect(struct lease_db *db, const struct lease_client *c, size_t n);

/*
 * Holds a free address for the client and marks it OFFERED (a kept record of the same client stays
 * and is only held). The address must be free, or held by or assigned to this client.
 * l: addr, subnet_id, pool_id and identity are read. 0, -USHER_E_IN_USE.
 */
int lease_db_hold(struct lease_db *db, const struct lease *l) must_check;
/* Sets the time that addresses are held from now on. */
void lease_db_set_hold(struct lease_db *db, uint32_t seconds);
/* Removes a hold, if it is this client's (declined offer, a callout's SKIP). */
void lease_db_unhold(struct lease_db *db, uint32_t addr, const struct lease_client *c);

/*
 * Picks an address of pool i for a client and holds it as lease_db_hold does: a never-used one
 * first, else the one whose kept record is oldest. Constant time, also when the pool is full.
 * l: identity is read; addr, subnet_id, pool_id are set. 0, -USHER_E_EXHAUSTED.
 */
int lease_db_pick(struct lease_db *db, struct lease_pools *p, size_t i, struct lease *l) must_check;
/*
 * Picks an address as lease_db_pick() does. Where the pool has none to give, takes the address
 * whose hold is oldest from its client. The address is then offered to both clients, and
 * lease_db_assign() gives it to the first that requests it. A flood of DISCOVERs must not use up a
 * pool.
 */
int lease_db_pick_held(struct lease_db *db, struct lease_pools *p, size_t i, struct lease *l)
	must_check;
/* Returns the monotonic time (ns) at which the oldest hold of pool i ends, INT64_MAX if it has
 * none. */
int64_t lease_pool_oldest_offer(struct lease_db *db, const struct lease_pools *p, size_t i);
/* Returns the index of the pool that has the address, from start on; -USHER_E_NOTFOUND. */
int lease_pools_find(const struct lease_pools *p, uint32_t addr, size_t start) must_check;

/*
 * The record that a change found at its address, and the result of the change. Big, and on the
 * packet path, so it is filled in place: meaningless after an error.
 */
struct lease_change {
	uint64_t seq;	  /* wait for it before answering; 0: nothing to wait for */
	bool had_old;	  /* there was a record at the address */
	bool old_expired; /* another client's, expired, not yet reclaimed: reclaimed now */
	struct lease old; /* that record (user_context NULL) */
};

/*
 * Changes by packets (assign, release, decline) do not wake the store: the worker does, once for
 * all its packets (lease_store_kick, lease_store_flush). All other changes below wake it.
 *
 * Gives the address to l's client (ASSIGNED) in one step, if it is free, held by any client, or
 * assigned to this one (by lease_is_of with `who`). An offer promises nothing (RFC 2131 3.1). 0,
 * -USHER_E_IN_USE (another's, or declined).
 */
int lease_db_assign(struct lease_db *db, const struct lease *l, const struct lease_client *who,
		    struct lease_change *ret) must_check;
/*
 * Ends the client's lease: keep != false keeps the record (state RELEASED, the client gets it again
 * if no other client needs it), else deletes it. 0, -USHER_E_NOTFOUND, -USHER_E_NOT_OWNER,
 * -USHER_E_RANGE (state is not ASSIGNED or it is expired).
 */
int lease_db_release(struct lease_db *db, uint32_t addr, const struct lease_client *who, bool keep,
		     struct lease_change *ret) must_check;
/* Quarantines an address: identity stripped, state DECLINED for probation_s seconds. Errors as
 * those of lease_db_release(). */
int lease_db_decline(struct lease_db *db, uint32_t addr, const struct lease_client *who,
		     uint32_t probation_s, struct lease_change *ret) must_check;

/* --- administration, and changes of records read before --------------------------------------- */

/*
 * The record that a change expects at its address. Between the reading of a record and its change
 * others may change it: a caller that has read one names its row, and nothing happens if the row is
 * another one now. Only an administrator's command, which names the address itself, accepts any
 * record.
 */
struct lease_expect {
	bool any;
	uint64_t row;
};
static inline struct lease_expect lease_expect_any(void)
{
	return (struct lease_expect){.any = true};
}

/* Returns the expectation of the record that was read from the table. */
static inline struct lease_expect lease_expect_row(const struct lease *read)
{
	return (struct lease_expect){.row = read->row};
}

enum lease_put { LEASE_PUT_ADD, LEASE_PUT_UPDATE, LEASE_PUT_FORCE };
/* Puts a record. ADD: -USHER_E_EXISTS; UPDATE: -USHER_E_NOTFOUND; FORCE: neither. -USHER_E_CHANGED:
 * the present record is not the expected one. */
int lease_db_put(struct lease_db *db, const struct lease *l, enum lease_put mode,
		 struct lease_expect expect, struct lease_change *ret) must_check;
/*
 * Replaces the user-context of a running lease: of the record with l's row, address, identity and
 * cltt. Wakes the store no more than the changes by packets do. -USHER_E_CHANGED: there is no such
 * record any more.
 */
int lease_db_set_context(struct lease_db *db, const struct lease *l, const char *context,
			 struct lease_change *ret) must_check;
/* Deletes a record. -USHER_E_NOTFOUND, -USHER_E_CHANGED. */
int lease_db_del(struct lease_db *db, uint32_t addr, struct lease_expect expect,
		 struct lease_change *ret) must_check;
/* Deletes every lease of the subnet (0: all). Returns their number. */
uint64_t lease_db_wipe(struct lease_db *db, uint32_t subnet_id, uint64_t *ret_seq);

/* --- expiry ----------------------------------------------------------------------------------- */

struct lease_reclaim_opts {
	uint32_t max_leases; /* 0: no limit */
	int64_t max_ns;	     /* 0: no limit */
	bool remove;	     /* delete instead of keeping as RECLAIMED */
	/* Called without locks before a lease is reclaimed. False leaves it to the callee (SKIP
	 * from the hook lease4_expire): it is counted, and not tried again before the next run. */
	bool (*before)(void *ctx, const struct lease *l);
	/* Called without locks for a lease that was reclaimed, as it was before; may be NULL.
	 * user_context is NULL. */
	void (*after)(void *ctx, const struct lease *old);
	void *ctx;
};

/* Reclaims expired leases, oldest first (declined ones are removed: recovered). Returns their
 * number; *ret_more: there are more. */
size_t lease_db_reclaim(struct lease_db *db, const struct lease_reclaim_opts *o, bool *ret_more);
/* Deletes kept records (RECLAIMED, RELEASED) that ended more than age_s seconds ago. Returns their
 * number. */
size_t lease_db_flush_reclaimed(struct lease_db *db, uint32_t age_s, size_t max);
/* Ends holds that are over; cheap; called on every tick. */
void lease_db_expire_holds(struct lease_db *db);

/* --- walking ---------------------------------------------------------------------------------- */

struct lease_filter {
	uint32_t subnet_id; /* 0: any */
	struct span hw;	    /* empty: any */
	struct span client_id;
	const char *hostname; /* NULL: any; compared without case */
	const char *context;  /* NULL: any; a part of user_context, compared without case */
	int state;	      /* -1: any that is in the file (not OFFERED) */
};

/*
 * Returns leases with address > from (0: all), by address, that pass the filter: at most n, and
 * their number. With hw or client_id set it uses the index. Holds the lock for a bounded stretch at
 * a time.
 */
size_t lease_db_page(struct lease_db *db, uint32_t from, const struct lease_filter *f,
		     struct arena *arena, struct lease *ret, size_t n);

/*
 * Continues a walk by address: examines the next 512 records at most, from *at on (0: all), under
 * one hold of the lock, and moves *at; UINT64_MAX: that was the last one. Returns the number of
 * leases that pass the filter, at most n. No index is used.
 */
size_t lease_db_step(struct lease_db *db, uint64_t *at, const struct lease_filter *f,
		     struct arena *arena, struct lease *ret, size_t n);

/* Counters of a subnet (pool_id 0xffffffff: of the whole subnet), or of all (subnet_id 0). */
struct lease_counts {
	uint64_t assigned; /* declined ones included, as Kea counts */
	uint64_t declined;
	uint64_t cumulative_assigned;
	uint64_t reclaimed;
	uint64_t reclaimed_declined;
};
enum { LEASE_ALL_POOLS = 0xffffffffU };
void lease_db_counts(struct lease_db *db, uint32_t subnet_id, uint32_t pool_id,
		     struct lease_counts *ret);
uint64_t lease_db_size(struct lease_db *db); /* records that are in the file */
/* Returns whether the table is being loaded, so that it is incomplete. */
bool lease_db_is_loading(struct lease_db *db);
