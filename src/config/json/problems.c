/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The list grows on the heap and is bounded, so that a file of garbage cannot fill the memory.
 */
#include "config/json/problems.h"

#include <stdlib.h>

static bool same_problem(const struct config_error *a, const struct config_error *b)
{
	return a->pos.line == b->pos.line && a->pos.col == b->pos.col &&
	       strcmp(a->file, b->file) == 0 && strcmp(a->text, b->text) == 0;
}

void config_problems_add(void *ctx, const struct config_error *e)
{
	struct config_problems *p = ctx;

	for (size_t i = 0; i < p->n; i++)
		if (same_problem(&p->items[i], e))
			return;
	if (p->n == p->cap && p->n < CONFIG_PROBLEMS_MAX) {
		size_t cap = p->cap ? 2 * p->cap : 16;
		struct config_error *items = reallocarray(p->items, cap, sizeof(*items));

		if (items) {
			p->items = items;
			p->cap = cap;
		}
	}
	if (p->n == p->cap || p->n == CONFIG_PROBLEMS_MAX) {
		p->lost++;
		return;
	}
	p->items[p->n++] = *e;
}

static int by_place(const void *a, const void *b)
{
	const struct config_error *x = a;
	const struct config_error *y = b;
	int r = strcmp(x->file, y->file);

	if (!x->pos.line != !y->pos.line)
		return x->pos.line ? -1 : 1;
	if (!r)
		r = (x->pos.line > y->pos.line) - (x->pos.line < y->pos.line);
	if (!r)
		r = (x->pos.col > y->pos.col) - (x->pos.col < y->pos.col);
	return r ? r : strcmp(x->text, y->text);
}

void config_problems_sort(struct config_problems *p)
{
	if (p->n)
		qsort(p->items, p->n, sizeof(*p->items), by_place);
}

void config_problems_fini(struct config_problems *p)
{
	free(p->items);
	*p = (struct config_problems){0};
}

struct json *config_problems_list(const struct config_problems *p, struct arena *arena)
{
	struct json *m = json_map(arena);
	struct json *list = json_add(arena, m, "errors", json_list(arena));

	for (size_t i = 0; i < p->n; i++) {
		const struct config_error *e = &p->items[i];
		struct json *v = json_add(arena, list, NULL, json_map(arena));

		if (e->file[0])
			(void)json_add(arena, v, "file", json_str(arena, e->file));
		if (e->pos.line) {
			(void)json_add(arena, v, "line", json_int(arena, e->pos.line));
			(void)json_add(arena, v, "column", json_int(arena, e->pos.col));
		}
		(void)json_add(arena, v, "text", json_str(arena, e->text));
	}
	return m;
}
