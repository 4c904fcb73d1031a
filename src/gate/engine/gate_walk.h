/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct gate_walk: the packet in progress and its results, which functions hand to each other. It
 * lives as long as the packet's way down and up the dissectors. Timers, ends of flows and data that
 * is released without a packet have a walk of their own, without a packet: they cannot see a packet
 * that is not theirs.
 */
#pragma once

#include "gate/engine/gate_packet.h"
#include "wire/tcp.h"

struct gate;
struct gate_hint;
struct gate_walk;

/*
 * The octets of one direction of a connection that arrived in order and were not released, shown to
 * a dissector or rule. Valid during the call; `octets` moves when gate_stream_edit() is used.
 */
struct gate_view {
	struct gate_walk *walk; /* during which it is shown */
	struct flow *flow;
	enum gate_direction direction;
	const uint8_t *octets;
	uint32_t n;
	uint32_t out; /* receiver's sequence number of octets[0]; unset when `whole` is not NULL */
	bool end;     /* no more will come */
	bool fixed;   /* its length may not change */
	struct gate_view *whole; /* it is a part of that; NULL: it is all there is */
	uint32_t base;		 /* offset in it */
};

/* Shows a dissector the present octets. Returns how many may be forwarded (of view->n as it is
 * then). A dissector that ends the flow sets flow->dropped. */
typedef uint32_t (*gate_stream_fn)(struct gate_view *v);

struct gate_walk {
	struct gate *g;
	struct gate_packet *p;	      /* NULL: no packet is in progress */
	struct gate_view *view;	      /* data of the event that is raised; NULL: it has none */
	struct tcp_hdr tcp;	      /* of the packet, from receive_tcp() on */
	enum gate_drop error;	      /* reason for listeners of protocol_error */
	bool taken;		      /* the segment is in order, and counted by its connection */
	const struct gate_hint *hint; /* where its flow may be; NULL: not known */
};

/* Returns a walk without a packet. */
static inline struct gate_walk gate_walk_without_packet(struct gate *g)
{
	return (struct gate_walk){.g = g};
}

/* Returns whether the packet in progress belongs to the flow. */
static inline bool gate_walk_is_of(const struct gate_walk *w, const struct flow *f)
{
	return w->p && w->p->flow == f;
}
