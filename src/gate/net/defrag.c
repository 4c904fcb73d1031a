/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A datagram is a list of held frames in order of arrival; from and to are offsets in its payload.
 * Few datagrams are in pieces at a time, and none has many: lists are searched.
 */
#include "gate/net/defrag.h"

#include "base/hash.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <stdlib.h>

enum { N_BUCKETS = 256, MAX_PAYLOAD = 65515 };

struct datagram {
	struct datagram *next;		/* in its bucket, or free */
	struct datagram *newer, *older; /* by age */
	uint32_t src, dst, bucket;
	uint32_t vlans;
	uint16_t id, port;
	uint8_t proto;
	uint32_t n, octets, total; /* total: length of the payload; 0: not known yet */
	int64_t first_ns;
	struct held *first, **end;
};

struct defrag {
	struct defrag_limits limits;
	struct held_pool *pool;
	defrag_lost_fn lost;
	void *ctx;
	struct datagram *all, *free, *oldest, *newest;
	struct datagram *buckets[N_BUCKETS];
	uint32_t n;
};

static uint32_t bucket_of(const struct defrag_fragment *f)
{
	return hash_u32(f->src ^ hash_u32(f->dst ^ hash_u32((uint32_t)f->id << 8 | f->proto))) %
	       N_BUCKETS;
}

static struct datagram *find_datagram(struct defrag *d, const struct defrag_fragment *f)
{
	struct datagram *g = d->buckets[bucket_of(f)];

	while (g && (g->src != f->src || g->dst != f->dst || g->id != f->id ||
		     g->proto != f->proto || g->vlans != f->vlans || g->port != f->port))
		g = g->next;
	return g;
}

/* Takes a datagram out; its frames are the caller's. */
static struct held *take_out(struct defrag *d, struct datagram *g)
{
	struct datagram **at = &d->buckets[g->bucket];
	struct held *list = g->first;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	if (g->older)
		g->older->newer = g->newer;
	else
		d->oldest = g->newer;
	if (g->newer)
		g->newer->older = g->older;
	else
		d->newest = g->older;
	g->next = d->free;
	d->free = g;
	d->n--;
	return list;
}

static void lose_datagram(struct defrag *d, struct datagram *g)
{
	struct held *h = take_out(d, g);

	while (h) {
		struct held *next = h->next;

		d->lost(d->ctx, h);
		held_give(d->pool, h);
		h = next;
	}
}

static struct datagram *begin(struct defrag *d, const struct defrag_fragment *f, int64_t now_ns)
{
	struct datagram *g;

	/* a flood of first fragments must not keep out those that come now: the oldest goes */
	if (!d->free)
		lose_datagram(d, d->oldest);
	g = d->free;
	d->free = g->next;
	*g = (struct datagram){
		.src = f->src,
		.dst = f->dst,
		.id = f->id,
		.vlans = f->vlans,
		.port = f->port,
		.proto = f->proto,
		.bucket = bucket_of(f),
		.first_ns = now_ns,
		.older = d->newest,
	};
	g->end = &g->first;
	g->next = d->buckets[g->bucket];
	d->buckets[g->bucket] = g;
	if (d->newest)
		d->newest->newer = g;
	else
		d->oldest = g;
	d->newest = g;
	d->n++;
	return g;
}

/* Checks whether a fragment fits to those of its datagram. DEFRAG_HELD: it does. */
static enum defrag_result fits_datagram(const struct datagram *g, const struct defrag_fragment *f,
					uint32_t to)
{
	if (g->total && (to > g->total || (!f->more && to != g->total)))
		return DEFRAG_INVALID;
	for (const struct held *h = g->first; h; h = h->next) {
		if (h->from == f->offset && h->to == to)
			return DEFRAG_DUPLICATE;
		if (f->offset < h->to && h->from < to)
			return DEFRAG_OVERLAP;
		if (!f->more && h->to > to)
			return DEFRAG_INVALID;
	}
	return DEFRAG_HELD;
}

static enum defrag_result check(const struct defrag_fragment *f, uint32_t to)
{
	uint32_t len = to - f->offset;

	if (to > MAX_PAYLOAD || len == 0 || (f->more && len % 8))
		return DEFRAG_INVALID;
	return DEFRAG_HELD;
}

static enum defrag_result keep_fragment(struct defrag *d, struct datagram *g,
					const struct defrag_fragment *f, uint32_t to)
{
	struct held *h = g->n < d->limits.max_fragments ? held_take(d->pool, f->frame) : NULL;

	if (!h)
		return DEFRAG_LIMIT;
	h->from = f->offset;
	h->to = to;
	h->l3 = f->l3;
	h->l4 = f->l4;
	*g->end = h;
	g->end = &h->next;
	g->n++;
	g->octets += to - f->offset;
	if (!f->more)
		g->total = to;
	return DEFRAG_HELD;
}

enum defrag_result defrag_add(struct defrag *d, const struct defrag_fragment *f, int64_t now_ns,
			      struct held **ret_fragments)
{
	uint32_t to = f->offset + (f->end - f->l4);
	enum defrag_result r = check(f, to);
	struct datagram *g;

	*ret_fragments = NULL;
	defrag_expire(d, now_ns);
	g = find_datagram(d, f);
	if (r == DEFRAG_HELD && g)
		r = fits_datagram(g, f, to);
	if (r == DEFRAG_DUPLICATE)
		return r;
	if (r != DEFRAG_HELD) {
		if (g)
			*ret_fragments = take_out(d, g);
		return r;
	}
	if (!g)
		g = begin(d, f, now_ns);
	r = keep_fragment(d, g, f, to);
	if (r == DEFRAG_LIMIT) {
		*ret_fragments = take_out(d, g);
		return r;
	}
	if (!g->total || g->octets != g->total)
		return DEFRAG_HELD;
	*ret_fragments = take_out(d, g);
	return DEFRAG_COMPLETE;
}

void defrag_expire(struct defrag *d, int64_t now_ns)
{
	while (d->oldest && now_ns - d->oldest->first_ns >= d->limits.timeout_ns)
		lose_datagram(d, d->oldest);
}

uint32_t defrag_join(const struct held *fragments, uint8_t *buf, uint32_t cap, uint16_t *ret_l3)
{
	const struct held *first = fragments;
	uint32_t total = 0, l3, l4;
	struct wr w = wr_init(buf, cap);

	if (!fragments)
		return 0;
	for (const struct held *h = fragments; h; h = h->next) {
		total = h->to > total ? h->to : total;
		if (h->from == 0)
			first = h;
	}
	l3 = first->l3;
	l4 = first->l4;
	if (l4 - l3 + total > UINT16_MAX || !wr_room(&w, l4 + total))
		return 0;
	memcpy(buf, first->data, l4);
	for (const struct held *h = fragments; h; h = h->next)
		memcpy(buf + l4 + h->from, h->data + h->l4, h->to - h->from);
	wr_patch_be16(&w, l3 + (size_t)IPV4_LEN_OFF, (uint16_t)(l4 - l3 + total));
	wr_patch_be16(&w, l3 + (size_t)IPV4_FRAG_OFF, 0);
	wr_patch_be16(&w, l3 + (size_t)IPV4_CSUM_OFF, 0);
	wr_patch_be16(&w, l3 + (size_t)IPV4_CSUM_OFF,
		      checksum_fold(checksum_add(0, span_of(buf + l3, l4 - l3))));
	*ret_l3 = first->l3;
	return l4 + total;
}

int defrag_new(const struct defrag_limits *l, struct held_pool *pool, defrag_lost_fn lost,
	       void *ctx, struct defrag **ret)
{
	struct defrag *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct defrag){.limits = *l, .pool = pool, .lost = lost, .ctx = ctx};
	if (!d->limits.max_datagrams)
		d->limits.max_datagrams = 1;
	d->all = calloc(d->limits.max_datagrams, sizeof(*d->all));
	if (!d->all) {
		free(d);
		return -ENOMEM;
	}
	for (uint32_t i = d->limits.max_datagrams; i > 0; i--) {
		d->all[i - 1].next = d->free;
		d->free = &d->all[i - 1];
	}
	*ret = d;
	return 0;
}

void defrag_free(struct defrag *d)
{
	if (!d)
		return;
	while (d->oldest)
		lose_datagram(d, d->oldest);
	free(d->all);
	free(d);
}
