/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bump allocators, fixed and growing. Invariant: used <= cap, and every pointer handed out is
 * aligned to ARENA_ALIGN. A growing arena's current block is blocks (the head of the chain).
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_ALIGN = 16, ARENA_BLOCK = 64 * 1024 };

struct arena_block {
	struct arena_block *next;
	_Alignas(ARENA_ALIGN) uint8_t data[];
};

void arena_init_fixed(struct arena *a, void *buf, size_t cap)
{
	size_t skew = (ARENA_ALIGN - ((uintptr_t)buf & (ARENA_ALIGN - 1))) & (ARENA_ALIGN - 1);

	*a = (struct arena){.grows = false};
	if (skew < cap) {
		a->base = (uint8_t *)buf + skew;
		a->cap = cap - skew;
	}
}

void arena_init(struct arena *a)
{
	*a = (struct arena){.grows = true};
}

static void blocks_free(struct arena_block *b)
{
	while (b) {
		struct arena_block *next = b->next;

		free(b);
		b = next;
	}
}

void arena_free_blocks(struct arena *a)
{
	blocks_free(a->blocks);
	arena_init(a);
}

void arena_fini(struct arena *a)
{
	if (a->grows)
		blocks_free(a->blocks);
	*a = (struct arena){.grows = a->grows};
}

static bool arena_grow(struct arena *a, size_t need)
{
	size_t cap = need > ARENA_BLOCK ? need : ARENA_BLOCK;
	struct arena_block *b;

	if (cap > SIZE_MAX - sizeof(*b))
		return false;
	b = malloc(sizeof(*b) + cap);
	if (!b)
		return false;
	b->next = a->blocks;
	a->blocks = b;
	a->base = b->data;
	a->cap = cap;
	a->used = 0;
	return true;
}

void *arena_alloc(struct arena *a, size_t n)
{
	void *p;

	if (n > SIZE_MAX / 2)
		return NULL;
	if (n == 0)
		n = 1; /* nothing still has an address: NULL means failure only */
	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (unlikely(n > a->cap - a->used)) {
		if (!a->grows || !arena_grow(a, n)) {
			a->failed = true;
			return NULL;
		}
	}
	p = a->base + a->used;
	a->used += n;
	return p;
}

void arena_trim(struct arena *a, void *p, size_t n)
{
	size_t at = (size_t)((uint8_t *)p - a->base);

	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (at + n < a->used)
		a->used = at + n;
}

void *arena_keep(struct arena *a, size_t mark, const void *p, size_t n)
{
	void *q;

	arena_rewind(a, mark);
	q = arena_alloc(a, n);
	if (q)
		memmove(q, p, n);
	return q;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);

	if (p && n)
		memset(p, 0, n);
	return p;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		return NULL;
	return arena_zalloc(a, n);
}

void *arena_memdup(struct arena *a, const void *p, size_t n)
{
	void *q = arena_alloc(a, n ? n : 1);

	if (q && n)
		memcpy(q, p, n);
	return q;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *q = arena_alloc(a, n + 1);

	if (!q)
		return NULL;
	if (n)
		memcpy(q, s, n);
	q[n] = '\0';
	return q;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *q;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	q = arena_alloc(a, (size_t)n + 1);
	if (!q)
		return NULL;
	va_start(ap, fmt);
	(void)vsnprintf(q, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return q;
}
