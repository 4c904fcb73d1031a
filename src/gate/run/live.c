/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The main thread of a live gate: workers, signals, the control channel. All sources are open
 * before the first packet is read, so that the kernel deals flows to all workers from the start.
 */
#include "gate/run/page.h"
#include "gate/run/live.h"

#include "base/clock.h"
#include "base/error.h"
#include "control/channel.h"
#include "gate/engine/gate.h"
#include "gate/run/queue_rules.h"
#include "gate/run/rules.h"
#include "gate/run/worker.h"
#include "runtime/loop.h"

#include <errno.h>
#include <pthread.h>
#include <net/if.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RCVBUF = 16 << 20, SOCKET_MODE = 0600, DIR_MODE = 0755, PATH_LEN = 256 };

struct live {
	const struct gate_args *a;
	const struct gate_opts *opts;
	int stop_fd; /* readable: everybody ends */
	int signal_fd;
	struct loop *loop;
	struct loop_source *stop_source, *signal_source;
	struct control_plane *plane;
	struct channel *channel;
	struct gate_page *page;
	struct gate_commands commands;
	struct gate_rules rules;
	struct queue_rules queue_rules;
	bool has_rules;
	int watch_fd; /* of the process that removes the rules if this one is killed; -1: none */
	unsigned n;
	struct gate_worker **workers;
};

static void stop_workers(void *ctx)
{
	struct live *l = ctx;
	uint64_t one = 1;

	(void)!write(l->stop_fd, &one, sizeof(one));
}

static bool run_on_worker(void *ctx, unsigned i, gate_worker_fn fn, void *arg)
{
	struct live *l = ctx;

	return gate_worker_ask(l->workers[i], fn, arg);
}

/* --- Sources ---------------------------------------------------------------------------------- */

static int open_queue(const struct live *l, unsigned worker, struct frames **ret)
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

static int open_links(const struct live *l, unsigned worker, struct frames **ret)
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
	int r = frames_link_open(&o, ret, &bad);

	if (r < 0)
		(void)fprintf(stderr, "usher-gate: %s: %s\n", l->a->ifnames[bad],
			      usher_strerror(r));
	return r;
}

static int open_worker(struct live *l, unsigned i)
{
	struct gate_worker_opts o = {
		.number = i,
		.gate = l->opts,
		.rules = &l->rules,
		.stop_fd = l->stop_fd,
		.broken = stop_workers,
		.ctx = l,
	};
	int r = l->a->queue != GATE_NO_QUEUE ? open_queue(l, i, &o.frames)
					     : open_links(l, i, &o.frames);

	return r < 0 ? r : gate_worker_new(&o, &l->workers[i]);
}

/* Warns of a path around the gate: a kernel that bridges or routes between the ports forwards
 * frames that the gate drops. */
static void warn_of_ways(const struct live *l)
{
	char path[PATH_LEN], master[IF_NAMESIZE];
	unsigned routed = 0;

	for (unsigned i = 0; i < l->a->n_ifnames; i++) {
		const char *name = l->a->ifnames[i];
		char value = '0';
		FILE *f;

		if (frames_link_master(name, master))
			(void)fprintf(
				stderr,
				"usher-gate: warning: %s is a port of %s, which forwards its frames too: frames that are dropped here pass there\n",
				name, master);
		(void)snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/forwarding", name);
		f = fopen(path, "re");
		if (f && fread(&value, 1, 1, f) == 1)
			routed += value == '1';
		if (f)
			(void)fclose(f);
	}
	if (l->a->n_ifnames > 1 && routed == l->a->n_ifnames)
		(void)fprintf(
			stderr,
			"usher-gate: warning: this host routes between its interfaces (net.ipv4.ip_forward): packets to its own hardware addresses pass beside the gate\n");
}

static int start(struct live *l)
{
	int r = 0;

	if (l->a->n_ifnames > 1)
		warn_of_ways(l);
	for (unsigned i = 0; i < l->n && r == 0; i++)
		r = open_worker(l, i);
	/* before there are threads */
	if (r == 0 && l->a->queue_rules)
		r = queue_rules_watch(&l->queue_rules, &l->watch_fd);
	for (unsigned i = 0; i < l->n && r == 0; i++)
		r = gate_worker_start(l->workers[i]);
	/* packets come to the queues when everybody is there to take them */
	if (r == 0 && l->a->queue_rules) {
		r = queue_rules_add(&l->queue_rules);
		l->has_rules = r == 0;
	}
	return r;
}

/* --- The main loop ---------------------------------------------------------------------------- */

static void on_end(void *ctx, uint32_t events)
{
	struct live *l = ctx;

	(void)events;
	loop_stop(l->loop);
}

static int open_signals(struct live *l)
{
	static const int ignored[] = {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF};
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	/* a terminal that closes, and the keyboard's other way to end: the set-up is undone */
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	/* nothing is asked by these, and by default they would end the process where it stands */
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	/* before the workers are there: they inherit it */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return -EINVAL;
	l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return l->signal_fd < 0 || l->stop_fd < 0 ? -errno : 0;
}

static int open_loop(struct live *l)
{
	int r = open_signals(l);

	if (r == 0)
		r = loop_new(&l->loop);
	if (r == 0)
		r = loop_add(l->loop, l->signal_fd, EPOLLIN, on_end, l, &l->signal_source);
	if (r == 0)
		r = loop_add(l->loop, l->stop_fd, EPOLLIN, on_end, l, &l->stop_source);
	if (r < 0)
		(void)fprintf(stderr, "usher-gate: %s\n", usher_strerror(r));
	return r;
}

static int open_channel(struct live *l)
{
	struct channel_opts o = {
		.path = l->a->socket,
		.mode = SOCKET_MODE,
		.log = l->opts->log,
		.plane = l->plane,
	};
	int r;

	if (strcmp(o.path, "none") == 0)
		return 0;
	if (strcmp(o.path, GATE_SOCKET) == 0)
		(void)mkdir("/run/usher", DIR_MODE);
	r = channel_open(l->loop, &o, &l->channel);
	if (r < 0)
		(void)fprintf(stderr, "usher-gate: --socket: %s: %s\n", o.path, usher_strerror(r));
	return r;
}

static int open_page(struct live *l)
{
	char text[HTTP_TEXT_MAX] = "out of memory";
	int r = 0;

	if (l->a->http.listen)
		r = gate_page_open(&l->commands, l->loop, &l->a->http, &l->page, text);
	if (r < 0)
		(void)fprintf(stderr, "usher-gate: --http: %s\n", text);
	return r;
}

/* Opens the ways on which commands come. */
static int open_control(struct live *l)
{
	int r = 0;

	if (strcmp(l->a->socket, "none") != 0 || l->a->http.listen)
		r = gate_plane_open(&l->commands, &l->plane);
	if (r == 0)
		r = open_channel(l);
	return r < 0 ? r : open_page(l);
}

static int begin_live(struct live *l)
{
	int r = open_loop(l);

	if (r == 0)
		r = gate_rules_init(&l->rules, l->a, l->opts->log, &l->opts->hash_key);
	l->commands = (struct gate_commands){
		.n_workers = l->n,
		.ask = run_on_worker,
		.stop = stop_workers,
		.ctx = l,
		.alerts = l->rules.ring,
		.log = l->opts->log,
		.started_ns = clock_wall_ns(&clock_system),
	};
	if (r == 0)
		r = start(l);
	if (r == 0)
		r = open_control(l);
	return r;
}

static int finish(struct live *l, struct gate_sums *sums)
{
	int code = 0;

	/* no new packets arrive; queued ones still get their verdict */
	if (l->has_rules)
		queue_rules_remove(&l->queue_rules);
	queue_rules_unwatch(l->watch_fd);
	channel_close(l->channel);
	gate_page_close(l->page);
	control_plane_free(l->plane);
	if (l->stop_fd >= 0)
		stop_workers(l);
	for (unsigned i = 0; i < l->n; i++) {
		int broken = l->workers[i] ? gate_worker_join(l->workers[i]) : 0;

		if (broken) {
			(void)fprintf(stderr, "usher-gate: worker %u: %s\n", i,
				      usher_strerror(broken));
			code = 1;
		}
		if (l->workers[i])
			(void)gate_worker_ask(l->workers[i], gate_sums_worker, sums);
		code |= gate_worker_free(l->workers[i]) < 0;
	}
	return code;
}

static void close_loop(struct live *l)
{
	loop_remove(l->signal_source);
	loop_remove(l->stop_source);
	if (l->loop)
		loop_free(l->loop);
	if (l->signal_fd >= 0)
		(void)close(l->signal_fd);
	if (l->stop_fd >= 0)
		(void)close(l->stop_fd);
}

int gate_live(const struct gate_args *a, const struct gate_opts *o, struct gate_sums *ret_sums)
{
	struct live l = {
		.a = a,
		.opts = o,
		.stop_fd = -1,
		.signal_fd = -1,
		.watch_fd = -1,
		.n = (unsigned)a->workers,
		.queue_rules = {(uint16_t)a->queue, (unsigned)a->workers, o->fail_open},
	};
	int code = 1;

	l.workers = calloc(l.n, sizeof(*l.workers));
	if (l.workers && begin_live(&l) == 0) {
		ret_sums->began = true;
		if (!a->quiet)
			(void)fprintf(stderr, "usher-gate: started\n");
		code = loop_run(l.loop) < 0;
	}
	if (l.workers)
		code |= finish(&l, ret_sums);
	gate_rules_fini(&l.rules);
	free(l.workers);
	close_loop(&l);
	return code;
}
