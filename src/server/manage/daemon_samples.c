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
