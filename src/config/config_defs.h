/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside of option definitions: the operator's own, by code and by name of a space. Part of a
 * configuration, immutable once loaded.
 */
#pragma once

#include "config/config_load.h"

struct option_defs {
	struct option_def *items;
	const struct json **nodes;	/* where each was defined */
	size_t n;
	struct config_map by_code, by_name, spaces;
};

/* Is the space built in, or does a definition use it? */
bool option_defs_has_space(const struct option_defs *d, const char *space);
