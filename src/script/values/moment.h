/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Points in time as Lua values: .secs, .nsecs, .seconds; compared, subtracted (seconds), shown like
 * ctime().
 */
#pragma once

#include "script/state/script.h"

void script_push_time(lua_State *L, int64_t ns);
bool script_is_time(lua_State *L, int idx, int64_t *ret_ns);
/* Returns a time argument, which may be given as a number of seconds; raises with `what` in front.
 */
int64_t script_check_time(lua_State *L, int idx, const char *what);
