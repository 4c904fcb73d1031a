/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lines on their way to one output of the log: a bounded buffer and a thread that writes. A logging
 * thread waits for neither disk nor reader; a line that finds no room is refused. One output that
 * hangs holds up no other.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_queue;

/* Writes lines, each with its newline: several at once, but one where `apart` is set. False: they
 * are lost. */
typedef bool (*log_queue_fn)(void *ctx, uint8_t severity, const char *lines, size_t n);

enum { LOG_QUEUE_BYTES = 256 << 10 };

/* Makes a queue and its thread. apart: fn gets one line a call. NULL: no memory, or no thread. */
struct log_queue *log_queue_new(bool apart, log_queue_fn fn, void *ctx) must_check;
/* Appends a line. False: there is no room. Called by any thread. */
bool log_queue_put(struct log_queue *q, uint8_t severity, const char *line, size_t n) must_check;
/* Waits until all queued lines are written, at most timeout_ns. Skips an output that hangs. */
void log_queue_flush(struct log_queue *q, int64_t timeout_ns);
/* Returns the number of lines that the output refused. */
uint64_t log_queue_lost(struct log_queue *q);
/*
 * Lets the thread write the rest and then call fini(ctx), which frees ctx. Waits for that at most
 * timeout_ns; a thread that hangs keeps its queue and ends by itself, or with the process.
 */
void log_queue_close(struct log_queue *q, void (*fini)(void *ctx), int64_t timeout_ns);
