/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Inside of option definitions: the operator's own, by code and by name of a space. Part of a
 * configuration, immutable once loaded.
 */
#pragma once

#include "config/config_load.h"

struct option_defs {
	struct option_def *items;
	const struct json **nodes; /* where each was defined */
	size_t n;
	struct config_map by_code, by_name, spaces;
	struct config_map refused; /* names and codes of definitions that were refused */
	bool unsure;		   /* others may be missing: the text that has them was refused */
};

/* Was a definition refused that this option needs? name may be NULL: by code. */
bool option_defs_refused(const struct option_defs *d, const char *space, const char *name,
			 uint32_t code);
/* Letters, digits, '-' and '_', and neither of these at an end. */
bool option_name_valid(const char *s);
/* Is the space built in, or does a definition use it? */
bool option_defs_has_space(const struct option_defs *d, const char *space);
