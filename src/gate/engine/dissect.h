/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For implementers of dissectors: the services of the engine. A dissector reads its header with
 * wire/, sets the packet's offsets, raises its events and names the next one.
 */
#pragma once

#include "base/cursor.h"
#include "gate/engine/gate_impl.h"

/* Calls the listeners of an event. False: one of them ended the walk; receive returns GATE_DROP. */
bool gate_raise_slow(struct gate_walk *w, enum gate_event e, struct flow *f);

static inline bool gate_raise(struct gate_walk *w, enum gate_event e, struct flow *f)
{
	return likely(!w->g->listeners[e].n) || gate_raise_slow(w, e, f);
}

/* Called when a flow begins with the packet. False: a listener or a policy refuses it. */
static inline bool gate_raise_new(struct gate_walk *w, enum gate_event e)
{
	const struct gate *g = w->g;

	return gate_raise(w, e, w->p->flow) && (likely(!g->on_new) || g->on_new(g->policy_ctx, w));
}

/* Returns the dissector as the result of a receive function, or GATE_ACCEPT if it is not loaded. */
static inline int gate_next_dissector(const struct gate *g, enum gate_dissector d)
{
	if (unlikely((int)d > DISSECT_N)) /* of plugin.h: loaded when it was registered */
		return (int)d;
	return d != DISSECT_N && (g->loaded & UINT32_C(1) << d) ? (int)d : GATE_ACCEPT;
}

/* Called when the packet cannot be read, or there is no room for it. Returns GATE_DROP, or
 * GATE_ACCEPT under fail_open or by a policy. Without a packet: GATE_DROP, or GATE_ACCEPT. */
int gate_undecided(struct gate_walk *w, enum gate_drop why);

/* Forwards a held frame unchanged, or drops it; no effect if its verdict was given. */
void gate_release(struct gate *g, struct held *h, int how, enum gate_drop why);
/* Forwards a held frame with other octets. */
void gate_release_as(struct gate *g, const struct held *h, struct span octets);

/* Returns a cursor from octet `off` to the end of the frame, or of the datagram behind the network
 * header. */
struct rd gate_rd(const struct gate_packet *p, uint32_t off);

/* Completes all headers of a packet that rules created. */
void gate_complete_headers(struct gate *g, struct gate_packet *p);

/* Registers timers of a user: *due_ns is when the first is due. fn is called before a packet of
 * that time or a later one is inspected, and when time passes without packets. due_ns NULL: no
 * more. */
void gate_alarm(struct gate *g, const int64_t *due_ns, gate_alarm_fn fn, void *ctx);

#define DISSECTOR(symbol, name, parents, receive, send, init, fini, tick, drain, flow_end, what) \
	int receive(struct gate_walk *w);
#include "gate/engine/dissectors.def"
#undef DISSECTOR
