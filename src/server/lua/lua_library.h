/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hook library "lua" as the program sees it: the functions of its row in builtins.c. Meson
 * chooses the file that has them: lua_hook.c, or lua_library_none.c for a server without Lua.
 */
#pragma once

#include "hook/hook.h"

/* Called as the member of struct hook_builtin of its name, as are the functions below. */
int lua_hook_load(struct usher_lib *lib, const struct hook_registry_opts *o,
		  const struct config_hook_library *conf, struct config_error *err);
void lua_hook_retire(struct usher_lib *lib);
void lua_hook_unload(struct usher_lib *lib);
void lua_hook_memory(struct usher_lib *lib, struct hook_memory *m, hook_memory_fn *fn, void *ctx);
const struct json *lua_hook_file(const struct config_hook_library *conf, unsigned nth,
				 int *ret_dir);
