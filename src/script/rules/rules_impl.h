/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The part of a state that its rules need: events, policies, alerts and timers.
 */
#pragma once

#include "script/rules/alert.h"
#include "script/rules/event_impl.h"
#include "script/rules/policy_impl.h"
#include "script/state/script_impl.h"

struct alert_table {
	struct script_alert_sink sinks[SCRIPT_ALERT_SINKS];
	size_t n_sinks;
	uint64_t last_id;
	_Atomic uint64_t n_raised;
};

struct script_opts;
struct timer_table;

struct rules_state {
	struct event_table events;
	struct policy_table policies;
	struct alert_table alerts;
	struct timer_table *timers; /* in memory of the state */
	bool has_timers;	    /* the host fires them */
};

/* Makes s->rules. 0, or -ENOMEM. */
int rules_state_new(struct script *s, const struct script_opts *o) must_check;
void rules_state_free(struct script *s);

/* Makes the tables of timers (timer.c). */
int timers_new(struct script *s) must_check;
void timers_free(struct script *s);
/* Pushes arm and disarm, for lua/core/machine.lua, and returns 2; 0: the host fires no timers. */
int script_push_timer_functions(lua_State *L);

/* Opens one part, as the functions below do, in a protected call. */
void script_open_filter(lua_State *L);
void script_open_events(lua_State *L);
void script_open_raises(lua_State *L);
void script_open_rules(lua_State *L);
void script_open_alert(lua_State *L);
void script_open_policy(lua_State *L);
void script_open_timers(lua_State *L);
