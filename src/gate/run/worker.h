/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A worker of a live gate: a thread with its own source of frames, engine and rules. Workers share
 * nothing; other threads ask them for their data.
 */
#pragma once

#include "gate/run/command.h"
#include "gate/engine/gate.h"

struct gate_worker;
struct gate_rules;

/* `f` is taken; `stop_fd` becomes readable when all are to end, and `broken` is called (in the
 * worker's thread) when its source fails. 0, or negative: said on stderr. */
struct gate_worker_opts {
	unsigned number;
	struct frames *frames;
	const struct gate_opts *gate;
	struct gate_rules *rules;
	int stop_fd;
	void (*broken)(void *ctx);
	void *ctx;
};
int gate_worker_new(const struct gate_worker_opts *o, struct gate_worker **ret) must_check;
int gate_worker_start(struct gate_worker *w) must_check;
/* Waits for its thread, which was asked to stop. 0, or -errno of its source. */
int gate_worker_join(struct gate_worker *w);
/* Frees a worker. 0, or negative: bindings were not saved, reported on stderr. */
int gate_worker_free(struct gate_worker *w);
/* Runs fn in its thread between two batches, or here if the thread does not run. False: no answer
 * in five seconds. */
bool gate_worker_ask(struct gate_worker *w, gate_worker_fn fn, void *arg);
