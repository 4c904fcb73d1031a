/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The same-client guard. A small hash of the clients that are in the pipeline right now, one entry
 * an identity; an exchange may hold two (client identifier, hardware address). Every entry has one
 * place to wait. One mutex: entries are few and held for microseconds.
 */
#include "server/core/same_client.h"

#include "base/hash.h"
#include "server/core/exchange.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { GUARD_BUCKETS = 1024 };

struct client_guard {
	struct client_guard *next; /* in its bucket */
	struct exchange *holder;
	struct exchange *waiter;
	uint64_t hash;
	bool by_id;
};

struct same_client {
	pthread_mutex_t lock;
	struct hash_key key;
	struct client_guard *buckets[GUARD_BUCKETS];
};

int same_client_new(const struct hash_key *key, struct same_client **ret)
{
	struct same_client *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->key = *key;
	(void)pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

void same_client_free(struct same_client *s)
{
	if (!s)
		return;
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct span identity_of(const struct exchange *x, bool by_id)
{
	return by_id ? x->client_id : x->hw;
}

static struct client_guard *find_guard(struct same_client *s, const struct exchange *x, bool by_id,
				       uint64_t h)
{
	struct client_guard *g;

	for (g = s->buckets[h % GUARD_BUCKETS]; g; g = g->next)
		if (g->hash == h && g->by_id == by_id &&
		    span_eq(identity_of(g->holder, by_id), identity_of(x, by_id)))
			return g;
	return NULL;
}

static void insert_guard(struct same_client *s, struct exchange *x, struct client_guard *g,
			 bool by_id, uint64_t h)
{
	*g = (struct client_guard){.next = s->buckets[h % GUARD_BUCKETS],
				   .holder = x,
				   .hash = h,
				   .by_id = by_id};
	s->buckets[h % GUARD_BUCKETS] = g;
}

static void remove_guard(struct same_client *s, struct client_guard *g)
{
	struct client_guard **p = &s->buckets[g->hash % GUARD_BUCKETS];

	while (*p != g)
		p = &(*p)->next;
	*p = g->next;
}

/* Takes the guards of the exchange, in its arena: guard[0] for the client identifier, guard[1]
 * for the hardware address. */
enum same_client_result same_client_take(struct same_client *s, struct exchange *x,
					 struct exchange **ret_replaced)
{
	enum same_client_result r = SAME_CLIENT_MINE;
	struct client_guard *mine = arena_calloc(&x->pkt.arena, 2, sizeof(*mine));
	uint64_t h[2] = {0};

	*ret_replaced = NULL;
	if (!mine)
		return r; /* the arena is full: a later stage drops the packet */
	for (int i = 0; i < 2; i++)
		h[i] = hash_bytes(&s->key, identity_of(x, i == 0)) ^ (uint64_t)i;
	(void)pthread_mutex_lock(&s->lock);
	for (int i = 0; i < 2 && r == SAME_CLIENT_MINE; i++) {
		struct client_guard *held = identity_of(x, i == 0).n
						    ? find_guard(s, x, i == 0, h[i])
						    : NULL;

		/* RFC 2131 4.2: two identifiers on one hardware address are two clients */
		if (!held || (i == 1 && x->client_id.n && held->holder->client_id.n))
			continue;
		*ret_replaced = held->waiter;
		held->waiter = x;
		r = SAME_CLIENT_WAIT;
	}
	for (int i = 0; i < 2 && r == SAME_CLIENT_MINE; i++)
		if (identity_of(x, i == 0).n)
			insert_guard(s, x, &mine[i], i == 0, h[i]);
	(void)pthread_mutex_unlock(&s->lock);
	if (r == SAME_CLIENT_MINE)
		x->guard = mine;
	return r;
}

struct exchange *same_client_give(struct same_client *s, struct exchange *x)
{
	struct exchange *waiter = NULL;
	struct client_guard *g = x->guard;

	if (!g)
		return NULL;
	(void)pthread_mutex_lock(&s->lock);
	for (int i = 0; i < 2; i++) {
		if (!g[i].holder)
			continue;
		remove_guard(s, &g[i]);
		if (g[i].waiter) {
			/* two different ones may wait (by identifier and by address): chain them */
			g[i].waiter->next = waiter;
			waiter = g[i].waiter;
		}
	}
	(void)pthread_mutex_unlock(&s->lock);
	x->guard = NULL;
	return waiter;
}
