/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A hash table from octets to a number, in an arena; it grows and never shrinks. Used while loading
 * (duplicates) and behind the look-ups of a configuration. Readers need no lock once it is built.
 */
#pragma once

#include "base/arena.h"

struct config_map_slot {
	struct span key;
	uint64_t hash;
	uint32_t value;
};

struct config_map {
	struct config_map_slot *slots;
	uint8_t *tags; /* of each slot; 0: free */
	size_t cap;    /* a power of two, or 0 */
	size_t n;
};

/* Adds a key, which is copied. 1: added; 0: the key is there already (*ret_old is its value);
 * -USHER_E_NOMEM. */
int config_map_put(struct config_map *m, struct arena *a, struct span key, uint32_t value,
		   uint32_t *ret_old) must_check;
bool config_map_get(const struct config_map *m, struct span key, uint32_t *ret);
