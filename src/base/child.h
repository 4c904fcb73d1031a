/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Programs that a thread of its own starts, watches and ends, so that no caller waits for any.
 * Their number, their queue and their time are bounded. A child has an environment of its caller's
 * choice and nothing else of this process: input and output are /dev/null, no descriptor, no
 * blocked or ignored signal, a process group of its own. Its exit status does not matter.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

#include <stdint.h>

struct child_limits {
	unsigned running;    /* children at a time */
	unsigned queued;     /* runs that wait for a place */
	int64_t deadline_ns; /* of a child; then its process group gets SIGTERM */
	int64_t grace_ns;    /* after SIGTERM; then SIGKILL */
};

enum child_event {
	CHILD_UNSTARTED, /* the program could not be started: value is the errno */
	CHILD_LATE,	 /* the deadline passed: SIGTERM was sent to process group value */
	CHILD_KILLED,	 /* so did the grace: SIGKILL was sent to process group value */
};

/* Called by the pool's thread; must not call the pool. */
typedef void child_report(void *ctx, enum child_event e, const char *program, int value);

struct child_pool;

/* Makes a pool with one reference, without a thread. report may be NULL. NULL: memory is out. */
struct child_pool *child_pool_new(const struct child_limits *limits, child_report *report,
				  void *ctx) must_check;
struct child_pool *child_pool_ref(struct child_pool *p);
/*
 * Releases a reference; accepts NULL. With the last one the pool takes no more runs and
 * reports no more events. Waits at most 300 ms until the queued runs have begun, discards the
 * others, and returns how many those are. Running children keep their deadlines while this process
 * lives; afterwards they are left alone.
 */
unsigned child_pool_unref(struct child_pool *p);
/* Ends the reports; none is being made when it returns. */
void child_pool_mute(struct child_pool *p);
/* Starts the thread, with the priority and the blocked signals of the caller; once. 0, or -errno.
 */
int child_pool_start(struct child_pool *p) must_check;
/*
 * Queues a run of a program with one argument. env: NAME=value texts, each with a NUL behind it;
 * all are copied. Returns 0; -EAGAIN: the queue is full; -ESRCH: the pool has no thread; -ENOMEM.
 * Never waits; any thread.
 */
int child_run(struct child_pool *p, const char *program, const char *arg, struct span env)
	must_check;
