/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Logging. A message is an id of log_ids.def and a text; the id fixes the logger and the
 * severity. The line has the form that monitoring of Kea expects:
 *   2026-11-20 12:00:00.123 INFO  [kea-dhcp4.leases/4711] DHCP4_LEASE_ALLOC text
 * unless an output has a pattern of its own.
 * Any thread may log. A sink that is slower than the log loses lines, and the loss is counted and
 * reported: logging never blocks a packet. A warning or error about packets or leases that repeats
 * is written at most LOG_REPEATS times a second; the rest is counted and reported with the next one
 * that is written. log_on() is cheap; call it before formatting.
 */
#pragma once

#include "base/attr.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_severity {
	LOG_SEV_DEBUG,
	LOG_SEV_INFO,
	LOG_SEV_WARN,
	LOG_SEV_ERROR,
	LOG_SEV_FATAL,
	LOG_SEV_NONE,
};

enum log_id {
#define LOG_ID(id, logger, severity) LOG_##id,
#include "base/log_ids.def"
#undef LOG_ID
	LOG_N_IDS
};

enum log_sink_kind { LOG_SINK_STDOUT, LOG_SINK_STDERR, LOG_SINK_SYSLOG, LOG_SINK_FILE };

/* One target of one logger's lines. Text is borrowed until log_configure returns. */
struct log_output {
	enum log_sink_kind kind;
	const char *path;    /* of LOG_SINK_FILE */
	uint64_t maxsize;    /* octets before rotation; 0: never */
	unsigned maxver;     /* rotated files kept */
	const char *pattern; /* of the lines (log_pattern.h); NULL: the form above, without time for
				syslog */
	int facility;	     /* of LOG_SINK_SYSLOG, as in syslog(3); 0: LOG_LOCAL0, as in Kea */
};

struct log_rule {
	const char *logger; /* the root's name, or "kea-dhcp4.leases" */
	enum log_severity severity;
	const struct log_output *outputs;
	size_t n_outputs;
	int debuglevel; /* of LOG_SEV_DEBUG: messages up to this level, 0 to 99 */
};

struct log;
struct log_tail;

/* How much log_configure() takes: rules, and outputs that are different. */
enum { LOG_MAX_RULES = 64, LOG_MAX_OUTPUTS = 15 };

/* Returns whether two outputs have an equal target and form: they count as one. */
bool log_output_same(const struct log_output *a, const struct log_output *b);

/* Makes a log that writes INFO and above to stdout. root: the name that all loggers' names begin
 * with, borrowed. It is "kea-dhcp4" in the server, because its configuration uses these names. NULL
 * when memory is out. */
struct log *log_new(const struct clock_src *clock, const char *root);
void log_free(struct log *log);
/*
 * Replaces the rules: the longest matching logger name decides. debug: everything at DEBUG to
 * stdout, in place of the rules (-d). Lines for a file that cannot be opened go to stdout;
 * log_reopen() tries again. A file that is not open within 100 ms is opened in the background. 0,
 * or -errno; then the old rules stay.
 */
int log_configure(struct log *log, const struct log_rule *rules, size_t n, bool debug) must_check;
/*
 * Keeps the lines from now on (1 MiB at most) besides writing them: a start that may still be
 * refused opens no file of its configuration. log_release() ends this. It writes the kept lines,
 * with their own times, to the outputs then in force, but not to stdout if it has them.
 * log_forget() ends it and drops the lines.
 */
void log_hold(struct log *log);
/* Keeps the lines of the calling thread that no output wants, until log_release() or log_forget():
 * the loggers of a configuration take effect after the work that writes them. */
void log_hold_own(struct log *log);
void log_release(struct log *log);
void log_forget(struct log *log);
/* Closes and opens again the files, after a rotation from outside. */
void log_reopen(struct log *log);
/* Returns whether a message of this id would be written. A NULL log writes nothing. */
bool log_on(const struct log *log, enum log_id id);
/* Returns whether any message of severity DEBUG would be written. */
bool log_debugs(const struct log *log);
/* Returns whether a message of this id would be written now. False also for a warning that would
 * only be held back; it is counted as held back. Call this where many packets may meet one
 * fault. */
bool log_wants(struct log *log, enum log_id id);
/* Appends each line that is written to t, too, which is borrowed. NULL: to none. */
void log_set_tail(struct log *log, struct log_tail *t);
void log_msg(struct log *log, enum log_id id, const char *fmt, ...) printf_like(3, 4);
/* Starts a thread for each output, which writes its lines from now on. Threads inherit the caller's
 * signal mask. */
void log_start_threads(struct log *log);
/* Waits until the queued lines are written, at most timeout_ns. Skips an output that hangs. Called
 * by the thread that configures. */
void log_flush(struct log *log, int64_t timeout_ns);
/* Returns the number of lines lost because a sink was blocked. */
uint64_t log_lost(struct log *log);
/* Returns the debuglevel from which on a message of severity DEBUG is written. */
int log_debuglevel(enum log_id id);
/* Returns the least debuglevel that enables any message of severity DEBUG. */
int log_least_debuglevel(void);
/* Returns the number of a facility's name ("local0"), -1: unknown. */
int log_facility(const char *name);
