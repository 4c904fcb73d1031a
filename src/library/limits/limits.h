/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parts of the library limits: rate clocks (limits_rate.c), the table of a configuration's
 * limits (limits_read.c), classes in leases (limits_lease.c), callouts (limits.c).
 */
#pragma once

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/span.h"

#include <pthread.h>

struct config;
struct json;
struct lease_db;
struct library_problems;
struct log;

/* --- Rates ------------------------------------------------------------------------------------ */

/* "<n> packets per <period>". */
struct rate {
	uint32_t n;
	int64_t period_ns;
	const char *text;
};

struct limiter; /* the times of the packets of one class or subnet, or of a template's classes */

/* The limiters of a library, by key. They outlive configurations, while one of them has the key. */
enum { LIMITER_BUCKETS = 4096, LIMITER_SPAWNED_MAX = 65536 };
struct limiters {
	pthread_mutex_t mu; /* of the list; a limiter has a lock of its own */
	struct hash_key hash_key;
	struct limiter *buckets[LIMITER_BUCKETS];
};

void limiters_init(struct limiters *all);
void limiters_fini(struct limiters *all);
/* Returns the limiter of a key, with one more reference; NULL: memory is out. */
struct limiter *limiter_ref(struct limiters *all, const char *key);
void limiter_unref(struct limiters *all, struct limiter *l);

/* One limit of a packet. */
struct rate_use {
	struct limiter *limiter;
	const struct rate *rate;
	struct span name;     /* of the class */
	bool spawned;	      /* by a template: the limit is that of each name */
	unsigned order;	      /* of the checks, for the message */
	struct rate_log *log; /* of limiter_admit() */
};

/*
 * Counts a packet in all of its n limits, or in none if one of them is reached. Returns 0, or -1
 * with the order of the first one that is reached. Sorts the uses. Any thread.
 */
int limiter_admit(struct limiters *all, struct rate_use *uses, size_t n, int64_t now_ns,
		  unsigned *ret_order) must_check;

/* --- The table of a configuration ------------------------------------------------------------- */

struct limit {
	const char *name; /* of the class; NULL: of a subnet */
	uint32_t class_id, subnet_id;
	bool has_rate, has_address;
	struct rate rate;
	struct limiter *limiter; /* NULL: no rate */
	uint32_t address;
};

struct limits_table {
	struct arena arena;
	struct limiters *limiters;
	struct limit *all; /* owned limits, in the order of the configuration */
	size_t n_all;
	struct limit **by_class;  /* index = id of the class; NULL: none, or a template */
	struct limit **by_subnet; /* index = that of the subnet */
	struct limit **templates; /* of template classes with limits or without, longest name
				     first */
	size_t n_templates;
	bool rates, addresses; /* a class has one */
};

/* Reads the limits of all classes and subnets, and reports mistakes. t->arena is initialised. */
void limits_read(struct library_problems *p, const struct config *cfg, struct limits_table *t);
/* Connects the rates with limiters. False: memory is out. */
bool limits_connect(struct limits_table *t, struct limiters *all) must_check;
void limits_free(void *table);
/* Writes a log line for each limit. */
void limits_log(const struct limits_table *t, struct log *log);

/* --- Classes in leases ------------------------------------------------------------------------ */

/* Calls each for every class in a context (lease_names_fn). A context longer than
 * LIMITS_CONTEXT_MAX octets, which only a command can set, has none: it is read under a lock. */
enum { LIMITS_CONTEXT_MAX = 16384 };
void limits_names(const char *context, void (*each)(void *ctx, const char *name, size_t n),
		  void *ctx);

struct usher_call;
/* Returns `old` (NULL: none) with the classes of the packet, in its memory. NULL: memory is out. */
const char *limits_context(struct usher_call *call, const char *old);
