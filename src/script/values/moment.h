/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Points in time as Lua values: .secs, .nsecs, .seconds; compared, subtracted (seconds), shown like
 * ctime().
 */
#pragma once

#include "script/state/script.h"

void script_push_time(lua_State *L, int64_t ns);
bool script_is_time(lua_State *L, int idx, int64_t *ret_ns);
/* A time, or seconds as a number; raises with `what` in front. */
int64_t script_check_time(lua_State *L, int idx, const char *what);
