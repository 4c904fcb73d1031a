/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What bind.c and bind_policy.c tell each other.
 */
#pragma once

#include "gate/bind.h"

enum { BIND_POLICIES = 16 };

/* The state's numbers of the policies. */
unsigned *bind_policy_ids(struct gate_bind *b);
int bind_policies_define(struct gate_bind *b, struct script_error *err) must_check;
/* After a rule file: the engine asks where there are entries. */
void bind_policies_begin(struct gate_bind *b, struct gate *g);
