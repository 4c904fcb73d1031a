/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Timers of scripts: the time-outs of state machines (lua/core/machine.lua). Only for hosts that
 * ask for them in struct script_opts: they look at script_timer_due(), and fire due timers between
 * two of their events. To arm, disarm or fire one costs O(log n); they count as memory of the
 * state, and are bounded in number.
 */
#pragma once

#include "script/state/script.h"

enum { SCRIPT_TIMERS = 65536 };

/* Returns when the earliest timer is due, in the time of the script's clock; INT64_MAX: there is
 * none. The pointer is good as long as the state. */
const int64_t *script_timer_due(const struct script *s);
/*
 * Fires the earliest, which is due: an outermost call of its own. A repeated one is armed again
 * before, at the first time of its row that is behind `after`. False: it failed, which was logged
 * and counted.
 */
bool script_timer_fire(struct script *s, int64_t after);
uint32_t script_timers_armed(const struct script *s);
