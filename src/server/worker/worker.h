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

enum { WORKER_BATCH = 64, WORKER_MAX_PORTS = 4096 };

struct worker_opts {
	unsigned index;
	unsigned n_slots; /* exchanges in flight, parked ones included */
};

/* Adds a worker to server.workers. 0, or negative. */
int worker_add(struct server *srv, const struct worker_opts *o) must_check;
/* Frees all workers of a server, whose threads have ended. Their parked exchanges end, and hook
 * libraries are unloaded: threads of libraries may return handles until then. */
void workers_free(struct server *srv);

/* Takes a capture over (closed by the worker), or gives the one of ifindex back for closing. Both
 * from any thread when the worker runs, through its mailbox. */
int worker_attach(struct worker *w, struct capture *c, int ifindex) must_check;
void worker_detach(struct worker *w, int ifindex);

/* Starts and stops the thread. */
int worker_start(struct worker *w) must_check;
void worker_stop(struct worker *w);

/* Starts the watch over callouts of external libraries: one that does not return in time costs its
 * own exchange only. Called when all workers are there. 0, or -errno. */
int worker_watch_start(struct server *srv) must_check;
/* Sets the time of a callout; 0: there is no external library. Without a watch, does nothing. */
void worker_watch_set(struct server *srv, int64_t deadline_ns);
/* Ends the watch, behind worker_stop(). Waits for calls that hang; false: one still does, and the
 * memory that it may use must stay. */
bool worker_watch_stop(struct server *srv, int64_t wait_ns) must_check;

/* Makes the worker read the losses of its sockets (usher-kernel-drops). Called by the management
 * thread. */
void worker_ask_drops(struct worker *w);

/* Runs a worker without a thread: everything that can be done now. Returns the number of packets
 * received. */
size_t worker_run_once(struct worker *w);
/* Receives one packet from c, runs it and answers, on the time of server.replay_clock. For
 * replay. Returns the count, or -errno. */
int worker_receive(struct worker *w, struct capture *c) must_check;

/* Exchanges that wait: for the disk, a callout, another packet of their client. Any thread. */
uint64_t worker_parked(const struct worker *w);
/* Returns the number of its slots. Any thread. */
unsigned worker_slots(const struct worker *w);
/* Returns the processor time of its thread, in nanoseconds; 0: it has none. Called by the thread
 * that starts and stops it. */
int64_t worker_busy_ns(struct worker *w);
