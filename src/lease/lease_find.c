/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Look-ups of the lease table: the record of an address, and the records of a client, best first.
 */
#include "lease/lease_table.h"

#include "base/error.h"

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

int lease_db_stored(struct lease_db *db, uint32_t addr, struct lease *ret)
{
	uint32_t idx;

	db_lock(db);
	idx = rec_lookup(db, addr).main;
	if (idx)
		rec_copy(rec_at(db, idx), NULL, ret);
	db_unlock(db);
	return idx ? 0 : -USHER_E_NOTFOUND;
}

/*
 * The 64 newest records of an identity are examined for the best one. A client that has none of
 * them in its subnets may have roamed, or its identity is a cloned one: its records are searched
 * further down, as far as one record in each of so many subnets can go. Records of one hardware
 * address with many client identifiers have no such bound, and are not searched: a client that
 * invents them harms only itself.
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

static int rank_record(const struct finding *f, const struct rec *r)
{
	bool by_cid = r->cid_len && f->client->client_id.n;
	int state = r->state == LEASE_OFFERED ? 2 : 4;

	if (r->state == LEASE_ASSIGNED && !rec_over(r, f->now))
		state = 0;
	return state + !by_cid;
}

static bool better(const struct finding *f, const struct rec *a, const struct rec *b)
{
	int x = rank_record(f, a);
	int y = rank_record(f, b);

	return x != y ? x < y : a->cltt > b->cltt;
}

static bool is_candidate(const struct finding *f, uint32_t idx)
{
	const struct rec *r = rec_at(f->db, idx);
	struct rec_pair p;

	if (!rec_is_of(r, f->client) || !in_subnets(f, r->subnet_id))
		return false;
	p = rec_lookup(f->db, r->addr);
	if (r->state == LEASE_OFFERED) /* its own record at the address counts more */
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

/* A client's running leases, newest first. */
struct running {
	struct lease_db *db;
	int64_t now;
	struct lease_brief *best;
	size_t n, cap;
	unsigned n_seen;
	bool more;
};

/* Returns whether a comes before b: the newer one, of two of a second the lower address. */
static bool is_before(const struct lease_brief *a, const struct lease_brief *b)
{
	return a->cltt != b->cltt ? a->cltt > b->cltt : a->addr < b->addr;
}

static void insert_brief(struct running *w, struct lease_brief b)
{
	size_t i;

	if (w->n < w->cap) {
		i = w->n++;
	} else {
		w->more = true;
		if (!w->n || !is_before(&b, &w->best[w->n - 1]))
			return;
		i = w->n - 1;
	}
	for (; i > 0 && is_before(&b, &w->best[i - 1]); i--)
		w->best[i] = w->best[i - 1];
	w->best[i] = b;
}

static void gather_running(struct running *w, const struct client_index *ix, struct span key,
			   bool kind)
{
	enum { EXAMINED_MAX = 512 };
	uint32_t idx = client_index_first(w->db, ix, key, kind);

	for (; idx && w->n_seen < EXAMINED_MAX; idx = client_index_next(w->db, ix, idx)) {
		const struct rec *r = rec_at(w->db, idx);

		w->n_seen++;
		if (r->state == LEASE_ASSIGNED && !rec_over(r, w->now))
			insert_brief(w, (struct lease_brief){r->addr, r->cltt});
	}
	w->more |= idx != 0;
}

size_t lease_db_running(struct lease_db *db, const struct lease_client *c, struct lease_brief *ret,
			size_t n, bool *ret_more)
{
	struct running w = {.db = db, .best = ret, .cap = n};

	db_lock(db);
	w.now = clock_wall_s(db->o.clock);
	if (c->client_id.n) {
		gather_running(&w, &db->by_cid, c->client_id, false);
	} else {
		gather_running(&w, &db->by_hw, c->hw, false);
		gather_running(&w, &db->by_hw, c->hw, true);
	}
	db_unlock(db);
	*ret_more = w.more;
	return w.n;
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
