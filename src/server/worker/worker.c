/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of a worker: its slots, its thread, the turns of its event loop.
 */
#include "server/worker/worker_impl.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "lease/lease_store.h"
#include "runtime/iface.h"
#include "runtime/loop.h"
#include "server/core/server.h"
#include "server/core/services.h"
#include "server/core/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const struct stage_services services = {
	.wait_durable = worker_wait_durable,
	.queue_answer = worker_queue_answer,
	.enter_callout = worker_enter_callout,
	.leave_callout = worker_leave_callout,
};

uint64_t worker_parked(const struct worker *w)
{
	return atomic_load_explicit(&w->n_parked, memory_order_relaxed);
}

unsigned worker_slots(const struct worker *w)
{
	return w->n_slots;
}

int64_t worker_thread_ns(pthread_t thread)
{
	struct timespec ts;
	clockid_t clock;

	if (pthread_getcpuclockid(thread, &clock) != 0 || clock_gettime(clock, &ts) < 0)
		return 0;
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t worker_busy_ns(struct worker *w)
{
	int64_t ns;

	if (!w->threaded)
		return 0;
	(void)pthread_mutex_lock(&w->life_lock);
	ns = w->busy_before_ns + worker_thread_ns(w->thread);
	(void)pthread_mutex_unlock(&w->life_lock);
	return ns;
}

/* --- turns of the loop ------------------------------------------------------------------------ */

static void on_wake(void *ctx, uint32_t events)
{
	struct worker *w = ctx;
	uint64_t n;

	(void)events;
	(void)!read(w->wake, &n, sizeof(n));
	worker_refresh(w);
	if (atomic_exchange_explicit(&w->count_wanted, false, memory_order_relaxed))
		worker_count_kernel_drops(w);
	worker_mailbox(w);
	if (w->srv->store)
		worker_resume_durable(w);
	for (unsigned i = 0; i < w->n_ports && !w->paused; i++)
		if (capture_pending(w->ports[i]->c)) /* remaining for want of slots */
			worker_read_port(w->ports[i]);
	if (w->stop)
		loop_stop(w->loop);
}

/* Called once a turn of the loop. Rows of leases may accumulate while packets keep coming. */
static void on_turn(void *ctx, bool idle)
{
	struct worker *w = ctx;

	server_sample_soon(w->srv);
	if (!w->srv->store)
		return;
	if (idle)
		lease_store_flush(w->srv->store);
	else
		lease_store_kick(w->srv->store);
}

size_t worker_run_once(struct worker *w)
{
	size_t n = 0;

	worker_refresh(w);
	for (unsigned i = 0; i < w->n_ports; i++) {
		int got = worker_receive_port(w->ports[i]);

		n += got > 0 ? (size_t)got : 0;
	}
	worker_mailbox(w);
	if (w->srv->store) {
		lease_store_commit_now(w->srv->store);
		worker_resume_durable(w);
	}
	return n;
}

/* --- life ------------------------------------------------------------------------------------- */

static void resume_parked(struct hook_parked *p)
{
	worker_resume((struct exchange *)(void *)p);
}

static int new_slots(struct worker *w, unsigned n)
{
	size_t each = PACKET_DATA_LEN + EXCHANGE_OUT_LEN + PACKET_ARENA_LEN;

	each = (each + 63) & ~(size_t)63;
	w->slot_mem_len = each * n;
	w->slot_mem = mmap(NULL, w->slot_mem_len, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->slot_mem == MAP_FAILED) {
		w->slot_mem = NULL;
		return -ENOMEM;
	}
	w->slots = calloc(n, sizeof(*w->slots));
	if (!w->slots)
		return -ENOMEM;
	w->n_slots = n;
	for (unsigned i = n; i > 0; i--) {
		struct exchange *x = &w->slots[i - 1];
		uint8_t *mem = w->slot_mem + each * (i - 1);

		x->w = w;
		x->worker_index = w->index;
		x->srv = w->srv;
		x->stats = &w->stats;
		x->services = &services;
		x->parked.resume = resume_parked;
		packet_init(&x->pkt, mem, PACKET_DATA_LEN, mem + PACKET_DATA_LEN, PACKET_ARENA_LEN);
		x->out = mem + PACKET_DATA_LEN + PACKET_ARENA_LEN;
		x->next = w->free;
		w->free = x;
		w->n_free++;
	}
	return 0;
}

static void free_worker(struct worker *w)
{
	worker_close_ports(w);
	loop_remove(w->wake_source);
	loop_free(w->loop);
	if (w->wake >= 0)
		(void)close(w->wake);
	iface_table_unref(w->ifaces);
	for (unsigned i = 0; w->slots && i < w->n_slots; i++) {
		exchange_release_hosts(&w->slots[i]);
		free(w->slots[i].big);
		free(w->slots[i].trace); /* of a parked packet */
	}
	free(w->slots);
	if (w->slot_mem)
		(void)munmap(w->slot_mem, w->slot_mem_len);
	(void)pthread_mutex_destroy(&w->mail_lock);
	(void)pthread_mutex_destroy(&w->life_lock);
	(void)pthread_cond_destroy(&w->life);
	free(w);
}

int worker_add(struct server *srv, const struct worker_opts *o)
{
	struct worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->srv = srv;
	w->index = o->index;
	w->stats.cause = srv->drop_cause;
	w->generation = UINT64_MAX;
	(void)pthread_mutex_init(&w->mail_lock, NULL);
	(void)pthread_mutex_init(&w->life_lock, NULL);
	(void)pthread_cond_init(&w->life, NULL);
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = w->wake < 0 ? -errno : new_slots(w, o->n_slots);
	if (r < 0) {
		free_worker(w);
		return r;
	}
	srv->worker_stats[srv->n_workers] = &w->stats;
	srv->workers[srv->n_workers++] = w;
	return 0;
}

void workers_free(struct server *srv)
{
	for (unsigned i = 0; i < srv->n_workers; i++)
		worker_let_go(srv->workers[i]);
	/* hook libraries are unloaded before the slots are freed, because library threads may
	 * hold handles of them */
	server_drop_snapshots(srv);
	for (unsigned i = 0; i < srv->n_workers; i++)
		free_worker(srv->workers[i]);
	srv->n_workers = 0;
}

int worker_start(struct worker *w)
{
	int r = loop_new(&w->loop);

	if (r == 0)
		r = loop_add(w->loop, w->wake, EPOLLIN, on_wake, w, &w->wake_source);
	if (r == 0)
		loop_on_turn(w->loop, on_turn, w);
	if (r == 0 && w->srv->store)
		r = lease_store_notify(w->srv->store, w->wake);
	if (r < 0)
		return r;
	w->threaded = true;
	r = worker_run_thread(w);
	w->threaded = r == 0;
	return r;
}

void worker_stop(struct worker *w)
{
	if (!w->threaded)
		return;
	w->stop = true;
	worker_wake(w);
	worker_join(w);
	w->threaded = false;
	if (w->srv->store)
		lease_store_unnotify(w->srv->store, w->wake);
}
