/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The last lines of a log in memory, for operators that look from far. Lines have numbers, so that
 * a reader can ask for those behind the last one it has. Any thread may call the functions.
 */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct log_tail;

/* Creates a tail of at most n lines. NULL: memory is out. */
struct log_tail *log_tail_new(unsigned n);
/* Accepts NULL. */
void log_tail_free(struct log_tail *t);
/* Appends a line, without its line end. Without memory the line is left out. */
void log_tail_add(struct log_tail *t, const char *line, size_t n);
/* Calls fn, under the lock of the tail, for each kept line with a number of at least `from`.
 * Returns the number of the next line. */
uint64_t log_tail_read(struct log_tail *t, uint64_t from, void (*fn)(void *ctx, const char *line),
		       void *ctx);
