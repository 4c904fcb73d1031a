/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Two sizes of places, each with its free list.
 */
#include "gate/engine/held.h"

#include "base/pages.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_LEN = 2048 };

struct places {
	uint8_t *memory;
	struct held *free;
	size_t n, step, fresh; /* fresh: from here on none was ever taken */
};

struct held_pool {
	struct places small, large;
	uint32_t n;
	bool owed;
};

static int places_init(struct places *p, uint32_t n, size_t data_len)
{
	p->n = n ? n : 1;
	p->step = (sizeof(struct held) + data_len + 15) & ~(size_t)15;
	p->memory = pages_new(p->n, p->step);
	return p->memory ? 0 : -ENOMEM;
}

static struct held *place_take(struct places *p)
{
	struct held *h = p->free;

	if (h)
		p->free = h->next;
	else if (p->fresh < p->n)
		h = (struct held *)(void *)(p->memory + p->step * p->fresh++);
	return h;
}

int held_pool_new(uint32_t n_small, uint32_t n_large, bool owed, struct held_pool **ret)
{
	struct held_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->owed = owed;
	if (places_init(&p->small, n_small, SMALL_LEN) < 0 ||
	    places_init(&p->large, n_large, FRAME_MAX_LEN) < 0) {
		held_pool_free(p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void held_pool_free(struct held_pool *p)
{
	if (!p)
		return;
	pages_free(p->small.memory, p->small.n, p->small.step);
	pages_free(p->large.memory, p->large.n, p->large.step);
	free(p);
}

struct held *held_take(struct held_pool *p, const struct frame *f)
{
	struct held *h = f->len <= SMALL_LEN ? place_take(&p->small) : NULL;
	bool small = h != NULL;

	if (!h && f->len <= FRAME_MAX_LEN)
		h = place_take(&p->large);
	if (!h)
		return NULL;
	*h = (struct held){.frame = *f, .owed = p->owed, .small = small};
	memcpy(h->data, f->data, f->len);
	h->frame.data = h->data;
	p->n++;
	return h;
}

void held_give(struct held_pool *p, struct held *h)
{
	struct places *to = h->small ? &p->small : &p->large;

	h->next = to->free;
	to->free = h;
	p->n--;
}

static bool places_full(const struct places *p)
{
	return !p->free && p->fresh == p->n;
}

bool held_full(const struct held_pool *p, uint32_t len)
{
	return places_full(&p->large) && (len > SMALL_LEN || places_full(&p->small));
}

uint32_t held_count(const struct held_pool *p)
{
	return p->n;
}
