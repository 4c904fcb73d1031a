/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A list in the order of the names: a request takes far longer than the look-up.
 */
#include "control/plane_count.h"

#include <stdlib.h>
#include <string.h>

enum { RESULTS = 6 }; /* Kea's codes; a larger one counts as an error */

static const char *const transports[] = {"unix", "http", "https"};

struct control_count {
	struct control_count *next;
	uint64_t n[ARRAY_LEN(transports)][RESULTS];
	char name[];
};

const struct buckets_shape control_seconds_shape = {.first = 32000, .n = 17};

/* Returns the place in the list where the name is, or would be. */
static struct control_count **find_count(struct control_counts *c, const char *name)
{
	struct control_count **p = &c->first;

	while (*p && strcmp((*p)->name, name) < 0)
		p = &(*p)->next;
	return p;
}

static struct control_count *take_count(struct control_counts *c, const char *name)
{
	struct control_count **p = find_count(c, name);
	struct control_count *e = *p;

	if (e && strcmp(e->name, name) == 0)
		return e;
	e = calloc(1, sizeof(*e) + strlen(name) + 1);
	if (!e)
		return NULL;
	memcpy(e->name, name, strlen(name) + 1);
	e->next = *p;
	*p = e;
	return e;
}

void control_count(struct control_counts *c, const char *command, const char *transport,
		   int64_t result, int64_t ns)
{
	struct control_count *e = take_count(c, command);
	size_t t = 0;

	buckets_add(&c->seconds, &control_seconds_shape, ns < 0 ? 0 : (uint64_t)ns);
	while (t < ARRAY_LEN(transports) && strcmp(transports[t], transport) != 0)
		t++;
	if (e && t < ARRAY_LEN(transports))
		e->n[t][result >= 0 && result < RESULTS ? result : 1]++;
}

void control_counts_fini(struct control_counts *c)
{
	while (c->first) {
		struct control_count *next = c->first->next;

		free(c->first);
		c->first = next;
	}
}

void control_counts_each(const struct control_counts *c, control_count_fn fn, void *ctx)
{
	for (const struct control_count *e = c->first; e; e = e->next)
		for (size_t t = 0; t < ARRAY_LEN(transports); t++)
			for (unsigned r = 0; r < RESULTS; r++)
				if (e->n[t][r])
					fn(ctx, e->name, transports[t], r, e->n[t][r]);
}
