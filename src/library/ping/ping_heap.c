/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A binary heap by time. Each deadline knows its place, so one that changes is moved in logarithmic
 * time.
 */
#include "library/ping/ping_heap.h"

#include <stdlib.h>

void ping_heap_fini(struct ping_heap *h)
{
	free(h->v);
	*h = (struct ping_heap){0};
}

static void place_due(struct ping_heap *h, struct ping_due *d, size_t pos)
{
	h->v[pos] = d;
	d->pos = pos;
}

void ping_heap_move(struct ping_heap *h, struct ping_due *d)
{
	size_t pos = d->pos;

	while (pos > 0 && h->v[(pos - 1) / 2]->at > d->at) {
		place_due(h, h->v[(pos - 1) / 2], pos);
		pos = (pos - 1) / 2;
	}
	for (size_t child; (child = 2 * pos + 1) < h->n; pos = child) {
		if (child + 1 < h->n && h->v[child + 1]->at < h->v[child]->at)
			child++;
		if (h->v[child]->at >= d->at)
			break;
		place_due(h, h->v[child], pos);
	}
	place_due(h, d, pos);
}

bool ping_heap_push(struct ping_heap *h, struct ping_due *d)
{
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 64;
		struct ping_due **v = reallocarray(h->v, cap, sizeof(struct ping_due *));

		if (!v)
			return false;
		h->v = v;
		h->cap = cap;
	}
	d->at = INT64_MAX;
	place_due(h, d, h->n++);
	return true;
}

void ping_heap_pull(struct ping_heap *h, struct ping_due *d)
{
	struct ping_due *last = h->v[--h->n];

	if (last == d)
		return;
	place_due(h, last, d->pos);
	ping_heap_move(h, last);
}

struct ping_due *ping_heap_first(const struct ping_heap *h)
{
	return h->n ? h->v[0] : NULL;
}
