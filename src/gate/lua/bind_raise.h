/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For bind.c: the listeners of a script's events.
 */
#pragma once

#include "gate/lua/bind_impl.h"

/* A row of events.def. */
struct bind_event {
	enum gate_dissector dissector;
	const char *name;
	bool streamed, error;
};
extern const struct bind_event bind_events[EVENT_N];

/* Called for each event that rules listen to: raises it in the script. ctx: struct hearing. */
bool bind_on_event(void *ctx, struct gate_walk *w, struct flow *f);
/* Called at the end of flows: raises the event and frees values that scripts kept in the flow. */
bool bind_on_flow_end(void *ctx, struct gate_walk *w, struct flow *f);
