/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bump allocators. A *fixed* arena lives in memory of the caller's and never grows: it serves
 * the packet path, one a packet slot, reset after the verdict; when it is full, allocation
 * gives NULL. A *growing* arena chains heap blocks: it serves configurations, which are built
 * once and freed whole. One thread at a time.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct arena_block;

struct arena {
	uint8_t *base;
	size_t cap;
	size_t used;
	bool grows;
	bool failed; /* of a fixed arena: an allocation was refused since the last reset */
	struct arena_block *blocks; /* of a growing arena, newest first */
};

/* A fixed arena over buf[cap]; borrows buf. */
void arena_init_fixed(struct arena *a, void *buf, size_t cap);
/* A growing arena; takes no memory until the first allocation. */
void arena_init(struct arena *a);
/* Frees the blocks of a growing arena, and makes it empty. */
void arena_free_blocks(struct arena *a);

/* Forgets everything allocated; a fixed arena keeps its buffer. */
static inline void arena_reset(struct arena *a)
{
	a->used = 0;
	a->failed = false;
	if (a->grows)
		arena_free_blocks(a);
}

/* Frees the blocks of a growing arena. Accepts zeroed objects. */
void arena_fini(struct arena *a);

/* A place in a fixed arena, to give back all that is allocated behind it. */
static inline size_t arena_mark(const struct arena *a)
{
	return a->used;
}

static inline void arena_rewind(struct arena *a, size_t mark)
{
	if (!a->grows)
		a->used = mark;
}

/* n octets aligned for any type, not cleared. NULL when a fixed arena is full or memory is out. */
void *arena_alloc(struct arena *a, size_t n) must_check;
/* Gives back all but the first n octets of the newest allocation, which p is. */
void arena_trim(struct arena *a, void *p, size_t n);
/* Rewinds to mark and moves p[n], which lies behind it, there. */
void *arena_keep(struct arena *a, size_t mark, const void *p, size_t n) must_check;
/* The same as arena_alloc, cleared. */
void *arena_zalloc(struct arena *a, size_t n) must_check;
/* count * size, cleared, with the multiplication checked. */
void *arena_calloc(struct arena *a, size_t count, size_t size) must_check;
/* Copy of n octets at p. */
void *arena_memdup(struct arena *a, const void *p, size_t n) must_check;
/* Copy of s with a NUL behind it. */
char *arena_strndup(struct arena *a, const char *s, size_t n) must_check;
char *arena_strdup(struct arena *a, const char *s) must_check;
/* printf into the arena. */
char *arena_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3) must_check;

#define arena_new(a, type)	((type *)arena_zalloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_calloc((a), (n), sizeof(type)))
