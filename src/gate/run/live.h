/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate on interfaces and queues: workers, each a thread with its own source and engine, until
 * SIGTERM or SIGINT.
 */
#pragma once

#include "gate/run/args.h"
#include "gate/run/summary.h"

struct gate_opts;

/* Returns the program's exit code; errors are on stderr. */
int gate_live(const struct gate_args *a, const struct gate_opts *o, struct gate_sums *ret_sums);
