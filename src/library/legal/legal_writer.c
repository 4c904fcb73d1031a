/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A list of records behind a mutex, which is held for a few instructions. The thread takes one
 * record at a time, collects lines until the list is empty or a block is full, and writes them
 * without the lock. The last reference and the thread both use the writer; the later one to finish
 * frees it.
 */
#include "library/legal/legal_writer.h"

#include "base/arena.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "library/legal/legal_file.h"
#include "library/common/script_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_LEN = 64 << 10,
	CLOSE_WAIT_MS = 300,
	GIVE_UP_S = 60,
	SCRIPTS_MAX = 4,
	SCRIPT_QUEUE = 16,
	SCRIPT_DEADLINE_S = 300,
	SCRIPT_GRACE_S = 5
};

struct record {
	struct record *next;
	int64_t wall_ns;
	size_t n;
	uint8_t text[];
};

struct legal_writer {
	_Atomic unsigned refs;
	struct arena arena;
	struct legal_target target;
	struct library_messages messages;
	pthread_mutex_t mu; /* of the members below, up to the thread's */
	pthread_cond_t changed;
	struct record *first, **end;
	size_t bytes; /* of the records in the list */
	size_t n_put;
	bool started, closed, left, idle;
	int64_t give_up_ns;
	int64_t begin_ns; /* wall clock: the first file is that of this time */
	/* the thread's */
	struct legal_file file;
	struct record *held;
	int failure; /* of the last attempt; 0: none */
};

/* Frees a writer without a thread. Returns the number of scripts' runs that are dropped. */
static unsigned free_writer(struct legal_writer *w)
{
	unsigned dropped = child_pool_unref(w->file.scripts);

	legal_file_fini(&w->file);
	while (w->first) {
		struct record *r = w->first;

		w->first = r->next;
		free(r);
	}
	free(w->held);
	library_messages_fini(&w->messages);
	(void)pthread_mutex_destroy(&w->mu);
	(void)pthread_cond_destroy(&w->changed);
	arena_fini(&w->arena);
	free(w);
	return dropped;
}

/* Copies the texts of a target. Returns 0 or -ENOMEM. */
static int copy_target(struct legal_writer *w, const struct legal_target *t)
{
	const char **const texts[] = {&w->target.pattern,    &w->target.dir,
				      &w->target.base,	     &w->target.prerotate,
				      &w->target.postrotate, &w->target.stamp};

	w->target = *t;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (!*texts[i])
			continue;
		*texts[i] = arena_strdup(&w->arena, *texts[i]);
		if (!*texts[i])
			return -ENOMEM;
	}
	return 0;
}

/* Makes the pool of the rotation's scripts, if there are any. Returns 0 or -ENOMEM. */
static int make_scripts(struct legal_writer *w, struct log *log)
{
	static const struct child_limits limits = {SCRIPTS_MAX, SCRIPT_QUEUE,
						   SCRIPT_DEADLINE_S * NS_PER_S,
						   SCRIPT_GRACE_S * NS_PER_S};

	if (!w->target.prerotate && !w->target.postrotate)
		return 0;
	w->file.scripts = script_pool_new(&limits, log);
	return w->file.scripts ? 0 : -ENOMEM;
}

struct legal_writer *legal_writer_new(const struct legal_target *t, struct log *log)
{
	struct legal_writer *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		return NULL;
	w->refs = 1;
	w->end = &w->first;
	arena_init(&w->arena);
	library_messages_init(&w->messages, log);
	(void)pthread_mutex_init(&w->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	w->file = (struct legal_file){.target = &w->target, .messages = &w->messages, .fd = -1};
	if (copy_target(w, t) == 0 && make_scripts(w, log) == 0 && legal_file_init(&w->file) == 0)
		return w;
	(void)free_writer(w);
	return NULL;
}

struct legal_writer *legal_writer_ref(struct legal_writer *w)
{
	(void)atomic_fetch_add(&w->refs, 1);
	return w;
}

static bool equal_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool legal_writer_fits(const struct legal_writer *w, const struct legal_target *t)
{
	const struct legal_target *have = &w->target;

	return have->syslog == t->syslog && have->facility == t->facility &&
	       have->period.unit == t->period.unit && have->period.count == t->period.count &&
	       have->mark == t->mark && equal_text(have->pattern, t->pattern) &&
	       equal_text(have->dir, t->dir) && equal_text(have->base, t->base) &&
	       equal_text(have->prerotate, t->prerotate) &&
	       equal_text(have->postrotate, t->postrotate) && equal_text(have->stamp, t->stamp);
}

/* --- The thread ------------------------------------------------------------------------------- */

/* Takes the oldest record. Called with mu held. */
static struct record *take_record(struct legal_writer *w)
{
	struct record *r = w->first;

	if (!r)
		return NULL;
	w->first = r->next;
	if (!w->first)
		w->end = &w->first;
	w->bytes -= sizeof(*r) + r->n;
	return r;
}

/* Moves the held record to the lines of its file. Returns 0, or -errno; it is held then. */
static int add_held(struct legal_writer *w)
{
	struct record *r = w->held;
	int e = legal_file_ready(&w->file, r->wall_ns);

	if (e == 0)
		e = legal_file_add(&w->file, r->wall_ns, span_of(r->text, r->n));
	if (e < 0)
		return e;
	w->held = NULL;
	free(r);
	return 0;
}

static bool has_more(struct legal_writer *w)
{
	bool more;

	(void)pthread_mutex_lock(&w->mu);
	more = w->first != NULL;
	(void)pthread_mutex_unlock(&w->mu);
	return more;
}

/* Adds a record to the lines, and writes them if no other record waits or the block is full. */
static int write_some(struct legal_writer *w)
{
	int e = w->held ? add_held(w) : 0;

	if (e < 0)
		return e;
	if (!w->failure && !w->target.syslog && w->file.out.len < BLOCK_LEN && has_more(w))
		return 0;
	return legal_file_flush(&w->file);
}

/* Reports the begin and the end of a failure. */
static void note_result(struct legal_writer *w, int e)
{
	const char *where = w->target.syslog ? "syslog" : w->file.path;

	if (e < 0 && e != w->failure)
		library_message(
			&w->messages, LOG_LEGAL_LOG_LEASE4_WRITE_ERROR,
			"%s cannot be written: %s; its records wait, and are tried again each "
			"second",
			where, strerror(-e));
	else if (e == 0 && w->failure)
		library_message(&w->messages, LOG_USHER_LEGAL_LOG_BACK,
				"%s is written again, with the records that waited", where);
	w->failure = e;
}

/* Waits a second for the next attempt, less when the writer is closed. Called with mu held. Returns
 * false when no attempt is left. */
static bool wait_retry(struct legal_writer *w)
{
	int64_t now = clock_mono_ns(&clock_system);
	int64_t next = now + NS_PER_S;
	struct timespec ts = {.tv_sec = (time_t)(next / NS_PER_S),
			      .tv_nsec = (long)(next % NS_PER_S)};

	if (w->closed && now >= w->give_up_ns)
		return false;
	(void)pthread_cond_timedwait(&w->changed, &w->mu, &ts);
	return true;
}

/* Writes until all is written and the writer is closed, or it gives up. Called with mu held. */
static void write_all(struct legal_writer *w)
{
	for (;;) {
		int e;

		if (!w->held && !w->failure)
			w->held = take_record(w);
		if (!w->held && !w->file.n_out) {
			if (w->closed && !w->first)
				return;
			if (!w->first) {
				w->idle = true;
				(void)pthread_cond_wait(&w->changed, &w->mu);
				w->idle = false;
			}
			continue;
		}
		(void)pthread_mutex_unlock(&w->mu);
		e = write_some(w);
		note_result(w, e);
		(void)pthread_mutex_lock(&w->mu);
		if (e < 0 && !wait_retry(w))
			return;
	}
}

static void *write_records(void *writer)
{
	struct legal_writer *w = writer;
	bool last;

	note_result(w, legal_file_ready(&w->file, w->begin_ns));
	w->failure = 0;
	(void)pthread_mutex_lock(&w->mu);
	write_all(w);
	w->started = false;
	last = w->left;
	(void)pthread_cond_broadcast(&w->changed);
	(void)pthread_mutex_unlock(&w->mu);
	if (last)
		(void)free_writer(w);
	return NULL;
}

/* --- Users ------------------------------------------------------------------------------------ */

int legal_writer_start(struct legal_writer *w, usher_lib *lib, int64_t wall_ns)
{
	pthread_t thread;
	int e = w->file.scripts ? -child_pool_start(w->file.scripts) : 0;

	library_count_for(&w->messages, lib);
	(void)pthread_mutex_lock(&w->mu);
	if (!e && !w->started) {
		w->begin_ns = wall_ns;
		e = pthread_create(&thread, NULL, write_records, w);
		w->started = e == 0;
		if (w->started)
			(void)pthread_detach(thread);
	}
	(void)pthread_mutex_unlock(&w->mu);
	return -e;
}

int legal_writer_put(struct legal_writer *w, int64_t wall_ns, struct span text)
{
	struct record *r = text.n <= LEGAL_RECORD_MAX ? malloc(sizeof(*r) + text.n) : NULL;
	int e = 0;

	if (!r)
		return text.n > LEGAL_RECORD_MAX ? -E2BIG : -ENOMEM;
	*r = (struct record){.wall_ns = wall_ns, .n = text.n};
	if (text.n)
		memcpy(r->text, text.p, text.n);
	(void)pthread_mutex_lock(&w->mu);
	if (!w->started || w->closed) {
		e = -ESRCH;
	} else if (w->bytes + sizeof(*r) + r->n > LEGAL_QUEUE_BYTES) {
		e = -EAGAIN;
	} else {
		*w->end = r;
		w->end = &r->next;
		w->bytes += sizeof(*r) + r->n;
		w->n_put++;
		if (w->idle)
			(void)pthread_cond_signal(&w->changed);
	}
	(void)pthread_mutex_unlock(&w->mu);
	if (e < 0)
		free(r);
	return e;
}

/* Waits for the end of the thread, which writes the queue first. Called with mu held. */
static void wait_end(struct legal_writer *w)
{
	int64_t end = clock_mono_ns(&clock_system) + CLOSE_WAIT_MS * NS_PER_MS;
	struct timespec ts = {.tv_sec = (time_t)(end / NS_PER_S),
			      .tv_nsec = (long)(end % NS_PER_S)};

	while (w->started && clock_mono_ns(&clock_system) < end)
		(void)pthread_cond_timedwait(&w->changed, &w->mu, &ts);
}

/* Ends the counting by a library, unless another one counts already. */
static void leave_count(struct legal_writer *w, const usher_lib *lib)
{
	if (w->messages.lib == lib)
		library_count_for(&w->messages, NULL);
}

size_t legal_writer_unref(struct legal_writer *w, const usher_lib *lib, unsigned *ret_scripts)
{
	size_t unwritten;
	bool last;

	*ret_scripts = 0;
	if (!w)
		return 0;
	leave_count(w, lib);
	if (atomic_fetch_sub(&w->refs, 1) != 1)
		return 0;
	(void)pthread_mutex_lock(&w->mu);
	w->closed = true;
	w->give_up_ns = clock_mono_ns(&clock_system) + GIVE_UP_S * NS_PER_S;
	(void)pthread_cond_broadcast(&w->changed);
	wait_end(w);
	library_messages_mute(&w->messages);
	if (w->file.scripts)
		child_pool_mute(w->file.scripts);
	unwritten = w->n_put - (size_t)atomic_load(&w->file.n_written);
	w->left = true;
	last = !w->started;
	(void)pthread_mutex_unlock(&w->mu);
	if (last)
		*ret_scripts = free_writer(w);
	return unwritten;
}
