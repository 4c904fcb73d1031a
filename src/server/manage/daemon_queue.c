/* SPDX-License-Identifier: MPL-2.0 */
/*
 * packet-queue-statistics of status-get: the mean number of packets that waited when a worker took
 * one, over the last 10, 100 and 1000 packets, as an exponential average. The kernel has the queue;
 * a batch is what had come into it since the one before. Workers count batches and packets anyway,
 * so the averages cost them nothing: they are brought up to date every second, and when they are
 * read.
 */
#include "base/attr.h"
#include "server/manage/daemon_impl.h"

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
