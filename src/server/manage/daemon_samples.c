/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Times of the samples of statistics. Kea takes one at every change, on the packet path. Here the
 * management thread sleeps until a worker that handled packets wakes it, and reads the counters. It
 * repeats that every 10 ms while few packets come, every second while many do. It reads 256 subnets
 * at a time. A worker pays one load a round.
 */
#include "base/clock.h"
#include "runtime/loop.h"
#include "server/manage/daemon_impl.h"
#include "server/view/stat_walk.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SUBNETS_AT_A_TIME = 256, FEW_PACKETS = 8 };

static void take_samples(struct server_daemon *d)
{
	struct daemon_sampling *k = &d->sampling;
	uint64_t before = k->received;
	bool moved;

	moved = stat_walk_sample(&d->srv, &k->next_subnet, SUBNETS_AT_A_TIME,
				 clock_wall_ns(&d->srv.clock));
	k->received = server_metric(&d->srv, METRIC_RECEIVED);
	if (!moved) {
		/* a change between reading and this line wakes no thread: read again */
		atomic_store(&d->srv.sample_wanted, true);
		if (!stat_walk_sample(&d->srv, &k->next_subnet, SUBNETS_AT_A_TIME,
				      clock_wall_ns(&d->srv.clock)))
			return;
		atomic_store(&d->srv.sample_wanted, false);
	}
	loop_timer_set(k->timer, k->received - before <= FEW_PACKETS ? 10 * NS_PER_MS : NS_PER_S);
}

static void on_timer(void *ctx)
{
	take_samples(ctx);
}

static void on_wake(void *ctx, uint32_t events)
{
	struct server_daemon *d = ctx;
	uint64_t n;

	(void)events;
	if (read(d->srv.sample_fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		take_samples(d);
}

int daemon_samples_begin(struct server_daemon *d)
{
	struct daemon_sampling *k = &d->sampling;
	int r = loop_timer_new(d->loop, on_timer, d, &k->timer);

	if (r < 0)
		return r;
	d->srv.sample_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->srv.sample_fd < 0) {
		d->srv.sample_fd = 0;
		return -errno;
	}
	r = loop_add(d->loop, d->srv.sample_fd, EPOLLIN, on_wake, d, &k->source);
	if (r == 0)
		atomic_store(&d->srv.sample_wanted, true);
	return r;
}

void daemon_samples_end(struct server_daemon *d)
{
	atomic_store(&d->srv.sample_wanted, false);
	loop_remove(d->sampling.source);
	d->sampling.source = NULL;
	if (d->srv.sample_fd > 0)
		(void)close(d->srv.sample_fd);
	d->srv.sample_fd = 0;
}

/* --- The queue of packets --------------------------------------------------------------------- */

/*
 * packet-queue-statistics of status-get: the mean number of packets that waited when a worker took
 * one, over the last 10, 100 and 1000 packets, as an exponential average. The kernel has the queue;
 * a batch is all that came into it since the one before. Workers count batches and packets anyway,
 * so the averages cost them nothing: they are brought up to date every second, and when they are
 * read.
 */

/* e to the power of -1/10, -1/100 and -1/1000: the part of an average that stays after a packet */
static const double stays[DAEMON_QUEUE_STATS] = {
	0.90483741803595957316,
	0.99004983374916805357,
	0.99900049983337499166,
};

static double power(double base, uint64_t n)
{
	double r = 1;

	for (; n; n >>= 1) {
		if (n & 1)
			r *= base;
		base *= base;
	}
	return r;
}

void daemon_queue_update(struct server_daemon *d)
{
	struct daemon_queue *q = &d->queue;
	uint64_t batches = 0, packets = 0;

	for (unsigned i = 0; i < d->srv.n_workers; i++) {
		batches += d->srv.worker_stats[i]->receive_batches;
		packets += d->srv.worker_stats[i]->receive_packets;
	}
	if (batches > q->batches && packets > q->packets) {
		uint64_t n = packets - q->packets;
		double mean = (double)n / (double)(batches - q->batches);

		for (size_t i = 0; i < DAEMON_QUEUE_STATS; i++) {
			double old = power(stays[i], n);

			q->average[i] = q->average[i] * old + mean * (1 - old);
		}
	}
	q->batches = batches;
	q->packets = packets;
}
