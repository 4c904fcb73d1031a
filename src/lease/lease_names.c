/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Leases counted by the names in their contexts. A name has an entry while a lease has it, so the
 * memory is bounded by the leases. The number of buckets is fixed: no packet waits for a larger
 * table to be filled.
 *
 * Counting may begin while the table has leases: a walk by address counts them in stretches, and
 * `upto` is the address that it has reached. A change of a lease below it is counted at once, any
 * other by the walk.
 */
#include "lease/lease_limit.h"
#include "lease/lease_table.h"

#include <errno.h>
#include <stdlib.h>

enum { NAME_BUCKETS = 1 << 16, WALK_STRETCH = 512 };

struct name_ent {
	struct name_ent *next;
	uint64_t n; /* leases */
	uint32_t len;
	char text[];
};

struct lease_names {
	lease_names_fn *fn;
	unsigned refs;
	uint64_t upto;
	struct name_ent *buckets[NAME_BUCKETS];
};

/* --- Entries ---------------------------------------------------------------------------------- */

/* Returns the place of the entry of a name, or the end of its bucket. */
static struct name_ent **find_name(const struct lease_db *db, struct span name)
{
	uint64_t h = hash_bytes(&db->o.hash_key, name);
	struct name_ent **p = &db->names->buckets[h % NAME_BUCKETS];

	while (*p && !span_eq(span_of((*p)->text, (*p)->len), name))
		p = &(*p)->next;
	return p;
}

static uint64_t count_named(const struct lease_db *db, struct span name)
{
	const struct name_ent *e = *find_name(db, name);

	return e ? e->n : 0;
}

/* Counts a lease with the name. Without memory it is not counted, and removed without effect
 * later. */
static void add_name(void *lease_db, const char *name, size_t n)
{
	struct lease_db *db = lease_db;
	struct name_ent **p = find_name(db, span_of(name, n));
	struct name_ent *e = *p;

	if (!e) {
		e = calloc(1, sizeof(*e) + n);
		if (!e)
			return;
		e->len = (uint32_t)n;
		memcpy(e->text, name, n);
		*p = e;
	}
	e->n++;
}

static void remove_name(void *lease_db, const char *name, size_t n)
{
	struct name_ent **p = find_name(lease_db, span_of(name, n));
	struct name_ent *e = *p;

	if (!e || --e->n)
		return;
	*p = e->next;
	free(e);
}

static void free_names(struct lease_names *names)
{
	for (size_t i = 0; names && i < NAME_BUCKETS; i++)
		for (struct name_ent *e = names->buckets[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	free(names);
}

/* --- Records ---------------------------------------------------------------------------------- */

void names_move(struct lease_db *db, const struct rec *r, int sign)
{
	const char *context = rec_context(r);

	if (r->state == LEASE_ASSIGNED && r->addr < db->names->upto && context)
		db->names->fn(context, sign > 0 ? add_name : remove_name, db);
}

bool names_differ(const struct rec *r, const struct lease *l)
{
	const char *old = rec_context(r);

	return old && l->user_context ? strcmp(old, l->user_context) != 0 : old != l->user_context;
}

void names_fini(struct lease_db *db)
{
	free_names(db->names);
	db->names = NULL;
}

/* Counts the next stretch of the table. Returns false at its end. Called with the lock. */
static bool walk_stretch(struct lease_db *db)
{
	unsigned budget = UINT32_MAX;

	for (unsigned n = 0; n < WALK_STRETCH; n++) {
		uint64_t at = addr_seek(&db->addrs, db->names->upto, &budget);
		uint32_t idx;

		if (at > UINT32_MAX) {
			db->names->upto = UINT64_MAX;
			return false;
		}
		idx = addr_get(&db->addrs, (uint32_t)at);
		db->names->upto = at + 1;
		if (rec_at(db, idx)->state != LEASE_OFFERED)
			names_move(db, rec_at(db, idx), 1);
	}
	return true;
}

void names_walk(struct lease_db *db)
{
	bool more = true;

	while (more) {
		db_lock(db);
		more = db->names && walk_stretch(db);
		db_unlock(db);
	}
}

int lease_db_count_names(struct lease_db *db, lease_names_fn *fn)
{
	struct lease_names *names = calloc(1, sizeof(*names));
	bool walk = false;

	if (!names)
		return -ENOMEM;
	db_lock(db);
	if (!db->names) {
		names->fn = fn;
		db->names = names;
		names = NULL;
		walk = !db->loading;
	}
	db->names->refs++;
	db_unlock(db);
	free_names(names);
	if (walk)
		names_walk(db);
	return 0;
}

void lease_db_uncount_names(struct lease_db *db)
{
	struct lease_names *names = NULL;

	db_lock(db);
	if (--db->names->refs == 0) {
		names = db->names;
		db->names = NULL;
	}
	db_unlock(db);
	free_names(names);
}

uint64_t lease_db_named(struct lease_db *db, struct span name)
{
	uint64_t n;

	db_lock(db);
	n = db->names ? count_named(db, name) : 0;
	db_unlock(db);
	return n;
}

/* --- Bounds ----------------------------------------------------------------------------------- */

struct name_search {
	struct span name;
	bool found;
};

static void match_name(void *search, const char *name, size_t n)
{
	struct name_search *s = search;

	s->found |= span_eq(s->name, span_of(name, n));
}

/* Returns whether the record counts for the bound. */
static bool counts_for(const struct lease_db *db, const struct rec *r, const struct lease_bound *b)
{
	struct name_search s = {.name = b->name};

	if (!b->name.n)
		return r->subnet_id == b->subnet_id &&
		       (r->state == LEASE_ASSIGNED || r->state == LEASE_DECLINED);
	if (r->state == LEASE_ASSIGNED && rec_context(r) && db->names)
		db->names->fn(rec_context(r), match_name, &s);
	return s.found;
}

int bounds_beyond(struct lease_db *db, uint32_t main_idx, const struct lease_bounds *b)
{
	for (size_t i = 0; b && i < b->n; i++) {
		const struct lease_bound *one = &b->v[i];
		uint64_t n = one->name.n ? db->names ? count_named(db, one->name) : 0
					 : counts_of(db, one->subnet_id, LEASE_ALL_POOLS).assigned;

		if (n >= one->max && main_idx && counts_for(db, rec_at(db, main_idx), one))
			n--;
		if (n >= one->max)
			return (int)i;
	}
	return -1;
}

int lease_db_beyond(struct lease_db *db, uint32_t addr, const struct lease_bounds *b)
{
	int r;

	db_lock(db);
	r = bounds_beyond(db, rec_lookup(db, addr).main, b);
	db_unlock(db);
	return r;
}
