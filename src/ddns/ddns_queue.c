/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The queue: a list in order of arrival, and two tables of buckets that keep the order, by name and
 * by address.
 */
#include "ddns/ddns_queue.h"

#include "base/rng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MIN = 64, BUCKETS_MAX = 65536 };

static uint32_t name_bucket(const struct ddns_queue *q, const char *fqdn)
{
	return (uint32_t)hash_bytes(&q->key, span_str(fqdn)) & q->mask;
}

static uint32_t addr_bucket(const struct ddns_queue *q, uint32_t addr)
{
	return hash_u32(addr) & q->mask;
}

int ddns_queue_init(struct ddns_queue *q, uint32_t max)
{
	uint32_t n = BUCKETS_MIN;
	struct rng rng;

	while (n < max && n < BUCKETS_MAX)
		n *= 2;
	*q = (struct ddns_queue){.mask = n - 1, .max = max};
	rng_seed_system(&rng);
	q->key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
	q->names = calloc(n, sizeof(struct ddns_entry *));
	q->addrs = calloc(n, sizeof(struct ddns_entry *));
	if (q->names && q->addrs)
		return 0;
	ddns_queue_fini(q);
	return -ENOMEM;
}

void ddns_queue_fini(struct ddns_queue *q)
{
	while (q->first) {
		struct ddns_entry *next = q->first->next;

		free(q->first);
		q->first = next;
	}
	free(q->names);
	free(q->addrs);
	*q = (struct ddns_queue){0};
}

void ddns_queue_limit(struct ddns_queue *q, uint32_t max)
{
	q->max = max;
}

/* Returns the last entry in the queue of the name; the function below does so for an address. */
static struct ddns_entry *last_of_name(const struct ddns_queue *q, const char *fqdn)
{
	struct ddns_entry *found = NULL;

	for (struct ddns_entry *e = q->names[name_bucket(q, fqdn)]; e; e = e->name_next)
		if (strcmp(e->r.fqdn, fqdn) == 0)
			found = e;
	return found;
}

static struct ddns_entry *last_of_addr(const struct ddns_queue *q, uint32_t addr)
{
	struct ddns_entry *found = NULL;

	for (struct ddns_entry *e = q->addrs[addr_bucket(q, addr)]; e; e = e->addr_next)
		if (e->r.addr == addr)
			found = e;
	return found;
}

/*
 * Replaces the last request of the name and address by a later one. An addition replaces either: it
 * is made in every mode as if the client's own records were there. A removal replaces an addition
 * that was not sent; records of an earlier one may be there, so it is sent itself.
 */
static bool merge_request(struct ddns_queue *q, const struct ddns_request *r)
{
	struct ddns_entry *e = last_of_name(q, r->fqdn);

	if (!e || e->out || e != last_of_addr(q, r->addr) || !ddns_request_same(&e->r, r) ||
	    e->r.forward != r->forward || e->r.reverse != r->reverse)
		return false;
	e->r = *r;
	return true;
}

enum ddns_put ddns_queue_put(struct ddns_queue *q, const struct ddns_request *r, bool merge)
{
	struct ddns_entry **at;
	struct ddns_entry *e;

	if ((merge || q->n >= q->max) && merge_request(q, r))
		return DDNS_PUT_MERGED;
	e = q->n < q->max ? calloc(1, sizeof(*e)) : NULL;
	if (!e)
		return DDNS_PUT_LOST;
	e->r = *r;
	e->prev = q->last;
	*(q->last ? &q->last->next : &q->first) = e;
	q->last = e;
	for (at = &q->names[name_bucket(q, r->fqdn)]; *at; at = &(*at)->name_next)
		continue;
	*at = e;
	for (at = &q->addrs[addr_bucket(q, r->addr)]; *at; at = &(*at)->addr_next)
		continue;
	*at = e;
	q->n++;
	return DDNS_PUT_ADDED;
}

bool ddns_queue_is_first(const struct ddns_queue *q, const struct ddns_entry *e)
{
	const struct ddns_entry *f = q->names[name_bucket(q, e->r.fqdn)];

	while (f != e && strcmp(f->r.fqdn, e->r.fqdn) != 0)
		f = f->name_next;
	if (f != e)
		return false;
	f = q->addrs[addr_bucket(q, e->r.addr)];
	while (f != e && f->r.addr != e->r.addr)
		f = f->addr_next;
	return f == e;
}

struct ddns_entry *ddns_queue_next(struct ddns_queue *q)
{
	for (struct ddns_entry *e = q->first; e; e = e->next)
		if (!e->out && ddns_queue_is_first(q, e))
			return e;
	return NULL;
}

void ddns_queue_remove(struct ddns_queue *q, struct ddns_entry *e)
{
	struct ddns_entry **at = &q->names[name_bucket(q, e->r.fqdn)];

	while (*at != e)
		at = &(*at)->name_next;
	*at = e->name_next;
	at = &q->addrs[addr_bucket(q, e->r.addr)];
	while (*at != e)
		at = &(*at)->addr_next;
	*at = e->addr_next;
	*(e->prev ? &e->prev->next : &q->first) = e->next;
	*(e->next ? &e->next->prev : &q->last) = e->prev;
	q->n--;
	free(e);
}
