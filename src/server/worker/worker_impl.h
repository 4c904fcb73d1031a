/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct worker from the inside, shared by its own files: worker.c (life), worker_run.c
 * (exchanges), worker_port.c (captures) and worker_mail.c (requests of other threads).
 */
#pragma once

#include "server/worker/worker.h"

#include <pthread.h>

struct loop;
struct loop_source;

struct port {
	struct worker *w;
	struct capture *c;
	int ifindex;
	struct loop_source *source;
	bool paused;
	unsigned n_full; /* batches in a row that did not empty the queue */
	enum shed shed;
};

/*
 * A worker's one reference to a snapshot, and the number of its parked exchanges that use it.
 * Counted here and not in the snapshot: that would be a line of memory which all workers write for
 * each packet.
 */
struct snap_hold {
	struct snapshot *snap;
	unsigned users;
};

struct mail {
	struct mail *next;
	struct capture *attach; /* NULL: detach */
	int ifindex;
};

struct worker {
	struct server *srv;
	unsigned index;
	struct stats stats;
	struct loop *loop;
	struct loop_source *wake_source;
	int wake;	  /* eventfd: mailbox, durability, stop */
	pthread_t thread; /* changes under life_lock while it runs (worker_watch.c) */
	bool threaded;
	pthread_mutex_t life_lock;
	pthread_cond_t life;	/* ended was set */
	bool ended, taken;	/* the thread; the worker, by a new thread */
	int64_t busy_before_ns; /* processor time of the threads before */

	/* the callout of an external library that runs now (worker_watch.c) */
	_Atomic uint64_t callout;
	struct exchange *callout_x;
	_Atomic unsigned *callout_hanging;
	_Atomic bool stop;
	_Atomic bool count_wanted; /* kernel drops, when next awake */
	_Atomic uint64_t n_parked; /* exchanges; written by the worker only */

	uint8_t *slot_mem; /* mmap: exchanges' data, arenas and output */
	size_t slot_mem_len;
	struct exchange *slots;
	unsigned n_slots, n_free;
	struct exchange *free;
	struct exchange *wait_head, *wait_tail; /* for durability, in order of arrival */

	pthread_mutex_t mail_lock;
	struct exchange *resumed_head, *resumed_tail;
	struct exchange *returned; /* by callouts that hung */
	struct mail *mail;

	struct port *ports[WORKER_MAX_PORTS];
	unsigned n_ports;
	uint64_t closed_drops; /* by the kernel, on captures that are closed */
	bool paused;	       /* no free slot: captures are not read */
	enum shed shed;	       /* of the port that is read */

	int64_t received_ns; /* when the batch in progress was read, monotonic; 0: replay */
	uint64_t generation;
	struct snap_hold *hold; /* the current snapshot; NULL: none yet */
	struct iface_table *ifaces;

	/* packets that were read and not run yet: NULL where one is begun with */
	struct exchange *batch[WORKER_BATCH];
	unsigned n_batch, n_begun;
	struct capture *batch_capture;
	int batch_ifindex;
	struct exchange *resuming; /* taken from the mailbox, and not resumed yet */

	struct capture *tx_capture;
	struct capture_tx tx[WORKER_BATCH];
	struct exchange *tx_x[WORKER_BATCH];
	unsigned n_tx;
};

/* --- worker_run.c ----------------------------------------------------------------------------- */
/* Takes the current snapshot and interface table when they changed. */
void worker_refresh(struct worker *w);
/* Receives at most max packets from c, runs them and sends their answers. port_ifindex: of the
 * port, -1: none. Count, or -errno. */
int worker_receive_batch(struct worker *w, struct capture *c, int port_ifindex, unsigned max);
/* Continues an exchange that waited. */
void worker_run_resumed(struct exchange *x);
/* Continues the exchanges whose rows are on disk. */
void worker_resume_durable(struct worker *w);
/* Sends the batch of answers and ends their exchanges. */
void worker_tx_flush(struct worker *w);
/* Provides a service of stages (services.h), as do the functions below. */
void worker_wait_durable(struct exchange *x);
void worker_queue_answer(struct exchange *x, const struct capture_tx *tx);
/* Ends parked exchanges and releases the configuration, so that the last worker to do so unloads
 * the hook libraries. The slots stay. */
void worker_let_go(struct worker *w);

/* Continues the work of a thread that hangs in a callout: parks its exchange, and runs the
 * others. */
void worker_continue(struct worker *w);

/* --- worker_watch.c --------------------------------------------------------------------------- */
/* Provides a service of stages (services.h), as does the function below. */
uint64_t worker_enter_callout(struct exchange *x, _Atomic unsigned *hanging);
void worker_leave_callout(struct exchange *x, _Atomic unsigned *hanging, uint64_t token);
/* Starts the thread. 0, or -errno. */
int worker_run_thread(struct worker *w) must_check;
/* Waits for the end of the thread that owns the worker. */
void worker_join(struct worker *w);
/* Returns the processor time of a thread that was not joined, in nanoseconds. */
int64_t worker_thread_ns(pthread_t thread);

/* --- worker_port.c ---------------------------------------------------------------------------- */
/* Adds a capture to the worker's ports; closes it when that fails. 0, or negative. */
int worker_open_port(struct worker *w, struct capture *c, int ifindex) must_check;
/* Closes the port of an interface, if there is one. */
void worker_close_port(struct worker *w, int ifindex);
/* Reads a batch of packets from a port. Count, or -errno. */
int worker_receive_port(struct port *p);
/* Reads the present packets: a batch, and those that the capture had read with it. */
void worker_read_port(struct port *p);
/* Publishes the losses of full socket buffers, as the kernel counts them. */
void worker_count_kernel_drops(struct worker *w);

/* --- worker_mail.c ---------------------------------------------------------------------------- */
/* Wakes the thread. */
void worker_wake(struct worker *w);
/* Hands an exchange that waited back to its worker. Any thread. */
void worker_resume(struct exchange *x);
/* Processes the mailbox: captures to open and close, exchanges to resume. */
void worker_mailbox(struct worker *w);
/* Resumes the exchanges that were taken from the mailbox. */
void worker_resume_taken(struct worker *w);
/* Closes open ports and drops those still to be opened. */
void worker_close_ports(struct worker *w);
