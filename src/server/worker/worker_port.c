/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The ports of a worker: captures that it opened, read and closes, and the overload of their
 * receive queues.
 */
#include "server/worker/worker_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "runtime/loop.h"
#include "server/core/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* --- reading ---------------------------------------------------------------------------------- */

/*
 * Checks the receive queue of a port at intervals, where batch after batch does not empty it.
 * Dropping costs a tenth of answering, so the queue stays short, and renewals are not lost behind
 * it.
 */
static cold_fn void measure_port(struct port *p)
{
	enum { BEGIN = 500, END = 375, WORSE = 875 }; /* thousandths */
	unsigned full = capture_backlog(p->c);
	bool was = p->shed != SHED_NOTHING;

	if (full >= WORSE)
		p->shed = SHED_UNBOUND;
	else if (full >= BEGIN)
		p->shed = SHED_NEW;
	else if (full < END)
		p->shed = SHED_NOTHING;
	if (!was && p->shed != SHED_NOTHING)
		log_msg(p->w->srv->log, LOG_DHCP4_PACKET_QUEUE_FULL,
			"interface %d: too many packets arrive to be answered; DISCOVERs are dropped",
			p->ifindex);
}

int worker_receive_port(struct port *p)
{
	enum { MEASURE_EVERY = 4 };
	struct worker *w = p->w;
	int n;

	w->shed = p->shed;
	n = worker_receive_batch(w, p->c, p->ifindex, WORKER_BATCH);
	w->shed = SHED_NOTHING;
	if (likely(n < WORKER_BATCH && w->n_free)) {
		p->n_full = 0;
		p->shed = SHED_NOTHING;
	} else if (++p->n_full % MEASURE_EVERY == 0) {
		measure_port(p);
	}
	return n;
}

void worker_read_port(struct port *p)
{
	struct worker *w = p->w;
	int n;

	do {
		n = worker_receive_port(p);
		if (n < 0 && n != -EAGAIN)
			log_msg(w->srv->log, LOG_DHCP4_BUFFER_RECEIVE_FAIL,
				"receive on interface %d: %s", p->ifindex, usher_strerror(n));
		if (n > 0 && w->srv->store)
			worker_resume_durable(w); /* exchanges that waited for the disk do not wait
					      for new packets */
	} while (n > 0 && capture_pending(p->c));
}

/* --- opening and closing ---------------------------------------------------------------------- */

static uint64_t count_drops(const struct port *p)
{
	struct capture_stats st = {0};

	capture_stats(p->c, &st);
	return st.kernel_drops;
}

void worker_count_kernel_drops(struct worker *w)
{
	uint64_t n = w->closed_drops;

	for (unsigned i = 0; i < w->n_ports; i++)
		n += count_drops(w->ports[i]);
	atomic_store_explicit(&w->stats.metric[METRIC_KERNEL_DROPS], n, memory_order_relaxed);
}

void worker_close_port(struct worker *w, int ifindex)
{
	for (unsigned i = 0; i < w->n_ports; i++) {
		struct port *p = w->ports[i];

		if (p->ifindex != ifindex)
			continue;
		w->closed_drops += count_drops(p);
		loop_remove(p->source);
		capture_close(p->c);
		free(p);
		w->ports[i] = w->ports[--w->n_ports];
		return;
	}
}

static void on_readable(void *ctx, uint32_t events)
{
	(void)events;
	worker_read_port(ctx);
}

int worker_open_port(struct worker *w, struct capture *c, int ifindex)
{
	struct port *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p || w->n_ports == WORKER_MAX_PORTS) {
		free(p);
		capture_close(c);
		return -ENOMEM;
	}
	*p = (struct port){.w = w, .c = c, .ifindex = ifindex};
	if (w->loop && capture_fd(c) >= 0)
		r = loop_add(w->loop, capture_fd(c), EPOLLIN, on_readable, p, &p->source);
	if (r < 0) {
		free(p);
		capture_close(c);
		return r;
	}
	w->ports[w->n_ports++] = p;
	return 0;
}
