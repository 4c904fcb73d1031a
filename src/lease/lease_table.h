/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The inside of the lease table, shared only by its files (lease_db.c and its neighbours). Records
 * have a fixed size, live in slabs and are named by a 32-bit index; 0 is "none". Everything here is
 * called with db->mu held.
 *
 * An address has a slot; the slot names its *main* record (the one in the file) or, where there is
 * none, its *hold* (state OFFERED, memory only). A main record that is held names the hold.
 */
#pragma once

#include "lease/lease_bitmap.h"
#include "lease/lease_db.h"
#include "lease/lease_slab.h"
#include "lease/lease_store.h"

#include <pthread.h>

enum { REC_INLINE = 32 };

/* Data that does not fit: a long client identifier, then the texts in the order of lease_fields.def
 * with a NUL behind each; a context only if there is one. */
struct rec_ext {
#define LEASE_FIELD(member, kind, ...) LEASE_PICK_##kind(, , , , , uint32_t member##_len;)
#include "lease/lease_fields.def"
	uint8_t cid_len;
#define LEASE_FIELD(member, kind, ...) \
	LEASE_PICK_##kind(, , , , uint8_t member##_len;, bool has_##member;)
#include "lease/lease_fields.def"
	char data[];
};

enum rec_flags { REC_CID_EXT = 1 };
/* The heap that a record is in. LAPSED: over by the clock, not yet reclaimed. */
enum rec_heap { HEAP_NONE, HEAP_RUNNING, HEAP_LAPSED, HEAP_KEPT, HEAP_N };
/* While loading: the record was freed. */
enum { HEAP_GONE = HEAP_N };

/* Other records of the same client: the newer and the older one. */
struct rec_link {
	uint32_t prev, next;
};

/* The fields of lease_fields.def are members of their names; texts are in ext, identities in id. */
struct rec {
#define LEASE_FIELD(member, kind, ...) LEASE_PICK_##kind(LEASE_TYPE_##kind member;, , , , , )
#include "lease/lease_fields.def"
	uint64_t seq; /* number of its last row; of a hold: monotonic end, ns */
	struct rec_ext *ext;
	struct rec_link by_cid, by_hw;
	uint32_t heap_pos;   /* of a hold: the older one of its pool */
	uint32_t hold;	     /* of a hold: the younger one of its pool */
	uint32_t prev, next; /* LRU list of its home pool; of a hold: the queue of holds */
	uint32_t home; /* number of that pool, 0: in none; of a hold: of the pool that lists it */
#define LEASE_FIELD(member, kind, ...) LEASE_PICK_##kind(, uint8_t member;, , , , )
#include "lease/lease_fields.def"
#define LEASE_FIELD(member, kind, ...) LEASE_PICK_##kind(, , bool member : 1;, , , )
#include "lease/lease_fields.def"
	uint8_t flags : 2, heap : 4;
	uint8_t hw_len, cid_len;
	uint8_t id[REC_INLINE]; /* hw, then the client identifier if it fits */
};
_Static_assert(sizeof(struct rec) == 112, "memory a lease is a goal");

/* lease_text.c: memory of the short ones among them, by length */
enum { TEXT_STEP = 16, TEXT_CLASSES = 6 };
struct texts {
	struct slab blocks;
	uint8_t *at; /* the rest of the newest block */
	size_t left;
	void *free[TEXT_CLASSES]; /* each begins with the next one */
	uint64_t n_long;	  /* living ones that came from malloc */
};

struct addr_index {
	uint32_t *root;	  /* by /16 */
	struct slab mid;  /* 1024 leaves */
	struct slab leaf; /* 64 slots */
};

/* lease_clients.c */
struct client_index {
	struct slab buckets, overflow;
	uint32_t mask, split;
	uint32_t spare; /* of overflow: an insertion cannot fail */
	uint64_t n;	/* keys */
	bool by_hw;
};

struct heap_ent {
	uint32_t key; /* seconds; never later than the record's true end */
	uint32_t idx;
};

struct heap {
	struct slab ents; /* the first at index 1; in chunks, so that growing copies nothing */
	uint32_t n;
};

struct rec_list {
	uint32_t head, tail;
	uint64_t n;
};

struct pool {
	unsigned refs;
	bool ended; /* it has neither records nor references */
	struct pool *next_ended;
	uint32_t number; /* index into db->by_number */
	uint64_t generation;
	struct lease_pool_def def;	     /* def.reserved owned */
	struct bitmap free;		     /* set: no record, no hold, may be picked */
	struct rec_list lru;		     /* kept and lapsed, oldest first */
	uint32_t oldest_hold, youngest_hold; /* of addresses without a running lease */
	uint32_t cursor;
	_Atomic uint64_t n_free; /* bits set plus lru.n */
};

struct count_ent {
	uint32_t subnet_id, pool_id;
	bool used;
	struct lease_counts c;
};

struct lease_db {
	pthread_mutex_t mu;
	struct lease_db_opts o;
	struct lease_store *store;
	bool appended; /* since the lock was taken: the store needs a kick when it is released */
	struct rng rng;
	struct slab recs;
	struct texts texts;
	struct loading *loading; /* lease_load.c; NULL: nothing is being loaded */
	struct addr_index addrs;
	struct client_index by_cid, by_hw;
	struct heap heaps[HEAP_N];
	int64_t lapse_ns;      /* when a packet may next process leases that lapsed all at once */
	struct rec_list holds; /* by end: all holds have one duration */
	uint64_t n_main;
	struct count_ent *counts;
	size_t n_counts, cap_counts;
	struct lease_counts total;
	/* every living pool of any generation, by first address; max_last[i]: of pools 0..i */
	struct pool **pools;
	uint32_t *max_last;
	size_t n_pools;
	struct pool **by_number;
	size_t n_numbers;
	uint64_t generation;
	bool names_replaced;	   /* the store asks for identities that are replaced */
	struct lease_names *names; /* lease_names.c; NULL: nobody needs them */
};

static inline void db_lock(struct lease_db *db)
{
	(void)pthread_mutex_lock(&db->mu);
}

/* Releases the lock without waking the store: the caller reports the rows with those of its whole
 * batch. */
static inline void db_unlock_quiet(struct lease_db *db)
{
	db->appended = false;
	(void)pthread_mutex_unlock(&db->mu);
}

/* Wakes the committer, where rows were appended, without the lock. */
static inline void db_unlock(struct lease_db *db)
{
	struct lease_store *s = db->appended ? db->store : NULL;

	db->appended = false;
	(void)pthread_mutex_unlock(&db->mu);
	if (s)
		lease_store_kick(s);
}

/* Returns whether this server may give the address to a new client. */
static inline bool db_owns(const struct lease_db *db, uint32_t addr)
{
	return !db->store || lease_store_owns(db->store, addr);
}

static inline struct rec *rec_at(const struct lease_db *db, uint32_t idx)
{
	return slab_at(&db->recs, idx);
}

static inline int64_t rec_expire(const struct rec *r)
{
	return r->valid_lft == LEASE_INFINITE ? INT64_MAX : r->cltt + r->valid_lft;
}

/* Returns whether a lease is over. It runs through the second it ends in: client and server clocks
 * are cut to seconds. */
static inline bool rec_over(const struct rec *r, int64_t now)
{
	return rec_expire(r) < now;
}

static inline bool rec_is_kept(const struct rec *r)
{
	return r->state == LEASE_RECLAIMED || r->state == LEASE_RELEASED;
}

/* Returns the heap of a kept record. A released lease is to be reclaimed, as in Kea. */
static inline enum rec_heap rec_kept_heap(const struct rec *r)
{
	return r->state == LEASE_RELEASED ? HEAP_LAPSED : HEAP_KEPT;
}

/* --- lease_index.c ---------------------------------------------------------------------------- */

int addr_index_init(struct addr_index *ix) must_check;
void addr_index_fini(struct addr_index *ix);
uint32_t addr_get(const struct addr_index *ix, uint32_t addr);
/* Returns the slot, made if need be; NULL: memory is out. */
uint32_t *addr_slot(struct addr_index *ix, uint32_t addr);
/* Returns the lowest address >= from that has a record, or the address that is reached after
 * *budget steps. UINT64_MAX: none. */
uint64_t addr_seek(const struct addr_index *ix, uint64_t from, unsigned *budget);

/* --- lease_clients.c -------------------------------------------------------------------------- */

int client_index_init(struct client_index *ix, bool by_hw) must_check;
void client_index_fini(struct client_index *ix);
/* Reserves memory for the next client_index_add(). */
bool client_index_reserve(struct client_index *ix) must_check;
void client_index_add(struct lease_db *db, struct client_index *ix, uint32_t idx);
void client_index_del(struct lease_db *db, struct client_index *ix, uint32_t idx);
/* Returns the newest record of the key; the others follow by client_index_next(). kind: of by_hw,
 * records with a client identifier or those without. 0: none. */
uint32_t client_index_first(const struct lease_db *db, const struct client_index *ix,
			    struct span key, bool kind);
/* Mixed into the hash of a hardware address of a client that has a client identifier. */
enum { CLIENT_KIND = 0x1e3779b9 };
uint32_t client_hash(const struct lease_db *db, struct span key);
/* Prefetches the bucket of a hash; client_index_touch_rec() then prefetches the record of its
 * key. */
void client_index_touch(const struct client_index *ix, uint32_t hash);
void client_index_touch_rec(const struct lease_db *db, const struct client_index *ix,
			    uint32_t hash);
uint32_t client_index_next(const struct lease_db *db, const struct client_index *ix, uint32_t idx);
/*
 * Makes an index of all loaded records at once; n: the number of records with a key. ord: by index,
 * a number that grows with the time of the row; NULL: the index itself. Other threads may read the
 * table meanwhile. 0, -ENOMEM.
 */
int client_index_build(const struct lease_db *db, struct client_index *ix, uint32_t n,
		       const uint32_t *ord) must_check;

/* --- lease_heap.c ----------------------------------------------------------------------------- */

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
bool heap_reserve(struct lease_db *db, uint32_t n);
void heap_put(struct lease_db *db, enum rec_heap which, uint32_t idx, int64_t key);
void heap_del(struct lease_db *db, uint32_t idx);
/* Returns the record that ends first if it is over at now, with its true key. 0: there is none, or
 * *steps keys were corrected without finding it (then *steps is 0). */
uint32_t heap_due(struct lease_db *db, enum rec_heap which, int64_t now, unsigned *steps);
/* Returns whether the record's key is later than `end`. */
bool heap_is_late(const struct lease_db *db, uint32_t idx, int64_t end);
uint32_t heap_key(int64_t s);
/* Appends an entry to a heap that is being built. Entries come in any order; heap_order() orders
 * them. The heap is not visible yet, and records stay unchanged. */
int heap_append(struct heap *h, uint32_t key, uint32_t idx) must_check;
void heap_order(struct heap *h);
/* Sets the place of the record at pos, and prefetches records some places further. */
void heap_place(struct lease_db *db, const struct heap *h, enum rec_heap which, uint32_t pos);

/* --- lease_load.c ----------------------------------------------------------------------------- */

void lease_db_load_drop(struct lease_db *db);

/* --- lease_text.c ----------------------------------------------------------------------------- */

void texts_init(struct texts *t);
void texts_fini(struct lease_db *db);
/* Returns the octets of a lease's texts; 0: it has none. bare: without host name and context. */
size_t ext_need(const struct lease *l, bool bare);
/* Writes the texts of a lease into memory of ext_need() octets. */
void ext_fill(struct rec_ext *e, const struct lease *l, bool bare);
size_t ext_len(const struct rec_ext *e);
/* Returns memory for len octets; NULL: there is none. */
struct rec_ext *ext_new(struct lease_db *db, size_t len);
void ext_free(struct lease_db *db, struct rec_ext *e);

/* --- lease_view.c ----------------------------------------------------------------------------- */

struct span rec_hw(const struct rec *r);
struct span rec_cid(const struct rec *r);
/* Returns the host name; "": none. */
const char *rec_host(const struct rec *r);
/* Returns the context; NULL: none. */
const char *rec_context(const struct rec *r);
/* Sets all fields of a lease in a record, but for its texts, which stay unchanged. */
void rec_set(struct rec *r, const struct lease *l, enum lease_state state);
bool rec_is_of(const struct rec *r, const struct lease_client *c);
/* Returns a record as a value; user_context is borrowed from the record. */
void rec_view(const struct rec *r, struct lease *ret);
/* Returns a record as a value; user_context is copied into arena, or NULL. */
void rec_copy(const struct rec *r, struct arena *arena, struct lease *ret);

/* --- lease_record.c --------------------------------------------------------------------------- */
/* The main record and the living hold of an address, 0 where there is none. */
struct rec_pair {
	uint32_t main, hold;
};
struct rec_pair rec_lookup(const struct lease_db *db, uint32_t addr);
/* Makes or overwrites the main record of l->addr, in this state. Nothing changes on -ENOMEM. */
int rec_store(struct lease_db *db, const struct lease *l, enum lease_state state, uint32_t *ret_idx)
	must_check;
void rec_delete(struct lease_db *db, uint32_t idx);
/* Puts the record where its state and end belong: heap and LRU list. */
void rec_settle(struct lease_db *db, uint32_t idx);
/* Appends its row; the caller kicks the store after db_unlock(). */
uint64_t rec_log(struct lease_db *db, uint32_t idx, bool deleted);
/* Sets a hold. p: the pool that gave the address; NULL: the pool that has it. */
int hold_set(struct lease_db *db, const struct lease *l, struct pool *p) must_check;
void hold_drop(struct lease_db *db, uint32_t idx);
void holds_expire(struct lease_db *db, unsigned max);
/* Moves leases that are over to the LRU lists, in at most `steps` steps. False: there may be
 * more. */
bool rec_lapse(struct lease_db *db, int64_t now, unsigned steps);

/* --- lease_count.c ---------------------------------------------------------------------------- */

bool counts_reserve(struct lease_db *db, uint32_t subnet_id, uint32_t pool_id);
void counts_move(struct lease_db *db, const struct rec *r, int sign);
/* Returns the counters of a subnet or pool, or of all (subnet 0). */
struct lease_counts counts_of(const struct lease_db *db, uint32_t subnet_id, uint32_t pool_id);
enum count_what { COUNT_CUMULATIVE, COUNT_RECLAIMED, COUNT_RECLAIMED_DECLINED };
void counts_bump(struct lease_db *db, const struct rec *r, enum count_what what);

/* --- lease_names.c ---------------------------------------------------------------------------- */

/* Counts the names of a record, or removes them from the counters. Called where db->names is not
 * NULL. */
void names_move(struct lease_db *db, const struct rec *r, int sign);
/* Returns whether the lease has another context than the record. */
bool names_differ(const struct rec *r, const struct lease *l);
/* Counts the leases of the table, in stretches. Takes the lock itself. */
void names_walk(struct lease_db *db);
void names_fini(struct lease_db *db);
struct lease_bounds;
/* Returns as lease_db_beyond(); main_idx: the record that would be replaced, 0: none. */
int bounds_beyond(struct lease_db *db, uint32_t main_idx, const struct lease_bounds *b);

/* --- lease_pool.c ----------------------------------------------------------------------------- */
/* Publishes the number of free addresses for readers without the lock. */
void pool_publish(struct pool *p);
/* Returns the number of registered pools that begin at or below addr. */
size_t pools_below(const struct lease_db *db, uint32_t addr);
/* Returns the lowest address from addr on that may be in a pool; UINT64_MAX: there is none. */
uint64_t pools_next(const struct lease_db *db, uint32_t addr);
/* Sets the bit of addr in one pool. */
void pool_refresh(struct lease_db *db, struct pool *p, uint32_t addr);
/* Sets the bit of addr, and adds its record to the list of its pool or removes it. */
void pools_reconsider(struct lease_db *db, uint32_t addr);
/* Updates the bit of addr in every pool that has it. */
void pools_refresh(struct lease_db *db, uint32_t addr);
void lru_update(struct lease_db *db, uint32_t idx);
/* Puts a hold behind the others of its pool (NULL: the home pool of its address). pool_hold_del()
 * removes it. */
void pool_hold_add(struct lease_db *db, struct pool *p, uint32_t idx);
void pool_hold_del(struct lease_db *db, uint32_t idx);
void list_push(struct lease_db *db, struct rec_list *l, uint32_t idx, bool front);
void list_del(struct lease_db *db, struct rec_list *l, uint32_t idx);

/* --- lease_pool_registry.c -------------------------------------------------------------------- */
/* Sorts lists that were filled in the order of the file, oldest first. */
void pools_sort(struct lease_db *db);
void pools_fini(struct lease_db *db);
/* Makes a pool with one reference that is not registered yet; NULL: memory is out. */
struct pool *pool_new(const struct lease_pool_def *d);
/*
 * Registers new pools, in the order of their first addresses, and marks the records of their ranges
 * in them. On failure pools_unref() removes them again. Takes the lock itself, in bounded
 * stretches, as pool_reuse() and pools_unref() do.
 */
int pools_register(struct lease_db *db, struct pool *const *pools, size_t n) must_check;
/* Returns a living pool of exactly these settings, with one more reference; NULL: none. */
struct pool *pool_reuse(struct lease_db *db, const struct lease_pool_def *d);
void pools_unref(struct lease_db *db, struct pool *const *pools, size_t n);
