/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lease table's changes, one short critical section each; look-ups are in lease_find.c. One
 * mutex serves the whole table: a change costs well under a microsecond. Rows are appended under
 * it, so their order in the file is that of the changes.
 */
#include "lease/lease_limit.h"
#include "lease/lease_load.h"
#include "lease/lease_table.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>

int lease_db_new(const struct lease_db_opts *o, struct lease_db **ret)
{
	struct lease_db *db = calloc(1, sizeof(*db));

	if (!db)
		return -ENOMEM;
	(void)pthread_mutex_init(&db->mu, NULL);
	db->o = *o;
	if (!db->o.clock)
		db->o.clock = &clock_system;
	rng_seed(&db->rng, o->seed);
	slab_init(&db->recs, sizeof(struct rec), 17);
	texts_init(&db->texts);
	for (int i = 0; i < HEAP_N; i++)
		heap_init(&db->heaps[i]);
	if (addr_index_init(&db->addrs) < 0 || client_index_init(&db->by_cid, false) < 0 ||
	    client_index_init(&db->by_hw, true) < 0) {
		lease_db_free(db);
		return -ENOMEM;
	}
	*ret = db;
	return 0;
}

void lease_db_free(struct lease_db *db)
{
	if (!db)
		return;
	lease_db_load_drop(db);
	if (db->addrs.root)
		texts_fini(db);
	addr_index_fini(&db->addrs);
	client_index_fini(&db->by_cid);
	client_index_fini(&db->by_hw);
	for (int i = 0; i < HEAP_N; i++)
		heap_fini(&db->heaps[i]);
	slab_fini(&db->recs);
	free(db->counts);
	names_fini(db);
	pools_fini(db);
	(void)pthread_mutex_destroy(&db->mu);
	free(db);
}

void lease_db_attach(struct lease_db *db, struct lease_store *store)
{
	db_lock(db);
	db->store = store;
	db->names_replaced = lease_store_asks_replaced(store);
	db_unlock(db);
}

/* --- holds ------------------------------------------------------------------------------------ */

static bool is_taken(const struct rec *r, int64_t now)
{
	return !rec_is_kept(r) && !rec_over(r, now);
}

/* Returns whether the client may have the address. A running lease stays its client's, also where
 * another server owns the address. */
static bool may_have(const struct lease_db *db, uint32_t addr, struct rec_pair p,
		     const struct lease_client *who, int64_t now)
{
	if (p.main && is_taken(rec_at(db, p.main), now))
		return rec_at(db, p.main)->state == LEASE_ASSIGNED &&
		       rec_is_of(rec_at(db, p.main), who);
	return (!p.hold || rec_is_of(rec_at(db, p.hold), who)) && db_owns(db, addr);
}

int lease_db_hold(struct lease_db *db, const struct lease *l)
{
	struct lease_client who = {lease_client_id(l), lease_hw(l)};
	int r = -USHER_E_IN_USE;

	db_lock(db);
	if (may_have(db, l->addr, rec_lookup(db, l->addr), &who, clock_wall_s(db->o.clock)))
		r = hold_set(db, l, NULL);
	db_unlock(db);
	return r;
}

void lease_db_set_hold(struct lease_db *db, uint32_t seconds)
{
	db_lock(db);
	db->o.offer_hold_s = seconds;
	db_unlock(db);
}

void lease_db_unhold(struct lease_db *db, uint32_t addr, const struct lease_client *c)
{
	struct rec_pair p;

	db_lock(db);
	p = rec_lookup(db, addr);
	if (p.hold && rec_is_of(rec_at(db, p.hold), c))
		hold_drop(db, p.hold);
	db_unlock(db);
}

/* Removes the hold beside a main record: its purpose is fulfilled. */
static void hold_end(struct lease_db *db, uint32_t main_idx)
{
	uint32_t hold = rec_at(db, main_idx)->hold;

	if (hold)
		hold_drop(db, hold);
}

/* --- changes ---------------------------------------------------------------------------------- */

static void note_old(const struct lease_db *db, uint32_t idx, struct lease_change *ch)
{
	ch->had_old = idx != 0;
	if (idx)
		rec_copy(rec_at(db, idx), NULL, &ch->old);
}

/* Names the record before a change to the store, if the change gives it another identity. Called
 * before the row is logged. */
static cold_fn void name_replaced(struct lease_db *db, const struct lease_change *ch, uint32_t idx)
{
	struct lease l uninit;

	if (!ch->had_old)
		return;
	rec_view(rec_at(db, idx), &l);
	if (!lease_same_identity(&ch->old, &l))
		lease_store_replaces(db->store, &ch->old);
}

/* Stores a renewal: the context of the record stays unless the lease has one. Commands and the
 * relay of an earlier packet put data there that this packet does not know. */
static int store_renewal(struct lease_db *db, const struct lease *l, uint32_t *idx)
{
	const struct rec_ext *e = rec_at(db, *idx)->ext;
	struct lease old uninit, kept uninit;

	if (l->user_context || !e || !e->has_user_context)
		return rec_store(db, l, LEASE_ASSIGNED, idx);
	rec_view(rec_at(db, *idx), &old);
	kept = *l;
	kept.user_context = old.user_context;
	return rec_store(db, &kept, LEASE_ASSIGNED, idx);
}

static int assign_locked(struct lease_db *db, const struct lease *l, const struct lease_client *who,
			 const struct lease_bounds *bounds, int64_t now, struct lease_change *ch)
{
	struct rec_pair p = rec_lookup(db, l->addr);
	bool renewal = false;
	uint32_t idx = p.main;
	int r;

	p.hold = 0; /* an offer to another client promises nothing */
	if (!may_have(db, l->addr, p, who, now))
		return -USHER_E_IN_USE;
	note_old(db, p.main, ch);
	if (p.main && !rec_is_kept(rec_at(db, p.main))) {
		renewal = rec_is_of(rec_at(db, p.main), who);
		ch->old_expired = !renewal;
	}
	if (bounds && !renewal && bounds_beyond(db, p.main, bounds) >= 0)
		return -USHER_E_LIMIT;
	r = renewal ? store_renewal(db, l, &idx) : rec_store(db, l, LEASE_ASSIGNED, &idx);
	if (r < 0)
		return r;
	if (ch->old_expired) {
		counts_bump(db, rec_at(db, idx), COUNT_RECLAIMED);
		if (ch->old.state == LEASE_DECLINED)
			counts_bump(db, rec_at(db, idx), COUNT_RECLAIMED_DECLINED);
	}
	if (!renewal)
		counts_bump(db, rec_at(db, idx), COUNT_CUMULATIVE);
	hold_end(db, idx);
	if (unlikely(renewal && db->names_replaced))
		name_replaced(db, ch, idx);
	ch->seq = rec_log(db, idx, false);
	return 0;
}

int lease_db_assign_within(struct lease_db *db, const struct lease *l,
			   const struct lease_client *who, const struct lease_bounds *b,
			   struct lease_change *ret)
{
	int64_t now = clock_wall_s(db->o.clock);
	int r;

	if (!l->hw_len && !l->client_id_len)
		return -USHER_E_RANGE;
	ret->seq = 0;
	ret->old_expired = false;
	db_lock(db);
	r = assign_locked(db, l, who, b, now, ret);
	db_unlock_quiet(db);
	return r;
}

int lease_db_assign(struct lease_db *db, const struct lease *l, const struct lease_client *who,
		    struct lease_change *ret)
{
	return lease_db_assign_within(db, l, who, NULL, ret);
}

/* Finds the client's running lease at addr. */
static int owned(const struct lease_db *db, uint32_t addr, const struct lease_client *who,
		 uint32_t *ret_idx)
{
	struct rec_pair p = rec_lookup(db, addr);
	const struct rec *r;

	if (db->loading)
		return -EBUSY;
	if (!p.main)
		return -USHER_E_NOTFOUND;
	r = rec_at(db, p.main);
	if (!rec_is_of(r, who))
		return r->state == LEASE_DECLINED ? -USHER_E_RANGE : -USHER_E_NOT_OWNER;
	if (r->state != LEASE_ASSIGNED || rec_over(r, clock_wall_s(db->o.clock)))
		return -USHER_E_RANGE;
	*ret_idx = p.main;
	return 0;
}

static int release_locked(struct lease_db *db, uint32_t idx, bool keep, struct lease_change *ch)
{
	struct lease l uninit;
	int r;

	if (!keep) {
		ch->seq = rec_log(db, idx, true);
		rec_delete(db, idx);
		return 0;
	}
	rec_view(rec_at(db, idx), &l);
	/* ends now; the file expresses this by lifetime 0, as Kea does */
	l.cltt = clock_wall_s(db->o.clock);
	l.valid_lft = 0;
	l.fqdn_fwd = l.fqdn_rev = false; /* the DNS is told now, and not when it is reclaimed */
	r = rec_store(db, &l, LEASE_RELEASED, &idx);
	if (r == 0)
		ch->seq = rec_log(db, idx, false);
	return r;
}

int lease_db_release(struct lease_db *db, uint32_t addr, const struct lease_client *who, bool keep,
		     struct lease_change *ret)
{
	uint32_t idx = 0;
	int r;

	ret->seq = 0;
	ret->old_expired = false;
	db_lock(db);
	r = owned(db, addr, who, &idx);
	if (r == 0) {
		note_old(db, idx, ret);
		hold_end(db, idx);
		r = release_locked(db, idx, keep, ret);
	}
	db_unlock_quiet(db);
	return r;
}

int lease_db_decline(struct lease_db *db, uint32_t addr, const struct lease_client *who,
		     uint32_t probation_s, struct lease_change *ret)
{
	struct lease_change ch = {.seq = 0};
	struct lease l = {.addr = addr, .valid_lft = probation_s};
	uint32_t idx = 0;
	int r;

	db_lock(db);
	r = owned(db, addr, who, &idx);
	if (r == 0) {
		note_old(db, idx, &ch);
		l.subnet_id = ch.old.subnet_id;
		l.pool_id = ch.old.pool_id;
		l.cltt = clock_wall_s(db->o.clock);
		r = rec_store(db, &l, LEASE_DECLINED, &idx);
	}
	if (r == 0) {
		hold_end(db, idx);
		if (db->names_replaced)
			name_replaced(db, &ch, idx);
		ch.seq = rec_log(db, idx, false);
	}
	db_unlock_quiet(db);
	if (r == 0)
		*ret = ch;
	return r;
}

static bool puts_assigned(const struct lease *l, const struct lease_change *ch)
{
	return (l->state == LEASE_ASSIGNED || l->state == LEASE_DECLINED) &&
	       !(ch->had_old &&
		 (ch->old.state == LEASE_ASSIGNED || ch->old.state == LEASE_DECLINED));
}

static bool is_expected(const struct lease_db *db, uint32_t idx, struct lease_expect expect)
{
	return expect.any || rec_at(db, idx)->seq == expect.row;
}

static int put_locked(struct lease_db *db, const struct lease *l, enum lease_put mode,
		      struct lease_expect expect, struct lease_change *ch)
{
	struct rec_pair p = rec_lookup(db, l->addr);
	uint32_t idx;
	int r;

	if (mode == LEASE_PUT_ADD && p.main)
		return -USHER_E_EXISTS;
	if (mode == LEASE_PUT_UPDATE && !p.main)
		return -USHER_E_NOTFOUND;
	if (p.main && !is_expected(db, p.main, expect))
		return -USHER_E_CHANGED;
	note_old(db, p.main, ch);
	r = rec_store(db, l, l->state, &idx);
	if (r < 0)
		return r;
	if (puts_assigned(l, ch))
		counts_bump(db, rec_at(db, idx), COUNT_CUMULATIVE);
	hold_end(db, idx);
	if (db->names_replaced)
		name_replaced(db, ch, idx);
	ch->seq = rec_log(db, idx, false);
	return 0;
}

int lease_db_put(struct lease_db *db, const struct lease *l, enum lease_put mode,
		 struct lease_expect expect, struct lease_change *ret)
{
	struct lease_change ch = {.seq = 0};
	int r;

	if (l->state > LEASE_RELEASED ||
	    (!l->hw_len && !l->client_id_len && l->state != LEASE_DECLINED))
		return -USHER_E_RANGE;
	db_lock(db);
	r = put_locked(db, l, mode, expect, &ch);
	db_unlock(db);
	if (r == 0)
		*ret = ch;
	return r;
}

static int set_context_locked(struct lease_db *db, const struct lease *read, const char *context,
			      struct lease_change *ch)
{
	uint32_t idx = rec_lookup(db, read->addr).main;
	struct lease l uninit;
	int r;

	if (!idx || rec_at(db, idx)->seq != read->row)
		return -USHER_E_CHANGED;
	rec_view(rec_at(db, idx), &l);
	/* a table without a store numbers no rows */
	if (rec_at(db, idx)->state != LEASE_ASSIGNED || l.cltt != read->cltt ||
	    !lease_same_identity(&l, read))
		return -USHER_E_CHANGED;
	note_old(db, idx, ch);
	l.user_context = context;
	r = rec_store(db, &l, LEASE_ASSIGNED, &idx);
	if (r == 0)
		ch->seq = rec_log(db, idx, false);
	return r;
}

int lease_db_set_context(struct lease_db *db, const struct lease *l, const char *context,
			 struct lease_change *ret)
{
	int r;

	ret->seq = 0;
	ret->old_expired = false;
	db_lock(db);
	r = set_context_locked(db, l, context, ret);
	db_unlock_quiet(db);
	return r;
}

int lease_db_del(struct lease_db *db, uint32_t addr, struct lease_expect expect,
		 struct lease_change *ret)
{
	struct lease_change ch = {.seq = 0};
	struct rec_pair p;
	int r = -USHER_E_NOTFOUND;

	db_lock(db);
	p = rec_lookup(db, addr);
	if (db->loading) {
		r = -EBUSY;
	} else if (p.main && !is_expected(db, p.main, expect)) {
		r = -USHER_E_CHANGED;
	} else if (p.main) {
		note_old(db, p.main, &ch);
		ch.seq = rec_log(db, p.main, true);
		rec_delete(db, p.main);
		r = 0;
	}
	db_unlock(db);
	if (r == 0)
		*ret = ch;
	return r;
}
