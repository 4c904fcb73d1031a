/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Answers of the control channel of a live gate. Runs in the main thread; a worker answers for its
 * own data, between two batches.
 */
#pragma once

#include "base/attr.h"
#include "control/command.h"
#include "gate/run/args.h"

struct control_plane;
struct gate;
struct gate_bind;
struct guard;
struct http_listener;
struct frames;
struct log;
struct script_alert_sink;

/* Objects that a function running in a worker may read. */
struct gate_worker_view {
	struct gate *g;
	struct gate_bind *bind;	   /* NULL: no rules */
	const struct guard *guard; /* NULL: none */
	const struct frames *frames;
	unsigned number;
};

typedef void (*gate_worker_fn)(void *ctx, const struct gate_worker_view *v);

/* The gate as commands see it. */
struct gate_commands {
	unsigned n_workers;
	/* Runs fn in the thread of worker i, between two batches, and waits for it. False: it does
	 * not answer. */
	bool (*ask)(void *ctx, unsigned i, gate_worker_fn fn, void *arg);
	void (*stop)(void *ctx);
	void *ctx;
	struct alert_ring *alerts;
	struct log *log;
	int64_t started_ns;			/* wall clock */
	struct control_plane *plane;		/* set by gate_plane_open() */
	struct http_listener *http;		/* set by gate_page_open(); NULL: none */
	struct control_command script_rows[64]; /* of the rule file */
	size_t n_script_rows;
};

/* Creates the management plane with the commands of the gate and of its rule file. Returns 0,
 * -ENOMEM, or -ETIMEDOUT: worker 0 does not answer. */
int gate_plane_open(struct gate_commands *commands, struct control_plane **ret) must_check;
/* Refuses a command that the gate cannot have, for haka.command(), with the reason in why[n]. */
bool gate_command_refuse(void *ctx, const char *name, const char *args, char *why, size_t n);

/*
 * Begins the text of the gate's metrics (metrics.def) for Prometheus: *ret appends it, without an
 * answer around it. The values are those of now. openmetrics: in that form. Returns 0, -ENOMEM, or
 * -ETIMEDOUT: a worker does not answer.
 */
struct control_stream;
int gate_metrics_stream(const struct gate_commands *c, bool openmetrics, struct control_stream *ret)
	must_check;

/* The last alerts, of all workers. */
struct alert_ring;
int alert_ring_new(struct alert_ring **ret) must_check;
/* Returns how many alerts there were since the start. */
uint64_t alert_ring_total(struct alert_ring *r);
void alert_ring_free(struct alert_ring *r);
struct script_alert_sink alert_ring_sink(struct alert_ring *r);
