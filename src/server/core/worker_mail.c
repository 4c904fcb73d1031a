/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A worker's mailbox, with the requests of other threads: exchanges to resume, captures to take
 * over or to close. The sender only appends under the lock; everything is done by the worker
 * itself.
 */
#include "server/core/worker_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "runtime/loop.h"
#include "server/core/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

void worker_resume(struct exchange *x)
{
	struct worker *w = x->w;

	(void)pthread_mutex_lock(&w->mail_lock);
	x->next = NULL;
	if (w->resumed_tail)
		w->resumed_tail->next = x;
	else
		w->resumed_head = x;
	w->resumed_tail = x;
	(void)pthread_mutex_unlock(&w->mail_lock);
	worker_wake(w);
}

void worker_ask_drops(struct worker *w)
{
	w->count_wanted = true;
	worker_wake(w);
}

static uint64_t kernel_drops(const struct port *p)
{
	struct capture_stats st = {0};

	capture_stats(p->c, &st);
	return st.kernel_drops;
}

void worker_count_kernel_drops(struct worker *w)
{
	uint64_t n = w->closed_drops;

	for (unsigned i = 0; i < w->n_ports; i++)
		n += kernel_drops(w->ports[i]);
	atomic_store_explicit(&w->stats.metric[METRIC_KERNEL_DROPS], n, memory_order_relaxed);
}

static void port_close(struct worker *w, int ifindex)
{
	for (unsigned i = 0; i < w->n_ports; i++) {
		struct port *p = w->ports[i];

		if (p->ifindex != ifindex)
			continue;
		w->closed_drops += kernel_drops(p);
		loop_remove(p->source);
		capture_close(p->c);
		free(p);
		w->ports[i] = w->ports[--w->n_ports];
		return;
	}
}

static void port_readable(void *ctx, uint32_t events)
{
	(void)events;
	worker_read_port(ctx);
}

static int port_open(struct worker *w, struct capture *c, int ifindex)
{
	struct port *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p || w->n_ports == WORKER_CAPTURES) {
		free(p);
		capture_close(c);
		return -ENOMEM;
	}
	*p = (struct port){.w = w, .c = c, .ifindex = ifindex};
	if (w->loop && capture_fd(c) >= 0)
		r = loop_add(w->loop, capture_fd(c), EPOLLIN, port_readable, p, &p->source);
	if (r < 0) {
		free(p);
		capture_close(c);
		return r;
	}
	w->ports[w->n_ports++] = p;
	return 0;
}

static int mail_post(struct worker *w, struct capture *attach, int ifindex)
{
	struct mail *m = calloc(1, sizeof(*m));
	struct mail **p;

	if (!m)
		return -ENOMEM;
	*m = (struct mail){.attach = attach, .ifindex = ifindex};
	(void)pthread_mutex_lock(&w->mail_lock);
	for (p = &w->mail; *p; p = &(*p)->next)
		;
	*p = m;
	(void)pthread_mutex_unlock(&w->mail_lock);
	worker_wake(w);
	return 0;
}

int worker_attach(struct worker *w, struct capture *c, int ifindex)
{
	if (!w->threaded) {
		port_close(w, ifindex);
		return port_open(w, c, ifindex);
	}
	return mail_post(w, c, ifindex);
}

void worker_detach(struct worker *w, int ifindex)
{
	if (!w->threaded)
		port_close(w, ifindex);
	else
		(void)mail_post(w, NULL, ifindex);
}

static void mail_open(struct worker *w, struct mail *m)
{
	while (m) {
		struct mail *next = m->next;

		port_close(w, m->ifindex);
		if (m->attach && port_open(w, m->attach, m->ifindex) < 0)
			log_msg(w->srv->log, LOG_DHCP4_OPEN_SOCKET_FAIL,
				"worker %u cannot take interface %d", w->index, m->ifindex);
		free(m);
		m = next;
	}
}

void worker_mailbox(struct worker *w)
{
	struct exchange *x;
	struct mail *m;

	(void)pthread_mutex_lock(&w->mail_lock);
	x = w->resumed_head;
	w->resumed_head = NULL;
	w->resumed_tail = NULL;
	m = w->mail;
	w->mail = NULL;
	(void)pthread_mutex_unlock(&w->mail_lock);
	mail_open(w, m);
	while (x) {
		struct exchange *next = x->next;

		x->next = NULL;
		worker_run_resumed(x);
		x = next;
	}
	worker_tx_flush(w);
}

void worker_close_ports(struct worker *w)
{
	mail_open(w, w->mail);
	w->mail = NULL;
	while (w->n_ports)
		port_close(w, w->ports[0]->ifindex);
}
