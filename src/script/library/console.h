/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A person at a state: text that is run as if it were typed at a prompt (an expression shows its
 * values), and haka.interactive_rule(name), which asks for commands at every event.
 */
#pragma once

#include "script/state/script.h"

struct buf;

/*
 * Runs text within the limits of a call, between two events; appends its output to `out` and, a
 * line each, its values. 0, SCRIPT_ABORTED, or -USHER_E_SCRIPT with *err.
 */
int script_eval(struct script *s, struct span text, struct buf *out, struct script_error *err)
	must_check;
