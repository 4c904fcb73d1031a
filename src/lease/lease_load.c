/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Loading at start. Into an empty table rows go by address alone; the other structures (the indexes
 * by client, heaps, counters) are made of all records at once behind the last row, which costs a
 * fraction of doing it row by row, and for each index in a thread of its own. Pools, if there are
 * any already, are updated with each row.
 *
 * Records of one client are in the order in which their identity was last set, the newest first, as
 * if each row had been stored by itself. That is the order of the records in their slab, until one
 * is used again or changes its client: from then on `ord` has it.
 *
 * A table that has records takes rows one by one.
 */
#include "lease/lease_load.h"

#include "base/buf.h"
#include "lease/lease_table.h"

#include <errno.h>
#include <stdlib.h>

enum { BATCH_ROWS = 4096, TEXT_MAX = 256 << 10, STRETCH = 4096 };

/* Rows as records; seq: the place of its ext in `texts`, plus one. */
struct lease_rows {
	uint32_t n;
	struct buf texts;
	struct rec rec[BATCH_ROWS];
};

struct loading {
	uint32_t *ord; /* by index; NULL: the index itself */
	uint32_t cap, next;
	uint32_t n_cid, n_hw; /* at least as many as there are keys */
};

/* --- batches ---------------------------------------------------------------------------------- */

int lease_rows_new(struct lease_rows **ret)
{
	/* not cleared: a row sets all that is read of it */
	struct lease_rows *b = malloc(sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->n = 0;
	buf_init(&b->texts);
	*ret = b;
	return 0;
}

void lease_rows_free(struct lease_rows *b)
{
	if (!b)
		return;
	buf_fini(&b->texts);
	free(b);
}

bool lease_rows_empty(const struct lease_rows *b)
{
	return b->n == 0;
}

int lease_rows_add(struct lease_rows *b, const struct lease *l)
{
	size_t need = ext_need(l, false);
	size_t room = (need + 7) & ~(size_t)7;
	struct rec *r = &b->rec[b->n];

	memset(r, 0, sizeof(*r));
	rec_set(r, l, l->state);
	if (need) {
		if (!buf_reserve(&b->texts, room))
			return -ENOMEM;
		ext_fill((void *)(b->texts.p + b->texts.len), l, false);
		r->seq = b->texts.len + 1;
		b->texts.len += room;
	}
	return ++b->n == BATCH_ROWS || b->texts.len >= TEXT_MAX;
}

/* --- rows by themselves ----------------------------------------------------------------------- */

static bool is_deletion(const struct rec *row)
{
	return row->valid_lft == 0 && row->state != LEASE_RELEASED;
}

static int store_row(struct lease_db *db, const struct rec *row)
{
	struct lease l uninit;
	uint32_t idx;

	if (!is_deletion(row)) {
		rec_view(row, &l);
		return rec_store(db, &l, row->state, &idx);
	}
	idx = rec_lookup(db, row->addr).main;
	if (idx)
		rec_delete(db, idx);
	return 0;
}

/* --- rows by address -------------------------------------------------------------------------- */

/* Notes that the record's identity is the newest now. */
static int ord_set(struct lease_db *db, struct loading *ld, uint32_t idx)
{
	if (idx >= ld->cap) {
		uint32_t cap = ld->cap ? ld->cap : 1024;
		uint32_t *ord;

		while (cap <= idx || cap < db->recs.used)
			cap *= 2;
		ord = reallocarray(ld->ord, cap, sizeof(*ord));
		if (!ord)
			return -ENOMEM;
		if (!ld->ord)
			ld->next = db->recs.used;
		for (uint32_t i = ld->cap; i < cap; i++)
			ord[i] = i;
		ld->ord = ord;
		ld->cap = cap;
	}
	ld->ord[idx] = ld->next++;
	return 0;
}

static void delete_row(struct lease_db *db, uint32_t addr)
{
	uint32_t idx = addr_get(&db->addrs, addr);
	struct rec *r;

	if (!idx)
		return;
	r = rec_at(db, idx);
	r->state = LEASE_ASSIGNED;
	lru_update(db, idx);
	*addr_slot(&db->addrs, addr) = 0;
	ext_free(db, r->ext);
	r->ext = NULL;
	r->heap = HEAP_GONE;
	slab_free(&db->recs, idx);
	db->n_main--;
	pools_refresh(db, addr);
}

static bool match_identities(const struct rec *a, const struct rec *b)
{
	return span_eq(rec_hw(a), rec_hw(b)) && span_eq(rec_cid(a), rec_cid(b));
}

static int change_row(struct lease_db *db, struct loading *ld, uint32_t idx, const struct rec *row,
		      struct rec_ext *ext)
{
	struct rec *r = rec_at(db, idx);
	struct rec was = *r;
	bool same = match_identities(r, row);

	ext_free(db, r->ext);
	*r = *row;
	r->ext = ext;
	r->home = was.home;
	r->prev = was.prev;
	r->next = was.next;
	if (was.home || rec_is_kept(r))
		lru_update(db, idx);
	return same ? 0 : ord_set(db, ld, idx);
}

static int add_row(struct lease_db *db, struct loading *ld, const struct rec *row,
		   struct rec_ext *ext)
{
	uint32_t *slot = addr_slot(&db->addrs, row->addr);
	bool again = db->recs.free_head != 0;
	uint32_t idx = slot ? slab_new(&db->recs) : 0;
	struct rec *r;

	if (!idx)
		return -ENOMEM;
	r = rec_at(db, idx);
	*r = *row;
	r->ext = ext;
	*slot = idx;
	db->n_main++;
	if (db->n_pools) {
		pools_refresh(db, row->addr);
		lru_update(db, idx);
	}
	return ld->ord || again ? ord_set(db, ld, idx) : 0;
}

/* Loads a row. seq is as of a row that was never appended. */
static int load_row(struct lease_db *db, struct loading *ld, const struct rec *row)
{
	struct rec_ext *ext = NULL;
	uint32_t idx;
	int r;

	if (is_deletion(row)) {
		delete_row(db, row->addr);
		return 0;
	}
	if (row->ext) {
		size_t len = ext_len(row->ext);

		ext = ext_new(db, len);
		if (!ext)
			return -ENOMEM;
		memcpy(ext, row->ext, len);
	}
	idx = addr_get(&db->addrs, row->addr);
	r = idx ? change_row(db, ld, idx, row, ext) : add_row(db, ld, row, ext);
	if (r < 0 && addr_get(&db->addrs, row->addr) == 0)
		ext_free(db, ext);
	return r;
}

static int loading_begin(struct lease_db *db)
{
	if (db->loading || db->recs.n_live)
		return 0;
	db->loading = calloc(1, sizeof(*db->loading));
	return db->loading ? 0 : -ENOMEM;
}

int lease_db_load(struct lease_db *db, struct lease_rows *b)
{
	int r;

	db_lock(db);
	r = loading_begin(db);
	for (uint32_t i = 0; r == 0 && i < b->n; i++) {
		struct rec *row = &b->rec[i];

		row->ext = row->seq ? (void *)(b->texts.p + row->seq - 1) : NULL;
		row->seq = 0;
		r = db->loading ? load_row(db, db->loading, row) : store_row(db, row);
	}
	db_unlock(db);
	b->n = 0;
	buf_reset(&b->texts);
	return r;
}

void *lease_db_load_ahead(struct lease_db *db, size_t *ret_len)
{
	void *chunk;

	db_lock(db);
	chunk = slab_ahead(&db->recs, ret_len);
	db_unlock(db);
	return chunk;
}

void lease_load_touch(void *p, size_t len)
{
	slab_ahead_touch(p, len);
}

/* --- behind the last row ---------------------------------------------------------------------- */

/* The structures being made, next to the table. */
struct build {
	struct lease_db *db;
	struct loading *ld;
	struct client_index by_cid, by_hw;
	struct heap heaps[HEAP_N];
	int hw_result;
};

static void build_fini(struct build *b)
{
	client_index_fini(&b->by_cid);
	client_index_fini(&b->by_hw);
	for (int i = HEAP_RUNNING; i < HEAP_N; i++)
		heap_fini(&b->heaps[i]);
}

static enum rec_heap heap_for(const struct rec *r)
{
	if (rec_is_kept(r))
		return rec_kept_heap(r);
	return r->valid_lft == LEASE_INFINITE ? HEAP_NONE : HEAP_RUNNING;
}

static int count_rec(struct build *b, uint32_t idx)
{
	struct rec *r = rec_at(b->db, idx);
	enum rec_heap which = heap_for(r);

	if (r->heap == HEAP_GONE)
		return 0;
	b->ld->n_cid += r->cid_len != 0;
	b->ld->n_hw += r->hw_len != 0;
	if (!counts_reserve(b->db, r->subnet_id, r->pool_id))
		return -ENOMEM;
	counts_move(b->db, r, 1);
	return which == HEAP_NONE ? 0 : heap_append(&b->heaps[which], heap_key(rec_expire(r)), idx);
}

/* Counts each record once, and appends its entry to a heap. Releases the lock between stretches. */
static int count_all(struct build *b)
{
	uint32_t used = b->db->recs.used;
	int r = 0;

	for (uint32_t idx = 1; r == 0 && idx < used;) {
		db_lock(b->db);
		for (unsigned n = 0; r == 0 && n < STRETCH && idx < used; n++, idx++)
			r = count_rec(b, idx);
		db_unlock(b->db);
	}
	return r;
}

/* Stores the place in its heap in each record. */
static void place_all(struct build *b, enum rec_heap which)
{
	const struct heap *h = &b->heaps[which];

	for (uint32_t pos = 0; pos < h->n;) {
		db_lock(b->db);
		for (unsigned n = 0; n < STRETCH && pos < h->n; n++, pos++)
			heap_place(b->db, h, which, pos);
		db_unlock(b->db);
	}
}

static void *build_hw(void *build)
{
	struct build *b = build;

	b->hw_result = client_index_build(b->db, &b->by_hw, b->ld->n_hw, b->ld->ord);
	return NULL;
}

static int build_indexes(struct build *b, bool threads)
{
	pthread_t other;
	bool beside = threads && pthread_create(&other, NULL, build_hw, b) == 0;
	int r = client_index_build(b->db, &b->by_cid, b->ld->n_cid, b->ld->ord);

	if (beside)
		(void)pthread_join(other, NULL);
	else
		(void)build_hw(b);
	return r < 0 ? r : b->hw_result;
}

static int build_all(struct build *b, bool threads)
{
	int r;

	for (int i = HEAP_RUNNING; i < HEAP_N; i++)
		heap_init(&b->heaps[i]);
	r = client_index_init(&b->by_cid, false);
	if (r == 0)
		r = client_index_init(&b->by_hw, true);
	if (r == 0)
		r = count_all(b);
	if (r == 0)
		r = build_indexes(b, threads);
	if (r < 0)
		return r;
	for (int i = HEAP_RUNNING; i < HEAP_N; i++) {
		heap_order(&b->heaps[i]);
		place_all(b, i);
	}
	return 0;
}

/* Puts the built structures into the place of the empty ones. */
static int build_install(struct build *b)
{
	struct lease_db *db = b->db;
	struct client_index cid = db->by_cid;
	struct client_index hw = db->by_hw;

	db->by_cid = b->by_cid;
	db->by_hw = b->by_hw;
	b->by_cid = cid;
	b->by_hw = hw;
	for (int i = HEAP_RUNNING; i < HEAP_N; i++) {
		struct heap h = db->heaps[i];

		db->heaps[i] = b->heaps[i];
		b->heaps[i] = h;
	}
	return heap_reserve(db, db->recs.n_live) ? 0 : -ENOMEM;
}

void lease_db_load_drop(struct lease_db *db)
{
	if (db->loading)
		free(db->loading->ord);
	free(db->loading);
	db->loading = NULL;
}

int lease_db_load_end(struct lease_db *db, bool threads)
{
	struct build b = {.db = db, .ld = db->loading};
	bool named;
	int r = 0;

	if (b.ld)
		r = build_all(&b, threads);
	db_lock(db);
	if (b.ld && r == 0)
		r = build_install(&b);
	slab_ahead_drop(&db->recs);
	lease_db_load_drop(db);
	pools_sort(db);
	named = b.ld && db->names;
	db_unlock(db);
	if (named)
		names_walk(db);
	if (b.ld)
		build_fini(&b);
	return r;
}
