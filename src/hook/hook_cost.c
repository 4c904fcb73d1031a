/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The counters of libraries, which continue when another configuration takes effect, and the
 * library of the configuration before that a library follows.
 */
#include "hook/hook_cost.h"

#include "base/log.h"
#include "hook/hook.h"
#include "hook/hook_lib.h"

#include <stdlib.h>
#include <string.h>

/* Returns the library of this path with nth others of it in front, or NULL. */
static struct usher_lib *find_lib(const struct hook_registry *r, const char *path, unsigned nth)
{
	for (unsigned i = 0; r && i < r->n_libs; i++)
		if (strcmp(r->libs[i].path, path) == 0 && nth-- == 0)
			return (struct usher_lib *)(uintptr_t)&r->libs[i];
	return NULL;
}

/* Returns the counters of the libraries of this path, or NULL. */
static struct hook_counter *find_counter(const struct hook_registry *r, const char *path)
{
	const struct usher_lib *lib = find_lib(r, path, 0);

	return lib ? lib->counter : NULL;
}

struct hook_counter *hook_counter_take(const struct hook_registry *r, const char *path)
{
	struct hook_counter *c = find_counter(r, path);

	if (!c)
		c = find_counter(r->before, path);
	if (!c)
		c = calloc(1, sizeof(*c));
	if (c)
		(void)atomic_fetch_add(&c->refs, 1);
	return c;
}

void hook_counter_drop(struct hook_counter *c)
{
	if (c && atomic_fetch_sub(&c->refs, 1) == 1)
		free(c);
}

void hook_costs_each(const struct hook_registry *r,
		     void (*fn)(void *ctx, const struct hook_cost *c), void *ctx)
{
	for (unsigned i = 0; r && i < r->n_libs; i++) {
		const struct usher_lib *lib = &r->libs[i];
		struct hook_cost c = {.library = lib->path,
				      .calls = atomic_load(&lib->counter->calls),
				      .ns = (int64_t)atomic_load(&lib->counter->ns),
				      .lost = atomic_load(&lib->counter->lost)};
		unsigned first = 0;

		while (r->libs[first].counter != lib->counter)
			first++;
		if (first == i)
			fn(ctx, &c);
	}
}

static const struct event_row {
	const char *library, *name;
} event_rows[] = {
#define HOOK_EVENT(symbol, library, name) {library, name},
#include "hook/hook_events.def"
#undef HOOK_EVENT
};

void hook_count_event(const struct usher_lib *lib, enum hook_event e, uint64_t n)
{
	if (lib)
		(void)atomic_fetch_add_explicit(&lib->counter->events[e], n, memory_order_relaxed);
}

void hook_events_each(const struct hook_registry *r, hook_event_fn *fn, void *ctx)
{
	for (unsigned i = 0; r && i < r->n_libs; i++) {
		const struct usher_lib *lib = &r->libs[i];

		if (!lib->builtin || lib != find_lib(r, lib->path, 0))
			continue;
		for (unsigned e = 0; e < HOOK_N_EVENTS; e++)
			if (strcmp(event_rows[e].library, lib->builtin->name) == 0)
				fn(ctx, lib->path, event_rows[e].name,
				   atomic_load(&lib->counter->events[e]));
	}
}

void hook_memory_each(struct hook_registry *r, hook_memory_fn *fn, void *ctx)
{
	for (unsigned i = 0; r && i < r->n_libs; i++) {
		struct usher_lib *lib = &r->libs[i];
		struct hook_memory m = {.library = lib->path, .number = i + 1};

		if (lib->builtin && lib->builtin->memory)
			lib->builtin->memory(lib, &m, fn, ctx);
	}
}

void hook_statistics_each(struct hook_registry *r, hook_statistic_fn *fn, void *ctx)
{
	for (unsigned i = 0; r && i < r->n_libs; i++)
		if (r->libs[i].builtin && r->libs[i].builtin->statistics)
			r->libs[i].builtin->statistics(&r->libs[i], fn, ctx);
}

void hook_count_lost(usher_lib *lib, uint64_t n)
{
	(void)atomic_fetch_add_explicit(&lib->counter->lost, n, memory_order_relaxed);
}

uint64_t hook_lost(const struct hook_registry *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; r && i < r->n_libs; i++)
		if (&r->libs[i] == find_lib(r, r->libs[i].path, 0))
			n += atomic_load(&r->libs[i].counter->lost);
	return n;
}

usher_lib *hook_lib_before(const usher_lib *lib)
{
	const struct hook_registry *r = lib->registry;
	unsigned nth = 0;

	for (unsigned i = 0; i < lib->index; i++)
		nth += strcmp(r->libs[i].path, lib->path) == 0;
	return find_lib(r->before, lib->path, nth);
}

const struct clock_src *hook_lib_clock(const usher_lib *lib)
{
	return lib->registry->clock;
}

struct log *hook_lib_log(const usher_lib *lib)
{
	return lib->log;
}
