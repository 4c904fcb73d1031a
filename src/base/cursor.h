/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bounded cursors over octets, the only place that indexes packet data.
 *
 * struct rd reads: once a read would pass the end the cursor is `bad`, every later read gives zeros
 * or empty spans, and the caller checks once at the end. struct wr writes: a write that does not
 * fit sets `bad` and writes nothing, and so do all later writes. Neither allocates; both borrow the
 * buffer.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct rd {
	const uint8_t *p;
	size_t n; /* octets left */
	bool bad; /* sticky */
};

static inline struct rd rd_init(struct span s)
{
	return (struct rd){s.p, s.n, false};
}

static inline bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : r->n;
}

/* Takes n octets; on a short buffer sets bad and gives an empty span. */
static inline struct span rd_bytes(struct rd *r, size_t n)
{
	struct span s;

	if (unlikely(r->bad || n > r->n)) {
		r->bad = true;
		return SPAN_NULL;
	}
	s = span_of(r->p, n);
	if (n) {
		r->p += n;
		r->n -= n;
	}
	return s;
}

static inline uint8_t rd_u8(struct rd *r)
{
	struct span s = rd_bytes(r, 1);

	return s.n ? s.p[0] : 0;
}

static inline uint16_t rd_be16(struct rd *r)
{
	struct span s = rd_bytes(r, 2);

	return s.n ? (uint16_t)((unsigned)s.p[0] << 8 | s.p[1]) : 0;
}

static inline uint32_t rd_be32(struct rd *r)
{
	struct span s = rd_bytes(r, 4);

	if (!s.n)
		return 0;
	return (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 | (uint32_t)s.p[2] << 8 | s.p[3];
}

/* Reads a span of exactly four octets. Returns false for any other length; *ret stays unset then.
 */
static inline bool rd_span_be32(struct span s, uint32_t *ret)
{
	struct rd r = rd_init(s);

	if (s.n != 4)
		return false;
	*ret = rd_be32(&r);
	return true;
}

/* Copies n octets to out; on a short buffer out is zeroed. */
static inline void rd_copy(struct rd *r, void *out, size_t n)
{
	struct span s = rd_bytes(r, n);

	if (s.n)
		memcpy(out, s.p, n);
	else if (n)
		memset(out, 0, n);
}

/* Returns a cursor over the next n octets and skips them in r. It is bad if they are not there. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
	struct span s = rd_bytes(r, n);

	return (struct rd){s.p, s.n, r->bad};
}

struct wr {
	uint8_t *base;
	size_t cap;
	size_t len; /* octets written */
	bool bad;   /* sticky */
};

static inline struct wr wr_init(void *buf, size_t cap)
{
	return (struct wr){(uint8_t *)buf, cap, 0, false};
}

static inline bool wr_ok(const struct wr *w)
{
	return !w->bad;
}

static inline size_t wr_left(const struct wr *w)
{
	return w->bad ? 0 : w->cap - w->len;
}

/* Returns room for n octets to be filled by the caller, or NULL (and sets bad). */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *p;

	if (unlikely(w->bad || n > w->cap - w->len)) {
		w->bad = true;
		return NULL;
	}
	p = w->base + w->len;
	w->len += n;
	return p;
}

static inline void wr_bytes(struct wr *w, const void *src, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p && n)
		memcpy(p, src, n);
}

static inline void wr_span(struct wr *w, struct span s)
{
	wr_bytes(w, s.p, s.n);
}

static inline void wr_zero(struct wr *w, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p && n)
		memset(p, 0, n);
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	wr_bytes(w, &v, 1);
}

static inline void wr_be16(struct wr *w, uint16_t v)
{
	uint8_t *p = wr_room(w, 2);

	if (p) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

static inline void wr_be32(struct wr *w, uint32_t v)
{
	uint8_t *p = wr_room(w, 4);

	if (p) {
		p[0] = (uint8_t)(v >> 24);
		p[1] = (uint8_t)(v >> 16);
		p[2] = (uint8_t)(v >> 8);
		p[3] = (uint8_t)v;
	}
}

/* Overwrites two octets written earlier at off. */
static inline void wr_patch_be16(struct wr *w, size_t off, uint16_t v)
{
	if (w->bad || off + 2 > w->len) {
		w->bad = true;
		return;
	}
	w->base[off] = (uint8_t)(v >> 8);
	w->base[off + 1] = (uint8_t)v;
}
