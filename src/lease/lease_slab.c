/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Slabs. Never a file mapping: a page touch there was measured at 24 to 90 us. Huge pages are
 * requested from the second chunk on, so that a small table stays small. A free item holds the
 * index of the next free one in its first four octets.
 */
#include "lease/lease_slab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

void slab_init(struct slab *s, uint32_t item, uint32_t bits)
{
	*s = (struct slab){.item = item, .bits = bits, .used = 1};
}

static size_t chunk_len(const struct slab *s)
{
	return (size_t)s->item << s->bits;
}

void slab_fini(struct slab *s)
{
	for (uint32_t i = 0; i < s->n_chunks; i++)
		(void)munmap(s->chunks[i], chunk_len(s));
	slab_ahead_drop(s);
	free(s->chunks);
	*s = (struct slab){0};
}

/* Maps a chunk; it begins at a place where a huge page can. */
static uint8_t *chunk_map(const struct slab *s)
{
	size_t len = chunk_len(s);
	size_t more = len < HUGE_PAGE ? 0 : HUGE_PAGE;
	uint8_t *p = mmap(NULL, len + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	if (!more)
		return p;
	before = -(uintptr_t)p & (HUGE_PAGE - 1);
	if (before)
		(void)munmap(p, before);
	if (before < more)
		(void)munmap(p + before + len, more - before);
	if (s->n_chunks > 0)
		(void)madvise(p + before, len, MADV_HUGEPAGE);
	return p + before;
}

void *slab_ahead(struct slab *s, size_t *ret_len)
{
	/* a small table stays small */
	if (s->ahead || s->n_chunks < 2)
		return NULL;
	s->ahead = chunk_map(s);
	*ret_len = chunk_len(s);
	return s->ahead;
}

void slab_ahead_touch(void *chunk, size_t len)
{
	/* an older kernel clears it when it is used */
	(void)madvise(chunk, len, MADV_POPULATE_WRITE);
}

void slab_ahead_drop(struct slab *s)
{
	if (s->ahead)
		(void)munmap(s->ahead, chunk_len(s));
	s->ahead = NULL;
}

static int slab_grow(struct slab *s)
{
	uint8_t **chunks = reallocarray(s->chunks, s->n_chunks + 1, sizeof(*chunks));
	void *p;

	if (!chunks)
		return -1;
	s->chunks = chunks;
	p = s->ahead ? s->ahead : chunk_map(s);
	if (!p)
		return -1;
	s->ahead = NULL;
	s->chunks[s->n_chunks++] = p;
	return 0;
}

uint32_t slab_new(struct slab *s)
{
	uint32_t idx = s->free_head;

	if (idx) {
		memcpy(&s->free_head, slab_at(s, idx), sizeof(s->free_head));
		memset(slab_at(s, idx), 0, s->item);
		s->n_live++;
		return idx;
	}
	if (s->used == 1U << SLAB_IDX_BITS)
		return 0;
	if (s->used >> s->bits >= s->n_chunks && slab_grow(s) < 0)
		return 0;
	s->n_live++;
	return s->used++;
}

void slab_free(struct slab *s, uint32_t idx)
{
	memcpy(slab_at(s, idx), &s->free_head, sizeof(s->free_head));
	s->free_head = idx;
	s->n_live--;
}

bool slab_take(struct slab *s, uint32_t used)
{
	if (used <= s->used)
		return true;
	if (used > 1U << SLAB_IDX_BITS)
		return false;
	while ((uint64_t)s->n_chunks << s->bits < used)
		if (slab_grow(s) < 0)
			return false;
	s->n_live += used - s->used;
	s->used = used;
	return true;
}
