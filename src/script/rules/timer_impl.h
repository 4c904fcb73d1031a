/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Timers as the files of this layer see them: made with the state, and two functions for
 * lua/core/machine.lua.
 */
#pragma once

#include "script/state/script_impl.h"

int script_timers_new(struct script *s) must_check;
void script_timers_free(struct script *s);
void script_open_timers(lua_State *L);
/* Pushes arm and disarm. */
void script_push_timer_functions(lua_State *L);
