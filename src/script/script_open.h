/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of a Lua state with all modules. Hosts make their state here; script/state/script.h has
 * the functions on it.
 */
#pragma once

#include "script/state/script_opts.h"

/* Makes a state. 0, or -ENOMEM. */
int script_new(const struct script_opts *opts, struct script **ret) must_check;
/* Frees a state; s may be NULL. */
void script_free(struct script *s);
