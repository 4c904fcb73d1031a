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
	return !f->hostname || strcasecmp(rec_host(r), f->hostname) == 0;
}

/* The next stretch of a walk by address: records into ret, position into *at. */
static size_t page_stretch(struct lease_db *db, uint64_t *at, const struct lease_filter *f,
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
	return got;
}

static int addr_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a;
	uint32_t y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static size_t chain_gather(const struct lease_db *db, uint32_t from, const struct lease_filter *f,
			   uint32_t *out, size_t cap)
{
	const struct client_index *ix = f->client_id.n ? &db->by_cid : &db->by_hw;
	struct span key = f->client_id.n ? f->client_id : f->hw;
	size_t n = 0;

	for (int kind = 0; kind <= ix->by_hw; kind++) {
		uint32_t idx = client_index_first(db, ix, key, kind);

		for (; idx; idx = client_index_next(db, ix, idx)) {
			const struct rec *r = rec_at(db, idx);

			if (r->state == LEASE_OFFERED || r->addr <= from || !passes(r, f))
				continue;
			if (n < cap)
				out[n] = r->addr;
			n++;
		}
	}
	return n;
}

/* By an index: all addresses of the client first, then the n lowest of them. */
static size_t page_client(struct lease_db *db, uint32_t from, const struct lease_filter *f,
			  struct arena *arena, struct lease *ret, size_t n)
{
	uint32_t *addrs = NULL;
	size_t have = 0;
	size_t got = 0;

	db_lock(db);
	have = chain_gather(db, from, f, NULL, 0);
	if (have)
		addrs = reallocarray(NULL, have, sizeof(*addrs));
	if (addrs) {
		(void)chain_gather(db, from, f, addrs, have);
		qsort(addrs, have, sizeof(*addrs), addr_cmp);
		for (; got < have && got < n; got++)
			rec_copy(rec_at(db, rec_lookup(db, addrs[got]).main), arena, &ret[got]);
	}
	db_unlock(db);
	free(addrs);
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
		got += page_stretch(db, &at, f, arena, ret + got, n - got);
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

	/* however many leases end in one second, packets get their turn in between */
	for (unsigned i = 0; !all && i < TICK_STRETCHES; i++) {
		db_lock(db);
		if (i == 0)
			holds_expire(db, STRETCH);
		all = rec_lapse(db, clock_wall_s(db->o.clock), LAPSE_STRETCH);
		db_unlock(db);
	}
}

uint64_t lease_db_size(struct lease_db *db)
{
	uint64_t n;

	db_lock(db);
	n = db->n_main;
	db_unlock(db);
	return n;
}
