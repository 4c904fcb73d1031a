/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rules in Lua on the gate: the events of events.def as haka.dissectors.<dissector>.events.<name>,
 * packets and flows as objects with Haka's fields. Nothing below the gate knows Lua, and no
 * dissector does: a state listens as any other listener.
 */
#pragma once

#include "gate/engine/gate.h"
#include "script/state/script_opts.h"

struct gate_bind;

/* Makes a state with all of the gate in it, for engine g, which outlives it. `so`: profile, limits,
 * paths, log. 0, -ENOMEM, or -USHER_E_SCRIPT with *err. */
int gate_bind_new(struct gate *g, const struct script_opts *so, struct gate_bind **ret,
		  struct script_error *err) must_check;
/* Ends the flows, with their events; then raises haka.events.exiting, and frees the state. Call it
 * before the engine is freed, and while its source is open. */
void gate_bind_free(struct gate_bind *b);
struct script *gate_bind_script(const struct gate_bind *b);
/* Runs a rule file, loads the dissectors its rules listen to, and begins to listen. 0, or negative
 * with *err. */
int gate_bind_run(struct gate_bind *b, const char *path, struct script_error *err) must_check;
/* Runs text that a person typed, between two packets (script_eval()): rules that it makes take
 * effect. */
int gate_bind_eval(struct gate_bind *b, struct span text, struct buf *out, struct script_error *err)
	must_check;
/* Runs a rule file that is given as text, for tests. */
int gate_bind_run_text(struct gate_bind *b, struct span text, struct script_error *err) must_check;
