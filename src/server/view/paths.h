/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rules for the files that a configuration may name when it came over the control channel and the
 * requester is neither root nor the server's own user: with the server's rights such a requester
 * would load libraries and write files anywhere.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

struct config;
struct config_error;
struct hook_builtin;

struct paths_check {
	const struct config *cfg;      /* the requester's */
	const struct config *in_force; /* its names may be used again; NULL: none */
	const struct hook_builtin *builtins;
	/* Called for each name that is not allowed. */
	void (*problem)(void *ctx, const struct config_error *e);
	void *ctx;
};

/*
 * Checks the names of hook libraries and scripts, log files, control sockets and the lease file:
 * each must lie below its directory (config_dir()) or be in force already. Returns the number of
 * names that are not allowed. Source: Kea 3.0's path rules.
 */
size_t paths_check(const struct paths_check *c);
/* Returns whether the path names a file below dir, with links followed. It may contain neither
 * "." nor "..". */
bool paths_below(const char *path, const char *dir);
