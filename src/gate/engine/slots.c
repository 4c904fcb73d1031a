/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The slot that was given back last is taken first: it may still be in the cache.
 */
#include "gate/engine/slots.h"

#include "base/pages.h"

#include <errno.h>
#include <string.h>

int slots_init(struct slots *s, uint32_t n, size_t size)
{
	size = (size + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
	*s = (struct slots){.memory = pages_new(n, size), .size = size, .n = n};
	return s->memory ? 0 : -ENOMEM;
}

void slots_fini(struct slots *s)
{
	pages_free(s->memory, s->n, s->size);
	*s = (struct slots){0};
}

void *slots_take(struct slots *s)
{
	void *p = s->free;

	if (p)
		memcpy(&s->free, p, sizeof(s->free));
	else if (s->fresh < s->n)
		p = s->memory + s->size * s->fresh++;
	return p;
}

void slots_give(struct slots *s, void *p)
{
	if (!p)
		return;
	memcpy(p, &s->free, sizeof(s->free));
	s->free = p;
}
