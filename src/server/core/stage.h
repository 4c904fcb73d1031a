/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The stages of the pipeline (stages.def), and the results of a stage.
 */
#pragma once

/* The result of a stage. Never mixed with int results. */
enum verdict {
	VERDICT_CONTINUE,
	VERDICT_DROP, /* exchange.drop has the reason */
	VERDICT_PARK, /* continues with the next row when resumed */
	VERDICT_DONE, /* sent */
};
enum { VERDICT_N = VERDICT_DONE + 1 };

enum stage {
#define STAGE(symbol, fn, hook, when, skip, does) STAGE_##symbol,
#include "server/core/stages.def"
#undef STAGE
	STAGE_N
};
