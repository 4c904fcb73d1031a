/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The guard's file: JSON with comments, every key known, every error with its place.
 */
#pragma once

#include "base/arena.h"
#include "config/json/json.h"
#include "gate/guard/guard.h"

struct guard_config {
	struct arena arena; /* opts.fixed lies there */
	struct guard_opts opts;
};

/* Sets defaults, then reads the file. 0, or negative with err set ("FILE:LINE:COL: expected …");
 * fini in any case. */
int guard_config_load(const char *path, struct guard_config *ret, struct config_error *err)
	must_check;
int guard_config_parse(struct span text, const char *name, struct guard_config *ret,
		       struct config_error *err) must_check;
void guard_config_fini(struct guard_config *c);
