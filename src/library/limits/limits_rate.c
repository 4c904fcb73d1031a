/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rate clocks: sliding logs. A log keeps the times of the packets of the last period, so that no
 * period of that length, wherever it begins, has more packets than the limit.
 *
 * Memory follows the packets, not the limit, and is bounded: a log has at most LOG_SLOTS times. A
 * limit of more packets counts those of one slot, a part of the period, in one entry, which is kept
 * until the whole slot is over. So such a limit is never exceeded, and frees its places late by at
 * most period / LOG_SLOTS. Logs of spawned classes, whose names clients choose, are smaller, and a
 * template has at most LIMITER_SPAWNED_MAX: then the one that was unused longest is forgotten.
 *
 * A limiter has a lock of its own. The limiters of a packet are locked in the order of their
 * addresses, so that it is counted in all or in none.
 */
#include "library/limits/limits.h"

#include "base/rng.h"

#include <stdlib.h>

enum { LOG_SLOTS = 4096, SPAWNED_SLOTS = 256, LOG_CAP_MIN = 4 };

/* n packets from a time on. */
struct stamp {
	int64_t at;
	uint64_t n;
};

struct rate_log {
	struct stamp *ring;
	uint32_t cap, first, len;
	uint64_t n; /* packets of all stamps */
};

/* The log of one spawned class. */
struct spawn {
	struct spawn *next;	     /* in its bucket */
	struct spawn *newer, *older; /* by use */
	struct rate_log log;
	int64_t idle_at; /* when the last stamp is over */
	uint64_t hash;
	size_t len;
	char name[];
};

struct limiter {
	struct limiter *next;
	unsigned refs; /* under the lock of the list */
	char *key;
	pthread_mutex_t mu; /* of all below */
	struct rate_log log;
	struct spawn **buckets;
	size_t n_buckets, n_spawned;
	struct spawn *newest, *oldest;
};

/* --- Logs ------------------------------------------------------------------------------------- */

/* Returns the length of a slot; 0: each packet has a stamp. */
static int64_t slot_of(const struct rate *r, unsigned slots)
{
	return r->n > slots ? r->period_ns / slots : 0;
}

static struct stamp *last_stamp(struct rate_log *g)
{
	return g->len ? &g->ring[(g->first + g->len - 1) % g->cap] : NULL;
}

static void expire_stamps(struct rate_log *g, const struct rate *r, int64_t slot, int64_t now)
{
	while (g->len && now - g->ring[g->first].at >= r->period_ns + slot) {
		g->n -= g->ring[g->first].n;
		g->first = (g->first + 1) % g->cap;
		g->len--;
	}
}

static bool grow_log(struct rate_log *g)
{
	uint32_t cap = g->cap ? g->cap * 2 : LOG_CAP_MIN;
	struct stamp *ring = calloc(cap, sizeof(*ring));

	if (!ring)
		return false;
	for (uint32_t i = 0; i < g->len; i++)
		ring[i] = g->ring[(g->first + i) % g->cap];
	free(g->ring);
	g->ring = ring;
	g->cap = cap;
	g->first = 0;
	return true;
}

/* Counts a packet. Returns false if memory is out. */
static bool charge_log(struct rate_log *g, int64_t slot, int64_t now)
{
	struct stamp *last = last_stamp(g);

	if (last && now - last->at <= slot) {
		last->n++;
		g->n++;
		return true;
	}
	if (g->len == g->cap && !grow_log(g))
		return false;
	g->ring[(g->first + g->len++) % g->cap] = (struct stamp){now, 1};
	g->n++;
	return true;
}

/* --- Spawned classes -------------------------------------------------------------------------- */

static void unlink_use(struct limiter *l, struct spawn *s)
{
	*(s->newer ? &s->newer->older : &l->newest) = s->older;
	*(s->older ? &s->older->newer : &l->oldest) = s->newer;
}

static void push_use(struct limiter *l, struct spawn *s)
{
	s->newer = NULL;
	s->older = l->newest;
	*(l->newest ? &l->newest->newer : &l->oldest) = s;
	l->newest = s;
}

static struct spawn **spawn_bucket(const struct limiter *l, uint64_t hash)
{
	return &l->buckets[hash & (l->n_buckets - 1)];
}

static void free_spawn(struct limiter *l, struct spawn *s)
{
	struct spawn **p = spawn_bucket(l, s->hash);

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	unlink_use(l, s);
	free(s->log.ring);
	free(s);
	l->n_spawned--;
}

/* Makes room for one more: forgets classes whose packets are all over, and the oldest above the
 * bound. */
static bool spawn_room(struct limiter *l, int64_t now)
{
	enum { FEW = 2, FIRST = 64 };
	size_t n = l->n_buckets ? l->n_buckets * 2 : FIRST;
	struct spawn **buckets;

	for (unsigned i = 0; i < FEW && l->oldest && l->oldest->idle_at <= now; i++)
		free_spawn(l, l->oldest);
	if (l->n_spawned == LIMITER_SPAWNED_MAX)
		free_spawn(l, l->oldest);
	if (l->n_spawned < l->n_buckets)
		return true;
	buckets = calloc(n, sizeof(*buckets));
	if (!buckets)
		return false;
	free(l->buckets);
	l->buckets = buckets;
	l->n_buckets = n;
	for (struct spawn *s = l->newest; s; s = s->older) {
		struct spawn **p = spawn_bucket(l, s->hash);

		s->next = *p;
		*p = s;
	}
	return true;
}

static struct spawn *find_spawn(const struct limiter *l, struct span name, uint64_t hash)
{
	struct spawn *s = l->n_buckets ? *spawn_bucket(l, hash) : NULL;

	while (s && (s->hash != hash || !span_eq(span_of(s->name, s->len), name)))
		s = s->next;
	return s;
}

/* Returns the log of a spawned class, which is the newest now. NULL: memory is out. */
static struct rate_log *spawned_log(struct limiters *all, struct limiter *l,
				    const struct rate_use *u, int64_t now)
{
	uint64_t hash = hash_bytes(&all->hash_key, u->name);
	struct spawn *s = find_spawn(l, u->name, hash);
	struct spawn **p;

	if (s) {
		unlink_use(l, s);
	} else {
		s = spawn_room(l, now) ? calloc(1, sizeof(*s) + u->name.n) : NULL;
		if (!s)
			return NULL;
		s->hash = hash;
		s->len = u->name.n;
		memcpy(s->name, u->name.p, s->len);
		p = spawn_bucket(l, hash);
		s->next = *p;
		*p = s;
		l->n_spawned++;
	}
	push_use(l, s);
	s->idle_at = now + u->rate->period_ns + slot_of(u->rate, SPAWNED_SLOTS);
	return &s->log;
}

/* --- Limiters --------------------------------------------------------------------------------- */

void limiters_init(struct limiters *all)
{
	struct rng rng;

	(void)pthread_mutex_init(&all->mu, NULL);
	rng_seed_system(&rng);
	all->hash_key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
}

static void free_limiter(struct limiter *l)
{
	while (l->oldest)
		free_spawn(l, l->oldest);
	free(l->buckets);
	free(l->log.ring);
	(void)pthread_mutex_destroy(&l->mu);
	free(l->key);
	free(l);
}

void limiters_fini(struct limiters *all)
{
	for (size_t i = 0; i < LIMITER_BUCKETS; i++)
		for (struct limiter *l = all->buckets[i], *next; l; l = next) {
			next = l->next;
			free_limiter(l);
		}
	(void)pthread_mutex_destroy(&all->mu);
}

/* Returns the place of the limiter of a key, or the end of its bucket. */
static struct limiter **find_limiter(struct limiters *all, const char *key)
{
	struct limiter **p = &all->buckets[hash_open(span_str(key)) % LIMITER_BUCKETS];

	while (*p && strcmp((*p)->key, key) != 0)
		p = &(*p)->next;
	return p;
}

struct limiter *limiter_ref(struct limiters *all, const char *key)
{
	struct limiter **p;
	struct limiter *l;

	(void)pthread_mutex_lock(&all->mu);
	p = find_limiter(all, key);
	l = *p;
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (l)
			l->key = strdup(key);
		if (l && l->key) {
			(void)pthread_mutex_init(&l->mu, NULL);
			*p = l;
		} else {
			free(l);
			l = NULL;
		}
	}
	if (l)
		l->refs++;
	(void)pthread_mutex_unlock(&all->mu);
	return l;
}

void limiter_unref(struct limiters *all, struct limiter *l)
{
	if (!l)
		return;
	(void)pthread_mutex_lock(&all->mu);
	if (--l->refs == 0) {
		*find_limiter(all, l->key) = l->next;
		free_limiter(l);
	}
	(void)pthread_mutex_unlock(&all->mu);
}

/* --- Admission -------------------------------------------------------------------------------- */

static void sort_uses(struct rate_use *u, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && u[j].limiter < u[j - 1].limiter; j--) {
			struct rate_use t = u[j];

			u[j] = u[j - 1];
			u[j - 1] = t;
		}
}

/* Returns whether the use is the first one of its limiter, which it locks and unlocks. */
static bool holds_lock(const struct rate_use *u, size_t i)
{
	return i == 0 || u[i].limiter != u[i - 1].limiter;
}

static unsigned slots_of(const struct rate_use *u)
{
	return u->spawned ? SPAWNED_SLOTS : LOG_SLOTS;
}

/* Returns whether the limit has room for a packet; sets its log. Without memory it has none. */
static bool has_room(struct limiters *all, struct rate_use *u, int64_t now)
{
	if (!u->rate->n)
		return false;
	u->log = u->spawned ? spawned_log(all, u->limiter, u, now) : &u->limiter->log;
	if (!u->log)
		return false;
	expire_stamps(u->log, u->rate, slot_of(u->rate, slots_of(u)), now);
	return u->log->n < u->rate->n && (u->log->len < u->log->cap || grow_log(u->log));
}

static bool check_uses(struct limiters *all, struct rate_use *u, size_t n, int64_t now,
		       unsigned *ret_order)
{
	bool room = true;

	for (size_t i = 0; i < n; i++)
		if (!has_room(all, &u[i], now)) {
			*ret_order = room || u[i].order < *ret_order ? u[i].order : *ret_order;
			room = false;
		}
	return room;
}

int limiter_admit(struct limiters *all, struct rate_use *uses, size_t n, int64_t now_ns,
		  unsigned *ret_order)
{
	bool room;

	sort_uses(uses, n);
	for (size_t i = 0; i < n; i++)
		if (holds_lock(uses, i))
			(void)pthread_mutex_lock(&uses[i].limiter->mu);
	room = check_uses(all, uses, n, now_ns, ret_order);
	for (size_t i = 0; room && i < n; i++)
		(void)charge_log(uses[i].log, slot_of(uses[i].rate, slots_of(&uses[i])), now_ns);
	for (size_t i = n; i-- > 0;)
		if (holds_lock(uses, i))
			(void)pthread_mutex_unlock(&uses[i].limiter->mu);
	return room ? 0 : -1;
}
