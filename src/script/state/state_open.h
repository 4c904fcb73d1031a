/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How the parts of this folder are made in a new state.
 */
#pragma once

#include "script/state/script_opts.h"

/* Fills a record that is zero with the options of the state itself. 0, or -ENOMEM. */
int script_record_init(struct script *s, const struct script_opts *o) must_check;
void script_record_fini(struct script *s);

/* Takes the limits of the options over. */
void script_limits_init(struct script *s, const struct script_opts *o);
/* Turns the count hook on, in a RESTRICTED state. */
void script_limits_on(struct script *s);
/* Frees the kept blocks; called last of all. */
void script_alloc_fini(struct script *s);
/* Called by Lua's panic: no error can occur outside of a protected call. */
int script_on_panic(lua_State *L);

/* Opens one part, as the functions below do, in a protected call, and leaves no table on the stack.
 */
void script_open_errors(lua_State *L);
/* Makes the table haka. */
void script_open_haka(lua_State *L);
void script_open_require(lua_State *L);
/* Opens members of haka that are made at their first use. */
void script_open_lazy(lua_State *L);
void script_open_missed(lua_State *L);
