/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Records stand in one array and are chained in two hash tables; a binary heap over their ends has
 * the next one on top. 0 ends chains: indexes are places plus one.
 */
#include "gate/guard/bindings.h"

#include "base/sha256.h"

#include <errno.h>
#include <stdlib.h>

enum { BY_ADDRESS, BY_MAC, N_INDEXES, KEY_LEN = 9 };

struct guard_bindings {
	struct hash_key key;
	uint32_t max, n, free,
		fresh;	    /* free: chained by next[0]; fresh: from here on none was ever used */
	uint32_t n_buckets; /* a power of two */
	uint32_t *buckets[N_INDEXES];
	uint32_t *heap;		  /* [n] by end */
	struct guard_binding *at; /* [max] */
};

void guard_id_of(struct span client_id, struct guard_id *ret)
{
	struct sha256 h;

	*ret = (struct guard_id){0};
	if (client_id.n > GUARD_ID_LEN) {
		sha256_init(&h);
		sha256_add(&h, client_id);
		sha256_end(&h, ret->octets);
		ret->n = SHA256_LEN;
		return;
	}
	ret->n = (uint8_t)client_id.n;
	if (client_id.n)
		memcpy(ret->octets, client_id.p, client_id.n);
}

bool guard_id_eq(const struct guard_id *a, const struct guard_id *b)
{
	return span_eq(span_of(a->octets, a->n), span_of(b->octets, b->n));
}

/* --- Hash chains ------------------------------------------------------------------------------ */

static uint32_t *bucket(struct guard_bindings *t, int by, uint32_t vlan, const void *key, size_t n)
{
	uint8_t octets[KEY_LEN] = {(uint8_t)(vlan >> 16), (uint8_t)(vlan >> 8), (uint8_t)vlan};

	memcpy(octets + 3, key, n);
	return &t->buckets[by][hash_bytes(&t->key, span_of(octets, 3 + n)) & (t->n_buckets - 1)];
}

static uint32_t *binding_bucket(struct guard_bindings *t, int by, const struct guard_binding *b)
{
	return by == BY_ADDRESS ? bucket(t, by, b->vlan, &b->address, sizeof(b->address))
				: bucket(t, by, b->vlan, b->mac, sizeof(b->mac));
}

static uint32_t index_of(const struct guard_bindings *t, const struct guard_binding *b)
{
	return (uint32_t)(b - t->at) + 1;
}

static void unchain(struct guard_bindings *t, int by, const struct guard_binding *b)
{
	uint32_t *at = binding_bucket(t, by, b);

	while (*at != index_of(t, b))
		at = &t->at[*at - 1].next[by];
	*at = b->next[by];
}

struct guard_binding *guard_bindings_find(struct guard_bindings *t, uint32_t vlan, uint32_t address)
{
	uint32_t i = *bucket(t, BY_ADDRESS, vlan, &address, sizeof(address));

	while (i && (t->at[i - 1].address != address || t->at[i - 1].vlan != vlan))
		i = t->at[i - 1].next[BY_ADDRESS];
	return i ? &t->at[i - 1] : NULL;
}

struct guard_binding *guard_bindings_of(struct guard_bindings *t, uint32_t vlan,
					const uint8_t mac[6], const struct guard_binding *after)
{
	uint32_t i = after ? after->next[BY_MAC] : *bucket(t, BY_MAC, vlan, mac, 6);

	while (i && (memcmp(t->at[i - 1].mac, mac, 6) != 0 || t->at[i - 1].vlan != vlan))
		i = t->at[i - 1].next[BY_MAC];
	return i ? &t->at[i - 1] : NULL;
}

/* --- The heap --------------------------------------------------------------------------------- */

static void heap_put(struct guard_bindings *t, uint32_t at, uint32_t i)
{
	t->heap[at] = i;
	t->at[i - 1].heap_at = at;
}

static int64_t heap_end(const struct guard_bindings *t, uint32_t at)
{
	return t->at[t->heap[at] - 1].end_ns;
}

/* Moves the entry at `at` to its place. */
static void heap_settle(struct guard_bindings *t, uint32_t at)
{
	uint32_t i = t->heap[at];
	int64_t end = t->at[i - 1].end_ns;

	while (at > 0 && heap_end(t, (at - 1) / 2) > end) {
		heap_put(t, at, t->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (uint32_t child = 2 * at + 1; child < t->n; child = 2 * at + 1) {
		if (child + 1 < t->n && heap_end(t, child + 1) < heap_end(t, child))
			child++;
		if (heap_end(t, child) >= end)
			break;
		heap_put(t, at, t->heap[child]);
		at = child;
	}
	heap_put(t, at, i);
}

void guard_bindings_end(struct guard_bindings *t, struct guard_binding *b, int64_t end_ns)
{
	b->end_ns = end_ns;
	heap_settle(t, b->heap_at);
}

struct guard_binding *guard_bindings_over(struct guard_bindings *t, int64_t now_ns)
{
	return t->n && heap_end(t, 0) <= now_ns ? &t->at[t->heap[0] - 1] : NULL;
}

/* --- Records ---------------------------------------------------------------------------------- */

struct guard_binding *guard_bindings_add(struct guard_bindings *t, uint32_t vlan, uint32_t address,
					 const uint8_t mac[6])
{
	uint32_t i = t->free ? t->free : t->fresh < t->max ? ++t->fresh : 0;
	struct guard_binding *b;

	if (!i)
		return NULL;
	b = &t->at[i - 1];
	if (i == t->free)
		t->free = b->next[0];
	*b = (struct guard_binding){.address = address,
				    .vlan = vlan,
				    .port = GUARD_ANY_PORT,
				    .live = true,
				    .end_ns = INT64_MAX};
	memcpy(b->mac, mac, sizeof(b->mac));
	for (int by = 0; by < N_INDEXES; by++) {
		uint32_t *head = binding_bucket(t, by, b);

		b->next[by] = *head;
		*head = i;
	}
	heap_put(t, t->n++, i);
	heap_settle(t, t->n - 1);
	return b;
}

void guard_bindings_remove(struct guard_bindings *t, struct guard_binding *b)
{
	uint32_t at = b->heap_at;

	for (int by = 0; by < N_INDEXES; by++)
		unchain(t, by, b);
	if (at != --t->n) {
		heap_put(t, at, t->heap[t->n]);
		heap_settle(t, at);
	}
	b->live = false;
	b->next[0] = t->free;
	t->free = index_of(t, b);
}

uint32_t guard_bindings_count(const struct guard_bindings *t)
{
	return t->n;
}

bool guard_bindings_full(const struct guard_bindings *t)
{
	return t->n == t->max;
}

const struct guard_binding *guard_bindings_each(const struct guard_bindings *t, uint32_t *at)
{
	while (*at < t->fresh) {
		const struct guard_binding *b = &t->at[(*at)++];

		if (b->live)
			return b;
	}
	return NULL;
}

/* --- Life ------------------------------------------------------------------------------------- */

int guard_bindings_new(uint32_t max, const struct hash_key *key, struct guard_bindings **ret)
{
	struct guard_bindings *t = calloc(1, sizeof(*t));
	uint32_t n = 1;

	if (!t)
		return -ENOMEM;
	while (n < max)
		n *= 2;
	*t = (struct guard_bindings){.key = *key, .max = max, .n_buckets = n};
	for (int by = 0; by < N_INDEXES; by++)
		t->buckets[by] = calloc(n, sizeof(*t->buckets[by]));
	t->heap = calloc(max, sizeof(*t->heap));
	t->at = calloc(max, sizeof(*t->at));
	if (!t->buckets[0] || !t->buckets[1] || !t->heap || !t->at) {
		guard_bindings_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void guard_bindings_free(struct guard_bindings *t)
{
	if (!t)
		return;
	for (int by = 0; by < N_INDEXES; by++)
		free(t->buckets[by]);
	free(t->heap);
	free(t->at);
	free(t);
}
