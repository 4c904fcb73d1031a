/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct buf: a growing octet buffer with text helpers, for everything that is not on the
 * packet path (JSON, journal batches, traces). Sticky failure: once memory is out, `failed`
 * stays set and later appends do nothing; the caller checks once.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct buf {
	char *p; /* NUL behind len octets once anything was appended */
	size_t len;
	size_t cap;
	bool failed;
	bool borrowed; /* p is the caller's */
};

void buf_init(struct buf *b);
/* Initialises the buffer over memory of the caller (cap > 0). It is used as long as it is enough:
 * short texts need no malloc. */
void buf_init_over(struct buf *b, char *mem, size_t cap);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b);		       /* keeps the memory */
bool buf_reserve(struct buf *b, size_t extra); /* room for extra octets; false: memory is out */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) printf_like(2, 3);
void buf_number(struct buf *b, int64_t n); /* decimal */
/* Appends lower-case hex digits, with sep between octets if sep is not NUL. */
void buf_hex(struct buf *b, struct span s, char sep);
/* Moves the text out, to be freed by the caller. NULL only when `failed` is set. */
char *buf_take(struct buf *b) must_check;
