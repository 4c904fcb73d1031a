/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The rows are pointers in the order of their names, so that list-commands and the look-up need no
 * second form. Requests are few and short: the look-up compares strings.
 */
#include "control/plane_impl.h"

#include "base/error.h"
#include "config/json/json.h"
#include "control/args.h"
#include "control/plane_count.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct json *control_answer(struct arena *a, int result, const char *fmt, ...)
{
	struct json *m = json_map(a);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)json_add(a, m, "result", json_int(a, result));
	(void)json_add(a, m, "text", json_str(a, text));
	return m;
}

int control_plane_new(const struct control_plane_opts *o, struct control_plane **ret)
{
	struct control_plane *p = calloc(1, sizeof(*p));

	if (p)
		p->counts = calloc(1, sizeof(*p->counts));
	if (!p || !p->counts) {
		free(p);
		return -ENOMEM;
	}
	p->o = *o;
	p->o.max_waiting = o->max_waiting ? o->max_waiting : 16;
	*ret = p;
	return 0;
}

void control_plane_free(struct control_plane *p)
{
	if (!p)
		return;
	assert(!p->pending);
	control_counts_fini(p->counts);
	free(p->counts);
	free(p->rows);
	free(p);
}

const struct control_counts *control_plane_counts(const struct control_plane *p)
{
	return p->counts;
}

/* --- Rows ------------------------------------------------------------------------------------- */

/* Returns the first row whose name is not before the given one. */
static size_t find_place(const struct control_plane *p, const char *name)
{
	size_t low = 0, high = p->n_rows;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(p->rows[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct control_command *control_row_find(const struct control_plane *p, const char *name)
{
	size_t i = find_place(p, name);

	return i < p->n_rows && strcmp(p->rows[i]->name, name) == 0 ? p->rows[i] : NULL;
}

/* Returns 0 if all n rows can be added in the place of those of an owner. */
static int check_rows(const struct control_plane *p, const void *owner,
		      const struct control_command *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct control_command *taken = control_row_find(p, rows[i].name);

		if (!control_args_are_valid(rows[i].args))
			return -USHER_E_SYNTAX;
		if (taken && (!owner || taken->owner != owner))
			return -USHER_E_EXISTS;
		for (size_t k = 0; k < i; k++)
			if (strcmp(rows[k].name, rows[i].name) == 0)
				return -USHER_E_EXISTS;
	}
	return 0;
}

void control_plane_remove(struct control_plane *p, const void *owner)
{
	size_t kept = 0;

	for (struct control_pending *c = p->pending; c; c = c->next)
		if (c->row && c->row->owner == owner)
			c->row = NULL;
	for (size_t i = 0; i < p->n_rows; i++)
		if (p->rows[i]->owner != owner)
			p->rows[kept++] = p->rows[i];
	p->n_rows = kept;
}

int control_plane_replace(struct control_plane *p, const void *owner,
			  const struct control_command *rows, size_t n)
{
	const struct control_command **grown;
	int r = check_rows(p, owner, rows, n);

	if (r < 0)
		return r;
	grown = reallocarray(p->rows, p->n_rows + n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->rows = grown;
	if (owner)
		control_plane_remove(p, owner);
	for (size_t i = 0; i < n; i++) {
		size_t at = find_place(p, rows[i].name);

		memmove(&p->rows[at + 1], &p->rows[at], (p->n_rows - at) * sizeof(*p->rows));
		p->rows[at] = &rows[i];
		p->n_rows++;
	}
	return 0;
}

int control_plane_add(struct control_plane *p, const struct control_command *rows, size_t n)
{
	return control_plane_replace(p, NULL, rows, n);
}

void control_plane_each(const struct control_plane *p,
			void (*fn)(void *ctx, const struct control_command *row), void *ctx)
{
	for (size_t i = 0; i < p->n_rows; i++)
		fn(ctx, p->rows[i]);
}

/* Appends a description of arguments without the marks of those that the command itself checks. */
static void put_arguments(struct arena *a, struct json *m, const char *args)
{
	char *text = arena_strdup(a, args), *to = text;

	for (const char *from = text; from && *from; from++)
		if (*from != '(' && *from != ')')
			*to++ = *from;
	if (to)
		*to = '\0';
	(void)json_add(a, m, "arguments", json_str(a, text));
}

struct json *control_plane_describe(const struct control_plane *p, const char *name,
				    struct arena *a)
{
	struct json *list = json_list(a);

	for (size_t i = 0; list && i < p->n_rows; i++) {
		const struct control_command *row = p->rows[i];
		struct json *m;

		if (name && strcmp(row->name, name) != 0)
			continue;
		m = json_add(a, list, NULL, json_map(a));
		(void)json_add(a, m, "name", json_str(a, row->name));
		(void)json_add(a, m, "purpose", json_str(a, row->help ? row->help : ""));
		put_arguments(a, m, row->args);
		(void)json_add(a, m, "access",
			       json_str(a, row->access == CONTROL_WRITE ? "write" : "read"));
	}
	return list && list->count ? list : NULL;
}
