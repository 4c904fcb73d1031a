/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Callouts that hang. A callout of an external library runs in the thread of its worker, and a
 * thread cannot be taken out of it. So where a callout does not return in time, a new thread takes
 * the worker over, and continues with all but that exchange, which waits like a parked one. When
 * the callout returns, its thread gives the exchange back, which is dropped, and ends.
 *
 * worker.callout is even while the worker runs no callout, and odd in one; each change adds 1. The
 * thread that changes it from an odd value owns the worker: the worker's own thread when the
 * callout returns, or the watch, which then starts the new thread. The watch sees an odd value that
 * stays, so that calls need no clock.
 */
#include "server/worker/worker_impl.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "runtime/loop.h"
#include "server/core/server.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <time.h>

/* HANGING_MAX: calls that hang at a time; while there are as many, a library that hangs is not
 * called. Those that each worker is in come on top. */
enum { HANGING_MAX = 32 };
/* The time of a call while another one hangs: the library is known to hang. */
#define HANGING_DEADLINE_NS (100 * NS_PER_MS)
#define LOOK_MAX_NS	    (250 * NS_PER_MS)
#define LOOK_MIN_NS	    (10 * NS_PER_MS)

/* The watching thread, and the values of worker.callout that it read last. */
struct worker_watch {
	struct server *srv;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	int64_t deadline_ns; /* of a call; 0: there are no external libraries */
	struct {
		uint64_t callout;
		int64_t since_ns;
	} seen[SERVER_MAX_WORKERS];
};

/* The place where a thread ends that does not own its worker any more. */
static _Thread_local jmp_buf thread_end;

/* --- The worker's thread ---------------------------------------------------------------------- */

uint64_t worker_enter_callout(struct exchange *x, _Atomic unsigned *hanging)
{
	struct worker *w = x->w;
	uint64_t v;

	if (!w->threaded)
		return HOOK_NOT_WATCHED;
	if (atomic_load_explicit(&w->srv->hanging, memory_order_relaxed) >= HANGING_MAX &&
	    atomic_load_explicit(hanging, memory_order_relaxed))
		return HOOK_REFUSED;
	w->callout_x = x;
	w->callout_hanging = hanging;
	v = atomic_load_explicit(&w->callout, memory_order_relaxed) + 1;
	atomic_store_explicit(&w->callout, v, memory_order_release);
	return v;
}

/* Gives back the exchange of a call that hung, and ends the thread. */
static _Noreturn void end_thread(struct exchange *x, _Atomic unsigned *hanging)
{
	struct worker *w = x->w;
	struct server *srv = w->srv;

	(void)atomic_fetch_sub(hanging, 1);
	(void)pthread_mutex_lock(&w->mail_lock);
	x->returned_next = w->returned;
	w->returned = x;
	(void)pthread_mutex_unlock(&w->mail_lock);
	worker_wake(w);
	(void)atomic_fetch_sub(&srv->hanging, 1);
	longjmp(thread_end, 1);
}

void worker_leave_callout(struct exchange *x, _Atomic unsigned *hanging, uint64_t token)
{
	uint64_t v = token;

	if (token == HOOK_NOT_WATCHED)
		return;
	if (likely(atomic_compare_exchange_strong(&x->w->callout, &v, token + 1)))
		return;
	end_thread(x, hanging);
}

static void run_loop(struct worker *w)
{
	int r = loop_run(w->loop);

	if (r < 0)
		log_msg(w->srv->log, LOG_DHCP4_WORKER_FAIL, "worker %u: %s", w->index,
			usher_strerror(r));
	(void)pthread_mutex_lock(&w->life_lock);
	w->ended = true;
	(void)pthread_cond_signal(&w->life);
	(void)pthread_mutex_unlock(&w->life_lock);
}

static void *run_thread(void *worker)
{
	if (setjmp(thread_end) == 0)
		run_loop(worker);
	return NULL;
}

/* Runs as the new thread of a worker, if the callout has not returned meanwhile. */
static void *run_fresh_thread(void *worker)
{
	struct worker *w = worker;
	bool taken;

	(void)pthread_mutex_lock(&w->life_lock);
	taken = w->taken;
	(void)pthread_mutex_unlock(&w->life_lock);
	if (taken && setjmp(thread_end) == 0) {
		worker_continue(w);
		run_loop(w);
	}
	return NULL;
}

int worker_run_thread(struct worker *w)
{
	w->ended = false;
	return -pthread_create(&w->thread, NULL, run_thread, w);
}

void worker_join(struct worker *w)
{
	pthread_t last;

	(void)pthread_mutex_lock(&w->life_lock);
	while (!w->ended)
		(void)pthread_cond_wait(&w->life, &w->life_lock);
	last = w->thread;
	(void)pthread_mutex_unlock(&w->life_lock);
	(void)pthread_join(last, NULL);
}

/* --- The watch -------------------------------------------------------------------------------- */

/* Puts a new thread in the place of the one in a call; nothing happens if the call returns
 * meanwhile. */
static void replace_thread(struct worker *w, uint64_t callout)
{
	pthread_t fresh;
	int r;

	(void)pthread_mutex_lock(&w->life_lock);
	w->taken = false;
	r = pthread_create(&fresh, NULL, run_fresh_thread, w);
	if (r == 0 && atomic_compare_exchange_strong(&w->callout, &callout, callout + 1)) {
		w->taken = true;
		(void)atomic_fetch_add(&w->srv->hanging, 1);
		(void)atomic_fetch_add(w->callout_hanging, 1);
		w->busy_before_ns += worker_thread_ns(w->thread);
		(void)pthread_detach(w->thread);
		w->thread = fresh;
	}
	(void)pthread_mutex_unlock(&w->life_lock);
	if (r == 0 && !w->taken)
		(void)pthread_join(fresh, NULL);
}

static int64_t time_of_a_call(const struct worker_watch *h)
{
	return atomic_load(&h->srv->hanging) && h->deadline_ns > HANGING_DEADLINE_NS
		       ? HANGING_DEADLINE_NS
		       : h->deadline_ns;
}

static void look_at(struct worker_watch *h, unsigned i)
{
	struct worker *w = h->srv->workers[i];
	uint64_t v = atomic_load_explicit(&w->callout, memory_order_relaxed);
	int64_t now_ns = clock_mono_ns(&clock_system);

	if (!(v & 1) || v != h->seen[i].callout) {
		h->seen[i].callout = v;
		h->seen[i].since_ns = now_ns;
		return;
	}
	if (now_ns - h->seen[i].since_ns >= time_of_a_call(h))
		replace_thread(w, v);
}

/* Waits for a fourth of the time of a call. */
static void wait_a_moment(struct worker_watch *h)
{
	int64_t wait_ns = time_of_a_call(h) / 4;
	struct timespec until;

	wait_ns = wait_ns > LOOK_MAX_NS ? LOOK_MAX_NS : wait_ns;
	wait_ns = wait_ns < LOOK_MIN_NS ? LOOK_MIN_NS : wait_ns;
	wait_ns += clock_mono_ns(&clock_system);
	until = (struct timespec){wait_ns / NS_PER_S, wait_ns % NS_PER_S};
	(void)pthread_cond_timedwait(&h->wake, &h->lock, &until);
}

static void *watch(void *watch)
{
	struct worker_watch *h = watch;

	(void)pthread_mutex_lock(&h->lock);
	while (!h->stop) {
		if (!h->deadline_ns) {
			(void)pthread_cond_wait(&h->wake, &h->lock);
			continue;
		}
		wait_a_moment(h);
		for (unsigned i = 0; i < h->srv->n_workers && !h->stop; i++)
			look_at(h, i);
	}
	(void)pthread_mutex_unlock(&h->lock);
	return NULL;
}

int worker_watch_start(struct server *srv)
{
	struct worker_watch *h;
	pthread_condattr_t a;
	int r;

	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->srv = srv;
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_condattr_init(&a);
	(void)pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&h->wake, &a);
	(void)pthread_condattr_destroy(&a);
	r = -pthread_create(&h->thread, NULL, watch, h);
	if (r < 0) {
		free(h);
		return r;
	}
	srv->watch = h;
	return 0;
}

void worker_watch_set(struct server *srv, int64_t deadline_ns)
{
	struct worker_watch *h = srv->watch;

	if (!h)
		return;
	(void)pthread_mutex_lock(&h->lock);
	h->deadline_ns = deadline_ns;
	(void)pthread_cond_signal(&h->wake);
	(void)pthread_mutex_unlock(&h->lock);
}

bool worker_watch_stop(struct server *srv, int64_t wait_ns)
{
	int64_t until_ns = clock_mono_ns(&clock_system) + wait_ns;
	struct worker_watch *h = srv->watch;

	if (!h)
		return true;
	(void)pthread_mutex_lock(&h->lock);
	h->stop = true;
	(void)pthread_cond_signal(&h->wake);
	(void)pthread_mutex_unlock(&h->lock);
	(void)pthread_join(h->thread, NULL);
	(void)pthread_cond_destroy(&h->wake);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
	srv->watch = NULL;
	while (atomic_load(&srv->hanging) && clock_mono_ns(&clock_system) < until_ns)
		(void)nanosleep(&(struct timespec){.tv_nsec = LOOK_MIN_NS}, NULL);
	return !atomic_load(&srv->hanging);
}
