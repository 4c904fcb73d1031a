/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Dissectors in Lua, as the other files of bind_* see them.
 */
#pragma once

#include "gate/engine/gate.h"
#include "script/rules/policy.h"
#include "script/state/script.h"

struct bind_stream;
struct gate_bind;

/* Opens haka.dissector and its functions; loaded at a script's first use. */
int bind_dissect_open(struct gate_bind *b, struct script_error *err) must_check;
/* Removes the dissectors of a state, after the engine's flows have ended. */
void bind_dissect_close(struct gate_bind *b);
/* Resumes the coroutine of a direction, without new data. False: the packet is dropped. */
bool bind_dissect_resume(struct gate_bind *b, struct gate_walk *w, struct flow *f,
			 struct bind_stream *st, enum gate_direction d);

/* Puts the host's functions for dissector.lua into the table at the top (bind_dissect_host.c). */
void bind_dissect_host(lua_State *L);

/* Returns the action haka.dissectors.<name>.install (bind_policy.c). Both parameters are borrowed.
 */
struct script_action bind_install_action(const char *name, const int *number);
