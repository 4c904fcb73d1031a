/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Growing octet buffer. Invariant: p is NULL or has cap > len octets with p[len] == NUL.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(struct buf *b)
{
	*b = (struct buf){0};
}

void buf_init_over(struct buf *b, char *mem, size_t cap)
{
	*b = (struct buf){.p = mem, .cap = cap, .borrowed = true};
	mem[0] = '\0';
}

void buf_fini(struct buf *b)
{
	if (!b->borrowed)
		free(b->p);
	buf_init(b);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->p)
		b->p[0] = '\0';
}

bool buf_reserve(struct buf *b, size_t extra)
{
	size_t cap = b->cap ? b->cap : 256;
	char *p;

	if (b->failed || extra > SIZE_MAX / 4 - b->len) {
		b->failed = true;
		return false;
	}
	if (b->p && b->len + extra + 1 <= b->cap)
		return true;
	while (cap < b->len + extra + 1)
		cap *= 2;
	p = realloc(b->borrowed ? NULL : b->p, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	if (b->borrowed)
		memcpy(p, b->p, b->len);
	b->borrowed = false;
	b->p = p;
	b->cap = cap;
	b->p[b->len] = '\0';
	return true;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n) || !n)
		return;
	memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t room = b->p ? b->cap - b->len : 0;
	va_list ap;
	int n;

	if (b->failed)
		return;
	va_start(ap, fmt);
	n = vsnprintf(room ? b->p + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < room) {
		b->len += (size_t)n;
		return;
	}
	if (room)
		b->p[b->len] = '\0'; /* takes the part back */
	if (n < 0 || !buf_reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_number(struct buf *b, int64_t n)
{
	char text[20]; /* of -9223372036854775808 */
	char *p = text + sizeof(text);
	uint64_t v = n < 0 ? -(uint64_t)n : (uint64_t)n;

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	if (n < 0)
		*--p = '-';
	buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void buf_hex(struct buf *b, struct span s, char sep)
{
	static const char digits[] = "0123456789abcdef";

	if (!s.n || !buf_reserve(b, sep ? 3 * s.n - 1 : 2 * s.n))
		return;
	for (size_t i = 0; i < s.n; i++) {
		if (sep && i)
			b->p[b->len++] = sep;
		b->p[b->len++] = digits[s.p[i] >> 4];
		b->p[b->len++] = digits[s.p[i] & 15];
	}
	b->p[b->len] = '\0';
}

char *buf_take(struct buf *b)
{
	char *p;

	if (b->borrowed)
		(void)buf_reserve(b, b->cap); /* to the heap */
	if (!b->p)
		(void)buf_reserve(b, 0);
	p = b->failed ? NULL : b->p;
	if (!p && !b->borrowed)
		free(b->p);
	buf_init(b);
	return p;
}
