/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hook script: one program, run for each change, one at a time, in the order of the changes,
 * without a shell between. Its only argument is udhcpc's word; the rest is in the environment, in
 * udhcpc's and in dhclient-script's names. The client does not wait for it: results come back
 * through script_poll(), and a script that is not done at its deadline is killed with all of its
 * process group.
 *
 * Values from the network. Numbers and addresses are written by us. Names have letters, digits,
 * dot, hyphen and underscore; paths, places and zones also / : , @ % + =; with anything else in
 * them they are left out, because scripts use them without quotes, and a value that was changed is
 * another one. Of text for people (56) every such octet becomes an underscore. So no value holds
 * anything that a shell would take for more than a word.
 */
#pragma once

#include "base/attr.h"
#include "client/core/effects.h"
#include "client/core/lease.h"

#include <sys/types.h>

enum {
	SCRIPT_QUEUE = 4,
	SCRIPT_ENV_MAX = 192,
	SCRIPT_TEXT_MAX = 65536,
	SCRIPT_VALUE_MAX = 12288, /* the routes of the longest lease, the hex text of the longest
				     option */
	SCRIPT_DEADLINE_S = 30
};

/* One run. Without pointers, so that it can go from process to process. */
struct script_job {
	uint32_t reason;	   /* enum client_reason */
	uint32_t has_now, has_old; /* 0 or 1 */
	uint32_t id;		   /* the caller's */
	struct client_lease now, old;
};

struct script {
	const char *path; /* borrowed; NULL: there is none, and every run succeeds */
	int ifindex;
	int64_t deadline_ns; /* how long a run may take */
	pid_t pid;	     /* 0: none is running */
	int pidfd;	     /* readable when it ended; -1 */
	int64_t end_ns;	     /* CLOCK_BOOTTIME: then it is killed */
	bool killed;
	bool quiet; /* its output goes to /dev/null: the caller may wait for the end of its own */
	unsigned n; /* queued, without the running one */
	uint32_t running_id;
	struct script_job job[SCRIPT_QUEUE];
};

/* How a run ended. */
struct script_result {
	uint32_t id;
	int status; /* exit status; 128 + signal; -ETIMEDOUT: killed; -errno: could not be started;
		     * -ECANCELED: the queue was full, a later change counts more */
};

void script_init(struct script *s, const char *path, int ifindex);
/* Queues a run. A full queue drops its oldest: *ret_dropped is filled and 1 returned; else 0. */
int script_add(struct script *s, const struct script_job *job, struct script_result *ret_dropped);
/*
 * Ends finished runs, kills late ones, starts the next. To be called when pidfd is readable,
 * when script_due() is reached, after script_add. 1: a run ended, and is in *ret (call again); 0.
 */
int script_poll(struct script *s, int64_t now_ns, struct script_result *ret) must_check;
/* Returns the time of the next call of script_poll(), CLOCK_BOOTTIME; 0: none is needed. */
int64_t script_due(const struct script *s);
static inline bool script_idle(const struct script *s)
{
	return !s->pid && !s->n;
}

/* The environment of a run. Lines lie in text; the array ends with NULL. */
struct script_env {
	char *var[SCRIPT_ENV_MAX + 1];
	size_t n, len;
	char text[SCRIPT_TEXT_MAX];
	char value[SCRIPT_VALUE_MAX]; /* the one being written */
	bool full;		      /* something was left out */
};

/* Builds the environment of a job; iface is the interface's name. Pure. */
void script_env_build(struct script_env *e, const struct script_job *job, const char *iface);
