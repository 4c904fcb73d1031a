/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Workers. A slot is in exactly one place: the free list, the batch being run, the transmit batch,
 * the list of those waiting for the disk, or parked with somebody who will call worker_resume().
 * Only the mailbox is touched by other threads. The pipeline is entered from here alone.
 */
#include "server/core/worker_impl.h"

#include "base/error.h"
#include "base/log.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "runtime/iface.h"
#include "runtime/loop.h"
#include "server/core/pipeline.h"
#include "server/core/server.h"
#include "server/core/snapshot.h"
#include "server/core/stages.h"
#include "server/core/trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Packets whose data fits the first level of cache together with their leases. */
enum { RUN_TOGETHER = 16 };

struct stats *worker_stats(struct worker *w)
{
	return &w->stats;
}

struct server *worker_server(const struct worker *w)
{
	return w->srv;
}

struct iface_table *worker_ifaces(const struct worker *w)
{
	return w->ifaces;
}

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	(void)!write(w->wake, &one, sizeof(one));
}

/* --- slots ------------------------------------------------------------------------------------ */

static void parked_resume(struct hook_parked *p)
{
	worker_resume((struct exchange *)(void *)p);
}

static int slots_new(struct worker *w, unsigned n)
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
		x->parked.resume = parked_resume;
		packet_init(&x->pkt, mem, PACKET_DATA_LEN, mem + PACKET_DATA_LEN, PACKET_ARENA_LEN);
		x->out = mem + PACKET_DATA_LEN + PACKET_ARENA_LEN;
		x->next = w->free;
		w->free = x;
		w->n_free++;
	}
	return 0;
}

static struct exchange *slot_take(struct worker *w)
{
	struct exchange *x = w->free;

	w->free = x->next;
	w->n_free--;
	if (!x->fresh)
		exchange_reset(x);
	x->fresh = false;
	return x;
}

static void ports_pause(struct worker *w, bool pause)
{
	w->paused = pause;
	for (unsigned i = 0; i < w->n_ports; i++)
		if (w->ports[i]->source)
			(void)loop_modify(w->ports[i]->source, pause ? 0 : EPOLLIN);
}

static void slot_give(struct worker *w, struct exchange *x)
{
	x->next = w->free;
	w->free = x;
	w->n_free++;
	if (w->paused && w->n_free >= w->n_slots / 8 + 1)
		ports_pause(w, false);
}

/* --- snapshots -------------------------------------------------------------------------------- */

/* Releases a snapshot that neither the worker nor a parked exchange needs any more. */
static void hold_check(struct worker *w, struct snap_hold *h)
{
	if (!h || h->users || h == w->hold)
		return;
	snapshot_unref(h->snap);
	free(h);
}

static void hold_begin(struct exchange *x)
{
	if (x->hold)
		return;
	x->hold = x->w->hold; /* begun in this batch, so it is the current one */
	x->hold->users++;
}

static void hold_end(struct exchange *x)
{
	struct snap_hold *h = x->hold;

	if (!h)
		return;
	x->hold = NULL;
	h->users--;
	hold_check(x->w, h);
}

static void count_parked(struct worker *w, int by)
{
	uint64_t n = atomic_load_explicit(&w->n_parked, memory_order_relaxed);

	atomic_store_explicit(&w->n_parked, n + (uint64_t)by, memory_order_relaxed);
}

uint64_t worker_parked(const struct worker *w)
{
	return atomic_load_explicit(&w->n_parked, memory_order_relaxed);
}

/* Ends an exchange with any outcome. */
static void finish(struct exchange *x, const char *outcome)
{
	struct worker *w = x->w;

	if (x->guard)
		same_client_release(x);
	exchange_leave_lot(x);
	trace_end(x, outcome);
	hold_end(x);
	slot_give(w, x);
}

static void finish_dropped(struct exchange *x)
{
	enum drop d = x->drop ? x->drop : DROP_PROCESSING_FAILED;

	stats_drop(&x->w->stats, d);
	if (log_on(x->w->srv->log, LOG_DHCP4_PACKET_DROP))
		log_msg(x->w->srv->log, LOG_DHCP4_PACKET_DROP, "%s: %s",
			x->unpacked ? exchange_label(x) : "packet", drop_info(d)->sentence);
	finish(x, drop_info(d)->sentence);
}

/* --- sending ---------------------------------------------------------------------------------- */

void worker_tx_flush(struct worker *w)
{
	if (!w->n_tx)
		return;
	(void)capture_send(w->tx_capture, w->tx, w->n_tx);
	for (unsigned i = 0; i < w->n_tx; i++) {
		struct exchange *x = w->tx_x[i];

		if (w->tx[i].result < 0) {
			stats_drop(&w->stats, DROP_SEND_FAILED);
			EXCHANGE_LOG(x, LOG_DHCP4_PACKET_SEND_FAIL, "cannot send: %s",
				     usher_strerror(w->tx[i].result));
			finish(x, "cannot send");
		} else {
			send_done(x);
			finish(x, "answered");
		}
	}
	w->n_tx = 0;
	w->tx_capture = NULL;
}

void worker_queue_tx(struct exchange *x, const struct capture_tx *tx)
{
	struct worker *w = x->w;

	if (w->n_tx == WORKER_BATCH || (w->tx_capture && w->tx_capture != x->capture))
		worker_tx_flush(w);
	w->tx_capture = x->capture;
	w->tx[w->n_tx] = *tx;
	w->tx_x[w->n_tx++] = x;
}

/* --- running ---------------------------------------------------------------------------------- */

static void settle(struct exchange *x, enum verdict v)
{
	switch (v) {
	case VERDICT_PARK:
		/* nobody else runs it: a resume goes through the mailbox of this very thread */
		hold_begin(x);
		count_parked(x->w, 1);
		break;
	case VERDICT_DONE:
		break;
	case VERDICT_DROP:
	case VERDICT_CONTINUE:
		finish_dropped(x);
		break;
	}
}

static void run(struct exchange *x)
{
	settle(x, pipeline_run(x));
}

static struct capture *port_capture(const struct worker *w, int ifindex)
{
	for (unsigned i = 0; i < w->n_ports; i++)
		if (w->ports[i]->ifindex == ifindex)
			return w->ports[i]->c;
	return NULL;
}

/* Resumes an exchange. Objects borrowed from the worker may have changed while it was parked. */
void worker_run_resumed(struct exchange *x)
{
	struct worker *w = x->w;

	count_parked(w, -1);
	if (x->port_ifindex >= 0)
		x->capture = port_capture(w, x->port_ifindex);
	x->iface = iface_by_index(w->ifaces, x->pkt.ifindex);
	run(x);
}

static void refresh(struct worker *w)
{
	uint64_t g = atomic_load_explicit(&w->srv->generation, memory_order_acquire);
	struct snap_hold *old = w->hold;
	struct snap_hold *fresh;

	if (g == w->generation)
		return;
	fresh = malloc(sizeof(*fresh));
	if (!fresh)
		return; /* keeps the one before, and tries again */
	*fresh = (struct snap_hold){.snap = server_snapshot(w->srv)};
	w->hold = fresh->snap ? fresh : NULL;
	if (!w->hold)
		free(fresh);
	hold_check(w, old);
	iface_table_unref(w->ifaces);
	w->ifaces = server_ifaces(w->srv);
	w->generation = g;
}

/* A back end may hand the packets back in another order than it was given them. */
static struct exchange *exchange_of(struct packet *p)
{
	return container_of(p, struct exchange, pkt);
}

/* A configuration with more classes, longer patterns or larger networks than ever: a larger arena,
 * once. */
static cold_fn void slot_grow(struct exchange *x)
{
	size_t n = x->snap->packet_memory;
	void *mem = malloc(n);

	if (!mem) {
		x->pkt.arena.failed = true; /* the first row of the pipeline drops it, by name */
		return;
	}
	free(x->big);
	x->big = mem;
	packet_set_arena(&x->pkt, mem, n);
}

static void begin(struct worker *w, struct exchange *x, struct capture *c, int port_ifindex)
{
	x->capture = c;
	x->port_ifindex = port_ifindex;
	x->snap = w->hold->snap;
	x->cfg = x->snap->cfg;
	if (unlikely(x->pkt.arena.cap < x->snap->packet_memory))
		slot_grow(x);
	if (w->srv->replay_clock)
		virtual_clock_set(w->srv->replay_clock, x->pkt.ts_ns);
}

/*
 * Runs some packets, in two passes: first the clients of all of them, so that their index entries
 * of the lease table come to the cache while the others are read; then the rest. Nothing before
 * SAME_CLIENT depends on another packet.
 */
static void run_some(struct worker *w, struct exchange *const *xs, size_t n)
{
	struct lease_client who[RUN_TOGETHER];
	struct exchange *rest[RUN_TOGETHER];
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		enum verdict v = pipeline_run_to(xs[i], STAGE_SAME_CLIENT);

		if (v != VERDICT_CONTINUE) {
			settle(xs[i], v);
			continue;
		}
		who[k] = (struct lease_client){xs[i]->client_id, xs[i]->hw};
		rest[k++] = xs[i];
	}
	if (k > 1)
		lease_db_expect(w->srv->db, who, k);
	for (size_t i = 0; i < k; i++)
		run(rest[i]);
}

static int receive_batch(struct worker *w, struct capture *c, int port_ifindex, unsigned max)
{
	struct packet *pkts[WORKER_BATCH];
	unsigned n = w->n_free < max ? w->n_free : max;
	int got;

	refresh(w);
	if (!w->hold || !n)
		return 0;
	for (unsigned i = 0; i < n; i++)
		pkts[i] = &slot_take(w)->pkt;
	got = capture_recv(c, pkts, n);
	for (unsigned i = n; i > (got > 0 ? (unsigned)got : 0); i--) {
		exchange_of(pkts[i - 1])->fresh = true;
		slot_give(w, exchange_of(pkts[i - 1]));
	}
	for (int i = 0; i < got;) {
		struct exchange *xs[RUN_TOGETHER];
		size_t k = 0;

		for (; i < got && k < RUN_TOGETHER; i++) {
			xs[k] = exchange_of(pkts[i]);
			begin(w, xs[k++], c, port_ifindex);
		}
		run_some(w, xs, k);
	}
	worker_tx_flush(w);
	if (!w->n_free && w->loop && !w->paused)
		ports_pause(w, true);
	return got;
}

/* --- overload --------------------------------------------------------------------------------- */

enum shed worker_shed(const struct worker *w)
{
	return w->shed;
}

/*
 * Looks at the receive queue of a port now and then, where batch after batch does not empty it.
 * Dropping costs a tenth of answering, so the queue stays short, and renewals are not lost behind
 * it.
 */
static cold_fn void port_measure(struct port *p)
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
			"interface %d: more packets come than can be answered, DISCOVERs are dropped",
			p->ifindex);
}

static int port_receive(struct port *p)
{
	enum { MEASURE_EVERY = 4 };
	struct worker *w = p->w;
	int n;

	w->shed = p->shed;
	n = receive_batch(w, p->c, p->ifindex, WORKER_BATCH);
	w->shed = SHED_NOTHING;
	if (likely(n < WORKER_BATCH && w->n_free)) {
		p->n_full = 0;
		p->shed = SHED_NOTHING;
	} else if (++p->n_full % MEASURE_EVERY == 0) {
		port_measure(p);
	}
	return n;
}

static void resume_durable(struct worker *w);

void worker_read_port(struct port *p)
{
	struct worker *w = p->w;
	int n;

	do {
		n = port_receive(p);
		if (n < 0 && n != -EAGAIN)
			log_msg(w->srv->log, LOG_DHCP4_BUFFER_RECEIVE_FAIL,
				"receive on interface %d: %s", p->ifindex, usher_strerror(n));
		if (n > 0 && w->srv->store)
			resume_durable(w); /* exchanges that waited for the disk do not wait for new
					      packets */
	} while (n > 0 && capture_pending(p->c));
}

int worker_receive(struct worker *w, struct capture *c)
{
	return receive_batch(w, c, -1, 1);
}

/* --- waiting for the disk --------------------------------------------------------------------- */

void worker_wait_durable(struct exchange *x)
{
	struct worker *w = x->w;

	x->next = NULL;
	if (w->wait_tail)
		w->wait_tail->next = x;
	else
		w->wait_head = x;
	w->wait_tail = x;
}

static void resume_durable(struct worker *w)
{
	struct lease_store *s = w->srv->store;

	while (w->wait_head) {
		struct exchange *x = w->wait_head;

		if (lease_store_durable(s) < x->wait_seq && lease_store_epoch(s) == x->wait_epoch)
			break;
		w->wait_head = x->next;
		if (w->wait_head)
			exchange_expect(w->wait_head);
		else
			w->wait_tail = NULL;
		x->next = NULL;
		worker_run_resumed(x);
	}
	worker_tx_flush(w);
}

/* --- life ------------------------------------------------------------------------------------- */

static void woken(void *ctx, uint32_t events)
{
	struct worker *w = ctx;
	uint64_t n;

	(void)events;
	(void)!read(w->wake, &n, sizeof(n));
	refresh(w);
	if (atomic_exchange_explicit(&w->count_wanted, false, memory_order_relaxed))
		worker_count_kernel_drops(w);
	worker_mailbox(w);
	if (w->srv->store)
		resume_durable(w);
	for (unsigned i = 0; i < w->n_ports && !w->paused; i++)
		if (capture_pending(w->ports[i]->c)) /* left for want of slots */
			worker_read_port(w->ports[i]);
	if (w->stop)
		loop_stop(w->loop);
}

/* Rows of leases may gather while packets keep coming. */
static void turned(void *ctx, bool idle)
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

	refresh(w);
	for (unsigned i = 0; i < w->n_ports; i++) {
		int got = port_receive(w->ports[i]);

		n += got > 0 ? (size_t)got : 0;
	}
	worker_mailbox(w);
	if (w->srv->store) {
		lease_store_commit_now(w->srv->store);
		resume_durable(w);
	}
	return n;
}

int worker_new(struct server *srv, const struct worker_opts *o, struct worker **ret)
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
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = w->wake < 0 ? -errno : slots_new(w, o->n_slots);
	if (r < 0) {
		worker_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

/* Drops the exchanges that still wait or are parked: their clients will retransmit. */
static void drop_parked(struct worker *w)
{
	for (unsigned i = 0; i < w->n_slots; i++) {
		struct exchange *x = &w->slots[i];

		if (x->hold) {
			x->guard = NULL;
			hold_end(x);
		}
	}
	w->n_parked = 0;
}

void worker_let_go(struct worker *w)
{
	struct snap_hold *h = w->hold;

	drop_parked(w);
	w->hold = NULL;
	hold_check(w, h);
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	worker_let_go(w);
	worker_close_ports(w);
	loop_remove(w->wake_source);
	loop_free(w->loop);
	if (w->wake >= 0)
		(void)close(w->wake);
	iface_table_unref(w->ifaces);
	for (unsigned i = 0; w->slots && i < w->n_slots; i++)
		free(w->slots[i].big);
	free(w->slots);
	if (w->slot_mem)
		(void)munmap(w->slot_mem, w->slot_mem_len);
	(void)pthread_mutex_destroy(&w->mail_lock);
	free(w);
}

static void *worker_thread(void *ctx)
{
	struct worker *w = ctx;
	int r = loop_run(w->loop);

	if (r < 0)
		log_msg(w->srv->log, LOG_DHCP4_WORKER_FAIL, "worker %u: %s", w->index,
			usher_strerror(r));
	return NULL;
}

int worker_start(struct worker *w)
{
	int r = loop_new(&w->loop);

	if (r == 0)
		r = loop_add(w->loop, w->wake, EPOLLIN, woken, w, &w->wake_source);
	if (r == 0)
		loop_on_turn(w->loop, turned, w);
	if (r == 0 && w->srv->store)
		r = lease_store_notify(w->srv->store, w->wake);
	if (r < 0)
		return r;
	w->threaded = true;
	r = -pthread_create(&w->thread, NULL, worker_thread, w);
	w->threaded = r == 0;
	return r;
}

void worker_stop(struct worker *w)
{
	if (!w->threaded)
		return;
	w->stop = true;
	worker_wake(w);
	(void)pthread_join(w->thread, NULL);
	w->threaded = false;
	if (w->srv->store)
		lease_store_unnotify(w->srv->store, w->wake);
}
