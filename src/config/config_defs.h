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

/* Returns whether a definition that this option needs was refused. name may be NULL: by code. */
bool option_defs_refused(const struct option_defs *d, const char *space, const char *name,
			 uint32_t code);
/* Returns whether a name has only letters, digits, '-' and '_', and neither '-' nor '_' at an
 * end. */
bool option_name_valid(const char *s);
/* Returns whether the space is built in, or a definition uses it. */
bool option_defs_has_space(const struct option_defs *d, const char *space);
