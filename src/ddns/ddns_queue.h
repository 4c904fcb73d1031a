/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The queue of requests: bounded, in order of arrival. Of a name, and of an address, at most one
 * request is out at a time, and none overtakes another. Requests that wait are merged with later
 * ones of the same name, address and client where the result is the same. Not thread-safe.
 */
#pragma once

#include "base/hash.h"
#include "ddns/ddns_request.h"

struct ddns_entry {
	struct ddns_request r;
	bool out; /* being sent: it stays as it is */
	struct ddns_entry *prev, *next;
	struct ddns_entry *name_next, *addr_next; /* in their buckets */
};

struct ddns_queue {
	struct ddns_entry *first, *last;
	struct ddns_entry **names, **addrs; /* buckets */
	struct hash_key key;		    /* clients choose names */
	uint32_t mask;
	uint32_t n, max;
};

enum ddns_put { DDNS_PUT_ADDED, DDNS_PUT_MERGED, DDNS_PUT_LOST };

int ddns_queue_init(struct ddns_queue *q, uint32_t max) must_check;
void ddns_queue_fini(struct ddns_queue *q);
/* Sets the bound; requests beyond a smaller one stay. */
void ddns_queue_limit(struct ddns_queue *q, uint32_t max);
/* Adds a request. merge: requests may be merged also where the queue is not full. */
enum ddns_put ddns_queue_put(struct ddns_queue *q, const struct ddns_request *r, bool merge);
/* Returns the first request that is not out, and waits for no earlier one. NULL: none. */
struct ddns_entry *ddns_queue_next(struct ddns_queue *q);
/* Removes a request that is done or given up. */
void ddns_queue_remove(struct ddns_queue *q, struct ddns_entry *e);
/* Returns whether no earlier request of its name or address is in the queue. */
bool ddns_queue_is_first(const struct ddns_queue *q, const struct ddns_entry *e);
