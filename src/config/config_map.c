/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Open addressing with linear probing, at most half full. Keys of a configuration are the
 * operator's own and packets change nothing, so the hash needs no secret. Each slot has a tag, an
 * octet of its hash, in an array of its own. An absent key is mostly recognised by the tags alone;
 * they fit the cache, which the slots of a hundred thousand reservations do not.
 */
#include "config/config_map.h"

#include "base/error.h"
#include "base/hash.h"

enum { FIRST_CAP = 64 };

/* Returns the tag of a slot that is taken: never 0. */
static uint8_t tag_of(uint64_t hash)
{
	return (uint8_t)(hash >> 56 | 1);
}

/* Returns the slot of the key, or its free slot. */
static size_t find_slot(const struct config_map *m, struct span key, uint64_t hash)
{
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		const struct config_map_slot *s = &m->slots[i];

		if (!m->tags[i] ||
		    (m->tags[i] == tag_of(hash) && s->hash == hash && span_eq(s->key, key)))
			return i;
	}
}

static int grow_map(struct config_map *m, struct arena *a)
{
	struct config_map bigger = {.cap = m->cap ? 2 * m->cap : FIRST_CAP, .n = m->n};

	bigger.slots = arena_array(a, struct config_map_slot, bigger.cap);
	bigger.tags = arena_array(a, uint8_t, bigger.cap);
	if (!bigger.slots || !bigger.tags)
		return -USHER_E_NOMEM;
	for (size_t i = 0; i < m->cap; i++) {
		size_t to;

		if (!m->tags[i])
			continue;
		to = find_slot(&bigger, m->slots[i].key, m->slots[i].hash);
		bigger.slots[to] = m->slots[i];
		bigger.tags[to] = m->tags[i];
	}
	*m = bigger;
	return 0;
}

int config_map_put(struct config_map *m, struct arena *a, struct span key, uint32_t value,
		   uint32_t *ret_old)
{
	uint64_t hash = hash_open(key);
	struct config_map_slot *s;
	size_t at;

	if (2 * (m->n + 1) > m->cap && grow_map(m, a) < 0)
		return -USHER_E_NOMEM;
	at = find_slot(m, key, hash);
	s = &m->slots[at];
	if (m->tags[at]) {
		*ret_old = s->value;
		return 0;
	}
	s->key = span_of(arena_memdup(a, key.p, key.n), key.n);
	if (!s->key.p)
		return -USHER_E_NOMEM;
	s->hash = hash;
	s->value = value;
	m->tags[at] = tag_of(hash);
	m->n++;
	return 1;
}

bool config_map_get(const struct config_map *m, struct span key, uint32_t *ret)
{
	size_t at;

	if (!m->cap)
		return false;
	at = find_slot(m, key, hash_open(key));
	if (!m->tags[at])
		return false;
	*ret = m->slots[at].value;
	return true;
}
