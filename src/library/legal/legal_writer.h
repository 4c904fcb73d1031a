/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The writer of legal records: a thread, and a bounded queue in front of it. Its target is a series
 * of files or syslog. A record that cannot be written, because the disk is full for example, is
 * kept and tried again each second; records behind it wait in the queue, and one that finds no room
 * there is refused. Records are written in their order. Workers put records, the main thread does
 * the rest. A writer may be continued by the library that replaces its own.
 */
#pragma once

#include "base/span.h"
#include "hook/hook.h"
#include "library/legal/legal_period.h"

struct log;

enum { LEGAL_QUEUE_BYTES = 8 << 20, LEGAL_RECORD_MAX = 64 << 10 };

struct legal_target {
	bool syslog;
	int facility;	     /* of syslog(3) */
	const char *pattern; /* of the messages to syslog (base/log_pattern.h) */
	const char *dir, *base;
	struct legal_period period;	    /* count 0: one file */
	const char *prerotate, *postrotate; /* NULL: none */
	const char *stamp;		    /* format of the time before each line */
	bool mark; /* lines that another one follows get '-' in place of ' ' */
};

struct legal_writer;

/* Makes a writer of a target, whose texts are copied, without a thread. NULL: memory is out. */
struct legal_writer *legal_writer_new(const struct legal_target *t, struct log *log) must_check;
struct legal_writer *legal_writer_ref(struct legal_writer *w);
/* Returns whether the writer writes exactly so. */
bool legal_writer_fits(const struct legal_writer *w, const struct legal_target *t);
/* Starts the thread, which opens the file; once. lib counts the lost runs of scripts from now on.
 * 0, or -errno. */
int legal_writer_start(struct legal_writer *w, usher_lib *lib, int64_t wall_ns) must_check;
/* Queues a record; its text is copied. 0; -EAGAIN: the queue is full; -E2BIG; -ESRCH: there is no
 * thread; -ENOMEM. Never waits. */
int legal_writer_put(struct legal_writer *w, int64_t wall_ns, struct span text) must_check;
/*
 * Releases the reference of a library; accepts NULL. The last one waits at most 300 ms for the
 * queue to be written, and 300 ms for the scripts that wait. Returns the number of records that are
 * not written; the thread tries to write them for a minute, while this process lives. ret_scripts:
 * the number of runs that are dropped.
 */
size_t legal_writer_unref(struct legal_writer *w, const usher_lib *lib, unsigned *ret_scripts);
