/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Walks an exchange down the table of stages (stages.def).
 */
#pragma once

#include "server/core/exchange.h"

/* Runs the stages from exchange.stage on until a verdict, which is never CONTINUE. */
enum verdict pipeline_run(struct exchange *x);
/* Runs the stages from exchange.stage on, but not `end` and those behind it. Returns CONTINUE when
 * `end` is reached. */
enum verdict pipeline_run_to(struct exchange *x, enum stage end);
/* Counts the walk of an exchange that a callout does not return from as parked in its stage. */
void pipeline_leave(struct exchange *x);
