/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An array of flows, chained by hash. Both directions hash alike because the ends are put in order
 * first; the hash is keyed, because strangers choose ports. Index 0 is no flow. A client that has
 * its share of a full table evicts flows of its own only.
 */
#include "gate/engine/flow.h"

#include "base/pages.h"
#include "gate/engine/gate_packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	NOBODY = 0,
	LARGE = 2048,
	OWNERS = 4096,	  /* clients are counted by a hash of their address */
	OWNER_SHARE = 8,  /* of all flows a client has an eighth, ... */
	SHARE_LEAST = 64, /* ... or so many */
	LOOK_AT = 64, /* flows of a queue, the oldest first, among which one of a client is looked
			 for */
};

_Static_assert(sizeof(struct flow) == 2 * FLOW_ALIGN, "two lines");

struct queue {
	uint32_t oldest, newest;
};

struct flow_table {
	struct flow *flows; /* [1 .. n] */
	uint32_t *buckets;
	uint32_t n, mask;
	uint32_t free;	/* chained by next */
	uint32_t fresh; /* places from here on were never used */
	uint64_t next_id;
	struct queue queues[FLOW_N_QUEUES];
	uint32_t owned[OWNERS]; /* flows of each client */
	int64_t timeout_ns[FLOW_N_QUEUES];
	struct hash_key key;
	flow_end_fn end;
	void *ctx;
	struct flow_stats stats;
};

static uint32_t index_of(const struct flow_table *t, const struct flow *f)
{
	return (uint32_t)(f - t->flows);
}

/* Returns the place where the flows of a client are counted. */
static uint32_t owner_of(const struct flow_table *t, const struct flow_key *k)
{
	return hash_u32(k->src ^ (uint32_t)t->key.k0) % OWNERS;
}

/* Sorts the two ends, so that both directions have one bucket. */
uint32_t flow_bucket(const struct flow_table *t, const struct flow_key *k)
{
	bool turned = k->src > k->dst || (k->src == k->dst && k->sport > k->dport);
	uint32_t a[4] = {
		turned ? k->dst : k->src,
		turned ? k->src : k->dst,
		turned ? (uint32_t)k->dport << 16 | k->sport : (uint32_t)k->sport << 16 | k->dport,
		(uint32_t)k->vlan << 8 | k->proto,
	};

	return (uint32_t)hash_bytes(&t->key, span_of(a, sizeof(a))) & t->mask;
}

static bool same_way(const struct flow_key *a, const struct flow_key *b)
{
	return a->src == b->src && a->dst == b->dst && a->sport == b->sport && a->dport == b->dport;
}

static bool other_way(const struct flow_key *a, const struct flow_key *b)
{
	return a->src == b->dst && a->dst == b->src && a->sport == b->dport && a->dport == b->sport;
}

bool flow_is_large(const struct flow_table *t)
{
	return t->stats.live >= LARGE;
}

/* Prefetches the neighbours in the queues, too: they are written when a flow becomes the youngest.
 */
void flow_expect(const struct flow_table *t, const uint32_t *buckets, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		__builtin_prefetch(&t->buckets[buckets[i]]);
	for (uint32_t i = 0; i < n; i++) {
		const struct flow *f = &t->flows[t->buckets[buckets[i]]];

		__builtin_prefetch(f, 1);
		__builtin_prefetch(&f->first_ns, 1);
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct flow *f = &t->flows[t->buckets[buckets[i]]];

		__builtin_prefetch(&t->flows[f->older], 1);
		__builtin_prefetch(&t->flows[f->newer], 1);
		__builtin_prefetch(&t->flows[f->next]);
		__builtin_prefetch(f->transport, 1);
	}
}

struct flow *flow_find(struct flow_table *t, uint32_t bucket, const struct flow_key *key,
		       uint8_t *ret_direction)
{
	for (uint32_t i = t->buckets[bucket]; i != NOBODY; i = t->flows[i].next) {
		struct flow *f = &t->flows[i];

		if (f->key.proto != key->proto || f->key.vlan != key->vlan)
			continue;
		if (same_way(&f->key, key)) {
			*ret_direction = GATE_UP;
			return f;
		}
		if (other_way(&f->key, key)) {
			*ret_direction = GATE_DOWN;
			return f;
		}
	}
	return NULL;
}

static void queue_out(struct flow_table *t, struct flow *f)
{
	struct queue *q = &t->queues[f->queue];

	if (f->older)
		t->flows[f->older].newer = f->newer;
	else
		q->oldest = f->newer;
	if (f->newer)
		t->flows[f->newer].older = f->older;
	else
		q->newest = f->older;
	f->older = f->newer = NOBODY;
}

static void queue_in(struct flow_table *t, struct flow *f, enum flow_queue which)
{
	struct queue *q = &t->queues[which];
	uint32_t i = index_of(t, f);

	f->queue = (uint8_t)which;
	f->older = q->newest;
	f->newer = NOBODY;
	if (q->newest)
		t->flows[q->newest].newer = i;
	else
		q->oldest = i;
	q->newest = i;
}

void flow_touch(struct flow_table *t, struct flow *f, enum flow_queue which, int64_t now_ns)
{
	f->last_ns = now_ns;
	if (f->queue == which && t->queues[which].newest == index_of(t, f))
		return;
	queue_out(t, f);
	queue_in(t, f, which);
}

static void bucket_out(struct flow_table *t, struct flow *f)
{
	uint32_t i = index_of(t, f), *at = &t->buckets[f->bucket];

	while (*at != i)
		at = &t->flows[*at].next;
	*at = f->next;
}

static void end_flow(struct flow_table *t, struct flow *f, bool evicted)
{
	if (!f->live)
		return;
	f->live = false; /* the callee must not end it again */
	queue_out(t, f);
	bucket_out(t, f);
	t->owned[owner_of(t, &f->key)]--;
	t->end(t->ctx, f, evicted);
	f->generation++;
	f->next = t->free;
	t->free = index_of(t, f);
	t->stats.live--;
	t->stats.ended++;
}

void flow_end(struct flow_table *t, struct flow *f)
{
	end_flow(t, f, false);
}

struct flow *flow_find_at(struct flow_table *t, uint32_t bucket, const struct flow_key *key,
			  int64_t now_ns, uint8_t *ret_direction)
{
	struct flow *f = flow_find(t, bucket, key, ret_direction);

	if (!f || now_ns - f->last_ns < t->timeout_ns[f->queue])
		return f;
	end_flow(t, f, false);
	t->stats.expired++;
	return NULL;
}

static bool is_greedy(const struct flow_table *t, uint32_t owner)
{
	uint32_t share = t->n / OWNER_SHARE > SHARE_LEAST ? t->n / OWNER_SHARE : SHARE_LEAST;

	return t->owned[owner] >= share;
}

/* Evicts one of a client's own flows. False: none is among the oldest of any queue. */
static bool evict_own(struct flow_table *t, uint32_t owner)
{
	for (int q = 0; q < FLOW_N_QUEUES; q++) {
		uint32_t i = t->queues[q].oldest;

		for (unsigned n = 0; i && n < LOOK_AT; n++, i = t->flows[i].newer)
			if (owner_of(t, &t->flows[i].key) == owner) {
				end_flow(t, &t->flows[i], true);
				t->stats.evicted++;
				return true;
			}
	}
	return false;
}

static bool evict(struct flow_table *t, const struct flow_key *key)
{
	uint32_t owner = owner_of(t, key);

	if (is_greedy(t, owner))
		return evict_own(t, owner);
	for (int q = 0; q < FLOW_N_QUEUES; q++)
		if (t->queues[q].oldest) {
			end_flow(t, &t->flows[t->queues[q].oldest], true);
			t->stats.evicted++;
			return true;
		}
	return false;
}

static struct flow *take_place(struct flow_table *t)
{
	uint32_t i = t->free;

	if (i != NOBODY) {
		t->free = t->flows[i].next;
		return &t->flows[i];
	}
	return t->fresh <= t->n ? &t->flows[t->fresh++] : NULL;
}

struct flow *flow_add(struct flow_table *t, uint32_t bucket, const struct flow_key *key,
		      int64_t now_ns)
{
	struct flow *f = take_place(t);
	uint32_t generation;

	if (!f && evict(t, key))
		f = take_place(t);
	if (!f)
		return NULL;
	generation = f->generation;
	*f = (struct flow){
		.key = *key,
		.generation = generation + 1,
		.live = true,
		.id = ++t->next_id,
		.first_ns = now_ns,
		.last_ns = now_ns,
		.bucket = bucket,
		.app = DISSECT_N,
	};
	f->next = t->buckets[f->bucket];
	t->buckets[f->bucket] = index_of(t, f);
	queue_in(t, f, FLOW_NEW);
	t->owned[owner_of(t, key)]++;
	t->stats.added++;
	t->stats.live++;
	return f;
}

unsigned flow_expire(struct flow_table *t, int64_t now_ns, unsigned n)
{
	unsigned done = 0;

	for (int q = 0; q < FLOW_N_QUEUES && done < n; q++) {
		uint32_t i = t->queues[q].oldest;

		while (i && done < n && now_ns - t->flows[i].last_ns >= t->timeout_ns[q]) {
			end_flow(t, &t->flows[i], false);
			done++;
			i = t->queues[q].oldest;
		}
	}
	t->stats.expired += done;
	return done;
}

void flow_stats(const struct flow_table *t, struct flow_stats *ret)
{
	*ret = t->stats;
	ret->max = t->n;
}

struct flow *flow_each(struct flow_table *t, uint32_t *at)
{
	for (uint32_t i = *at ? *at : 1; i < t->fresh; i++)
		if (t->flows[i].live) {
			*at = i + 1;
			return &t->flows[i];
		}
	*at = t->fresh;
	return NULL;
}

int flow_table_new(const struct flow_limits *l, const struct hash_key *key, flow_end_fn end,
		   void *ctx, struct flow_table **ret)
{
	struct flow_table *t = calloc(1, sizeof(*t));
	uint32_t n_buckets = 16;

	if (!t)
		return -ENOMEM;
	while (n_buckets < l->max_flows && n_buckets < UINT32_C(1) << 30)
		n_buckets *= 2;
	t->n = l->max_flows;
	t->mask = n_buckets - 1;
	t->fresh = 1;
	t->key = *key;
	t->end = end;
	t->ctx = ctx;
	memcpy(t->timeout_ns, l->timeout_ns, sizeof(t->timeout_ns));
	t->flows = pages_new_huge((size_t)t->n + 1, sizeof(*t->flows));
	t->buckets = pages_new_huge(n_buckets, sizeof(*t->buckets));
	if (!t->flows || !t->buckets) {
		flow_table_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void flow_table_free(struct flow_table *t)
{
	if (!t)
		return;
	for (int q = 0; q < FLOW_N_QUEUES && t->flows; q++)
		while (t->queues[q].oldest)
			end_flow(t, &t->flows[t->queues[q].oldest], false);
	pages_free(t->flows, (size_t)t->n + 1, sizeof(*t->flows));
	pages_free(t->buckets, (size_t)t->mask + 1, sizeof(*t->buckets));
	free(t);
}
