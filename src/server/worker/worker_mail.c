/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A worker's mailbox, with the requests of other threads: exchanges to resume, captures to take
 * over or to close. The sender only appends under the lock; everything is done by the worker
 * itself.
 */
#include "server/worker/worker_impl.h"

#include "base/attr.h"
#include "base/log.h"
#include "runtime/iface.h"
#include "server/core/server.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	(void)!write(w->wake, &one, sizeof(one));
}

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

static int post_mail(struct worker *w, struct capture *attach, int ifindex)
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
		worker_close_port(w, ifindex);
		return worker_open_port(w, c, ifindex);
	}
	return post_mail(w, c, ifindex);
}

void worker_detach(struct worker *w, int ifindex)
{
	if (!w->threaded)
		worker_close_port(w, ifindex);
	else
		(void)post_mail(w, NULL, ifindex);
}

static void open_mail(struct worker *w, struct mail *m)
{
	while (m) {
		struct mail *next = m->next;

		worker_close_port(w, m->ifindex);
		if (m->attach && worker_open_port(w, m->attach, m->ifindex) < 0)
			log_msg(w->srv->log, LOG_DHCP4_OPEN_SOCKET_FAIL,
				"worker %u cannot take interface %d", w->index, m->ifindex);
		free(m);
		m = next;
	}
}

/* Drops an exchange whose callout hung: nothing uses it any more. */
static void end_late(struct exchange *x)
{
	x->parked.dropped = true;
	iface_table_unref(x->ifaces);
	worker_run_resumed(x);
}

void worker_resume_taken(struct worker *w)
{
	while (w->resuming) {
		struct exchange *x = w->resuming;

		w->resuming = x->next;
		x->next = NULL;
		if (unlikely(x->late))
			end_late(x);
		else
			worker_run_resumed(x);
	}
}

void worker_mailbox(struct worker *w)
{
	struct exchange *x, *back;
	struct mail *m;

	(void)pthread_mutex_lock(&w->mail_lock);
	x = w->resumed_head;
	w->resumed_head = NULL;
	w->resumed_tail = NULL;
	m = w->mail;
	w->mail = NULL;
	back = w->returned;
	w->returned = NULL;
	(void)pthread_mutex_unlock(&w->mail_lock);
	open_mail(w, m);
	/* no callout runs here; one behind it may hang, and leave this thread */
	while (back) {
		struct exchange *late = back;

		back = late->returned_next;
		/* the last handle of it gives it back, which may be the call's own */
		if (atomic_fetch_sub(&late->parked.refs, 1) == 1)
			end_late(late);
	}
	w->resuming = x;
	worker_resume_taken(w);
	worker_tx_flush(w);
}

void worker_close_ports(struct worker *w)
{
	open_mail(w, w->mail);
	w->mail = NULL;
	while (w->n_ports)
		worker_close_port(w, w->ports[0]->ifindex);
}
