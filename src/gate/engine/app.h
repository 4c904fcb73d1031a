/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For implementers: applications over flows. A flow has at most one application's dissector, chosen
 * when it begins: by a listener of new_connection, else by the server's port, among those that are
 * loaded. An application's state of a flow is in flow->state, from a pool with room for every flow
 * there can be.
 */
#pragma once

#include "gate/tcp/tcp_conn.h"

struct gate_app {
	uint8_t proto; /* of IPv4; 0: this dissector is none of an application */
	uint16_t port;
	int (*new)(struct gate *g, uint32_t max_flows);
	void (*free)(struct gate *g);
	void (*begin)(struct gate *g, struct flow *f);
	void (*end)(struct gate *g, struct flow *f);
	gate_stream_fn data; /* NULL: over UDP */
};

/* Shows the present data of a flow to its application. Returns the octets that may be forwarded. */
uint32_t gate_app_data(struct gate *g, struct gate_view *v);

int gate_apps_new(struct gate *g, uint32_t max_flows) must_check;
void gate_apps_free(struct gate *g);

/* Another port where an application's servers are. -EINVAL: no application's dissector; -ENOSPC. */
int gate_app_port(struct gate *g, enum gate_dissector d, uint16_t port) must_check;
/* This flow speaks that; for listeners of new_connection. -EINVAL: it cannot, over its
 * transport. */
int gate_app_choose(struct gate *g, struct flow *f, enum gate_dissector d) must_check;
/* A packet's flow begins: if nothing was chosen its port tells, should it tell by itself, and a
 * policy may know better. GATE_ACCEPT, or GATE_DROP: a policy does not want it. */
int gate_app_begin(struct gate *g, struct gate_packet *p, bool by_itself);
/* Is the packet of a flow that speaks that? Else a policy has sent it where it cannot be read: it
 * is dropped. */
bool gate_app_is(struct gate_packet *p, enum gate_dissector d);
/* Nothing of it will be shown any more. */
void gate_app_end(struct gate *g, struct flow *f);
