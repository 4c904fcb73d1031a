/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The targets of the lines of log.c. A sink is a stream, a file or syslog, with one pattern; two
 * outputs to one file or stream with different patterns are two sinks, of which the second writes
 * through `to`.
 */
#pragma once

#include "base/log.h"
#include "base/log_queue.h"

#include <stdatomic.h>

enum { LOG_MAX_SINKS = LOG_MAX_OUTPUTS + 1 };

struct log_pattern;

struct log_sink {
	enum log_sink_kind kind;
	struct log_sink *to; /* NULL: itself */
	struct log_pattern *pattern;
	char *pattern_text; /* "": none */
	int facility;
	_Atomic int fd;		 /* -1: syslog, or a file that is not open */
	struct log_queue *queue; /* NULL: the logging thread writes */
	_Atomic bool reopen;
	char *path;
	uint64_t maxsize;
	uint64_t size;
	unsigned maxver;
};

/* Adds the sink of an output to a list of *n. Returns its index, that of a known sink if there is
 * an equal one, or -errno: -E2BIG, -ENOMEM. */
int log_sink_add(struct log_sink **sinks, size_t *n, const struct log_output *o) must_check;
/* Starts the threads of sinks. A sink without one is written to by the logging threads. */
void log_sinks_start(struct log_sink *const *sinks, size_t n);
/* Opens the files. The rules of one that cannot be opened, or not in time, get stdout (bit 0) in
 * their set rule_sinks[n_rules], too. */
void log_sinks_open(struct log_sink *const *sinks, size_t n, uint16_t *rule_sinks, size_t n_rules);
/* Closes and frees sinks; waits up to 300 ms for their threads. */
void log_sinks_close(struct log_sink *const *sinks, size_t n);
/* Requests that a file is opened again before the next line. */
void log_sink_reopen(struct log_sink *s);

/* Returns syslog's priority of a severity. */
int log_sink_priority(uint8_t severity);
/* Writes whole lines at once. ctx: the sink; priority: severity, for syslog with the facility.
 * False: they are lost. */
bool log_sink_write(void *ctx, uint8_t priority, const char *lines, size_t n);
