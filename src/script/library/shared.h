/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Tables that the states of all workers share: haka.shared(name). A value is copied in and out, so
 * no state sees another's memory; each operation is one short critical section of its table.
 * Bounded: by memory over all tables, and each table by entries and age where it says so. Knows no
 * Lua. Any thread may call.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/span.h"

enum { SHARED_TABLES = 64, SHARED_NAME_LEN = 64, SHARED_TEXT_MAX = 64 * 1024 };
enum { SHARED_MEMORY = 64 * 1024 * 1024 }; /* of a store, by default */

enum shared_type { SHARED_NIL, SHARED_BOOLEAN, SHARED_NUMBER, SHARED_ADDRESS, SHARED_TEXT };

struct shared_value {
	enum shared_type type;
	double number;	  /* BOOLEAN 0 or 1; ADDRESS in host order */
	struct span text; /* borrowed */
};

struct shared_store;
struct shared_table;

/* Makes a store; memory: octets that its tables may hold together. 0, -ENOMEM. */
int shared_store_new(size_t memory, const struct hash_key *key, struct shared_store **ret)
	must_check;
void shared_store_free(struct shared_store *s);

struct shared_limits {
	uint32_t max; /* entries: the one that was written longest ago goes; 0: as memory allows */
	int64_t ttl_ns; /* so long after it was written an entry is gone; 0: never */
};

/* Opens the table of a name, which is made if there is none. 0; -USHER_E_EXISTS: it has other
 * limits; -USHER_E_LIMIT: too many tables; -ENOMEM. */
int shared_table_open(struct shared_store *s, const char *name, const struct shared_limits *l,
		      struct shared_table **ret) must_check;

/* Reads the value of a key, SHARED_NIL if there is none. Text lies in *buf, which is overwritten.
 * 0, -ENOMEM. */
int shared_get(struct shared_table *t, const struct shared_value *key, int64_t now_ns,
	       struct buf *buf, struct shared_value *ret) must_check;
/* Sets the value of a key; SHARED_NIL removes it. 0; -USHER_E_LIMIT: the store is full. */
int shared_set(struct shared_table *t, const struct shared_value *key, const struct shared_value *v,
	       int64_t now_ns) must_check;
/* Adds n to a number; an absent one counts as 0. 0; -USHER_E_TYPE: it is no number;
 * -USHER_E_LIMIT. */
int shared_add(struct shared_table *t, const struct shared_value *key, double n, int64_t now_ns,
	       double *ret) must_check;
/* Sets v if the key's value is `expected`. 1: it was; 0: it was not; -USHER_E_LIMIT. */
int shared_swap(struct shared_table *t, const struct shared_value *key,
		const struct shared_value *expected, const struct shared_value *v, int64_t now_ns)
	must_check;
uint32_t shared_count(struct shared_table *t, int64_t now_ns);

/* Copies all entries of one moment to *buf, oldest first: shared_next() walks them. Returns how
 * many, or -ENOMEM. */
int shared_copy(struct shared_table *t, int64_t now_ns, struct buf *buf, uint32_t *ret_n)
	must_check;
/* Reads the entry at *at, which is moved behind it. False: there are no more. */
bool shared_next(const struct buf *buf, size_t *at, struct shared_value *ret_key,
		 struct shared_value *ret_value);
