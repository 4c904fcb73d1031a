/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of hook libraries in usher-server: a row for each.
 */
#include "server/run/builtins.h"

#include "library/library_life.h"
#include "server/lua/lua_library.h"

const struct hook_builtin server_builtins[] = {
	{.name = "lua",
	 .load = lua_hook_load,
	 .retire = lua_hook_retire,
	 .unload = lua_hook_unload,
	 .memory = lua_hook_memory,
	 .file = lua_hook_file},
#define LIBRARY(symbol)                          \
	{.name = "libdhcp_" #symbol ".so",       \
	 .check = library_check,                 \
	 .file = library_file,                   \
	 .load = library_load,                   \
	 .statistics = library_statistics,       \
	 .check_request = library_check_request, \
	 .hides_command = library_hides_command, \
	 .unload = library_unload},
#include "library/common/libraries.def"
#undef LIBRARY
	{0},
};
