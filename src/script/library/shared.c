/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Chained hash tables, and a list of each one's entries in the order they were written, which
 * limits of entries and age take from the front. Keys are hashed with a secret: they come from
 * packets.
 */
#include "script/library/shared.h"

#include "base/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };

struct part {
	uint8_t type;
	uint32_t n; /* octets of text, which stand behind the entry */
	double number;
};

struct entry {
	struct entry *next; /* in its bucket */
	struct entry *older, *newer;
	uint64_t hash;
	int64_t written_ns;
	size_t size;
	struct part key, value;
	uint8_t text[]; /* of the key, then of the value */
};

struct shared_table {
	struct shared_store *store;
	char name[SHARED_NAME_LEN];
	struct shared_limits limits;
	pthread_mutex_t lock;
	struct entry **buckets;
	uint32_t n_buckets, n;
	struct entry *oldest, *newest;
};

struct shared_store {
	struct hash_key key;
	size_t max;
	_Atomic size_t used;
	pthread_mutex_t lock; /* of tables */
	unsigned n;
	struct shared_table *tables[SHARED_TABLES];
};

/* --- Entries: with the table's lock held ------------------------------------------------------ */

static bool is_equal(const struct part *p, const uint8_t *text, const struct shared_value *v)
{
	if (p->type != v->type)
		return false;
	if (v->type == SHARED_TEXT)
		return span_eq(span_of(text, p->n), v->text);
	/* -0 and 0 are one key; no key is not a number */
	return v->type == SHARED_NIL || p->number == v->number;
}

static uint64_t hash_key(const struct shared_table *t, const struct shared_value *key)
{
	uint8_t octets[1 + sizeof(double)] = {(uint8_t)key->type};
	double number = key->number == 0 ? 0 : key->number;

	if (key->type == SHARED_TEXT)
		return hash_bytes(&t->store->key, key->text);
	memcpy(octets + 1, &number, sizeof(number));
	return hash_bytes(&t->store->key, span_of(octets, sizeof(octets)));
}

static struct entry **find_entry(struct shared_table *t, uint64_t hash,
				 const struct shared_value *key)
{
	struct entry **at = &t->buckets[hash & (t->n_buckets - 1)];

	while (*at && ((*at)->hash != hash || !is_equal(&(*at)->key, (*at)->text, key)))
		at = &(*at)->next;
	return at;
}

static void unlink_entry(struct shared_table *t, struct entry *e)
{
	*(e->older ? &e->older->newer : &t->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &t->newest) = e->older;
}

static void append_entry(struct shared_table *t, struct entry *e, int64_t now_ns)
{
	e->written_ns = now_ns;
	e->newer = NULL;
	e->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = e;
	t->newest = e;
}

static void remove_entry(struct shared_table *t, struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	unlink_entry(t, e);
	t->n--;
	atomic_fetch_sub(&t->store->used, e->size);
	free(e);
}

static void remove_oldest(struct shared_table *t)
{
	struct entry **at = &t->buckets[t->oldest->hash & (t->n_buckets - 1)];

	while (*at != t->oldest)
		at = &(*at)->next;
	remove_entry(t, at);
}

static void expire_entries(struct shared_table *t, int64_t now_ns)
{
	while (t->limits.ttl_ns && t->oldest && now_ns - t->oldest->written_ns >= t->limits.ttl_ns)
		remove_oldest(t);
}

static void grow_table(struct shared_table *t)
{
	uint32_t n = 2 * t->n_buckets;
	struct entry **buckets = calloc(n, sizeof(struct entry *));

	if (!buckets) /* longer chains, then */
		return;
	for (struct entry *e = t->oldest; e; e = e->newer) {
		struct entry **head = &buckets[e->hash & (n - 1)];

		e->next = *head;
		*head = e;
	}
	free(t->buckets);
	t->buckets = buckets;
	t->n_buckets = n;
}

static bool reserve_room(struct shared_store *s, size_t n)
{
	if (atomic_fetch_add(&s->used, n) + n <= s->max)
		return true;
	atomic_fetch_sub(&s->used, n);
	return false;
}

static struct part make_part(const struct shared_value *v)
{
	return (struct part){(uint8_t)v->type, v->type == SHARED_TEXT ? (uint32_t)v->text.n : 0,
			     v->number};
}

static int insert_entry(struct shared_table *t, uint64_t hash, const struct shared_value *key,
			const struct shared_value *v, int64_t now_ns)
{
	struct part k = make_part(key), w = make_part(v);
	size_t size = sizeof(struct entry) + k.n + w.n + sizeof(struct entry *);
	struct entry *e = reserve_room(t->store, size) ? malloc(size) : NULL, **at;

	if (!e)
		return -USHER_E_LIMIT;
	*e = (struct entry){.hash = hash, .size = size, .key = k, .value = w};
	if (k.n)
		memcpy(e->text, key->text.p, k.n);
	if (w.n)
		memcpy(e->text + k.n, v->text.p, w.n);
	at = find_entry(t, hash, key);
	if (*at)
		remove_entry(t, at);
	else if (t->limits.max && t->n >= t->limits.max)
		remove_oldest(t);
	if (t->n >= t->n_buckets)
		grow_table(t);
	at = &t->buckets[hash & (t->n_buckets - 1)];
	e->next = *at;
	*at = e;
	append_entry(t, e, now_ns);
	t->n++;
	return 0;
}

static int store_value(struct shared_table *t, uint64_t hash, const struct shared_value *key,
		       const struct shared_value *v, int64_t now_ns)
{
	struct entry **at = find_entry(t, hash, key);

	if (v->type == SHARED_NIL) {
		if (*at)
			remove_entry(t, at);
		return 0;
	}
	if (!*at || v->type == SHARED_TEXT || (*at)->value.n)
		return insert_entry(t, hash, key, v, now_ns);
	/* the common case of a counter: nothing is allocated */
	(*at)->value = make_part(v);
	unlink_entry(t, *at);
	append_entry(t, *at, now_ns);
	return 0;
}

/* --- Doors ------------------------------------------------------------------------------------ */

static uint64_t lock_table(struct shared_table *t, const struct shared_value *key, int64_t now_ns)
{
	uint64_t hash = key ? hash_key(t, key) : 0;

	(void)pthread_mutex_lock(&t->lock);
	expire_entries(t, now_ns);
	return hash;
}

static int unlock_table(struct shared_table *t, int r)
{
	(void)pthread_mutex_unlock(&t->lock);
	return r;
}

int shared_get(struct shared_table *t, const struct shared_value *key, int64_t now_ns,
	       struct buf *buf, struct shared_value *ret)
{
	uint64_t hash = lock_table(t, key, now_ns);
	const struct entry *e = *find_entry(t, hash, key);

	*ret = (struct shared_value){.type = SHARED_NIL};
	if (!e)
		return unlock_table(t, 0);
	*ret = (struct shared_value){.type = (enum shared_type)e->value.type,
				     .number = e->value.number};
	if (ret->type == SHARED_TEXT) {
		buf_reset(buf);
		buf_add(buf, e->text + e->key.n, e->value.n);
		if (buf->failed)
			return unlock_table(t, -ENOMEM);
		ret->text = span_of(buf->p, e->value.n);
	}
	return unlock_table(t, 0);
}

int shared_set(struct shared_table *t, const struct shared_value *key, const struct shared_value *v,
	       int64_t now_ns)
{
	uint64_t hash = lock_table(t, key, now_ns);

	return unlock_table(t, store_value(t, hash, key, v, now_ns));
}

int shared_add(struct shared_table *t, const struct shared_value *key, double n, int64_t now_ns,
	       double *ret)
{
	uint64_t hash = lock_table(t, key, now_ns);
	const struct entry *e = *find_entry(t, hash, key);
	struct shared_value sum = {.type = SHARED_NUMBER, .number = n};
	int r;

	if (e && e->value.type != SHARED_NUMBER)
		return unlock_table(t, -USHER_E_TYPE);
	sum.number += e ? e->value.number : 0;
	r = store_value(t, hash, key, &sum, now_ns);
	if (r == 0)
		*ret = sum.number;
	return unlock_table(t, r);
}

int shared_swap(struct shared_table *t, const struct shared_value *key,
		const struct shared_value *expected, const struct shared_value *v, int64_t now_ns)
{
	static const struct part nil = {.type = SHARED_NIL};
	uint64_t hash = lock_table(t, key, now_ns);
	const struct entry *e = *find_entry(t, hash, key);
	int r;

	if (!is_equal(e ? &e->value : &nil, e ? e->text + e->key.n : NULL, expected))
		return unlock_table(t, 0);
	r = store_value(t, hash, key, v, now_ns);
	return unlock_table(t, r < 0 ? r : 1);
}

uint32_t shared_count(struct shared_table *t, int64_t now_ns)
{
	uint32_t n;

	(void)lock_table(t, NULL, now_ns);
	n = t->n;
	(void)unlock_table(t, 0);
	return n;
}

/* --- Copies: two parts an entry, each followed by its text ------------------------------------ */

int shared_copy(struct shared_table *t, int64_t now_ns, struct buf *buf, uint32_t *ret_n)
{
	(void)lock_table(t, NULL, now_ns);
	buf_reset(buf);
	for (const struct entry *e = t->oldest; e; e = e->newer) {
		buf_add(buf, &e->key, sizeof(e->key));
		buf_add(buf, e->text, e->key.n);
		buf_add(buf, &e->value, sizeof(e->value));
		buf_add(buf, e->text + e->key.n, e->value.n);
	}
	*ret_n = t->n;
	return unlock_table(t, buf->failed ? -ENOMEM : 0);
}

static struct shared_value read_part(const struct buf *buf, size_t *at)
{
	struct shared_value v;
	struct part p;

	memcpy(&p, buf->p + *at, sizeof(p));
	*at += sizeof(p);
	v = (struct shared_value){(enum shared_type)p.type, p.number, span_of(buf->p + *at, p.n)};
	*at += p.n;
	return v;
}

bool shared_next(const struct buf *buf, size_t *at, struct shared_value *ret_key,
		 struct shared_value *ret_value)
{
	if (*at >= buf->len)
		return false;
	*ret_key = read_part(buf, at);
	*ret_value = read_part(buf, at);
	return true;
}

/* --- Life ------------------------------------------------------------------------------------- */

static void free_table(struct shared_table *t)
{
	while (t->oldest)
		remove_oldest(t);
	(void)pthread_mutex_destroy(&t->lock);
	free(t->buckets);
	free(t);
}

static int make_table(struct shared_store *s, const char *name, const struct shared_limits *l,
		      struct shared_table **ret)
{
	struct shared_table *t;

	if (s->n == SHARED_TABLES)
		return -USHER_E_LIMIT;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->store = s;
	t->limits = *l;
	t->n_buckets = FIRST_BUCKETS;
	(void)strncpy(t->name, name, sizeof(t->name) - 1);
	t->buckets = calloc(FIRST_BUCKETS, sizeof(struct entry *));
	if (!t->buckets) {
		free(t);
		return -ENOMEM;
	}
	(void)pthread_mutex_init(&t->lock, NULL);
	s->tables[s->n++] = t;
	*ret = t;
	return 0;
}

int shared_table_open(struct shared_store *s, const char *name, const struct shared_limits *l,
		      struct shared_table **ret)
{
	int r = -USHER_E_NOTFOUND;

	(void)pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->n && r == -USHER_E_NOTFOUND; i++) {
		if (strcmp(s->tables[i]->name, name) != 0)
			continue;
		*ret = s->tables[i];
		r = (*ret)->limits.max == l->max && (*ret)->limits.ttl_ns == l->ttl_ns
			    ? 0
			    : -USHER_E_EXISTS;
	}
	if (r == -USHER_E_NOTFOUND)
		r = make_table(s, name, l, ret);
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

int shared_store_new(size_t memory, const struct hash_key *key, struct shared_store **ret)
{
	struct shared_store *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->key = *key;
	s->max = memory ? memory : SHARED_MEMORY;
	(void)pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

void shared_store_free(struct shared_store *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->n; i++)
		free_table(s->tables[i]);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}
