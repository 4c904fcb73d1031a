/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For implementers: applications over flows. A flow has at most one application's dissector, chosen
 * when it begins: by a listener of new_connection, else by the server's port, among those that are
 * loaded. An application's state of a flow is in flow->state, from a pool with room for every flow
 * there can be.
 */
#pragma once

#include "gate/engine/dissect.h"

/* Shows the present data of a flow to its application. Returns the octets that may be forwarded. */
uint32_t gate_app_data(struct gate_view *v);

/* Adds a port of an application's servers. -EINVAL: no application's dissector; -ENOSPC. */
int gate_app_port(struct gate *g, enum gate_dissector d, uint16_t port) must_check;
/* Chooses the application of a flow; for listeners of new_connection. -EINVAL: it cannot run over
 * the flow's transport. */
int gate_app_choose(struct gate_walk *w, struct flow *f, enum gate_dissector d) must_check;
/* Called when the packet's flow begins: if no application was chosen, its port decides (by_port),
 * and a policy may decide otherwise. GATE_ACCEPT, or GATE_DROP by a policy. */
int gate_app_begin(struct gate_walk *w, bool by_port);
/* Returns whether the packet belongs to a flow of that application. If not, a policy has sent it to
 * a dissector that cannot read it, and it is dropped. */
bool gate_app_is(struct gate_packet *p, enum gate_dissector d);
/* Ends the application of a flow: none of its data will be shown any more. */
void gate_app_end(struct gate_walk *w, struct flow *f);
