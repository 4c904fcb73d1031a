/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The generator: keeps a window of clients waiting, verifies their answers, counts. One thread.
 * Set *stop from a signal handler to end early; the results until then are reported.
 */
#pragma once

#include "tools/load_io.h"
#include "tools/load_result.h"

#include <signal.h>

struct load_engine;

/* Borrows o, io and stop. 0 or a negative result. */
int load_engine_new(const struct load_opts *o, struct load_io *io,
		    const volatile sig_atomic_t *stop, struct load_engine **ret) must_check;
void load_engine_free(struct load_engine *e);
/* Runs all phases and the check of the lease file. Returns 0, or a negative result with the
 * reason. */
int load_engine_run(struct load_engine *e, const char **ret_why) must_check;
const struct load_result *load_engine_result(struct load_engine *e);
