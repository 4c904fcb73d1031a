/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Chained by station (VLAN and hardware address); in a queue by the time of the last request.
 * Indexes are places plus one, 0 ends chains.
 */
#include "gate/guard/pending.h"

#include <errno.h>
#include <stdlib.h>

struct guard_pendings {
	struct hash_key key;
	guard_pending_gone_fn gone;
	void *ctx;
	uint32_t max, free, fresh, n_buckets, newest, oldest;
	uint32_t *buckets;
	struct guard_pending *at;
};

static uint32_t pending_bucket(const struct guard_pendings *t, uint32_t vlan, const uint8_t mac[6])
{
	uint8_t octets[9] = {(uint8_t)(vlan >> 16), (uint8_t)(vlan >> 8), (uint8_t)vlan};

	memcpy(octets + 3, mac, 6);
	return (uint32_t)hash_bytes(&t->key, span_of(octets, sizeof(octets))) & (t->n_buckets - 1);
}

static struct guard_pending *next_of_station(const struct guard_pendings *t, uint32_t i,
					     uint32_t vlan, const uint8_t mac[6])
{
	while (i && (t->at[i - 1].vlan != vlan || memcmp(t->at[i - 1].mac, mac, 6) != 0))
		i = t->at[i - 1].next;
	return i ? &t->at[i - 1] : NULL;
}

struct guard_pending *guard_pendings_asking(struct guard_pendings *t, uint32_t vlan,
					    const uint8_t mac[6], uint16_t port,
					    const struct guard_id *id)
{
	struct guard_pending *p = next_of_station(t, t->buckets[pending_bucket(t, vlan, mac)], vlan,
						  mac);

	while (p && (p->port != port || !guard_id_eq(&p->id, id)))
		p = next_of_station(t, p->next, vlan, mac);
	return p;
}

struct guard_pending *guard_pendings_answered(struct guard_pendings *t, uint32_t vlan,
					      const uint8_t mac[6], uint32_t xid)
{
	struct guard_pending *p = next_of_station(t, t->buckets[pending_bucket(t, vlan, mac)], vlan,
						  mac);

	while (p && p->xid != xid)
		p = next_of_station(t, p->next, vlan, mac);
	return p;
}

static void queue_remove(struct guard_pendings *t, const struct guard_pending *p)
{
	*(p->newer ? &t->at[p->newer - 1].older : &t->newest) = p->older;
	*(p->older ? &t->at[p->older - 1].newer : &t->oldest) = p->newer;
}

static void queue_add(struct guard_pendings *t, struct guard_pending *p)
{
	uint32_t i = (uint32_t)(p - t->at) + 1;

	p->newer = 0;
	p->older = t->newest;
	*(t->newest ? &t->at[t->newest - 1].newer : &t->oldest) = i;
	t->newest = i;
}

struct guard_pending *guard_pendings_add(struct guard_pendings *t, uint32_t vlan,
					 const uint8_t mac[6], uint16_t port,
					 const struct guard_id *id)
{
	uint32_t i = t->free ? t->free : t->fresh < t->max ? ++t->fresh : 0;
	struct guard_pending *p;

	if (!i)
		return NULL;
	p = &t->at[i - 1];
	if (i == t->free)
		t->free = p->next;
	*p = (struct guard_pending){.vlan = vlan, .port = port, .id = *id};
	memcpy(p->mac, mac, sizeof(p->mac));
	p->bucket = pending_bucket(t, vlan, mac);
	p->next = t->buckets[p->bucket];
	t->buckets[p->bucket] = i;
	queue_add(t, p);
	return p;
}

void guard_pendings_touch(struct guard_pendings *t, struct guard_pending *p, uint32_t xid,
			  int64_t now_ns)
{
	p->xid = xid;
	p->asked_ns = now_ns;
	queue_remove(t, p);
	queue_add(t, p);
}

void guard_pendings_done(struct guard_pendings *t, struct guard_pending *p)
{
	uint32_t i = (uint32_t)(p - t->at) + 1, *at = &t->buckets[p->bucket];

	t->gone(t->ctx, p);
	while (*at != i)
		at = &t->at[*at - 1].next;
	*at = p->next;
	queue_remove(t, p);
	p->next = t->free;
	t->free = i;
}

void guard_pendings_forget(struct guard_pendings *t, int64_t before_ns)
{
	while (t->oldest && t->at[t->oldest - 1].asked_ns < before_ns)
		guard_pendings_done(t, &t->at[t->oldest - 1]);
}

int guard_pendings_new(uint32_t max, const struct hash_key *key, guard_pending_gone_fn gone,
		       void *ctx, struct guard_pendings **ret)
{
	struct guard_pendings *t = calloc(1, sizeof(*t));
	uint32_t n = 1;

	if (!t)
		return -ENOMEM;
	while (n < max)
		n *= 2;
	*t = (struct guard_pendings){.key = *key,
				     .gone = gone,
				     .ctx = ctx,
				     .max = max,
				     .n_buckets = n};
	t->buckets = calloc(n, sizeof(*t->buckets));
	t->at = calloc(max, sizeof(*t->at));
	if (!t->buckets || !t->at) {
		guard_pendings_free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void guard_pendings_free(struct guard_pendings *t)
{
	if (!t)
		return;
	free(t->buckets);
	free(t->at);
	free(t);
}
