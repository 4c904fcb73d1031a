/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Keyed hashing (SipHash-1-3): client identifiers come from strangers, so a table whose
 * order they could predict could be made to collide. One key a process, drawn at start;
 * simulation sets it, so that a run can be repeated.
 */
#pragma once

#include "base/span.h"

struct hash_key {
	uint64_t k0, k1;
};

uint64_t hash_bytes(const struct hash_key *key, struct span s);
/* Returns a fast hash without a secret, for tables that strangers cannot add keys to. */
uint64_t hash_open(struct span s);
/* Mixes values that strangers cannot choose freely (addresses, small integers), at low cost. */
static inline uint32_t hash_u32(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x7feb352dU;
	x ^= x >> 15;
	x *= 0x846ca68bU;
	x ^= x >> 16;
	return x;
}
