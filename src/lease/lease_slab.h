/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Slabs: items of one size in big chunks of anonymous memory, named by a 32-bit index that stays
 * valid while the slab grows. Index 0 is never handed out. The owner locks.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SLAB_IDX_BITS = 28 }; /* an index never needs more */

struct slab {
	uint8_t **chunks;
	uint32_t n_chunks;
	uint32_t item; /* octets, a multiple of 8 */
	uint32_t bits; /* 2^bits items a chunk */
	uint32_t used; /* indexes ever handed out, plus one */
	uint32_t free_head;
	uint32_t n_live;
	uint8_t *ahead; /* the next chunk, mapped before it is needed, or NULL */
};

void slab_init(struct slab *s, uint32_t item, uint32_t bits);
void slab_fini(struct slab *s);
/* Returns a zeroed item; 0: memory is out. */
uint32_t slab_new(struct slab *s);
void slab_free(struct slab *s, uint32_t idx);
/* Hands out all indexes below `used` that never were. False: memory is out. */
bool slab_take(struct slab *s, uint32_t used) must_check;

/*
 * Returns the next chunk, once each, for another thread to have the kernel clear it; NULL: nothing
 * to do. Called under the owner's lock. slab_ahead_touch() clears it, without the lock;
 * slab_ahead_drop() ends this.
 */
void *slab_ahead(struct slab *s, size_t *ret_len);
void slab_ahead_touch(void *chunk, size_t len);
void slab_ahead_drop(struct slab *s);

static inline void *slab_at(const struct slab *s, uint32_t idx)
{
	return s->chunks[idx >> s->bits] + (size_t)(idx & ((1U << s->bits) - 1)) * s->item;
}
