/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Walks an exchange down the table of stages.
 */
#pragma once

#include "server/core/exchange.h"

/* Runs from exchange.stage until a verdict. CONTINUE is never the result. */
enum verdict pipeline_run(struct exchange *x);
/* The same, up to a stage that is not run: CONTINUE when it is reached. */
enum verdict pipeline_run_to(struct exchange *x, enum stage end);
const char *stage_name(enum stage s);
/* Calls a hook point with the exchange's arguments; fill sets the arguments that are special to the
 * point. */
enum usher_next_step pipeline_hook(struct exchange *x, enum hook_point p, struct lease *lease,
				   const struct lease *deleted);
/* The same for points that may park: *ret_park tells that the exchange must stop here. */
enum usher_next_step pipeline_hook_parking(struct exchange *x, enum hook_point p, bool *ret_park);
