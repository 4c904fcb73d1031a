/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The lease table's changes and look-ups, one short critical section each. One mutex for the
 * whole table: a change costs well under a microsecond, and rows are appended under it, so the
 * file has them in the order the table saw them.
 */
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
	pools_fini(db);
	(void)pthread_mutex_destroy(&db->mu);
	free(db);
}

void lease_db_attach(struct lease_db *db, struct lease_store *store)
{
	db_lock(db);
	db->store = store;
	db_unlock(db);
}

/* --- look-ups --------------------------------------------------------------------------------- */

/* Returns the record that counts for an address: the hold of another client hides a record that is
 * over. */
static uint32_t seen_at(const struct lease_db *db, uint32_t addr)
{
	struct rec_pair p = rec_lookup(db, addr);
	struct lease_client holder;

	if (!p.main || !p.hold)
		return p.main ? p.main : p.hold;
	holder = (struct lease_client){rec_cid(rec_at(db, p.hold)), rec_hw(rec_at(db, p.hold))};
	return rec_is_of(rec_at(db, p.main), &holder) ? p.main : p.hold;
}

int lease_db_get(struct lease_db *db, uint32_t addr, struct arena *arena, struct lease *ret,
		 uint64_t *ret_seq)
{
	uint32_t idx;

	db_lock(db);
	idx = seen_at(db, addr);
	if (idx) {
		const struct rec *r = rec_at(db, idx);

		rec_copy(r, arena, ret);
		if (ret_seq)
			*ret_seq = r->state == LEASE_OFFERED ? 0 : r->seq;
	}
	db_unlock(db);
	return idx ? 0 : -USHER_E_NOTFOUND;
}

/*
 * The 64 newest records of an identity are looked at for the best one. A client that has none of
 * them in its subnets may have roamed, or its identity is a cloned one: its records are sought
 * further down, as far as one record in each of so many subnets can go. Records of one hardware
 * address with all kinds of client identifiers have no such bound, and are not sought: a client
 * that makes them up costs only itself.
 */
enum { SEEN_MAX = 64, ROAMED_MAX = 8192 };

/* Candidates of one lease_db_find, best first. */
struct finding {
	struct lease_db *db;
	const struct lease_client *client;
	const uint32_t *subnet_ids;
	size_t n_subnets;
	int64_t now;
	uint32_t *best; /* indexes */
	size_t n, cap;
};

static bool in_subnets(const struct finding *f, uint32_t id)
{
	for (size_t i = 0; i < f->n_subnets; i++)
		if (f->subnet_ids[i] == id)
			return true;
	return false;
}

static int rank(const struct finding *f, const struct rec *r)
{
	bool by_cid = r->cid_len && f->client->client_id.n;
	int state = r->state == LEASE_OFFERED ? 2 : 4;

	if (r->state == LEASE_ASSIGNED && !rec_over(r, f->now))
		state = 0;
	return state + !by_cid;
}

static bool better(const struct finding *f, const struct rec *a, const struct rec *b)
{
	int x = rank(f, a);
	int y = rank(f, b);

	return x != y ? x < y : a->cltt > b->cltt;
}

static bool is_candidate(const struct finding *f, uint32_t idx)
{
	const struct rec *r = rec_at(f->db, idx);
	struct rec_pair p;

	if (!rec_is_of(r, f->client) || !in_subnets(f, r->subnet_id))
		return false;
	p = rec_lookup(f->db, r->addr);
	if (r->state == LEASE_OFFERED) /* its own record at the address says more */
		return p.hold == idx && (!p.main || !rec_is_of(rec_at(f->db, p.main), f->client));
	/* a record that is over is no longer its client's once another holds the address */
	return !p.hold || rec_is_of(rec_at(f->db, p.hold), f->client);
}

static void consider(struct finding *f, uint32_t idx)
{
	const struct rec *r = rec_at(f->db, idx);
	size_t i;

	if (!is_candidate(f, idx))
		return;
	for (i = 0; i < f->n; i++)
		if (f->best[i] == idx)
			return;
	if (f->n < f->cap)
		i = f->n++;
	else if (better(f, r, rec_at(f->db, f->best[f->n - 1])))
		i = f->n - 1;
	else
		return;
	for (; i > 0 && better(f, r, rec_at(f->db, f->best[i - 1])); i--)
		f->best[i] = f->best[i - 1];
	f->best[i] = idx;
}

static void consider_chain(struct finding *f, const struct client_index *ix, struct span key,
			   bool kind)
{
	uint32_t idx = client_index_first(f->db, ix, key, kind);
	unsigned n = 0;

	for (; idx && n < SEEN_MAX; idx = client_index_next(f->db, ix, idx), n++)
		consider(f, idx);
	for (; idx && n < ROAMED_MAX && !kind && f->n == 0;
	     idx = client_index_next(f->db, ix, idx), n++)
		consider(f, idx);
}

size_t lease_db_find(struct lease_db *db, const struct lease_client *c, const uint32_t *subnet_ids,
		     size_t n_subnets, struct arena *arena, struct lease *ret, size_t n)
{
	uint32_t best[64] uninit;
	struct finding f = {.db = db,
			    .client = c,
			    .subnet_ids = subnet_ids,
			    .n_subnets = n_subnets,
			    .best = best,
			    .cap = n < ARRAY_LEN(best) ? n : ARRAY_LEN(best)};

	if (n == 0)
		return 0;
	db_lock(db);
	f.now = clock_wall_s(db->o.clock);
	consider_chain(&f, &db->by_cid, c->client_id, false);
	consider_chain(&f, &db->by_hw, c->hw, false);
	/* a record with another client identifier is another client's; RFC 2131 4.2 */
	if (!c->client_id.n)
		consider_chain(&f, &db->by_hw, c->hw, true);
	for (size_t i = 0; i < f.n; i++)
		rec_copy(rec_at(db, best[i]), arena, &ret[i]);
	db_unlock(db);
	return f.n;
}

void lease_db_expect(struct lease_db *db, const struct lease_client *c, size_t n)
{
	struct {
		uint32_t cid, hw;
	} h[LEASE_EXPECT_MAX] uninit;

	if (n > LEASE_EXPECT_MAX)
		n = LEASE_EXPECT_MAX;
	for (size_t i = 0; i < n; i++) {
		h[i].cid = client_hash(db, c[i].client_id);
		h[i].hw = client_hash(db, c[i].hw);
	}
	db_lock(db);
	for (size_t i = 0; i < n; i++) {
		client_index_touch(&db->by_hw, h[i].hw);
		if (!c[i].client_id.n)
			continue;
		client_index_touch(&db->by_hw, h[i].hw ^ CLIENT_KIND);
		client_index_touch(&db->by_cid, h[i].cid);
	}
	for (size_t i = 0; i < n; i++) {
		if (c[i].client_id.n)
			client_index_touch_rec(db, &db->by_cid, h[i].cid);
		else
			client_index_touch_rec(db, &db->by_hw, h[i].hw);
	}
	db_unlock(db);
}

/* --- holds ------------------------------------------------------------------------------------ */

static bool is_taken(const struct rec *r, int64_t now)
{
	return !rec_is_kept(r) && !rec_over(r, now);
}

/* May the client have the address? */
static bool may_have(const struct lease_db *db, struct rec_pair p, const struct lease_client *who,
		     int64_t now)
{
	if (p.main && is_taken(rec_at(db, p.main), now))
		return rec_at(db, p.main)->state == LEASE_ASSIGNED &&
		       rec_is_of(rec_at(db, p.main), who);
	return !p.hold || rec_is_of(rec_at(db, p.hold), who);
}

int lease_db_hold(struct lease_db *db, const struct lease *l)
{
	struct lease_client who = {lease_client_id(l), lease_hw(l)};
	int r = -USHER_E_IN_USE;

	db_lock(db);
	if (may_have(db, rec_lookup(db, l->addr), &who, clock_wall_s(db->o.clock)))
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

static int assign_locked(struct lease_db *db, const struct lease *l, const struct lease_client *who,
			 int64_t now, struct lease_change *ch)
{
	struct rec_pair p = rec_lookup(db, l->addr);
	bool renewal = false;
	uint32_t idx;
	int r;

	/* an address that was offered twice is given to the first client that asks for it */
	if (p.hold && rec_at(db, p.hold)->flags & REC_REOFFERED)
		p.hold = 0;
	if (!may_have(db, p, who, now))
		return -USHER_E_IN_USE;
	note_old(db, p.main, ch);
	if (p.main && !rec_is_kept(rec_at(db, p.main))) {
		renewal = rec_is_of(rec_at(db, p.main), who);
		ch->old_expired = !renewal;
	}
	r = rec_store(db, l, LEASE_ASSIGNED, &idx);
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
	ch->seq = rec_log(db, idx, false);
	return 0;
}

int lease_db_assign(struct lease_db *db, const struct lease *l, const struct lease_client *who,
		    struct lease_change *ret)
{
	int64_t now = clock_wall_s(db->o.clock);
	int r;

	if (!l->hw_len && !l->client_id_len)
		return -USHER_E_RANGE;
	ret->seq = 0;
	ret->old_expired = false;
	db_lock(db);
	r = assign_locked(db, l, who, now, ret);
	db_unlock_quiet(db);
	return r;
}

/* The client's running lease at addr. */
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
	/* ends now; lifetime 0 is how the file says it, and how Kea writes it */
	l.cltt = clock_wall_s(db->o.clock);
	l.valid_lft = 0;
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
