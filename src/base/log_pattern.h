/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The form of a log line, as `pattern` of Kea's loggers gives it (the conversions of log4cplus):
 * %D{...} and %d{...} times in local time and UTC, %p severity, %c logger, %m message, %n end of
 * line, %i process, %t thread, and more; each with
 * "-", minimum and maximum width. A pattern is compiled once; formatting a line copies.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_pattern;

/* The parts of a line. */
struct log_record {
	int64_t wall_ns;
	int64_t since_start_ns;
	const char *severity; /* "INFO" */
	const char *logger;   /* "kea-dhcp4.leases" */
	const char *id;	      /* "DHCP4_LEASE_ALLOC" */
	const char *text;     /* without control characters */
	size_t text_len;
};

/* Compiles a pattern. Text is borrowed while compiling. NULL when memory is out. */
struct log_pattern *log_pattern_new(const char *text);
void log_pattern_free(struct log_pattern *p);
/* Called for each conversion of `text` that is written as it stands, or always empty, because it
 * means nothing here. */
typedef void (*log_pattern_fn)(void *ctx, char conversion);
void log_pattern_unknown(const char *text, log_pattern_fn fn, void *ctx);
/* Returns whether the pattern has this conversion. */
bool log_pattern_has(const char *text, char conversion);
/* Writes a line that ends with a newline, cut at cap octets. Returns the number of octets. A
 * pattern keeps the time of its last line, so only one thread may call this at a time. */
size_t log_pattern_line(struct log_pattern *p, const struct log_record *r, char *out, size_t cap)
	must_check;
