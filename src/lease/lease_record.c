/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One record: making, changing, deleting; holds; the move from running to lapsed.
 * Invariants: every record is in the client indexes its identity has keys for; a main record is
 * counted (lease_count.c) exactly while it is linked to its slot; a hold is in db->holds.
 */
#include "lease/lease_table.h"

#include <errno.h>

struct rec_pair rec_lookup(const struct lease_db *db, uint32_t addr)
{
	uint32_t idx = addr_get(&db->addrs, addr);
	struct rec_pair p = {idx, 0};

	if (!idx)
		return p;
	if (rec_at(db, idx)->state == LEASE_OFFERED)
		p = (struct rec_pair){0, idx};
	else
		p.hold = rec_at(db, idx)->hold;
	if (p.hold && (int64_t)rec_at(db, p.hold)->seq <= clock_mono_ns(db->o.clock))
		p.hold = 0;
	return p;
}

/* Makes the memory for data that does not fit. bare: without texts. ret_ext: NULL where nothing
 * needs one. */
static int ext_make(struct lease_db *db, const struct lease *l, bool bare, struct rec_ext **ret_ext)
{
	size_t len = ext_need(l, bare);

	*ret_ext = len ? ext_new(db, len) : NULL;
	if (len && !*ret_ext)
		return -ENOMEM;
	if (len)
		ext_fill(*ret_ext, l, bare);
	return 0;
}

static void rec_fill(struct lease_db *db, struct rec *r, const struct lease *l,
		     enum lease_state state, struct rec_ext *ext)
{
	ext_free(db, r->ext);
	r->ext = ext;
	rec_set(r, l, state);
}

static void index_add(struct lease_db *db, uint32_t idx)
{
	client_index_add(db, &db->by_cid, idx);
	client_index_add(db, &db->by_hw, idx);
}

static void index_del(struct lease_db *db, uint32_t idx)
{
	client_index_del(db, &db->by_cid, idx);
	client_index_del(db, &db->by_hw, idx);
}

static int main_new(struct lease_db *db, uint32_t addr, uint32_t *ret_idx)
{
	uint32_t *slot = addr_slot(&db->addrs, addr);
	uint32_t idx;

	if (!slot || !heap_reserve(db, db->recs.n_live + 1))
		return -ENOMEM;
	idx = slab_new(&db->recs);
	if (!idx)
		return -ENOMEM;
	rec_at(db, idx)->addr = addr;
	rec_at(db, idx)->hold = *slot;
	*slot = idx;
	db->n_main++;
	*ret_idx = idx;
	return 0;
}

static bool same_identity(const struct rec *r, const struct lease *l)
{
	return span_eq(rec_hw(r), lease_hw(l)) && span_eq(rec_cid(r), lease_client_id(l));
}

static uint32_t main_of(const struct lease_db *db, uint32_t addr)
{
	uint32_t idx = addr_get(&db->addrs, addr);

	return idx && rec_at(db, idx)->state != LEASE_OFFERED ? idx : 0;
}

static bool index_reserve(struct lease_db *db)
{
	return client_index_reserve(&db->by_cid) && client_index_reserve(&db->by_hw);
}

/*
 * Returns the record to be filled: the main one; else the client's own hold, which becomes the main
 * record and is in the client indexes already; else a new one.
 */
static int rec_open(struct lease_db *db, const struct lease *l, uint32_t idx, bool indexed,
		    uint32_t *ret_idx)
{
	*ret_idx = idx;
	if (idx && rec_at(db, idx)->state != LEASE_OFFERED)
		return 0;
	if (!indexed)
		return main_new(db, l->addr, ret_idx);
	pool_hold_del(db, idx);
	list_del(db, &db->holds, idx);
	rec_at(db, idx)->seq = 0;
	db->n_main++;
	return 0;
}

/* Returns whether only the record itself changes, as in most renewals: the identity and the
 * counters stay, and the end is no earlier. */
static bool is_prolonged(const struct rec *r, const struct lease *l, enum lease_state state)
{
	return r->state == state && r->heap == HEAP_RUNNING && r->subnet_id == l->subnet_id &&
	       r->pool_id == l->pool_id && lease_expire(l) >= rec_expire(r) &&
	       l->valid_lft != LEASE_INFINITE;
}

static int rec_replace(struct lease_db *db, const struct lease *l, enum lease_state state,
		       uint32_t had, bool indexed, struct rec_ext *ext, uint32_t *ret_idx)
{
	uint32_t old_main = had && rec_at(db, had)->state != LEASE_OFFERED ? had : 0;
	int r;

	if (!counts_reserve(db, l->subnet_id, l->pool_id) || !index_reserve(db))
		return -ENOMEM;
	r = rec_open(db, l, had, indexed, ret_idx);
	if (r < 0)
		return r;
	if (old_main)
		counts_move(db, rec_at(db, old_main), -1);
	if (old_main && !indexed)
		index_del(db, old_main);
	rec_fill(db, rec_at(db, *ret_idx), l, state, ext);
	if (!indexed)
		index_add(db, *ret_idx);
	counts_move(db, rec_at(db, *ret_idx), 1);
	if (!had)
		pools_refresh(db, l->addr);
	rec_settle(db, *ret_idx);
	return 0;
}

/* Fills a record that is_prolonged(). A new context may have other names. */
static void prolong_rec(struct lease_db *db, struct rec *r, const struct lease *l,
			struct rec_ext *ext)
{
	bool renamed = unlikely(db->names != NULL) && names_differ(r, l);

	if (renamed)
		names_move(db, r, -1);
	rec_fill(db, r, l, (enum lease_state)r->state, ext);
	if (renamed)
		names_move(db, r, 1);
}

int rec_store(struct lease_db *db, const struct lease *l, enum lease_state state, uint32_t *ret_idx)
{
	uint32_t had = addr_get(&db->addrs, l->addr);
	bool same = had && same_identity(rec_at(db, had), l);
	struct rec_ext *ext;
	int r = db->loading ? -EBUSY : ext_make(db, l, false, &ext);

	if (r < 0)
		return r;
	if (same && is_prolonged(rec_at(db, had), l, state)) {
		prolong_rec(db, rec_at(db, had), l, ext);
		*ret_idx = had;
		return 0;
	}
	r = rec_replace(db, l, state, had, same, ext, ret_idx);
	if (r < 0)
		ext_free(db, ext);
	return r;
}

/* Releases the record itself; all references to it must be gone. */
static void rec_drop(struct lease_db *db, uint32_t idx)
{
	index_del(db, idx);
	ext_free(db, rec_at(db, idx)->ext);
	slab_free(&db->recs, idx);
}

void rec_delete(struct lease_db *db, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);
	uint32_t addr = r->addr;

	counts_move(db, r, -1);
	heap_del(db, idx);
	if (r->home)
		list_del(db, &db->by_number[r->home]->lru, idx);
	r->home = 0;
	*addr_slot(&db->addrs, addr) = r->hold;
	rec_drop(db, idx);
	db->n_main--;
	pools_refresh(db, addr);
}

void rec_settle(struct lease_db *db, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);
	int64_t end = rec_expire(r);

	if (rec_is_kept(r))
		heap_put(db, rec_kept_heap(r), idx, end);
	else if (r->valid_lft == LEASE_INFINITE)
		heap_del(db, idx);
	else if (r->heap != HEAP_RUNNING || heap_is_late(db, idx, end))
		heap_put(db, HEAP_RUNNING, idx, end);
	lru_update(db, idx);
}

uint64_t rec_log(struct lease_db *db, uint32_t idx, bool deleted)
{
	struct rec *r = rec_at(db, idx);
	struct lease l uninit;

	r->seq = 0;
	if (!db->store)
		return 0;
	rec_view(r, &l);
	r->seq = lease_store_append(db->store, &l, deleted);
	db->appended = true;
	return r->seq;
}

static int hold_new(struct lease_db *db, const struct lease *l, uint32_t *ret_idx)
{
	uint32_t *slot = addr_slot(&db->addrs, l->addr);
	struct rec_ext *ext = NULL;
	uint32_t idx;
	int r = ext_make(db, l, true, &ext);

	if (r < 0)
		return r;
	idx = slot && index_reserve(db) && heap_reserve(db, db->recs.n_live + 1)
		      ? slab_new(&db->recs)
		      : 0;
	if (!idx) {
		ext_free(db, ext);
		return -ENOMEM;
	}
	rec_fill(db, rec_at(db, idx), l, LEASE_OFFERED, ext);
	index_add(db, idx);
	if (*slot)
		rec_at(db, *slot)->hold = idx;
	else
		*slot = idx;
	*ret_idx = idx;
	return 0;
}

/* Renews a hold of this client: it begins anew. False: the hold has another identity. */
static bool hold_renew(struct lease_db *db, const struct lease *l, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);

	if (!same_identity(r, l))
		return false;
	list_del(db, &db->holds, idx);
	r->subnet_id = l->subnet_id;
	r->pool_id = l->pool_id;
	return true;
}

static bool is_nobodys(const struct lease_db *db, uint32_t main_idx)
{
	const struct rec *r = rec_at(db, main_idx);

	return !main_idx || rec_is_kept(r) || rec_over(r, clock_wall_s(db->o.clock));
}

int hold_set(struct lease_db *db, const struct lease *l, struct pool *p)
{
	uint32_t main_idx = main_of(db, l->addr);
	uint32_t old = main_idx ? rec_at(db, main_idx)->hold : addr_get(&db->addrs, l->addr);
	uint32_t idx = old;
	struct rec *h;
	int r = 0;

	if (db->loading)
		return -EBUSY;
	if (!old || !hold_renew(db, l, old)) {
		if (old)
			hold_drop(db, old);
		r = hold_new(db, l, &idx);
		if (r < 0)
			return r;
		pools_refresh(db, l->addr);
	}
	h = rec_at(db, idx);
	h->cltt = clock_wall_s(db->o.clock);
	h->valid_lft = db->o.offer_hold_s;
	h->seq = (uint64_t)(clock_mono_ns(db->o.clock) + db->o.offer_hold_s * NS_PER_S);
	list_push(db, &db->holds, idx, false);
	pool_hold_del(db, idx);
	if (is_nobodys(db, main_idx))
		pool_hold_add(db, p, idx);
	if (main_idx)
		lru_update(db, main_idx);
	return 0;
}

void hold_drop(struct lease_db *db, uint32_t idx)
{
	uint32_t addr = rec_at(db, idx)->addr;
	uint32_t main_idx = main_of(db, addr);

	pool_hold_del(db, idx);
	list_del(db, &db->holds, idx);
	if (main_idx)
		rec_at(db, main_idx)->hold = 0;
	else
		*addr_slot(&db->addrs, addr) = 0;
	rec_drop(db, idx);
	pools_refresh(db, addr);
	if (main_idx)
		lru_update(db, main_idx);
}

void holds_expire(struct lease_db *db, unsigned max)
{
	int64_t now = clock_mono_ns(db->o.clock);

	while (max-- > 0 && db->holds.head && (int64_t)rec_at(db, db->holds.head)->seq <= now)
		hold_drop(db, db->holds.head);
}

bool rec_lapse(struct lease_db *db, int64_t now, unsigned steps)
{
	while (steps > 0) {
		uint32_t idx = heap_due(db, HEAP_RUNNING, now, &steps);

		if (!idx)
			return steps > 0;
		heap_put(db, HEAP_LAPSED, idx, rec_expire(rec_at(db, idx)));
		lru_update(db, idx);
		steps--;
	}
	return false;
}
