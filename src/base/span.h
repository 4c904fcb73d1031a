/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct span: a borrowed, read-only run of octets. It owns nothing; the function that returns one
 * states how long the octets live. An empty span may have p == NULL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p;
	size_t n;
};

#define SPAN_NULL ((struct span){NULL, 0})

static inline struct span span_of(const void *p, size_t n)
{
	return (struct span){(const uint8_t *)p, n};
}

static inline struct span span_str(const char *s)
{
	return span_of(s, s ? strlen(s) : 0);
}

static inline bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Returns the sub-span of at most n octets from off, clipped to the octets of s. */
static inline struct span span_sub(struct span s, size_t off, size_t n)
{
	if (off >= s.n)
		return SPAN_NULL;
	return span_of(s.p + off, n < s.n - off ? n : s.n - off);
}
