/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Most streams have no pending data at any time: their segments are inspected in place and
 * forwarded. Only waiting or changed data is copied, into buffers that are borrowed from a pool for
 * that time.
 */
#include "gate/tcp/tcp_stream.h"

#include "base/error.h"
#include "base/pages.h"

#include <errno.h>
#include <stdlib.h>

struct buffer {
	struct buffer *next;
};

struct tcp_pool {
	struct held_pool *held;
	uint8_t *memory;   /* [n][first] */
	uint8_t *large;	   /* [n][len]; NULL: first is len */
	size_t first, len; /* powers of two */
	struct buffer *free;
	uint32_t n, fresh, used; /* fresh: from here on none was ever taken */
	uint16_t *owner;	 /* [n] of each buffer */
	uint32_t owned[TCP_POOL_OWNERS];
	size_t octets, max_octets; /* as counted by the users; 0: no limit */
	size_t owned_octets[TCP_POOL_OWNERS];
};

enum { MAX_AHEAD = 256, OWNER_SHARE = 8, SHARE_LEAST = 64 };
_Static_assert(TCP_GROWN_MAX >= sizeof(struct tcp_edit_store), "one size of buffer for both");

int tcp_pool_new(uint32_t n, size_t len, struct held_pool *held, struct tcp_pool **ret)
{
	struct tcp_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct tcp_pool){.held = held,
			       .n = n,
			       .len = len,
			       .first = len > TCP_GROWN_MAX ? TCP_POOL_FIRST : len};
	p->memory = n ? pages_new(n, p->first) : NULL;
	p->large = n && p->first < len ? pages_new(n, len) : NULL;
	p->owner = n ? calloc(n, sizeof(*p->owner)) : NULL;
	if (n && (!p->memory || !p->owner || (p->first < len && !p->large))) {
		tcp_pool_free(p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void tcp_pool_free(struct tcp_pool *p)
{
	if (!p)
		return;
	pages_free(p->memory, p->n, p->first);
	pages_free(p->large, p->n, p->len);
	free(p->owner);
	free(p);
}

void tcp_pool_limit(struct tcp_pool *p, size_t octets)
{
	p->max_octets = octets;
}

bool tcp_pool_more(struct tcp_pool *p, uint16_t owner, size_t n)
{
	size_t all = p->octets + n, own = p->owned_octets[owner] + n;

	if (unlikely(all > p->max_octets / 2) && p->max_octets &&
	    (all > p->max_octets || own > p->max_octets / OWNER_SHARE))
		return false;
	p->octets = all;
	p->owned_octets[owner] = own;
	return true;
}

void tcp_pool_less(struct tcp_pool *p, uint16_t owner, size_t n)
{
	p->octets -= n;
	p->owned_octets[owner] -= n;
}

uint32_t tcp_pool_used(const struct tcp_pool *p)
{
	return p->used;
}

size_t tcp_pool_octets(const struct tcp_pool *p)
{
	return p->octets;
}

static bool is_greedy(const struct tcp_pool *p, uint16_t owner)
{
	uint32_t share = p->n / OWNER_SHARE > SHARE_LEAST ? p->n / OWNER_SHARE : SHARE_LEAST;

	return p->used >= p->n / 2 && p->owned[owner] >= share;
}

/* Returns the number of the buffer that begins at `at`, in either of its places. */
static size_t buffer_of(const struct tcp_pool *p, const uint8_t *at)
{
	if (p->large && at >= p->large && at < p->large + (size_t)p->n * p->len)
		return (size_t)(at - p->large) >> __builtin_ctzl(p->len);
	return (size_t)(at - p->memory) >> __builtin_ctzl(p->first);
}

uint8_t *tcp_pool_take(struct tcp_pool *p, uint16_t owner)
{
	struct buffer *b = p->free;
	uint8_t *at = (uint8_t *)b;

	if ((!b && p->fresh == p->n) || is_greedy(p, owner))
		return NULL;
	if (b)
		p->free = b->next;
	else
		at = p->memory + (size_t)p->fresh++ * p->first;
	p->used++;
	p->owned[owner]++;
	p->owner[buffer_of(p, at)] = owner;
	return at;
}

uint8_t *tcp_pool_large(struct tcp_pool *p, const uint8_t *at)
{
	return p->large + buffer_of(p, at) * p->len;
}

void tcp_pool_give(struct tcp_pool *p, uint8_t **at)
{
	struct buffer *b;
	size_t i;

	if (!*at)
		return;
	i = buffer_of(p, *at);
	b = (struct buffer *)(void *)(p->memory + i * p->first);
	p->owned[p->owner[i]]--;
	b->next = p->free;
	p->free = b;
	p->used--;
	*at = NULL;
}

/* --- Segments --------------------------------------------------------------------------------- */

int tcp_stream_append(struct tcp_stream *s, struct tcp_pool *p, const struct frame *f,
		      uint32_t from, struct span data)
{
	struct held **end = &s->segments;
	struct held *h;

	if (!s->pending)
		s->pending = tcp_pool_take(p, s->owner);
	if (!s->pending || s->n > TCP_PENDING_MAX || s->n + data.n > TCP_GROWN_MAX)
		return -USHER_E_LIMIT;
	h = held_take(p->held, f);
	if (!h)
		return -USHER_E_LIMIT;
	if (!s->segments)
		s->out = tcp_edits_out(&s->edits, from, false);
	h->from = from;
	h->to = (uint32_t)(from + data.n);
	memcpy(s->pending + s->n, data.p, data.n);
	s->n += (uint32_t)data.n;
	while (*end)
		end = &(*end)->next;
	*end = h;
	return 0;
}

int tcp_stream_ahead(struct tcp_stream *s, struct tcp_pool *p, const struct frame *f, uint32_t from,
		     uint32_t to)
{
	struct held **at = &s->ahead;
	struct held *h = s->ahead;

	while (h && (tcp_before(from, h->from) || tcp_before(h->to, to)))
		h = h->next;
	if (h)
		return -USHER_E_EXISTS;
	h = s->n_ahead < MAX_AHEAD ? held_take(p->held, f) : NULL;
	if (!h)
		return -USHER_E_LIMIT;
	h->from = from;
	h->to = to;
	while (*at && tcp_before((*at)->from, from))
		at = &(*at)->next;
	h->next = *at;
	*at = h;
	s->n_ahead++;
	return 0;
}

struct held *tcp_stream_give_up(struct tcp_stream *s)
{
	struct held **at = &s->ahead, *h;

	while (*at && (*at)->next)
		at = &(*at)->next;
	h = *at;
	*at = NULL;
	s->n_ahead -= h != NULL;
	return h;
}

struct held *tcp_stream_follow(struct tcp_stream *s, uint32_t next, struct held **ret_stale)
{
	struct held *h = s->ahead;

	*ret_stale = NULL;
	if (!h || tcp_before(next, h->from))
		return NULL;
	s->ahead = h->next;
	s->n_ahead--;
	h->next = NULL;
	if (tcp_before(next, h->to))
		return h;
	*ret_stale = h;
	return NULL;
}

/* --- Pending data ----------------------------------------------------------------------------- */

static bool store_take(struct tcp_stream *s, struct tcp_pool *p)
{
	s->edits.store = (struct tcp_edit_store *)(void *)tcp_pool_take(p, s->owner);
	if (s->edits.store)
		s->edits.store->used = 0;
	return s->edits.store != NULL;
}

static void store_give(struct tcp_stream *s, struct tcp_pool *p)
{
	uint8_t *at = (uint8_t *)s->edits.store;

	tcp_pool_give(p, &at);
	s->edits.store = NULL;
}

/* Turns an insertion into a replacement of a neighbouring octet by itself and the new octets. */
static bool widen(const struct tcp_stream *s, uint32_t *off, uint32_t *n, uint8_t *text,
		  struct span *with)
{
	if (*n)
		return true;
	if (s->n == 0 || with->n + 1 > TCP_EDIT_TEXT)
		return false;
	if (*off > 0) {
		(*off)--;
		text[0] = s->pending[*off];
		memcpy(text + 1, with->p, with->n);
	} else {
		memcpy(text, with->p, with->n);
		text[with->n] = s->pending[0];
	}
	*n = 1;
	*with = span_of(text, with->n + 1);
	return true;
}

static int write_pending(struct tcp_stream *s, uint32_t off, uint32_t n, struct span with)
{
	uint32_t out = s->out + off;

	if (s->n - n + with.n > TCP_GROWN_MAX)
		return -USHER_E_LIMIT;
	if (!tcp_edits_add(&s->edits, out, out + n, with)) {
		/* those that were not sent yet may as well be one */
		tcp_edits_join(&s->edits, s->out, span_of(s->pending, s->n));
		if (!tcp_edits_add(&s->edits, out, out + n, with))
			return -USHER_E_LIMIT;
	}
	memmove(s->pending + off + with.n, s->pending + off + n, s->n - off - n);
	if (with.n)
		memcpy(s->pending + off, with.p, with.n);
	s->n = (uint32_t)(s->n - n + with.n);
	return 0;
}

int tcp_stream_edit(struct tcp_stream *s, struct tcp_pool *p, uint32_t off, uint32_t n,
		    struct span with)
{
	uint8_t *text = NULL;
	int r = -ERANGE;

	if (off > s->n || n > s->n - off || (n == 0 && with.n == 0))
		return n || off > s->n ? -ERANGE : 0;
	if (!s->edits.store && !store_take(s, p))
		return -USHER_E_LIMIT;
	if (!n)
		text = tcp_pool_take(p, s->owner);
	if (!n && !text)
		r = -USHER_E_LIMIT;
	else if (widen(s, &off, &n, text, &with))
		r = write_pending(s, off, n, with);
	tcp_pool_give(p, &text);
	if (!s->edits.n)
		store_give(s, p);
	return r;
}

/* Sends octets [from, to) of the pending ones as segments of frame h. */
static void emit_piece(struct tcp_stream *s, struct held *h, uint32_t from, uint32_t to, bool whole,
		       uint32_t max, tcp_emit_fn emit, void *ctx)
{
	/* a host's MSS leaves no room for options (RFC 6691) */
	uint32_t options = h->app - h->l4 > TCP_HDR_LEN ? h->app - h->l4 - (uint32_t)TCP_HDR_LEN
							: 0;
	uint32_t room = max > options + 1 ? max - options : 1;
	uint32_t longest = h->to - h->from > room ? h->to - h->from : room;

	/* also below a larger MSS: no datagram is longer (RFC 791 3.1) */
	if (longest > UINT16_MAX - (uint32_t)(h->app - h->l3))
		longest = UINT16_MAX - (uint32_t)(h->app - h->l3);

	do {
		uint32_t n = to - from > longest ? longest : to - from;

		emit(ctx, h, s->out + from, span_of(s->pending + from, n), whole && from + n == to);
		from += n;
	} while (tcp_before(from, to));
}

/* Returns the end of a pending segment, in the pending data. */
static uint32_t end_of_segment(const struct tcp_stream *s, const struct held *h)
{
	uint32_t out = tcp_edits_out(&s->edits, h->to, true);

	if (!h->next)
		return s->n;
	/* within a change of which all was sent, acknowledged and forgotten: nothing of it is
	 * left */
	return tcp_before(out, s->out) ? 0 : out - s->out;
}

void tcp_stream_release(struct tcp_stream *s, struct tcp_pool *p, uint32_t n, uint32_t max,
			tcp_emit_fn emit, void *ctx)
{
	uint32_t at = 0;

	while (s->segments && (at < n || n == s->n)) {
		struct held *h = s->segments;
		uint32_t to = end_of_segment(s, h);
		bool whole = to <= n;

		to = whole ? to : n;
		emit_piece(s, h, at, to > at ? to : at, whole, max, emit, ctx);
		at = to > at ? to : at;
		if (!whole)
			break;
		s->segments = h->next;
		held_give(p->held, h);
	}
	memmove(s->pending, s->pending + n, s->n - n);
	s->n -= n;
	s->out += n;
	if (!s->segments)
		tcp_pool_give(p, &s->pending);
}

bool tcp_stream_again(const struct tcp_stream *s, uint32_t from, struct span octets, struct wr *w,
		      uint32_t *ret_out)
{
	if (!tcp_edits_apply(&s->edits, from, octets, w, ret_out))
		return false;
	/* pending data may still change */
	if (s->segments && tcp_before(s->out, (uint32_t)(*ret_out + w->len)))
		w->len = tcp_before(*ret_out, s->out) ? s->out - *ret_out : 0;
	return true;
}

void tcp_stream_acked(struct tcp_stream *s, struct tcp_pool *p, uint32_t out)
{
	if (!s->edits.n)
		return;
	tcp_edits_acked(&s->edits, out);
	if (!s->edits.n)
		store_give(s, p);
}

static void lose_all(struct tcp_pool *p, struct held **list,
		     void (*lost)(void *ctx, struct held *h), void *ctx)
{
	while (*list) {
		struct held *h = *list;

		*list = h->next;
		lost(ctx, h);
		held_give(p->held, h);
	}
}

void tcp_stream_end(struct tcp_stream *s, struct tcp_pool *p,
		    void (*lost)(void *ctx, struct held *h), void *ctx)
{
	lose_all(p, &s->segments, lost, ctx);
	lose_all(p, &s->ahead, lost, ctx);
	s->n_ahead = 0;
	s->n = 0;
	tcp_pool_give(p, &s->pending);
	store_give(s, p);
}
