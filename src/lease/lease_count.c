/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Counters per subnet and per pool, kept as records change. An open-addressed table keyed by
 * (subnet, pool); LEASE_ALL_POOLS is the subnet's own entry. Entries are never removed: their
 * number is that of all subnets and pools that the configuration ever named.
 */
#include "lease/lease_table.h"

#include <stdlib.h>

static struct count_ent *probe(struct count_ent *t, size_t cap, uint32_t subnet_id,
			       uint32_t pool_id)
{
	size_t i = hash_u32(subnet_id ^ hash_u32(pool_id)) & (cap - 1);

	while (t[i].used && (t[i].subnet_id != subnet_id || t[i].pool_id != pool_id))
		i = (i + 1) & (cap - 1);
	return &t[i];
}

static bool counts_grow(struct lease_db *db)
{
	size_t cap = db->cap_counts ? db->cap_counts * 2 : 64;
	struct count_ent *t = calloc(cap, sizeof(*t));

	if (!t)
		return false;
	for (size_t i = 0; i < db->cap_counts; i++) {
		struct count_ent *e = &db->counts[i];

		if (e->used)
			*probe(t, cap, e->subnet_id, e->pool_id) = *e;
	}
	free(db->counts);
	db->counts = t;
	db->cap_counts = cap;
	return true;
}

static void entry_make(struct lease_db *db, uint32_t subnet_id, uint32_t pool_id)
{
	struct count_ent *e = probe(db->counts, db->cap_counts, subnet_id, pool_id);

	if (e->used)
		return;
	*e = (struct count_ent){.subnet_id = subnet_id, .pool_id = pool_id, .used = true};
	db->n_counts++;
}

bool counts_reserve(struct lease_db *db, uint32_t subnet_id, uint32_t pool_id)
{
	if ((db->n_counts + 2) * 2 > db->cap_counts && !counts_grow(db))
		return false;
	entry_make(db, subnet_id, LEASE_ALL_POOLS);
	entry_make(db, subnet_id, pool_id);
	return true;
}

static void count_state(struct lease_counts *c, const struct rec *r, int sign)
{
	uint64_t d = (uint64_t)(int64_t)sign;

	if (r->state == LEASE_ASSIGNED || r->state == LEASE_DECLINED)
		c->assigned += d;
	if (r->state == LEASE_DECLINED)
		c->declined += d;
}

void counts_move(struct lease_db *db, const struct rec *r, int sign)
{
	count_state(&db->total, r, sign);
	count_state(&probe(db->counts, db->cap_counts, r->subnet_id, LEASE_ALL_POOLS)->c, r, sign);
	if (r->pool_id != LEASE_ALL_POOLS)
		count_state(&probe(db->counts, db->cap_counts, r->subnet_id, r->pool_id)->c, r,
			    sign);
	if (unlikely(db->names != NULL))
		names_move(db, r, sign);
}

static void count_event(struct lease_counts *c, enum count_what what)
{
	switch (what) {
	case COUNT_CUMULATIVE:
		c->cumulative_assigned++;
		break;
	case COUNT_RECLAIMED_DECLINED:
		c->reclaimed_declined++;
		break;
	case COUNT_RECLAIMED:
		c->reclaimed++;
		break;
	}
}

void counts_bump(struct lease_db *db, const struct rec *r, enum count_what what)
{
	count_event(&db->total, what);
	count_event(&probe(db->counts, db->cap_counts, r->subnet_id, LEASE_ALL_POOLS)->c, what);
	if (r->pool_id != LEASE_ALL_POOLS)
		count_event(&probe(db->counts, db->cap_counts, r->subnet_id, r->pool_id)->c, what);
}

struct lease_counts counts_of(const struct lease_db *db, uint32_t subnet_id, uint32_t pool_id)
{
	const struct count_ent *e = NULL;

	if (subnet_id == 0)
		return db->total;
	if (db->cap_counts)
		e = probe(db->counts, db->cap_counts, subnet_id, pool_id);
	return e && e->used ? e->c : (struct lease_counts){0};
}

void lease_db_counts(struct lease_db *db, uint32_t subnet_id, uint32_t pool_id,
		     struct lease_counts *ret)
{
	db_lock(db);
	*ret = counts_of(db, subnet_id, pool_id);
	db_unlock(db);
}
