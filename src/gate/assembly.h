/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Creation of an engine with all of its dissectors.
 */
#pragma once

#include "gate/engine/gate.h"

/* Sets limits that suit a machine of today. */
void gate_opts_default(struct gate_opts *o);
/* Creates an engine: 0, -ENOMEM. */
int gate_new(const struct gate_opts *o, struct gate **ret) must_check;
/* Ends all flows and frees the engine; the source stays open. NULL is accepted. */
void gate_free(struct gate *g);
