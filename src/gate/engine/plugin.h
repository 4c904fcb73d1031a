/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Dissectors that are registered while the program runs, beside those of dissectors.def: for
 * applications over a flow (as in app.h), or for packets that a policy sends there. The engine
 * knows only these functions; those of Lua are in lua/bind_dissect.c. Their numbers are beyond
 * DISSECT_N.
 */
#pragma once

#include "gate/engine/dissect.h"

enum { GATE_MAX_PLUGINS = 32, GATE_PLUGIN_NAME_LEN = 64, GATE_FIRST_PLUGIN = DISSECT_N + 1 };

struct gate_plugin {
	char name[GATE_PLUGIN_NAME_LEN];
	uint8_t proto; /* of IPv4, of the flows that speak it; 0: it is of packets */
	uint16_t port; /* of its servers; 0: only a policy or a listener decides */
	/* Called when a flow begins to speak it, and when it no longer does. flow->state is theirs.
	 * NULL: nothing to do. */
	void (*begin)(void *ctx, struct gate_walk *w, struct flow *f);
	void (*end)(void *ctx, struct gate_walk *w, struct flow *f);
	/* Over TCP: as gate_stream_fn, shown each direction. */
	uint32_t (*data)(void *ctx, struct gate_view *v);
	/* Of packets, and over UDP each datagram: as a dissector's receive; its number is at the
	 * top of w->p->stack. */
	int (*receive)(void *ctx, struct gate_walk *w);
	/* Of packets, on the way back up. False: the packet is stopped. */
	bool (*send)(void *ctx, struct gate_walk *w, int number);
	void *ctx;
	uint64_t seen; /* flows that began, or packets */
};

/* Returns its number (an enum gate_dissector), loaded with the dissectors below it; -EEXIST: a
 * dissector has that name; -ENOSPC; -EINVAL: functions are missing, or it is over neither TCP nor
 * UDP. d is copied. */
int gate_plugin_add(struct gate *g, const struct gate_plugin *d) must_check;
/* Removes all with this context; flows that speak them must have ended. */
void gate_plugin_remove(struct gate *g, const void *ctx);
/* Returns the plugin of a number; NULL: there is none. */
const struct gate_plugin *gate_plugin(const struct gate *g, int d);

/* --- For the engine --------------------------------------------------------------------------- */

int gate_plugins_new(struct gate *g) must_check;
void gate_plugins_free(struct gate *g);
/* Returns the one whose servers are at that port; -1: none. */
int gate_plugin_by_port(const struct gate *g, uint8_t proto, uint16_t port);
void gate_plugin_begin(struct gate_walk *w, struct flow *f);
void gate_plugin_end(struct gate_walk *w, struct flow *f);
int gate_plugin_receive(struct gate_walk *w, int d);
bool gate_plugin_send(struct gate_walk *w, int d);
