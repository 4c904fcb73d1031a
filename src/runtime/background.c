/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Only the loop's thread sees the queue. It starts a thread for one job and joins it when the
 * thread has written to the event descriptor, so that thread and loop share nothing else but the
 * flag of the end. The priority is the thread's own: a caller could not restore his without
 * privileges.
 */
#include "runtime/background.h"

#include "runtime/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

struct background {
	struct loop_source *source;
	int fd; /* readable when the work of the first job is done */
	struct background_job *first, **end;
	size_t n;
	bool running, threaded; /* the first job: its work has begun; in a thread */
	pthread_t thread;
	_Atomic bool ending;
};

static void report_end(struct background *b)
{
	static const uint64_t one = 1;

	while (write(b->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

static void *background_main(void *arg)
{
	struct background *b = arg;

	/* on Linux a priority belongs to a thread; the work is done also without it */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	b->first->work(b->first);
	report_end(b);
	return NULL;
}

static void begin_first(struct background *b)
{
	if (!b->first || b->running)
		return;
	b->running = true;
	b->threaded = pthread_create(&b->thread, NULL, background_main, b) == 0;
	if (b->threaded)
		return;
	b->first->work(b->first);
	report_end(b);
}

/* Takes the first job out of the queue when its work is done, and finishes it. */
static void finish_first(struct background *b, bool ended)
{
	struct background_job *j = b->first;

	if (b->threaded)
		(void)pthread_join(b->thread, NULL);
	b->first = j->next;
	if (!b->first)
		b->end = &b->first;
	j->next = NULL;
	b->threaded = false;
	j->finish(j, ended); /* the next one waits: running is set */
	b->running = false;
	b->n--;
}

static void on_work_done(void *ctx, uint32_t events)
{
	struct background *b = ctx;
	uint64_t n;

	(void)events;
	if (read(b->fd, &n, sizeof(n)) < 0)
		return;
	finish_first(b, false);
	begin_first(b);
}

int background_new(struct loop *l, struct background **ret)
{
	struct background *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->end = &b->first;
	b->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = b->fd < 0 ? -errno : loop_add(l, b->fd, EPOLLIN, on_work_done, b, &b->source);
	if (r < 0) {
		if (b->fd >= 0)
			(void)close(b->fd);
		free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void background_free(struct background *b)
{
	if (!b)
		return;
	b->ending = true;
	while (b->first)
		finish_first(b, true);
	loop_remove(b->source);
	(void)close(b->fd);
	free(b);
}

void background_add(struct background *b, struct background_job *j)
{
	j->next = NULL;
	*b->end = j;
	b->end = &j->next;
	b->n++;
	begin_first(b);
}

size_t background_count(const struct background *b)
{
	return b->n;
}

bool background_is_ending(const struct background *b)
{
	return b && b->ending;
}
