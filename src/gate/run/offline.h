/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate on recorded traffic: one file, or every capture of a directory in the order of their
 * names. Time is that of the captures. One engine for all of them, so flows may span files.
 */
#pragma once

#include "gate/run/args.h"
#include "gate/run/summary.h"

struct gate_opts;

/* Returns the program's exit code; errors are on stderr. */
/* Loads the rules and the guard's configuration, for -t. Returns the exit code. */
int gate_check(const struct gate_args *a, const struct gate_opts *o) must_check;
int gate_offline(const struct gate_args *a, const struct gate_opts *o, struct gate_sums *ret_sums);
