/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A dissector of the program as the engine calls it: a row of dissectors.def and, for an
 * application over flows, of apps.def. The engine knows the rows only by number; gate/assembly.c
 * fills in their functions.
 */
#pragma once

#include "gate/engine/gate.h"

struct gate_dissector_row {
	/* Owns the packet until it names the next dissector (enum gate_next). */
	int (*receive)(struct gate_walk *w);
	/* Completes the dissector's header of a written packet; NULL: nothing to complete. */
	void (*send)(struct gate *g, struct gate_packet *p);
	/* Allocates the dissector's memory of an engine: 0, -ENOMEM. fini is
	 * called after a failed init, too. NULL: it has none. */
	int (*init)(struct gate *g, const struct gate_opts *o);
	void (*fini)(struct gate *g);
	/* Called now and then: timers. NULL: none. */
	void (*tick)(struct gate *g, int64_t now_ns);
	/* Called at the end of a source: held frames get their verdict. NULL: it holds none. */
	void (*drain)(struct gate *g);
	/* Called when any flow ends, before its place is used again. NULL: it has no flows. */
	void (*flow_end)(struct gate_walk *w, struct flow *f);

	/* Of an application: the transport (of IPv4; 0: it is none) and port of its servers. */
	uint8_t proto;
	uint16_t port;
	/* Called when a flow begins to speak it, and when it no longer does. */
	void (*begin)(struct gate_walk *w, struct flow *f);
	void (*end)(struct gate_walk *w, struct flow *f);
	gate_stream_fn data; /* shown the two streams of a connection; NULL: over UDP */
};

/* Functions of the network floor that the engine calls (net/net.c). */
struct gate_net_ops {
	/* Prefetches the flows of the first n frames of the batch, and fills in g->hints. */
	void (*expect_flows)(struct gate *g, uint32_t n);
	/* Checks the checksum of the UDP datagram or TCP segment, as it came (enum gate_checksum).
	 */
	enum gate_checksum (*checksum)(const struct gate *g, struct gate_packet *p);
	/* Gives all frames of a reassembled datagram their verdict. */
	void (*release_fragments)(struct gate *g, struct gate_packet *p, int how);
	/* Sends a packet that is longer than the MTU of its way out. False: it is not longer. */
	bool (*release_longer)(struct gate *g, struct gate_packet *p);
	/* Returns the next packet that rules injected, and its levels of injection. NULL: none. */
	const struct frame *(*next_injected)(struct gate *g, uint8_t *ret_hops);
};
