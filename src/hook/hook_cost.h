/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The cost of hook libraries: time of their callouts, memory of their scripts; their events and
 * statistics. Any thread may ask.
 */
#pragma once

#include <stdint.h>

struct hook_registry;
struct usher_lib;

enum hook_event {
#define HOOK_EVENT(symbol, library, name) HOOK_EVENT_##symbol,
#include "hook/hook_events.def"
#undef HOOK_EVENT
	HOOK_N_EVENTS
};

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

/* A statistic of a library: a value that may rise and fall. Its number is unique in the library and
 * the subnet. */
struct hook_statistic {
	uint32_t subnet_id; /* 0: of all subnets */
	unsigned number;
	const char *name; /* valid during the call */
	int64_t value;
};

typedef void hook_statistic_fn(void *ctx, const struct hook_statistic *s);

/* Calls fn for each statistic of the libraries; r may be NULL. */
void hook_statistics_each(struct hook_registry *r, hook_statistic_fn *fn, void *ctx);
/* Calls fn for each library; r may be NULL. */
void hook_costs_each(const struct hook_registry *r,
		     void (*fn)(void *ctx, const struct hook_cost *c), void *ctx);
/* Calls fn for each state of the libraries that run scripts; r may be NULL. */
void hook_memory_each(struct hook_registry *r, hook_memory_fn *fn, void *ctx);

/* Counts events of a built-in library (hook_events.def). lib NULL: does nothing. Any thread. */
void hook_count_event(const struct usher_lib *lib, enum hook_event e, uint64_t n);
/* Calls fn for each event of the libraries that are loaded, with its count since the first load; r
 * may be NULL. */
typedef void hook_event_fn(void *ctx, const char *library, const char *event, uint64_t n);
void hook_events_each(const struct hook_registry *r, hook_event_fn *fn, void *ctx);
