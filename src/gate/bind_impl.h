/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the bind_*.c tell each other.
 */
#pragma once

#include "gate/bind.h"
#include "script/dhcp.h"
#include "script/event.h"

enum { BIND_POLICIES = 16 };

/* What an event is about: the context of its conditions. */
struct bind_occasion {
	struct gate_bind *bind;
	struct gate *g;
	struct gate_packet *p;	/* NULL: a flow ends */
	struct flow *f;
	enum gate_event event;
};

/* Of every event; of dhcp's. */
extern const struct script_filter_field bind_when[], bind_when_dhcp[];

struct script_dhcp *bind_dhcp(struct gate_bind *b);
int bind_dhcp_open(struct gate_bind *b, struct script *s, struct gate *g) must_check;

/* The state's numbers of the policies. */
unsigned *bind_policy_ids(struct gate_bind *b);
int bind_policies_define(struct gate_bind *b, struct script_error *err) must_check;
/* After a rule file: the engine asks where there are entries. */
void bind_policies_begin(struct gate_bind *b, struct gate *g);

/* The state with its timers, which the engine fires; and the end of both. script may be NULL. */
int bind_script_new(struct gate *g, const struct script_opts *so, struct script **ret) must_check;
void bind_script_free(struct gate *g, struct script *script);
