/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The target of a writer's records: the file of the present period, or syslog. Lines are collected
 * and written at once. What could not be written stays, from the octet on that failed. For one
 * thread.
 */
#pragma once

#include "base/buf.h"
#include "library/legal/legal_writer.h"
#include "library/common/library_thread.h"

#include <limits.h>
#include <stdatomic.h>

struct child_pool;
struct log_pattern;

struct legal_file {
	const struct legal_target *target; /* borrowed */
	struct library_messages *messages; /* borrowed */
	struct child_pool *scripts;	   /* borrowed; NULL: there are none */
	struct log_pattern *pattern;	   /* of syslog */
	int fd;
	bool was_open, post_due;
	time_t began;
	char path[PATH_MAX];
	struct buf out;
	size_t written;		    /* octets of out */
	size_t n_out;		    /* records in out */
	_Atomic uint64_t n_written; /* records, since the start; any thread may read it */
};

/* Prepares the target, whose members are set. 0 or -ENOMEM. */
int legal_file_init(struct legal_file *f) must_check;
void legal_file_fini(struct legal_file *f);
/* Opens the file of a time: the newest one whose period lasts, or another one after a rotation. 0,
 * or -errno; nothing is lost then. */
int legal_file_ready(struct legal_file *f, int64_t wall_ns) must_check;
/* Adds a record to the lines. 0 or -ENOMEM. */
int legal_file_add(struct legal_file *f, int64_t wall_ns, struct span text) must_check;
/* Writes the lines. 0, or -errno with those left that are not written. */
int legal_file_flush(struct legal_file *f) must_check;
