/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Conditions: a rule's `when` and a policy's criteria, as a value in Lua (a criterion) and
 * compiled over the fields of a host. A criterion is a number, boolean, text, address, network, a
 * list of those, haka.range(a, b), or one of haka.policy's.
 */
#pragma once

#include "script/rules/event.h"

struct script_filter; /* userdata: conditions that must all hold */

/*
 * Compiles the table at idx, {field = criterion}, and pushes the filter. Raises with `what` in
 * front when a field is unknown or a value no criterion. skip: names in the table that are no
 * fields (" on action "), or NULL.
 */
void script_filter_compile(lua_State *L, int idx, const struct script_filter_field *fields,
			   const char *what, const char *skip);
bool script_filter_match(const struct script_filter *f, const void *ctx);
/* Pushes the value at idx as a criterion; raises. */
void script_push_criterion(lua_State *L, int idx, const char *what);
/* Returns whether the Lua value at idx meets the criterion at crit: for decisions whose values are
 * Lua's. */
bool script_criterion_holds(lua_State *L, int crit, int idx);
/* Adds the constructors of haka.policy to the table at the top of the stack. */
void script_add_criteria(lua_State *L);
