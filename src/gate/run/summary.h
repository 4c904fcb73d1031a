/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate's summary of its work: for people, or as JSON.
 */
#pragma once

#include "capture/frames.h"
#include "gate/engine/gate.h"
#include "gate/guard/guard.h"
#include "gate/engine/plugin.h"
#include "gate/tcp/tcp_conn.h"

#include <stdio.h>

struct gate_worker_view;

struct gate_sums {
	bool began; /* packets were read; without it there is nothing to print */
	struct gate_counters gate;
	struct frames_stats frames;
	struct flow_stats flows;
	struct guard_counters guard;
	bool guarded;
	struct tcp_memory tcp;
	uint32_t n_plugins;
	struct gate_plugin_seen {
		char name[GATE_PLUGIN_NAME_LEN];
		uint64_t seen;
	} plugins[GATE_MAX_PLUGINS]; /* dissectors that were registered at run time */
};

/* Adds the counters of an engine, or of a source. */
void gate_sums_gate(struct gate_sums *s, struct gate *g);
/* Adds the counters of a guard; of NULL: nothing. */
void gate_sums_guard(struct gate_sums *s, const struct guard *gd);
void gate_sums_frames(struct gate_sums *s, const struct frames *f);
/* Adds all counters of a worker: a gate_worker_fn. */
void gate_sums_worker(void *sums, const struct gate_worker_view *v);
/* Prints the sums. seconds: of the CPU; 0: leave speed out. */
void gate_sums_print(const struct gate_sums *s, double seconds, bool json, FILE *to);
