/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The indexes by client: linear hashing in buckets of one cache line, keyed with the process's
 * secret, because strangers choose their identifiers. A bucket names the newest record of each key;
 * older records of the same key hang behind it, linked both ways, so that each of ten thousand
 * clones of one identifier costs no more to add or to remove than a single one.
 *
 * The table grows by one bucket an insertion, so no packet waits for a rehash, and growing reads
 * buckets only: a bucket holds the hashes of its entries. Invariant: a chain of buckets is full up
 * to its last one.
 */
#include "lease/lease_table.h"

#include <errno.h>
#include <stdlib.h>

enum {
	BUCKET_N = 10,
	BUCKET_FILL = 7, /* on average */
	FIRST_BITS = 8,
	TAG_BITS = 20, /* of the hash, from FIRST_BITS on: as many as a split can need */
	IDX_BITS = SLAB_IDX_BITS,
	IDX_MASK = (1 << IDX_BITS) - 1,
};

struct bucket {
	uint32_t more;		/* in .overflow; 0: this is the last one */
	uint16_t tag[BUCKET_N]; /* the lower 16 bits of the tag */
	uint32_t
		ent[BUCKET_N]; /* the record, and above it the other 4; 0: free, as all behind it */
};
_Static_assert(sizeof(struct bucket) == 64, "one cache line");
_Static_assert(IDX_BITS + TAG_BITS == 16 + 32, "tag and index fill their fields");

/* Returns the part of a hash that a bucket keeps. */
static inline uint32_t tag_of(uint32_t hash)
{
	return hash >> FIRST_BITS & ((1U << TAG_BITS) - 1);
}

static inline uint32_t bucket_tag(const struct bucket *b, uint32_t i)
{
	return b->ent[i] >> IDX_BITS << 16 | b->tag[i];
}

static inline uint32_t bucket_idx(const struct bucket *b, uint32_t i)
{
	return b->ent[i] & IDX_MASK;
}

static inline void bucket_set(struct bucket *b, uint32_t i, uint32_t tag, uint32_t idx)
{
	b->tag[i] = (uint16_t)tag;
	b->ent[i] = idx | tag >> 16 << IDX_BITS;
}

struct place {
	struct bucket *b;
	uint32_t i;
};

int client_index_init(struct client_index *ix, bool by_hw)
{
	*ix = (struct client_index){.mask = (1U << FIRST_BITS) - 1, .by_hw = by_hw};
	slab_init(&ix->buckets, sizeof(struct bucket), 15);
	slab_init(&ix->overflow, sizeof(struct bucket), 12);
	for (uint32_t i = 0; i < 1U << FIRST_BITS; i++)
		if (!slab_new(&ix->buckets))
			return -ENOMEM;
	return 0;
}

void client_index_fini(struct client_index *ix)
{
	slab_fini(&ix->buckets);
	slab_fini(&ix->overflow);
}

bool client_index_reserve(struct client_index *ix)
{
	if (!ix->spare)
		ix->spare = slab_new(&ix->overflow);
	return ix->spare != 0;
}

static inline struct rec_link *link_of(const struct client_index *ix, struct rec *r)
{
	return ix->by_hw ? &r->by_hw : &r->by_cid;
}

static inline struct span key_of(const struct client_index *ix, const struct rec *r)
{
	return ix->by_hw ? rec_hw(r) : rec_cid(r);
}

/* Returns whether a record has a client identifier; records of one hardware address with and
 * without one are different keys. */
static inline bool kind_of(const struct client_index *ix, const struct rec *r)
{
	return ix->by_hw && r->cid_len;
}

static inline uint32_t hash_of(const struct lease_db *db, struct span key, bool kind)
{
	return (uint32_t)hash_bytes(&db->o.hash_key, key) ^ (kind ? CLIENT_KIND : 0);
}

static inline struct bucket *bucket_at(const struct client_index *ix, uint32_t no)
{
	return slab_at(&ix->buckets, no + 1);
}

static inline struct bucket *bucket_more(const struct client_index *ix, const struct bucket *b)
{
	return b->more ? slab_at(&ix->overflow, b->more) : NULL;
}

static inline uint32_t bucket_no(const struct client_index *ix, uint32_t hash)
{
	uint32_t no = hash & ix->mask;

	return no < ix->split ? hash & (ix->mask * 2 + 1) : no;
}

/* Returns the tags that agree in their lower 16 bits, as bits. */
static inline uint32_t bucket_same(const struct bucket *b, uint32_t tag)
{
	uint32_t same = 0;

	for (uint32_t i = 0; i < BUCKET_N; i++)
		same |= (uint32_t)(b->tag[i] == (uint16_t)tag) << i;
	return same;
}

static struct place find_key(const struct lease_db *db, const struct client_index *ix,
			     uint32_t hash, struct span key, bool kind)
{
	struct bucket *b = bucket_at(ix, bucket_no(ix, hash));

	for (; b; b = bucket_more(ix, b)) {
		for (uint32_t same = bucket_same(b, tag_of(hash)); same; same &= same - 1) {
			uint32_t i = (uint32_t)__builtin_ctz(same);
			const struct rec *r;

			if (!b->ent[i] || bucket_tag(b, i) != tag_of(hash))
				continue;
			r = rec_at(db, bucket_idx(b, i));
			if (kind_of(ix, r) == kind && span_eq(key_of(ix, r), key))
				return (struct place){b, i};
		}
	}
	return (struct place){NULL, 0};
}

static uint32_t bucket_used(const struct bucket *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < BUCKET_N; i++)
		n += b->ent[i] != 0;
	return n;
}

/* Puts an entry behind the last one of the chain that begins with b; `spare` is there. */
static void entry_put(struct client_index *ix, struct bucket *b, uint32_t tag, uint32_t idx)
{
	while (b->more)
		b = slab_at(&ix->overflow, b->more);
	if (b->ent[BUCKET_N - 1]) {
		b->more = ix->spare;
		ix->spare = 0;
		b = slab_at(&ix->overflow, b->more);
	}
	bucket_set(b, bucket_used(b), tag, idx);
}

/* Removes an entry: the last entry of the chain, which begins with b, takes its place. */
static void entry_cut(struct client_index *ix, struct bucket *b, struct place at)
{
	struct bucket *before = NULL;
	uint32_t last;

	while (b->more) {
		before = b;
		b = slab_at(&ix->overflow, b->more);
	}
	last = bucket_used(b) - 1;
	at.b->tag[at.i] = b->tag[last];
	at.b->ent[at.i] = b->ent[last];
	b->ent[last] = 0;
	if (last || !before)
		return;
	slab_free(&ix->overflow, before->more);
	before->more = 0;
}

/* Moves the entries of a copy of a bucket to the bucket that `bit` of their tags selects. */
static void entries_move(struct client_index *ix, const struct bucket *b, struct bucket *zero,
			 struct bucket *one, uint32_t bit)
{
	for (uint32_t i = 0; i < BUCKET_N && b->ent[i]; i++) {
		/* cannot fail: two chains need no more buckets than were given back */
		if (!ix->spare)
			ix->spare = slab_new(&ix->overflow);
		entry_put(ix, bucket_tag(b, i) & bit ? one : zero, bucket_tag(b, i),
			  bucket_idx(b, i));
	}
}

/* Adds a bucket: the one at `split` gives half of its entries to a new one at the end. */
static void index_split(struct client_index *ix)
{
	struct bucket *from = bucket_at(ix, ix->split);
	struct bucket all = *from;
	uint32_t bit = tag_of(ix->mask + 1);
	uint32_t no = bit ? slab_new(&ix->buckets) : 0;
	struct bucket *to;

	/* without memory for it the chains just get longer */
	if (!no)
		return;
	to = slab_at(&ix->buckets, no);
	*from = (struct bucket){0};
	entries_move(ix, &all, from, to, bit);
	while (all.more) {
		uint32_t more = all.more;

		all = *(const struct bucket *)slab_at(&ix->overflow, more);
		slab_free(&ix->overflow, more);
		entries_move(ix, &all, from, to, bit);
	}
	if (++ix->split == ix->mask + 1) {
		ix->mask = ix->mask * 2 + 1;
		ix->split = 0;
	}
}

/* Adds a record. There is a bucket to spare; the record's links are those of no chain. */
static void add_hashed(struct lease_db const *db, struct client_index *ix, uint32_t idx,
		       uint32_t hash)
{
	struct rec *r = rec_at(db, idx);
	struct place at = find_key(db, ix, hash, key_of(ix, r), kind_of(ix, r));

	if (at.b) {
		link_of(ix, r)->next = bucket_idx(at.b, at.i);
		link_of(ix, rec_at(db, bucket_idx(at.b, at.i)))->prev = idx;
		bucket_set(at.b, at.i, tag_of(hash), idx);
		return;
	}
	entry_put(ix, bucket_at(ix, bucket_no(ix, hash)), tag_of(hash), idx);
	if (++ix->n > ((uint64_t)ix->mask + 1 + ix->split) * BUCKET_FILL)
		index_split(ix);
}

void client_index_add(struct lease_db *db, struct client_index *ix, uint32_t idx)
{
	struct rec *r = rec_at(db, idx);
	struct span key = key_of(ix, r);

	if (!key.n)
		return;
	*link_of(ix, r) = (struct rec_link){0};
	add_hashed(db, ix, idx, hash_of(db, key, kind_of(ix, r)));
}

/* Removes the first record of a key; the next one becomes the first. next 0: there is none. */
static void head_del(struct lease_db *db, struct client_index *ix, uint32_t idx, uint32_t next)
{
	const struct rec *r = rec_at(db, idx);
	uint32_t hash = hash_of(db, key_of(ix, r), kind_of(ix, r));
	struct bucket *first = bucket_at(ix, bucket_no(ix, hash));

	for (struct bucket *b = first; b; b = bucket_more(ix, b)) {
		for (uint32_t i = 0; i < BUCKET_N && b->ent[i]; i++) {
			if (bucket_idx(b, i) != idx)
				continue;
			if (next) {
				bucket_set(b, i, bucket_tag(b, i), next);
			} else {
				entry_cut(ix, first, (struct place){b, i});
				ix->n--;
			}
			return;
		}
	}
}

void client_index_del(struct lease_db *db, struct client_index *ix, uint32_t idx)
{
	struct rec_link *l = link_of(ix, rec_at(db, idx));

	if (!key_of(ix, rec_at(db, idx)).n)
		return;
	if (l->prev)
		link_of(ix, rec_at(db, l->prev))->next = l->next;
	else
		head_del(db, ix, idx, l->next);
	if (l->next)
		link_of(ix, rec_at(db, l->next))->prev = l->prev;
	*l = (struct rec_link){0};
}

uint32_t client_index_first(const struct lease_db *db, const struct client_index *ix,
			    struct span key, bool kind)
{
	struct place at;

	if (!key.n)
		return 0;
	at = find_key(db, ix, hash_of(db, key, kind), key, kind);
	return at.b ? bucket_idx(at.b, at.i) : 0;
}

uint32_t client_hash(const struct lease_db *db, struct span key)
{
	return hash_of(db, key, false);
}

void client_index_touch(const struct client_index *ix, uint32_t hash)
{
	__builtin_prefetch(bucket_at(ix, bucket_no(ix, hash)));
}

void client_index_touch_rec(const struct lease_db *db, const struct client_index *ix, uint32_t hash)
{
	const struct bucket *b = bucket_at(ix, bucket_no(ix, hash));

	for (uint32_t same = bucket_same(b, tag_of(hash)); same; same &= same - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(same);
		const struct rec *r;

		if (!b->ent[i] || bucket_tag(b, i) != tag_of(hash))
			continue;
		r = rec_at(db, bucket_idx(b, i));
		__builtin_prefetch(r);
		__builtin_prefetch((const uint8_t *)r + sizeof(*r) - 1);
	}
}

uint32_t client_index_next(const struct lease_db *db, const struct client_index *ix, uint32_t idx)
{
	return link_of(ix, rec_at(db, idx))->next;
}

/* --- many at once ----------------------------------------------------------------------------- */

enum { AHEAD = 32 };

/* Makes as many buckets as n insertions would have made. */
static bool index_size(struct client_index *ix, uint32_t n)
{
	uint32_t buckets = n / BUCKET_FILL + 1;

	while (ix->mask + 1 <= buckets / 2)
		ix->mask = ix->mask * 2 + 1;
	ix->split = buckets > ix->mask + 1 ? buckets - (ix->mask + 1) : 0;
	return slab_take(&ix->buckets, ix->mask + 1 + ix->split + 1);
}

/* Hashes a stretch of records and prefetches their buckets. Returns the records that have a key, as
 * bits. */
static uint32_t stretch_hash(const struct lease_db *db, const struct client_index *ix,
			     uint32_t from, uint32_t n, uint32_t *hash)
{
	uint32_t have = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct rec *r = rec_at(db, from + i);

		if (r->heap == HEAP_GONE || !key_of(ix, r).n)
			continue;
		hash[i] = hash_of(db, key_of(ix, r), kind_of(ix, r));
		__builtin_prefetch(bucket_at(ix, bucket_no(ix, hash[i])), 1);
		have |= 1U << i;
	}
	return have;
}

struct chain_ent {
	uint32_t ord, idx;
};

static int newest_first(const void *a, const void *b)
{
	uint32_t x = ((const struct chain_ent *)a)->ord;
	uint32_t y = ((const struct chain_ent *)b)->ord;

	return (x < y) - (x > y);
}

struct chain {
	struct chain_ent *e;
	uint32_t n, cap;
};

/* Copies the chain from idx on; *ret_sorted: it has its order already. */
static int chain_take(const struct lease_db *db, const struct client_index *ix, uint32_t idx,
		      const uint32_t *ord, struct chain *c, bool *ret_sorted)
{
	*ret_sorted = true;
	for (c->n = 0; idx; idx = client_index_next(db, ix, idx)) {
		if (c->n == c->cap) {
			uint32_t cap = c->cap ? c->cap * 2 : 64;
			struct chain_ent *e = reallocarray(c->e, cap, sizeof(*e));

			if (!e)
				return -ENOMEM;
			c->e = e;
			c->cap = cap;
		}
		if (c->n && c->e[c->n - 1].ord < ord[idx])
			*ret_sorted = false;
		c->e[c->n++] = (struct chain_ent){ord[idx], idx};
	}
	return 0;
}

static int chain_sort(const struct lease_db *db, struct client_index *ix, struct bucket *b,
		      uint32_t i, const uint32_t *ord, struct chain *c)
{
	bool sorted;
	int r = chain_take(db, ix, bucket_idx(b, i), ord, c, &sorted);

	if (r < 0 || sorted)
		return r;
	qsort(c->e, c->n, sizeof(*c->e), newest_first);
	for (uint32_t k = 0; k < c->n; k++)
		*link_of(ix, rec_at(db, c->e[k].idx)) = (struct rec_link){k ? c->e[k - 1].idx : 0,
									  k + 1 < c->n
										  ? c->e[k + 1].idx
										  : 0};
	bucket_set(b, i, bucket_tag(b, i), c->e[0].idx);
	return 0;
}

static int chains_sort(const struct lease_db *db, struct client_index *ix, const uint32_t *ord)
{
	struct chain c = {0};
	int r = 0;

	for (uint32_t no = 0; r == 0 && no < ix->mask + 1 + ix->split; no++)
		for (struct bucket *b = bucket_at(ix, no); r == 0 && b; b = bucket_more(ix, b))
			for (uint32_t i = 0; r == 0 && i < BUCKET_N && b->ent[i]; i++)
				r = chain_sort(db, ix, b, i, ord, &c);
	free(c.e);
	return r;
}

int client_index_build(const struct lease_db *db, struct client_index *ix, uint32_t n,
		       const uint32_t *ord)
{
	uint32_t hash[AHEAD] uninit;
	uint32_t used = db->recs.used;

	if (!index_size(ix, n))
		return -ENOMEM;
	for (uint32_t from = 1; from < used; from += AHEAD) {
		uint32_t have = stretch_hash(db, ix, from,
					     used - from < AHEAD ? used - from : AHEAD, hash);

		for (; have; have &= have - 1) {
			uint32_t i = (uint32_t)__builtin_ctz(have);

			if (!client_index_reserve(ix))
				return -ENOMEM;
			add_hashed(db, ix, from + i, hash[i]);
		}
	}
	return ord ? chains_sort(db, ix, ord) : 0;
}
