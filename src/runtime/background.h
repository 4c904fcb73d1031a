/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Long work of the management thread (reading a large configuration, or a FIFO) beside packets and
 * commands. Jobs run one at a time, in the order in which they were added, each in a thread of the
 * lowest priority: a worker that shares the core is never kept waiting for it. A job begins when
 * the one before it has finished. All functions belong to the loop's thread, but
 * background_is_ending().
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct background;
struct loop;

struct background_job {
	/* Called in a thread of its own. Must take no lock that workers take: a thread of low
	 * priority holds it for long. */
	void (*work)(struct background_job *j);
	/* Called in the loop's thread when work has returned; it may free the job. ended: the queue
	 * is being freed, and work may not have been called. */
	void (*finish)(struct background_job *j, bool ended);
	struct background_job *next; /* in the queue */
};

/* Creates a queue without a thread. Returns 0 or -errno. */
int background_new(struct loop *l, struct background **ret) must_check;
/* Waits for the job in progress, then finishes all jobs as ended, and frees the queue. Accepts
 * NULL. Not to be called from a job. */
void background_free(struct background *b);
/* Adds a job, which is borrowed until it finishes: in a later round of the loop, never within this
 * call. Without a thread the work is done in the loop's thread. */
void background_add(struct background *b, struct background_job *j);
/* Returns the number of jobs that have not finished. */
size_t background_count(const struct background *b);
/* Returns whether a job in progress should end early. Any thread; NULL: no. */
bool background_is_ending(const struct background *b);
