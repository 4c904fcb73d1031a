/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The loop: a batch, then whoever asks, then waiting for frames, questions or the end.
 */
#include "gate/assembly.h"
#include "gate/run/worker.h"

#include "base/clock.h"
#include "base/error.h"
#include "gate/lua/bind.h"
#include "gate/run/guard_run.h"
#include "gate/run/rules.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { IDLE_MS = 100, PATIENCE_S = 5 };

struct gate_worker {
	struct gate_worker_opts o;
	struct gate_worker_view view;
	struct gate_bind *bind;
	struct guard_run *guard;
	struct gate *g;
	pthread_t thread;
	bool runs;
	int broken; /* -errno of its source */
	int wake_fd;
	_Atomic bool stop, asked;
	pthread_mutex_t lock; /* of the members below */
	pthread_cond_t answered;
	gate_worker_fn fn; /* NULL: nothing is asked */
	void *arg;
};

static void answer(struct gate_worker *w)
{
	(void)pthread_mutex_lock(&w->lock);
	atomic_store(&w->asked, false);
	if (w->fn)
		w->fn(w->arg, &w->view);
	w->fn = NULL;
	(void)pthread_cond_signal(&w->answered);
	(void)pthread_mutex_unlock(&w->lock);
}

static void wait_for_something(struct gate_worker *w)
{
	struct pollfd pfd[3] = {
		{.fd = frames_fd(w->o.frames), .events = POLLIN},
		{.fd = w->o.stop_fd, .events = POLLIN},
		{.fd = w->wake_fd, .events = POLLIN},
	};
	uint64_t n;

	/* time-outs run while no packet arrives */
	if (poll(pfd, 3, IDLE_MS) <= 0)
		gate_tick(w->g, frames_now(w->o.frames));
	if (pfd[1].revents)
		atomic_store(&w->stop, true);
	if (pfd[2].revents)
		(void)!read(w->wake_fd, &n, sizeof(n));
}

/* Checks whether a worker is to end. A busy worker asks now and then. */
static bool must_stop(struct gate_worker *w)
{
	struct pollfd pfd = {.fd = w->o.stop_fd, .events = POLLIN};

	return poll(&pfd, 1, 0) > 0;
}

static void *run_worker(void *arg)
{
	enum { LOOK_EVERY = 64 };
	struct gate_worker *w = arg;
	unsigned turns = 0;

	while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
		int r = gate_turn(w->g);

		guard_run_tick(w->guard, clock_wall_ns(gate_clock(w->g)));
		if (atomic_load_explicit(&w->asked, memory_order_acquire))
			answer(w);
		if (r < 0) {
			w->broken = r;
			w->o.broken(w->o.ctx);
			break;
		}
		if (r == 0)
			wait_for_something(w);
		else if (++turns % LOOK_EVERY == 0 && must_stop(w))
			break;
	}
	gate_release_held(w->g);
	return NULL;
}

bool gate_worker_ask(struct gate_worker *w, gate_worker_fn fn, void *arg)
{
	uint64_t one = 1;
	struct timespec until;
	int r = 0;

	if (!w->runs) {
		fn(arg, &w->view);
		return true;
	}
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	(void)pthread_mutex_lock(&w->lock);
	w->fn = fn;
	w->arg = arg;
	atomic_store_explicit(&w->asked, true, memory_order_release);
	(void)!write(w->wake_fd, &one, sizeof(one));
	while (w->fn && r == 0)
		r = pthread_cond_timedwait(&w->answered, &w->lock, &until);
	w->fn = NULL; /* the caller does not wait any more */
	(void)pthread_mutex_unlock(&w->lock);
	return r == 0;
}

int gate_worker_start(struct gate_worker *w)
{
	int r = -pthread_create(&w->thread, NULL, run_worker, w);

	w->runs = r == 0;
	return r;
}

int gate_worker_join(struct gate_worker *w)
{
	if (w->runs)
		(void)pthread_join(w->thread, NULL);
	w->runs = false;
	return w->broken;
}

int gate_worker_new(const struct gate_worker_opts *o, struct gate_worker **ret)
{
	struct gate_worker *w = calloc(1, sizeof(*w));
	struct gate_opts go = *o->gate;
	int r;

	if (!w) {
		frames_close(o->frames);
		return -ENOMEM;
	}
	w->o = *o;
	w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->answered, NULL);
	go.frames = o->frames;
	r = w->wake_fd < 0 ? -errno : gate_new(&go, &w->g);
	if (r < 0)
		(void)fprintf(stderr, "usher-gate: worker %u: %s\n", o->number, usher_strerror(r));
	else
		r = guard_run_open(o->rules, w->g, &go.hash_key, true, &w->guard);
	if (r == 0)
		r = gate_rules_load(o->rules, w->g, o->number, &w->bind);
	if (r < 0) {
		(void)gate_worker_free(w);
		return r;
	}
	w->view = (struct gate_worker_view){w->g, w->bind, guard_run_guard(w->guard), o->frames,
					    o->number};
	*ret = w;
	return 0;
}

int gate_worker_free(struct gate_worker *w)
{
	int r;

	if (!w)
		return 0;
	gate_bind_free(w->bind);
	gate_free(w->g);
	r = guard_run_close(w->guard, frames_now(w->o.frames));
	frames_close(w->o.frames);
	if (w->wake_fd >= 0)
		(void)close(w->wake_fd);
	(void)pthread_cond_destroy(&w->answered);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
	return r;
}
