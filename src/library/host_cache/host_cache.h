/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of the library host_cache: entries (host_cache_entry.c), the cache itself
 * (host_cache_store.c), its commands (host_cache_command.c, host_cache_file.c), parameters and
 * callouts (host_cache.c).
 */
#pragma once

#include "base/arena.h"
#include "base/hash.h"
#include "config/config.h"
#include "hook/host_source.h"

#include <pthread.h>
#include <stdatomic.h>

struct log;

/* --- Entries ---------------------------------------------------------------------------------- */

/* The subnet-id of an entry that belongs to no subnet of its IP version. */
#define HOST_CACHE_NO_SUBNET UINT32_MAX

/*
 * An entry. Its contents do not change. The cache has a reference to it, and so has each user.
 */
struct cached_host {
	struct config_host host; /* first: release() casts back */
	_Atomic int refs;
	struct arena arena;	 /* of all below; fixed, in mem */
	void *mem;		 /* NULL: the arena grows */
	const struct json *v6;	 /* a map of the members for IPv6 */
	const void *class_names; /* the numbers of its classes are those of this table */
	bool has_classes;
	bool negative; /* there is no such reservation */
	uint32_t subnet6;
	uint64_t host_id;
	/* of the cache, under its lock */
	struct cached_host *newer, *older;
	struct cached_host *id_next, *addr_next; /* in their buckets */
	uint64_t id_hash, addr_hash;
};

/* Makes an entry of a map with the members of Kea's entries. 0 and a reference; -USHER_E_CONFIG
 * with *err; -USHER_E_NOMEM. */
int cached_host_read(const struct config *cfg, const struct json *entry, struct cached_host **ret,
		     struct config_error *err) must_check;
/* Makes an entry of the body of a reservation command, as above. */
int cached_host_of_reservation(const struct config *cfg, const struct json *body,
			       struct cached_host **ret, struct config_error *err) must_check;
/* Makes the entry anew for the class numbers of another configuration, as above. */
int cached_host_renew(const struct config *cfg, const struct cached_host *h,
		      struct cached_host **ret) must_check;
struct cached_host *cached_host_ref(struct cached_host *h);
void cached_host_unref(struct cached_host *h); /* accepts NULL */
/* Returns the entry as Kea shows it. NULL: out of memory. */
struct json *cached_host_show(struct arena *a, const struct cached_host *h) must_check;

/* --- The cache -------------------------------------------------------------------------------- */

struct host_cache {
	struct arena arena;
	uint64_t maximum; /* 0: none */
	const struct config *cfg;
	struct log *log;
	struct host_source source;
	struct hash_key key;
	pthread_mutex_t mu; /* of all below */
	struct cached_host *newest, *oldest;
	struct cached_host **ids, **addrs; /* n_buckets each */
	size_t n_buckets, n;
};

/* Prepares the buckets. 0 or -ENOMEM. */
int host_cache_init(struct host_cache *c) must_check;
void host_cache_fini(struct host_cache *c);
/* Any thread calls the functions below. */

/* Puts an entry in as the newest, and takes over the reference. Entries of its identifier or its
 * address in its subnet are removed. Returns how many those were. */
size_t host_cache_insert(struct host_cache *c, struct cached_host *h);
/* Returns the entry of an identifier, or address, in a subnet, which becomes the newest, with a
 * reference; NULL: none. */
struct cached_host *host_cache_find(struct host_cache *c, uint32_t subnet_id,
				    enum config_host_id type, struct span id) must_check;
struct cached_host *host_cache_find_addr(struct host_cache *c, uint32_t subnet_id, uint32_t addr)
	must_check;
/* Removes entries: one; the n oldest. Returns how many those were. */
size_t host_cache_remove(struct host_cache *c, struct cached_host *h);
size_t host_cache_flush(struct host_cache *c, uint64_t n);
size_t host_cache_size(struct host_cache *c);
/* Returns references to all entries, the oldest first, for host_cache_list_free(). NULL: out of
 * memory. */
struct cached_host **host_cache_list(struct host_cache *c, size_t *ret_n) must_check;
void host_cache_list_free(struct cached_host **list, size_t n);

/* --- Commands --------------------------------------------------------------------------------- */

struct control_call;
struct usher_lib;

int host_cache_commands(struct usher_lib *lib, struct host_cache *c) must_check;
/* Answers a command that failed, and logs the reason. */
struct json *host_cache_fail(struct control_call *call, int log_id, const char *fmt, ...)
	printf_like(3, 4);
/* Called for cache-write and cache-load. */
void host_cache_write_work(struct control_call *call);
struct json *host_cache_write(struct control_call *call);
void host_cache_load_work(struct control_call *call);
struct json *host_cache_load(struct control_call *call);
