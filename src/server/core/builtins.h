/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hook libraries that are in usher-server itself. Meson chooses the file that has the table:
 * with Lua (lua_hook.c) or without (builtins_none.c). The server core is handed it and knows none
 * of them.
 */
#pragma once

#include "hook/hook.h"

extern const struct hook_builtin server_builtins[];
