/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Workers share nothing but the wish to stop. All sources are open before the first packet is read, so
 * that the kernel deals flows to all of them from the start.
 */
#include "gate/live.h"

#include "base/clock.h"
#include "base/error.h"
#include "gate/bind.h"
#include "gate/gate.h"
#include "gate/queue_rules.h"
#include "gate/rules.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { IDLE_MS = 100, RCVBUF = 16 << 20 };

struct live_worker {
	struct live *live;
	struct frames *frames;
	struct gate *g;
	struct gate_bind *bind;
	pthread_t thread;
	bool runs;
	int broken;	/* -errno of its source */
};

struct live {
	const struct gate_args *a;
	int stop_fd;	/* readable: everybody ends */
	_Atomic bool stop;
	struct gate_rules rules;
	struct queue_rules queue_rules;
	bool has_rules;
	unsigned n;
	struct live_worker *workers;
};

static void wake_all(struct live *l)
{
	uint64_t one = 1;

	atomic_store(&l->stop, true);
	(void)!write(l->stop_fd, &one, sizeof(one));
}

static void *work(void *arg)
{
	struct live_worker *w = arg;
	struct pollfd pfd[2] = {
		{.fd = frames_fd(w->frames), .events = POLLIN},
		{.fd = w->live->stop_fd, .events = POLLIN},
	};

	while (!atomic_load_explicit(&w->live->stop, memory_order_relaxed)) {
		int r = gate_turn(w->g);

		if (r < 0) {
			w->broken = r;
			wake_all(w->live);
			break;
		}
		if (r > 0)
			continue;
		/* time-outs go on while nothing comes */
		if (poll(pfd, 2, IDLE_MS) <= 0)
			gate_tick(w->g, clock_wall_ns(&clock_system));
	}
	gate_release_held(w->g);
	return NULL;
}

static int open_queue(struct live *l, unsigned worker, struct frames **ret)
{
	struct frames_nfqueue_opts o = {
		.queue = (uint16_t)(l->a->queue + worker),
		.mark = QUEUE_MARK,
		.rcvbuf = RCVBUF,
	};
	int r = frames_nfqueue_open(&o, ret);

	if (r < 0)
		(void)fprintf(stderr, "usher-gate: queue %u: %s\n", o.queue, usher_strerror(r));
	return r;
}

static int open_source(struct live *l, unsigned worker, struct frames **ret)
{
	struct frames_link_opts o = {
		.ifnames = l->a->ifnames,
		.n = l->a->n_ifnames,
		.worker = worker,
		.n_workers = l->n,
		.group = (int)(getpid() & 0xfff) | 1,
		.rcvbuf = RCVBUF,
	};
	unsigned bad = 0;
	int r;

	if (l->a->queue != GATE_NO_QUEUE)
		return open_queue(l, worker, ret);
	r = frames_link_open(&o, ret, &bad);
	if (r < 0)
		(void)fprintf(stderr, "usher-gate: %s: %s\n", l->a->ifnames[bad], usher_strerror(r));
	return r;
}

static int worker_open(struct live *l, unsigned i, const struct gate_opts *opts)
{
	struct live_worker *w = &l->workers[i];
	struct gate_opts o = *opts;
	int r;

	w->live = l;
	r = open_source(l, i, &w->frames);
	if (r < 0)
		return r;
	o.frames = w->frames;
	r = gate_new(&o, &w->g);
	if (r < 0) {
		(void)fprintf(stderr, "usher-gate: worker %u: %s\n", i, usher_strerror(r));
		return r;
	}
	return gate_rules_load(&l->rules, w->g, i, &w->bind);
}

static int start(struct live *l, const struct gate_opts *o)
{
	int r = 0;

	for (unsigned i = 0; i < l->n && r == 0; i++)
		r = worker_open(l, i, o);
	for (unsigned i = 0; i < l->n && r == 0; i++) {
		r = -pthread_create(&l->workers[i].thread, NULL, work, &l->workers[i]);
		l->workers[i].runs = r == 0;
	}
	/* packets come to the queues when everybody is there to take them */
	if (r == 0 && l->a->queue_rules) {
		r = queue_rules_add(&l->queue_rules);
		l->has_rules = r == 0;
	}
	return r;
}

static int wait_for_end(const struct live *l, int signal_fd)
{
	struct pollfd pfd[2] = {{.fd = signal_fd, .events = POLLIN}, {.fd = l->stop_fd, .events = POLLIN}};

	while (poll(pfd, 2, -1) < 0 && errno == EINTR)
		;
	return 0;
}

static int finish(struct live *l, struct gate_sums *sums)
{
	int code = 0;

	for (unsigned i = 0; i < l->n; i++) {
		struct live_worker *w = &l->workers[i];

		if (w->runs)
			(void)pthread_join(w->thread, NULL);
		if (w->broken) {
			(void)fprintf(stderr, "usher-gate: worker %u: %s\n", i, usher_strerror(w->broken));
			code = 1;
		}
		if (w->g) {
			gate_sums_gate(sums, w->g);
			gate_sums_frames(sums, w->frames);
		}
		gate_bind_free(w->bind);
		gate_free(w->g);
		frames_close(w->frames);
	}
	return code;
}

static int signals_open(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)signal(SIGPIPE, SIG_IGN);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

int gate_live(const struct gate_args *a, const struct gate_opts *o, struct gate_sums *ret_sums)
{
	struct live l = {.a = a, .n = (unsigned)a->workers, .stop_fd = eventfd(0, EFD_CLOEXEC)};
	int signal_fd = signals_open();
	int code = 1;

	l.queue_rules = (struct queue_rules){(uint16_t)a->queue, l.n, o->fail_open};

	l.workers = calloc(l.n, sizeof(*l.workers));
	if (gate_rules_init(&l.rules, a, o->log) == 0 && l.workers && l.stop_fd >= 0 && signal_fd >= 0 &&
	    start(&l, o) == 0) {
		if (!a->quiet)
			(void)fprintf(stderr, "usher-gate: started\n");
		code = wait_for_end(&l, signal_fd);
	}
	/* nothing new comes; what is queued still gets its verdict */
	if (l.has_rules)
		queue_rules_remove(&l.queue_rules);
	wake_all(&l);
	if (l.workers)
		code |= finish(&l, ret_sums);
	gate_rules_fini(&l.rules);
	free(l.workers);
	if (l.stop_fd >= 0)
		(void)close(l.stop_fd);
	if (signal_fd >= 0)
		(void)close(signal_fd);
	return code;
}
