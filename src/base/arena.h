/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bump allocators. A *fixed* arena lives in the caller's memory and never grows. It serves the
 * packet path: each packet slot has one, reset after the verdict. When it is full, allocation
 * returns NULL. A *growing* arena chains heap blocks: it serves configurations, which are built
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

/* Initialises a fixed arena over buf[cap]; borrows buf. */
void arena_init_fixed(struct arena *a, void *buf, size_t cap);
/* Initialises a growing arena, which takes no memory until the first allocation. */
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

/* Returns the current position of a fixed arena. arena_rewind() releases everything allocated
 * behind it. */
static inline size_t arena_mark(const struct arena *a)
{
	return a->used;
}

static inline void arena_rewind(struct arena *a, size_t mark)
{
	if (!a->grows)
		a->used = mark;
}

/* Returns n octets aligned for any type, not cleared. NULL when a fixed arena is full or memory is
 * out. */
void *arena_alloc(struct arena *a, size_t n) must_check;
/* Gives back the newest allocation p but for its first n octets. */
void arena_trim(struct arena *a, void *p, size_t n);
/* Rewinds to mark and moves the octets p[n], which lie behind it, there. Returns their new
 * address. */
void *arena_keep(struct arena *a, size_t mark, const void *p, size_t n) must_check;
/* Returns n cleared octets aligned for any type. NULL when a fixed arena is full or memory is
 * out. */
void *arena_zalloc(struct arena *a, size_t n) must_check;
/* Returns count * size cleared octets. NULL also when the product overflows. */
void *arena_calloc(struct arena *a, size_t count, size_t size) must_check;
/* Returns a copy of the n octets at p. */
void *arena_memdup(struct arena *a, const void *p, size_t n) must_check;
/* Returns a copy of the n octets at s with a NUL behind it. */
char *arena_strndup(struct arena *a, const char *s, size_t n) must_check;
char *arena_strdup(struct arena *a, const char *s) must_check;
/* Returns the formatted text, in the arena. */
char *arena_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3) must_check;

#define arena_new(a, type)	((type *)arena_zalloc((a), sizeof(type)))
#define arena_array(a, type, n) ((type *)arena_calloc((a), (n), sizeof(type)))
