/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Counts of the requests that a management plane answered, for metrics. A count stays when the row
 * of its command is removed. Used by the thread of the plane alone.
 */
#pragma once

#include "base/attr.h"
#include "base/buckets.h"

struct control_count;
struct control_plane;

/* Commands that are no row of the plane are counted as one, of the name "". */
struct control_counts {
	struct control_count *first; /* by name */
	struct buckets seconds;	     /* nanoseconds from the request to its answer */
};

extern const struct buckets_shape control_seconds_shape;

/* Counts a request. transport: as control_requester.transport has it. result: Kea's code. Without
 * memory it is not counted. */
void control_count(struct control_counts *c, const char *command, const char *transport,
		   int64_t result, int64_t ns);
void control_counts_fini(struct control_counts *c);

/* Calls fn for each count above 0, in the order of the commands. */
typedef void (*control_count_fn)(void *ctx, const char *command, const char *transport,
				 unsigned result, uint64_t n);
void control_counts_each(const struct control_counts *c, control_count_fn fn, void *ctx);
/* Returns the counts of a plane. */
const struct control_counts *control_plane_counts(const struct control_plane *p);
