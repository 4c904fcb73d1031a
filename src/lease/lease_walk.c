/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Walks over many records: pages, wiping, flushing. The lock is held for a bounded stretch at a
 * time, so that no packet waits for a walk.
 */
#include "lease/lease_table.h"

#include <stdlib.h>
#include <strings.h>

enum { STRETCH = 512, LAPSE_STRETCH = 64, TICK_STRETCHES = 512 };

static bool passes(const struct rec *r, const struct lease_filter *f)
{
	if (f->subnet_id && r->subnet_id != f->subnet_id)
		return false;
	if (f->state >= 0 && r->state != f->state)
		return false;
	if (f->hw.n && !span_eq(rec_hw(r), f->hw))
		return false;
	if (f->client_id.n && !span_eq(rec_cid(r), f->client_id))
		return false;
	if (f->hostname && strcasecmp(rec_host(r), f->hostname) != 0)
		return false;
	return !f->context || (rec_context(r) && strcasestr(rec_context(r), f->context));
}

size_t lease_db_step(struct lease_db *db, uint64_t *at, const struct lease_filter *f,
		     struct arena *arena, struct lease *ret, size_t n)
{
	unsigned budget = STRETCH;
	size_t got = 0;

	db_lock(db);
	while (got < n && budget > 0) {
		const struct rec *r;

		*at = addr_seek(&db->addrs, *at, &budget);
		if (*at == UINT64_MAX || budget == 0)
			break;
		budget--;
		r = rec_at(db, addr_get(&db->addrs, (uint32_t)*at));
		if (r->state != LEASE_OFFERED && passes(r, f))
			rec_copy(r, arena, &ret[got++]);
		++*at;
	}
	db_unlock(db);
	if (*at > UINT32_MAX)
		*at = UINT64_MAX;
	return got;
}

static int addr_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* A walk along the records of one client; the lock is released in between. */
struct chain_walk {
	const struct lease_filter *f;
	uint32_t from; /* addresses above it */
	bool kind;
	uint32_t idx, addr; /* the next record; idx 0: the first */
	unsigned n_seen;
	uint32_t *addrs;
	size_t n, cap;
};

/* Returns whether the record at which the walk stopped is still the client's. */
static bool is_there(const struct lease_db *db, const struct chain_walk *w)
{
	struct rec_pair p = rec_lookup(db, w->addr);
	const struct rec *r = rec_at(db, w->idx);

	return (p.main == w->idx || p.hold == w->idx) &&
	       (w->f->client_id.n ? span_eq(rec_cid(r), w->f->client_id)
				  : span_eq(rec_hw(r), w->f->hw) && (r->cid_len > 0) == w->kind);
}

/* Walks the next stretch of records, newest first. False: that was the last. A record that ended
 * meanwhile restarts the walk. */
static bool chain_stretch(struct lease_db *db, struct chain_walk *w)
{
	const struct client_index *ix = w->f->client_id.n ? &db->by_cid : &db->by_hw;
	struct span key = w->f->client_id.n ? w->f->client_id : w->f->hw;
	uint32_t idx = w->idx;

	if (!idx || !is_there(db, w))
		idx = client_index_first(db, ix, key, w->kind);
	for (unsigned k = 0; idx && k < STRETCH; k++, idx = client_index_next(db, ix, idx)) {
		const struct rec *r = rec_at(db, idx);

		if (r->state != LEASE_OFFERED && r->addr > w->from && passes(r, w->f))
			w->addrs[w->n++] = r->addr;
	}
	w->n_seen += STRETCH;
	w->idx = idx;
	w->addr = idx ? rec_at(db, idx)->addr : 0;
	return idx != 0;
}

static bool chain_room(struct chain_walk *w)
{
	uint32_t *p;

	if (w->cap - w->n >= STRETCH)
		return true;
	p = reallocarray(w->addrs, w->cap * 2 + STRETCH, sizeof(*p));
	if (!p)
		return false;
	w->addrs = p;
	w->cap = w->cap * 2 + STRETCH;
	return true;
}

/* Gathers all addresses of the client, in order, each once. */
static void chain_gather(struct lease_db *db, struct chain_walk *w)
{
	enum {
		AGAIN_MAX = 4
	}; /* the limit in walks of all leases: others change the chain faster */
	uint64_t end = (lease_db_size(db) + STRETCH) * AGAIN_MAX;
	size_t n = 0;

	for (int kind = 0; kind <= (w->f->client_id.n == 0); kind++) {
		bool more = true;

		w->kind = kind;
		w->idx = w->n_seen = 0;
		while (more && w->n_seen < end && chain_room(w)) {
			db_lock(db);
			more = chain_stretch(db, w);
			db_unlock(db);
		}
	}
	if (w->n)
		qsort(w->addrs, w->n, sizeof(*w->addrs), addr_cmp);
	for (size_t i = 0; i < w->n; i++)
		if (i == 0 || w->addrs[i] != w->addrs[i - 1])
			w->addrs[n++] = w->addrs[i];
	w->n = n;
}

/* Makes a page by an index: gathers all addresses of the client first, then copies the n lowest of
 * them. */
static size_t page_client(struct lease_db *db, uint32_t from, const struct lease_filter *f,
			  struct arena *arena, struct lease *ret, size_t n)
{
	struct chain_walk w = {.f = f, .from = from};
	size_t got = 0;

	chain_gather(db, &w);
	for (size_t i = 0; i < w.n && got < n;) {
		db_lock(db);
		for (unsigned k = 0; k < STRETCH && i < w.n && got < n; k++, i++) {
			uint32_t idx = rec_lookup(db, w.addrs[i]).main;

			if (idx && passes(rec_at(db, idx), f))
				rec_copy(rec_at(db, idx), arena, &ret[got++]);
		}
		db_unlock(db);
	}
	free(w.addrs);
	return got;
}

size_t lease_db_page(struct lease_db *db, uint32_t from, const struct lease_filter *f,
		     struct arena *arena, struct lease *ret, size_t n)
{
	static const struct lease_filter any = {.state = -1};
	uint64_t at = from ? (uint64_t)from + 1 : 0;
	size_t got = 0;

	if (!f)
		f = &any;
	if (f->hw.n || f->client_id.n)
		return page_client(db, from, f, arena, ret, n);
	while (got < n && at <= UINT32_MAX)
		got += lease_db_step(db, &at, f, arena, ret + got, n - got);
	return got;
}

static uint64_t wipe_stretch(struct lease_db *db, uint64_t *at, uint32_t subnet_id, uint64_t *seq)
{
	unsigned budget = STRETCH;
	uint64_t n = 0;

	db_lock(db);
	if (db->loading)
		*at = UINT64_MAX;
	while (budget > 0) {
		uint32_t idx;

		*at = addr_seek(&db->addrs, *at, &budget);
		if (*at == UINT64_MAX || budget == 0)
			break;
		budget--;
		idx = rec_lookup(db, (uint32_t)*at).main;
		if (idx && (!subnet_id || rec_at(db, idx)->subnet_id == subnet_id)) {
			*seq = rec_log(db, idx, true);
			rec_delete(db, idx);
			n++;
		}
		++*at;
	}
	db_unlock(db);
	return n;
}

uint64_t lease_db_wipe(struct lease_db *db, uint32_t subnet_id, uint64_t *ret_seq)
{
	uint64_t seq = 0;
	uint64_t at = 0;
	uint64_t n = 0;

	while (at <= UINT32_MAX)
		n += wipe_stretch(db, &at, subnet_id, &seq);
	if (ret_seq)
		*ret_seq = seq;
	return n;
}

size_t lease_db_flush_reclaimed(struct lease_db *db, uint32_t age_s, size_t max)
{
	int64_t before = clock_wall_s(db->o.clock) - age_s;
	size_t n = 0;
	bool more = true;

	while (more && (!max || n < max)) {
		unsigned steps = STRETCH;

		db_lock(db);
		while (more && steps > 0 && (!max || n < max)) {
			uint32_t idx = heap_due(db, HEAP_KEPT, before, &steps);

			more = idx || steps == 0;
			if (!idx)
				break;
			(void)rec_log(db, idx, true);
			rec_delete(db, idx);
			steps--;
			n++;
		}
		db_unlock(db);
	}
	return n;
}

void lease_db_expire_holds(struct lease_db *db)
{
	bool all = false;

	/* many leases may end in one second: packets get the lock in between */
	for (unsigned i = 0; !all && i < TICK_STRETCHES; i++) {
		db_lock(db);
		if (i == 0)
			holds_expire(db, STRETCH);
		all = rec_lapse(db, clock_wall_s(db->o.clock), LAPSE_STRETCH);
		db_unlock(db);
	}
}

bool lease_db_is_loading(struct lease_db *db)
{
	bool loading;

	db_lock(db);
	loading = db->loading || (db->store && lease_store_opening(db->store));
	db_unlock(db);
	return loading;
}

uint64_t lease_db_size(struct lease_db *db)
{
	uint64_t n;

	db_lock(db);
	n = db->n_main;
	db_unlock(db);
	return n;
}
