/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Open addressing with linear probing, at most half full. Keys of a configuration are the
 * operator's own, so the hash's key may be fixed; what it holds is never changed by packets.
 */
#include "config/config_map.h"

#include "base/error.h"
#include "base/hash.h"

enum { FIRST_CAP = 64 };

static uint64_t hash_of(struct span key)
{
	static const struct hash_key fixed = {0x7573686572636667ULL, 0x6d61707365656430ULL};

	return hash_bytes(&fixed, key);
}

static struct config_map_slot *find(const struct config_map *m, struct span key, uint64_t hash)
{
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct config_map_slot *s = &m->slots[i];

		if (!s->key.p || (s->hash == hash && span_eq(s->key, key)))
			return s;
	}
}

static int grow(struct config_map *m, struct arena *a)
{
	struct config_map bigger = {.cap = m->cap ? 2 * m->cap : FIRST_CAP, .n = m->n};

	bigger.slots = arena_array(a, struct config_map_slot, bigger.cap);
	if (!bigger.slots)
		return -USHER_E_NOMEM;
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].key.p)
			*find(&bigger, m->slots[i].key, m->slots[i].hash) = m->slots[i];
	*m = bigger;
	return 0;
}

int config_map_put(struct config_map *m, struct arena *a, struct span key, uint32_t value,
		   uint32_t *ret_old)
{
	uint64_t hash = hash_of(key);
	struct config_map_slot *s;

	if (2 * (m->n + 1) > m->cap && grow(m, a) < 0)
		return -USHER_E_NOMEM;
	s = find(m, key, hash);
	if (s->key.p) {
		*ret_old = s->value;
		return 0;
	}
	s->key = span_of(arena_memdup(a, key.p, key.n), key.n);
	if (!s->key.p)
		return -USHER_E_NOMEM;
	s->hash = hash;
	s->value = value;
	m->n++;
	return 1;
}

bool config_map_get(const struct config_map *m, struct span key, uint32_t *ret)
{
	const struct config_map_slot *s;

	if (!m->cap)
		return false;
	s = find(m, key, hash_of(key));
	if (!s->key.p)
		return false;
	*ret = s->value;
	return true;
}
