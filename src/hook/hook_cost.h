/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The cost of hook libraries: time of their callouts, memory of their scripts. Any thread may ask.
 */
#pragma once

#include <stdint.h>

struct hook_registry;

/* The callouts of a library since it was loaded first. Libraries with the same path are one, and
 * keep their numbers when another configuration takes effect. */
struct hook_cost {
	const char *library; /* its path, or the name of a built-in one */
	uint64_t calls;
	int64_t ns;
	uint64_t lost; /* records or runs that it gave up, because its queue was full */
};

/* The memory of one state of a script. */
struct hook_memory {
	const char *library;
	unsigned number; /* of the library in the configuration, from 1 */
	unsigned state;
	uint64_t used, max; /* octets */
};

typedef void hook_memory_fn(void *ctx, const struct hook_memory *m);

/* Calls fn for each library; r may be NULL. */
void hook_costs_each(const struct hook_registry *r,
		     void (*fn)(void *ctx, const struct hook_cost *c), void *ctx);
/* Calls fn for each state of the libraries that run scripts; r may be NULL. */
void hook_memory_each(struct hook_registry *r, hook_memory_fn *fn, void *ctx);
