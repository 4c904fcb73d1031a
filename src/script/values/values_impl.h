/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How the values are opened in a new state: each function in a protected call.
 */
#pragma once

#include <lua.h>

void script_open_addr(lua_State *L);
/* Opens the module protocol/ipv4 of a host that has no dissector of that name. */
int script_open_ipv4(lua_State *L);
void script_open_time(lua_State *L);
/* Replaces functions of `string` and `table`, in a RESTRICTED state. */
void script_open_strings(lua_State *L);
