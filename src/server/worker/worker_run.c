/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The exchanges of a worker from the packet to their end: slots, the snapshots that they hold, the
 * walk through the pipeline, the batch of answers, the wait for the disk. A slot is in exactly one
 * place: the free list, the batch being run, the transmit batch, the list of exchanges that wait
 * for the disk, or parked until a holder calls exchange_resume(). The worker's own thread does all
 * of it; the pipeline is entered from here alone.
 */
#include "server/worker/worker_impl.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "runtime/iface.h"
#include "runtime/loop.h"
#include "server/core/server.h"
#include "server/core/services.h"
#include "server/core/snapshot.h"
#include "server/core/trace.h"
#include "server/stages/stages.h"
#include "server/worker/pipeline.h"

#include <stdlib.h>
#include <sys/epoll.h>

/* Packets whose data fits the first level of cache together with their leases. */
enum { RUN_TOGETHER = 16 };

/* --- slots ------------------------------------------------------------------------------------ */

static struct exchange *take_slot(struct worker *w)
{
	struct exchange *x = w->free;

	w->free = x->next;
	w->n_free--;
	if (!x->fresh)
		exchange_reset(x);
	x->fresh = false;
	return x;
}

static void pause_ports(struct worker *w, bool pause)
{
	w->paused = pause;
	for (unsigned i = 0; i < w->n_ports; i++)
		if (w->ports[i]->source)
			(void)loop_modify(w->ports[i]->source, pause ? 0 : EPOLLIN);
}

static void give_slot(struct worker *w, struct exchange *x)
{
	x->next = w->free;
	w->free = x;
	w->n_free++;
	if (w->paused && w->n_free >= w->n_slots / 8 + 1)
		pause_ports(w, false);
}

/* --- snapshots -------------------------------------------------------------------------------- */

/* Releases a snapshot that neither the worker nor a parked exchange needs any more. */
static void check_hold(struct worker *w, struct snap_hold *h)
{
	if (!h || h->users || h == w->hold)
		return;
	snapshot_unref(h->snap);
	free(h);
}

static void begin_hold(struct exchange *x)
{
	if (x->hold)
		return;
	x->hold = x->w->hold; /* begun in this batch, so it is the current one */
	x->hold->users++;
}

static void end_hold(struct exchange *x)
{
	struct snap_hold *h = x->hold;

	if (!h)
		return;
	x->hold = NULL;
	h->users--;
	check_hold(x->w, h);
}

static void count_parked(struct worker *w, int by)
{
	uint64_t n = atomic_load_explicit(&w->n_parked, memory_order_relaxed);

	atomic_store_explicit(&w->n_parked, n + (uint64_t)by, memory_order_relaxed);
}

/* Ends an exchange with any outcome. */
static void finish_exchange(struct exchange *x, const char *outcome)
{
	struct worker *w = x->w;

	if (x->guard)
		same_client_release(x);
	exchange_leave_lot(x);
	trace_end(x, outcome);
	if (unlikely(x->held))
		exchange_release_hosts(x);
	end_hold(x);
	give_slot(w, x);
}

static enum log_id drop_log_id(enum drop d)
{
	static const enum log_id drop_ids[DROP_N] = {
#define DROP_LOG(symbol, id) [DROP_##symbol] = LOG_##id,
#include "server/core/drop_log.def"
#undef DROP_LOG
	};

	return drop_ids[d] ? drop_ids[d] : LOG_DHCP4_PACKET_DROP;
}

static void finish_dropped(struct exchange *x)
{
	enum drop d = x->drop ? x->drop : DROP_PROCESSING_FAILED;

	stats_drop(&x->w->stats, d);
	atomic_store_explicit(&x->w->stats.drop_stage[d], (uint8_t)(x->stage ? x->stage - 1 : 0),
			      memory_order_relaxed);
	trace_drop(x, d);
	if (log_debugs(x->w->srv->log))
		log_msg(x->w->srv->log, drop_log_id(d), "%s: %s",
			x->unpacked ? exchange_label(x) : "packet", drop_info(d)->sentence);
	finish_exchange(x, drop_info(d)->sentence);
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Records the time that an answer took. */
static void record_time(const struct exchange *x, int64_t now_ns)
{
	enum dhcp4_type type = dhcp4_msg_type(&x->response);
	enum stats_answer answer = type == DHCP4_OFFER ? STATS_OFFER
				   : type == DHCP4_NAK ? STATS_NAK
						       : STATS_ACK;

	buckets_add(&x->stats->exchange[answer], &stats_exchange_shape,
		    (uint64_t)(now_ns - x->received_ns));
}

void worker_tx_flush(struct worker *w)
{
	int64_t now_ns;

	if (!w->n_tx)
		return;
	(void)capture_send(w->tx_capture, w->tx, w->n_tx);
	now_ns = w->loop ? clock_mono_ns(&clock_system) : 0;
	stats_count(&w->stats.send_batches, 1);
	for (unsigned i = 0; i < w->n_tx; i++) {
		struct exchange *x = w->tx_x[i];

		if (w->tx[i].result < 0) {
			stats_drop(&w->stats, DROP_SEND_FAILED);
			EXCHANGE_LOG(x, LOG_DHCP4_PACKET_SEND_FAIL, "cannot send: %s",
				     usher_strerror(w->tx[i].result));
			finish_exchange(x, "cannot send");
		} else {
			send_done(x);
			if (x->received_ns && !x->answered)
				record_time(x, now_ns);
			finish_exchange(x, "answered");
		}
	}
	w->n_tx = 0;
	w->tx_capture = NULL;
}

void worker_queue_answer(struct exchange *x, const struct capture_tx *tx)
{
	struct worker *w = x->w;

	if (w->n_tx == WORKER_BATCH || (w->tx_capture && w->tx_capture != x->capture))
		worker_tx_flush(w);
	w->tx_capture = x->capture;
	w->tx[w->n_tx] = *tx;
	w->tx_x[w->n_tx++] = x;
}

/* --- running ---------------------------------------------------------------------------------- */

static void settle_verdict(struct exchange *x, enum verdict v)
{
	switch (v) {
	case VERDICT_PARK:
		/* no other thread runs it: a resume goes through the mailbox of this very thread */
		begin_hold(x);
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

static void run_exchange(struct exchange *x)
{
	settle_verdict(x, pipeline_run(x));
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
	x->begun = x->parked.dropped ? x->parked_at : x->stage;
	if (x->port_ifindex >= 0)
		x->capture = port_capture(w, x->port_ifindex);
	x->ifaces = w->ifaces;
	x->iface = iface_by_index(w->ifaces, x->pkt.ifindex);
	run_exchange(x);
}

void worker_refresh(struct worker *w)
{
	uint64_t g = atomic_load_explicit(&w->srv->generation, memory_order_acquire);
	struct snap_hold *old = w->hold;
	struct snap_hold *fresh;

	if (g == w->generation)
		return;
	fresh = malloc(sizeof(*fresh));
	if (!fresh)
		return; /* keeps the previous one, and tries again */
	*fresh = (struct snap_hold){.snap = server_snapshot(w->srv)};
	w->hold = fresh->snap ? fresh : NULL;
	if (!w->hold)
		free(fresh);
	check_hold(w, old);
	iface_table_unref(w->ifaces);
	w->ifaces = server_ifaces(w->srv);
	w->generation = g;
}

/* Returns the exchange of a packet. A back end may return packets in another order than it
 * received them. */
static struct exchange *exchange_of(struct packet *p)
{
	return container_of(p, struct exchange, pkt);
}

/* Allocates a larger arena, once, for a configuration with more classes, longer patterns or
 * larger networks than before. */
static cold_fn void grow_slot(struct exchange *x)
{
	size_t n = x->snap->packet_memory;
	void *mem = malloc(n);

	if (!mem) {
		x->pkt.arena.failed = true; /* the first row of the pipeline drops the packet, with
					       this reason */
		return;
	}
	free(x->big);
	x->big = mem;
	packet_set_arena(&x->pkt, mem, n);
}

static void begin_exchange(struct worker *w, struct exchange *x, struct capture *c,
			   int port_ifindex)
{
	x->capture = c;
	x->port_ifindex = port_ifindex;
	x->received_ns = w->received_ns;
	x->ifaces = w->ifaces;
	x->shed = w->shed;
	x->snap = w->hold->snap;
	x->cfg = x->snap->cfg;
	if (unlikely(x->pkt.arena.cap < x->snap->packet_memory))
		grow_slot(x);
	if (w->srv->replay_clock)
		virtual_clock_set(w->srv->replay_clock, x->pkt.ts_ns);
}

/*
 * Runs some packets, in two passes: first the clients of all of them, so that their index entries
 * of the lease table come to the cache while the others are read; then the rest. Nothing before
 * SAME_CLIENT depends on another packet.
 */
static void run_together(struct worker *w, struct exchange **xs, size_t n)
{
	struct lease_client who[RUN_TOGETHER];
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		struct exchange *x = xs[i];
		enum verdict v = pipeline_run_to(x, STAGE_SAME_CLIENT);

		if (v != VERDICT_CONTINUE) {
			xs[i] = NULL;
			settle_verdict(x, v);
			continue;
		}
		who[k++] = (struct lease_client){x->client_id, x->hw};
	}
	if (k > 1)
		lease_db_expect(w->srv->db, who, k);
	for (size_t i = 0; i < n; i++) {
		struct exchange *x = xs[i];

		xs[i] = NULL;
		if (x)
			run_exchange(x);
	}
}

static void run_batch(struct worker *w)
{
	while (w->n_begun < w->n_batch) {
		unsigned first = w->n_begun, n = w->n_batch - first;

		if (n > RUN_TOGETHER)
			n = RUN_TOGETHER;
		for (unsigned i = first; i < first + n; i++)
			begin_exchange(w, w->batch[i], w->batch_capture, w->batch_ifindex);
		w->n_begun = first + n;
		run_together(w, w->batch + first, n);
	}
}

/* Counts a batch. The time of a replay is that of its packets, so no duration is measured then. */
static void note_batch(struct worker *w, unsigned n)
{
	w->received_ns = w->loop ? clock_mono_ns(&clock_system) : 0;
	stats_count(&w->stats.receive_batches, 1);
	stats_count(&w->stats.receive_packets, n);
}

static void end_batch(struct worker *w)
{
	worker_tx_flush(w);
	if (!w->n_free && w->loop && !w->paused)
		pause_ports(w, true);
}

int worker_receive_batch(struct worker *w, struct capture *c, int port_ifindex, unsigned max)
{
	struct packet *pkts[WORKER_BATCH];
	unsigned n = w->n_free < max ? w->n_free : max;
	int got;

	worker_refresh(w);
	if (!w->hold || !n)
		return 0;
	for (unsigned i = 0; i < n; i++)
		pkts[i] = &take_slot(w)->pkt;
	got = capture_recv(c, pkts, n);
	if (got > 0)
		note_batch(w, (unsigned)got);
	for (unsigned i = n; i > (got > 0 ? (unsigned)got : 0); i--) {
		exchange_of(pkts[i - 1])->fresh = true;
		give_slot(w, exchange_of(pkts[i - 1]));
	}
	w->batch_capture = c;
	w->batch_ifindex = port_ifindex;
	w->n_begun = 0;
	w->n_batch = got > 0 ? (unsigned)got : 0;
	for (unsigned i = 0; i < w->n_batch; i++)
		w->batch[i] = exchange_of(pkts[i]);
	run_batch(w);
	end_batch(w);
	return got;
}

int worker_receive(struct worker *w, struct capture *c)
{
	return worker_receive_batch(w, c, -1, 1);
}

/* Lets the exchange wait until its callout returns. The callout may read the interfaces. */
static void park_late(struct exchange *x)
{
	x->late = true;
	if (x->lot == HOOK_LOT_NONE)
		x->parked.refs = 1; /* that of the call; points that park have it already */
	x->ifaces = iface_table_ref(x->w->ifaces);
	pipeline_leave(x);
	settle_verdict(x, VERDICT_PARK);
	stats_add(x->stats, METRIC_CALLOUTS_LATE, 1);
	log_msg(x->srv->log, LOG_USHER_CALLOUT_LATE,
		"%s: a callout of a hook library does not return; the worker continues without it",
		exchange_label(x));
}

void worker_continue(struct worker *w)
{
	struct exchange *late = w->callout_x;

	for (unsigned i = 0; i < w->n_batch; i++)
		if (w->batch[i] == late)
			w->batch[i] = NULL;
	park_late(late);
	for (unsigned i = 0; i < w->n_begun; i++) {
		struct exchange *x = w->batch[i];

		w->batch[i] = NULL;
		if (x)
			run_exchange(x);
	}
	run_batch(w);
	end_batch(w);
	worker_resume_taken(w);
	worker_tx_flush(w);
	worker_wake(w); /* for all that the turn had still to do */
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

void worker_resume_durable(struct worker *w)
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

/* Drops the exchanges that still wait or are parked: their clients will retransmit. */
static void drop_parked(struct worker *w)
{
	for (unsigned i = 0; i < w->n_slots; i++) {
		struct exchange *x = &w->slots[i];

		if (x->hold) {
			x->guard = NULL;
			end_hold(x);
		}
	}
	w->n_parked = 0;
}

void worker_let_go(struct worker *w)
{
	struct snap_hold *h = w->hold;

	drop_parked(w);
	w->hold = NULL;
	check_hold(w, h);
}
