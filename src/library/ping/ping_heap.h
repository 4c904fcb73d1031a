/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Deadlines in a heap: the earliest one is first. The deadlines are members of the caller's
 * objects, which outlive their time in the heap. One thread.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ping_due {
	int64_t at;
	size_t pos; /* in the heap */
};

struct ping_heap {
	struct ping_due **v;
	size_t n, cap;
};

void ping_heap_fini(struct ping_heap *h);
/* Inserts a deadline, with the latest time that there is. False: memory is out. */
bool ping_heap_push(struct ping_heap *h, struct ping_due *d) must_check;
/* Moves a deadline, whose time was changed, to its place. */
void ping_heap_move(struct ping_heap *h, struct ping_due *d);
/* Removes a deadline. */
void ping_heap_pull(struct ping_heap *h, struct ping_due *d);
/* Returns the earliest deadline, NULL: there is none. */
struct ping_due *ping_heap_first(const struct ping_heap *h);
