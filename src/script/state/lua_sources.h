/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The Lua files of lua/, as text inside the program (tools/gen_lua.py). "core/x" is for the C files
 * here; every other one is a module that require() finds under its name.
 */
#pragma once

#include "base/span.h"

struct lua_source {
	const char *name; /* of the file, without ".lua" */
	struct span text;
};

extern const struct lua_source lua_sources[]; /* ends with an empty name */

/* Finds a source by its name; NULL if there is none. */
const struct lua_source *lua_source_find(const char *name);
