/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lines of a log in memory. The last ones, for operators that look from far: lines have numbers, so
 * that a reader can ask for those behind the last one it has; any thread may call these functions.
 * And those that wait until the outputs of a configuration are known; the log's lock covers these
 * calls.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/log.h"

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

/* A line that waits, in front of its octets. */
struct held_line {
	int64_t wall_ns;
	enum log_id id;
	size_t n, head; /* octets; those before the text */
	bool shown;	/* an output had it when it was kept */
};

/* Keeps a line. Returns false if there are too many (1 MiB), or memory is out. */
bool log_held_add(struct buf *lines, const struct held_line *h, const char *line);
/* Takes the line at *at, which begins with 0, and moves *at behind it. `line` has room for every
 * line of the log. Returns false behind the last one. */
bool log_held_next(const struct buf *lines, size_t *at, struct held_line *ret, char *line);
