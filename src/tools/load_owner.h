/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The owner of each address, over all of IPv4: the check that no address is given to two clients.
 * Memory is reserved, not taken: it costs the pages that the addresses in use lie on, four octets
 * an address, or one bit where only the fact counts. One thread at a time.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_NOBODY UINT32_MAX

struct load_owners {
	uint32_t *owner;	   /* client + 1 by address, or NULL */
	uint64_t *taken;	   /* a bit an address, or NULL */
	uint64_t used[65536 / 64]; /* which /16 was ever touched */
	uint64_t n;		   /* addresses taken */
};

/* Initializes the table. named: keep the client of each address. Returns 0 or -errno. */
int load_owners_init(struct load_owners *o, bool named) must_check;
void load_owners_fini(struct load_owners *o);
/*
 * Notes that client has addr. Returns false if another client has it (and keeps it). Without names
 * every second claim counts as another client's, so a renewing client must not claim again.
 */
bool load_owners_claim(struct load_owners *o, uint32_t addr, uint32_t client);
void load_owners_release(struct load_owners *o, uint32_t addr);
/* Returns the client of an address, or LOAD_NOBODY; only with names. */
uint32_t load_owners_of(const struct load_owners *o, uint32_t addr);
/* Finds the next taken address from *addr on; only with names. Returns false at the end. */
bool load_owners_next(const struct load_owners *o, uint64_t *addr);

/* Returns zeroed memory of which only touched pages are taken; NULL: none. */
void *load_reserve(size_t len) must_check;
void load_unreserve(void *p, size_t len);
/* Returns a bit for every IPv4 address, all clear; NULL when there is no memory. */
uint64_t *load_bitmap_new(void) must_check;
void load_bitmap_free(uint64_t *b);
