/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Scripts of hook libraries: the check of their names, and children (base/child.h) whose events are
 * logged. A library continues the children of the one that it replaces, so that reloads add none
 * beyond the limits. Workers run scripts; the rest belongs to the main thread.
 */
#pragma once

#include "base/child.h"
#include "hook/hook.h"

struct json;
struct library_problems;

/* Reports a value that does not name an executable regular file. name: a string; without a slash it
 * is a file of the scripts' directory. Returns the path, in arena. */
const char *script_file_check(struct library_problems *p, const struct json *name,
			      struct arena *arena);

/* Makes a pool whose events go to the log. NULL: memory is out. */
struct child_pool *script_pool_new(const struct child_limits *limits, struct log *log) must_check;

/* The children of one library. */
struct script_children {
	struct child_pool *pool;
	usher_lib *lib;
	struct log *log;
	const char *library; /* for messages */
};

/* Makes the pool, unless it was adopted. 0 or -ENOMEM. */
int script_children_init(struct script_children *c, usher_lib *lib, const char *library,
			 const struct child_limits *limits) must_check;
/* Takes a reference to the children of the library before. */
void script_children_adopt(struct script_children *c, struct script_children *before);
/* Starts the thread. 0, or a negative errno. */
int script_children_start(struct script_children *c) must_check;
/* Queues a run. One that finds no room is counted, and logged at most once a second. */
void script_children_run(struct script_children *c, const char *program, const char *arg,
			 struct span env);
/* Releases the pool; runs that have not begun are discarded, counted and logged if no library
 * continues them. Accepts a zeroed object. */
void script_children_fini(struct script_children *c);
