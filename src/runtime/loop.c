/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Event loop over epoll. Removed sources are kept on a grave list until the round ends, because
 * events of the same epoll_wait may still name them. Timers are few, so a list is searched.
 */
#include "runtime/loop.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { LOOP_EVENTS = 64 };

struct loop_source {
	struct loop *loop;
	int fd;
	loop_fd_fn fn;
	void *ctx;
	bool dead;
	struct loop_source *next_dead;
};

struct loop_timer {
	struct loop *loop;
	loop_timer_fn fn;
	void *ctx;
	int64_t due; /* -1: not armed */
	struct loop_timer *next;
};

struct loop {
	int epfd;
	bool stop;
	struct loop_source *dead;
	struct loop_timer *timers;
	loop_turn_fn turn;
	void *turn_ctx;
};

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		int e = -errno;

		free(l);
		return e;
	}
	*ret = l;
	return 0;
}

static void bury_source(struct loop *l)
{
	while (l->dead) {
		struct loop_source *s = l->dead;

		l->dead = s->next_dead;
		free(s);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	bury_source(l);
	while (l->timers)
		loop_timer_free(l->timers);
	(void)close(l->epfd);
	free(l);
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_fd_fn fn, void *ctx,
	     struct loop_source **ret)
{
	struct loop_source *s = calloc(1, sizeof(*s));
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (!s)
		return -ENOMEM;
	*s = (struct loop_source){.loop = l, .fd = fd, .fn = fn, .ctx = ctx};
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int e = -errno;

		free(s);
		return e;
	}
	*ret = s;
	return 0;
}

int loop_modify(struct loop_source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	return epoll_ctl(s->loop->epfd, EPOLL_CTL_MOD, s->fd, &ev) < 0 ? -errno : 0;
}

void loop_remove(struct loop_source *s)
{
	if (!s || s->dead)
		return;
	(void)epoll_ctl(s->loop->epfd, EPOLL_CTL_DEL, s->fd, NULL);
	s->dead = true;
	s->next_dead = s->loop->dead;
	s->loop->dead = s;
}

int loop_timer_new(struct loop *l, loop_timer_fn fn, void *ctx, struct loop_timer **ret)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*t = (struct loop_timer){.loop = l, .fn = fn, .ctx = ctx, .due = -1, .next = l->timers};
	l->timers = t;
	*ret = t;
	return 0;
}

void loop_timer_set(struct loop_timer *t, int64_t delay_ns)
{
	t->due = delay_ns < 0 ? -1 : clock_mono_ns(&clock_system) + delay_ns;
}

void loop_timer_free(struct loop_timer *t)
{
	struct loop_timer **p;

	if (!t)
		return;
	for (p = &t->loop->timers; *p; p = &(*p)->next) {
		if (*p == t) {
			*p = t->next;
			break;
		}
	}
	free(t);
}

/* Milliseconds until the first timer, at most limit (-1: none). */
static int timers_wait(const struct loop *l, int limit)
{
	int64_t first = -1;
	int64_t left;

	for (const struct loop_timer *t = l->timers; t; t = t->next)
		if (t->due >= 0 && (first < 0 || t->due < first))
			first = t->due;
	if (first < 0)
		return limit;
	left = first - clock_mono_ns(&clock_system);
	left = left <= 0 ? 0 : (left + NS_PER_MS - 1) / NS_PER_MS;
	if (left > 60000)
		left = 60000;
	return limit < 0 || left < limit ? (int)left : limit;
}

/* Fires the timers that are due. A callback may free timers, so the search starts over after
 * each. */
static void timers_fire(struct loop *l)
{
	int64_t now = clock_mono_ns(&clock_system);
	struct loop_timer *t;

again:
	for (t = l->timers; t; t = t->next) {
		if (t->due >= 0 && t->due <= now) {
			t->due = -1;
			t->fn(t->ctx);
			goto again;
		}
	}
}

void loop_on_turn(struct loop *l, loop_turn_fn fn, void *ctx)
{
	l->turn = fn;
	l->turn_ctx = ctx;
}

static int wait_for_events(struct loop *l, struct epoll_event *ev, int timeout_ms)
{
	int n = 0;

	if (l->turn) {
		n = epoll_wait(l->epfd, ev, LOOP_EVENTS, 0);
		l->turn(l->turn_ctx, n == 0);
	}
	return n ? n : epoll_wait(l->epfd, ev, LOOP_EVENTS, timers_wait(l, timeout_ms));
}

int loop_step(struct loop *l, int timeout_ms)
{
	struct epoll_event ev[LOOP_EVENTS];
	int n = wait_for_events(l, ev, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct loop_source *s = ev[i].data.ptr;

		if (!s->dead)
			s->fn(s->ctx, ev[i].events);
	}
	timers_fire(l);
	bury_source(l);
	return 0;
}

int loop_run(struct loop *l)
{
	int r = 0;

	l->stop = false;
	while (!l->stop && r == 0)
		r = loop_step(l, -1);
	return r;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
