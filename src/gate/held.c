/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Two sizes of places, each with its free list.
 */
#include "gate/held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_LEN = 2048 };

struct places {
	uint8_t *memory;
	struct held *free;
};

struct held_pool {
	struct places small, large;
	uint32_t n;
	bool owed;
};

static int places_init(struct places *p, uint32_t n, size_t data_len)
{
	size_t step = (sizeof(struct held) + data_len + 15) & ~(size_t)15;

	p->memory = calloc(n ? n : 1, step);
	if (!p->memory)
		return -ENOMEM;
	for (uint32_t i = n; i > 0; i--) {
		struct held *h = (struct held *)(void *)(p->memory + (i - 1) * step);

		h->next = p->free;
		p->free = h;
	}
	return 0;
}

int held_pool_new(uint32_t n_small, uint32_t n_large, bool owed, struct held_pool **ret)
{
	struct held_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->owed = owed;
	if (places_init(&p->small, n_small, SMALL_LEN) < 0 || places_init(&p->large, n_large, FRAME_MAX_LEN) < 0) {
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
	free(p->small.memory);
	free(p->large.memory);
	free(p);
}

struct held *held_take(struct held_pool *p, const struct frame *f)
{
	struct places *from = f->len <= SMALL_LEN && p->small.free ? &p->small : &p->large;
	struct held *h = from->free;

	if (!h || f->len > FRAME_MAX_LEN)
		return NULL;
	from->free = h->next;
	*h = (struct held){.frame = *f, .owed = p->owed, .small = from == &p->small};
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

uint32_t held_count(const struct held_pool *p)
{
	return p->n;
}
