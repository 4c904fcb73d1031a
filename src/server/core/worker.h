/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A worker: a thread (or, in replay and scenarios, the caller) that owns a ring of exchange slots,
 * its captures and its counters. It takes a batch from a capture, runs the pipeline for each
 * packet, sends the batch of answers, and resumes parked exchanges that are ready. It never blocks
 * but in its event loop.
 */
#pragma once

#include "capture/capture.h"
#include "server/core/exchange.h"

enum { WORKER_BATCH = 64 };

/*
 * Packets that an interface drops unanswered while packets come faster than they can be answered,
 * so that clients which have a lease keep it: nothing; all but REQUEST, RELEASE and DECLINE; also
 * REQUESTs without a ciaddr.
 */
enum shed { SHED_NOTHING, SHED_NEW, SHED_UNBOUND };

struct worker_opts {
	unsigned index;
	unsigned n_slots; /* exchanges in flight, parked ones included */
};

int worker_new(struct server *srv, const struct worker_opts *o, struct worker **ret) must_check;
/* Ends parked exchanges and releases the configuration, so that the last one to do so unloads the
 * hook libraries. Their threads may still give handles back until then: the slots stay. The thread
 * of the worker must have ended. */
void worker_let_go(struct worker *w);
/* The same, and all the rest of it. */
void worker_free(struct worker *w);

/* Takes a capture over (closed by the worker), or gives the one of ifindex back for closing. Both
 * from any thread when the worker runs, through its mailbox. */
int worker_attach(struct worker *w, struct capture *c, int ifindex) must_check;
void worker_detach(struct worker *w, int ifindex);

/* Starts and stops the thread. */
int worker_start(struct worker *w) must_check;
void worker_stop(struct worker *w);

/* Has the worker read the losses of its sockets (usher-kernel-drops). From the management
 * thread. */
void worker_ask_drops(struct worker *w);

/* Without a thread: everything that can be done now. Returns how many packets were received. */
size_t worker_run_once(struct worker *w);
/* One packet from c, pipeline, answer; on server.replay_clock's time. For replay. Count, or
 * -errno. */
int worker_receive(struct worker *w, struct capture *c) must_check;

/* Hands an exchange that waited back to its worker, from any thread. */
void worker_resume(struct exchange *x);
/* Waits for exchange.wait_seq. Called by COMMIT. */
void worker_wait_durable(struct exchange *x);
/* Puts an answer into the batch. Called by SEND. */
void worker_queue_tx(struct exchange *x, const struct capture_tx *tx);

/* The kinds of messages that the interface being read drops. */
enum shed worker_shed(const struct worker *w);
/* Exchanges that wait: for the disk, a callout, another packet of their client. Any thread. */
uint64_t worker_parked(const struct worker *w);
struct stats *worker_stats(struct worker *w);
struct server *worker_server(const struct worker *w);
struct iface_table *worker_ifaces(const struct worker *w);
