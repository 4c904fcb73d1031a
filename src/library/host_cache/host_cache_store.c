/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The cache: a list in the order of use, and two hash tables over it. Identifiers come from
 * strangers, so the hash has a secret key. The lock is held for a look-up only; entries are freed
 * outside of it, by their last user.
 */
#include "library/host_cache/host_cache.h"

#include "base/rng.h"

#include <errno.h>
#include <stdlib.h>

enum { BUCKETS_MIN = 64 };

int host_cache_init(struct host_cache *c)
{
	struct rng rng;

	rng_seed_system(&rng);
	c->key = (struct hash_key){rng_u64(&rng), rng_u64(&rng)};
	c->n_buckets = BUCKETS_MIN;
	c->ids = calloc(c->n_buckets, sizeof(struct cached_host *));
	c->addrs = calloc(c->n_buckets, sizeof(struct cached_host *));
	(void)pthread_mutex_init(&c->mu, NULL);
	if (c->ids && c->addrs)
		return 0;
	host_cache_fini(c);
	return -ENOMEM;
}

static uint64_t hash_id(const struct host_cache *c, uint32_t subnet_id, enum config_host_id type,
			struct span id)
{
	return hash_bytes(&c->key, id) ^ hash_u32(subnet_id * HOST_ID_N + (uint32_t)type);
}

static uint64_t hash_addr(uint32_t subnet_id, uint32_t addr)
{
	return hash_u32(addr ^ hash_u32(subnet_id));
}

/* --- The list --------------------------------------------------------------------------------- */

static void link_newest(struct host_cache *c, struct cached_host *h)
{
	h->older = c->newest;
	h->newer = NULL;
	if (c->newest)
		c->newest->newer = h;
	else
		c->oldest = h;
	c->newest = h;
}

static void unlink_entry(struct host_cache *c, struct cached_host *h)
{
	if (h->newer)
		h->newer->older = h->older;
	else
		c->newest = h->older;
	if (h->older)
		h->older->newer = h->newer;
	else
		c->oldest = h->newer;
}

/* --- The tables ------------------------------------------------------------------------------- */

static void add_to_buckets(struct host_cache *c, struct cached_host *h)
{
	struct cached_host **id = &c->ids[h->id_hash & (c->n_buckets - 1)];
	struct cached_host **addr = &c->addrs[h->addr_hash & (c->n_buckets - 1)];

	h->id_next = *id;
	*id = h;
	h->addr_next = *addr;
	*addr = h;
}

static void remove_from_buckets(struct host_cache *c, struct cached_host *h)
{
	struct cached_host **id = &c->ids[h->id_hash & (c->n_buckets - 1)];
	struct cached_host **addr = &c->addrs[h->addr_hash & (c->n_buckets - 1)];

	while (*id != h)
		id = &(*id)->id_next;
	*id = h->id_next;
	while (*addr != h)
		addr = &(*addr)->addr_next;
	*addr = h->addr_next;
}

/* Doubles the tables. Without memory they stay as they are, and become slower. */
static void grow_tables(struct host_cache *c)
{
	size_t n = 2 * c->n_buckets;
	struct cached_host **ids = calloc(n, sizeof(struct cached_host *));
	struct cached_host **addrs = calloc(n, sizeof(struct cached_host *));

	if (!ids || !addrs) {
		free(ids);
		free(addrs);
		return;
	}
	free(c->ids);
	free(c->addrs);
	c->ids = ids;
	c->addrs = addrs;
	c->n_buckets = n;
	for (struct cached_host *h = c->oldest; h; h = h->newer)
		add_to_buckets(c, h);
}

static struct cached_host *seek_id(const struct host_cache *c, uint64_t hash, uint32_t subnet_id,
				   enum config_host_id type, struct span id)
{
	struct cached_host *h = c->ids[hash & (c->n_buckets - 1)];

	while (h && (h->id_hash != hash || h->host.subnet_id != subnet_id ||
		     h->host.id_type != type || !span_eq(h->host.id, id)))
		h = h->id_next;
	return h;
}

static struct cached_host *seek_addr(const struct host_cache *c, uint32_t subnet_id, uint32_t addr)
{
	struct cached_host *h = c->addrs[hash_addr(subnet_id, addr) & (c->n_buckets - 1)];

	while (h && (h->host.subnet_id != subnet_id || h->host.addr != addr))
		h = h->addr_next;
	return h;
}

/* --- Changes ---------------------------------------------------------------------------------- */

/* Takes an entry out, and puts it before the removed ones, which are chained by id_next. */
static void take_out(struct host_cache *c, struct cached_host *h, struct cached_host **removed)
{
	unlink_entry(c, h);
	remove_from_buckets(c, h);
	h->id_next = *removed;
	*removed = h;
	c->n--;
}

static size_t free_removed(struct cached_host *removed)
{
	size_t n = 0;

	while (removed) {
		struct cached_host *next = removed->id_next;

		cached_host_unref(removed);
		removed = next;
		n++;
	}
	return n;
}

size_t host_cache_insert(struct host_cache *c, struct cached_host *h)
{
	struct cached_host *doubles = NULL, *over = NULL, *old;
	bool in_subnet = h->host.subnet_id != HOST_CACHE_NO_SUBNET;

	h->id_hash = hash_id(c, h->host.subnet_id, h->host.id_type, h->host.id);
	h->addr_hash = hash_addr(h->host.subnet_id, h->host.addr);
	(void)pthread_mutex_lock(&c->mu);
	old = in_subnet ? seek_id(c, h->id_hash, h->host.subnet_id, h->host.id_type, h->host.id)
			: NULL;
	if (old)
		take_out(c, old, &doubles);
	old = in_subnet && h->host.addr ? seek_addr(c, h->host.subnet_id, h->host.addr) : NULL;
	if (old)
		take_out(c, old, &doubles);
	if (c->n >= c->n_buckets)
		grow_tables(c);
	link_newest(c, h);
	add_to_buckets(c, h);
	c->n++;
	if (c->maximum && c->n > c->maximum)
		take_out(c, c->oldest, &over);
	(void)pthread_mutex_unlock(&c->mu);
	(void)free_removed(over);
	return free_removed(doubles);
}

/* Makes an entry the newest, and takes a reference. NULL gives NULL. */
static struct cached_host *use_entry(struct host_cache *c, struct cached_host *h)
{
	if (!h)
		return NULL;
	unlink_entry(c, h);
	link_newest(c, h);
	return cached_host_ref(h);
}

struct cached_host *host_cache_find(struct host_cache *c, uint32_t subnet_id,
				    enum config_host_id type, struct span id)
{
	uint64_t hash = hash_id(c, subnet_id, type, id);
	struct cached_host *h;

	(void)pthread_mutex_lock(&c->mu);
	h = use_entry(c, seek_id(c, hash, subnet_id, type, id));
	(void)pthread_mutex_unlock(&c->mu);
	return h;
}

struct cached_host *host_cache_find_addr(struct host_cache *c, uint32_t subnet_id, uint32_t addr)
{
	struct cached_host *h;

	(void)pthread_mutex_lock(&c->mu);
	h = use_entry(c, seek_addr(c, subnet_id, addr));
	(void)pthread_mutex_unlock(&c->mu);
	return h;
}

size_t host_cache_remove(struct host_cache *c, struct cached_host *h)
{
	struct cached_host *removed = NULL;

	(void)pthread_mutex_lock(&c->mu);
	for (struct cached_host *e = c->ids[h->id_hash & (c->n_buckets - 1)]; e; e = e->id_next) {
		if (e == h) {
			take_out(c, h, &removed);
			break;
		}
	}
	(void)pthread_mutex_unlock(&c->mu);
	return free_removed(removed);
}

size_t host_cache_flush(struct host_cache *c, uint64_t n)
{
	struct cached_host *removed = NULL;

	(void)pthread_mutex_lock(&c->mu);
	while (n-- && c->oldest)
		take_out(c, c->oldest, &removed);
	(void)pthread_mutex_unlock(&c->mu);
	return free_removed(removed);
}

size_t host_cache_size(struct host_cache *c)
{
	size_t n;

	(void)pthread_mutex_lock(&c->mu);
	n = c->n;
	(void)pthread_mutex_unlock(&c->mu);
	return n;
}

struct cached_host **host_cache_list(struct host_cache *c, size_t *ret_n)
{
	struct cached_host **list;
	size_t n = 0;

	(void)pthread_mutex_lock(&c->mu);
	list = calloc(c->n + 1, sizeof(*list));
	for (struct cached_host *h = c->oldest; h && list; h = h->newer)
		list[n++] = cached_host_ref(h);
	(void)pthread_mutex_unlock(&c->mu);
	*ret_n = n;
	return list;
}

void host_cache_list_free(struct cached_host **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cached_host_unref(list[i]);
	free(list);
}

void host_cache_fini(struct host_cache *c)
{
	(void)host_cache_flush(c, UINT64_MAX);
	free(c->ids);
	free(c->addrs);
	(void)pthread_mutex_destroy(&c->mu);
}
