/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The binding table: which address belongs to which client, where, until when. Of fixed size; found
 * by address and by hardware address; the next end in constant time, for any count. Keys are hashed
 * with a secret: strangers choose them. Knows no packets. One thread.
 */
#pragma once

#include "base/attr.h"
#include "base/hash.h"

#include <stdbool.h>

enum { GUARD_ID_LEN = 64, GUARD_ANY_PORT = 0xffff };

/* A client identifier; longer ones as their SHA-256. None: n is 0. */
struct guard_id {
	uint8_t n, octets[GUARD_ID_LEN];
};

void guard_id_of(struct span client_id, struct guard_id *ret);
bool guard_id_eq(const struct guard_id *a, const struct guard_id *b);

struct guard_binding {
	uint32_t address;
	uint8_t mac[6];
	uint32_t vlan;
	uint16_t port; /* GUARD_ANY_PORT: a fixed one without a port */
	bool fixed;    /* by configuration: nothing that passes changes it */
	bool live;
	struct guard_id id;
	int64_t end_ns;	       /* INT64_MAX: never; by guard_bindings_end only */
	int64_t seen_ns;       /* its client sent something */
	int64_t since_ns;      /* an acknowledgement said so; 0: a file or the server's list did */
	uint32_t server_round; /* the last list of the server's that it was on; 0: none */
	uint32_t next[2];      /* in its bucket, by address and by hardware address */
	uint32_t heap_at;
};

struct guard_bindings;

int guard_bindings_new(uint32_t max, const struct hash_key *key, struct guard_bindings **ret)
	must_check;
void guard_bindings_free(struct guard_bindings *t);

struct guard_binding *guard_bindings_find(struct guard_bindings *t, uint32_t vlan,
					  uint32_t address);
/* Returns the bindings of a hardware address one after the other: behind NULL the first. NULL:
 * there are no more. */
struct guard_binding *guard_bindings_of(struct guard_bindings *t, uint32_t vlan,
					const uint8_t mac[6], const struct guard_binding *after);
/* Adds a binding, without an end and a port, of an address that has none. NULL: the table is full.
 */
struct guard_binding *guard_bindings_add(struct guard_bindings *t, uint32_t vlan, uint32_t address,
					 const uint8_t mac[6]);
void guard_bindings_end(struct guard_bindings *t, struct guard_binding *b, int64_t end_ns);
void guard_bindings_remove(struct guard_bindings *t, struct guard_binding *b);
/* Returns a binding whose end has come; NULL: none. */
struct guard_binding *guard_bindings_over(struct guard_bindings *t, int64_t now_ns);
uint32_t guard_bindings_count(const struct guard_bindings *t);
bool guard_bindings_full(const struct guard_bindings *t);
/* Walks over all: the first with an index of at least *at, which is moved behind it; NULL: no
 * more. */
const struct guard_binding *guard_bindings_each(const struct guard_bindings *t, uint32_t *at);
