/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The gate's engine, one a worker: takes frames from a source, lets them walk down the dissectors
 * of dissectors.def and back up, and gives each its verdict. One thread; workers share nothing
 * here. An engine is created by gate/assembly.h.
 */
#pragma once

#include "gate/engine/flow.h"
#include "gate/engine/gate_walk.h"

struct clock_src;
struct frames;
struct log;

enum gate_event {
#define EVENT(dissector, name, kind) EVENT_##dissector##_##name,
#include "gate/engine/events.def"
#undef EVENT
	EVENT_N
};

/* Limits of reassembly (net/defrag.h). */
struct defrag_limits {
	uint32_t max_datagrams;
	uint32_t max_fragments; /* of one datagram */
	int64_t timeout_ns;	/* from the first fragment that came */
};

struct gate_opts {
	struct frames *frames; /* borrowed */
	struct log *log;       /* borrowed; NULL: silent */
	bool pass_through;     /* look at everything, block and change nothing */
	bool fail_open;	       /* forwards packets that cannot be decided */
	bool ignore_checksums; /* of UDP and TCP */
	bool midstream;	       /* TCP connections whose beginning was not seen are followed */
	bool keep_snapped;     /* forwards a recorded frame that is cut off, without inspection */
	bool drop_overlaps;   /* drops TCP data retransmitted with other octets; else the first copy
				 counts */
	uint32_t max_streams; /* TCP streams with data that waits, or was changed; as many with data
				 on its way */
	struct flow_limits flows;
	uint32_t max_held; /* frames that wait for others */
	struct defrag_limits defrag;
	struct hash_key hash_key;
};

/* Loads a dissector and those it stands on; packets reach only loaded ones. */
void gate_load(struct gate *g, enum gate_dissector d);
bool gate_loaded(const struct gate *g, enum gate_dissector d);
const char *gate_dissector_name(enum gate_dissector d);
/* Finds a dissector by name; DISSECT_N: none. */
enum gate_dissector gate_dissector_find(const char *name);

/* Handles one batch: receives, walks, gives verdicts, ends flows whose time is over. Returns the
 * number of frames, or -errno of a source that broke. */
int gate_turn(struct gate *g) must_check;

/* Called when time passes without packets: expires flows and timers. */
void gate_tick(struct gate *g, int64_t now_ns);
/* Sets another source of frames (borrowed); nothing of the one before may be held. */
void gate_source(struct gate *g, struct frames *f);
/* Called at the end of a source: held frames get their verdict. */
void gate_release_held(struct gate *g);

struct gate_counters {
	uint64_t packets;	  /* that began the walk */
	uint64_t seen[DISSECT_N]; /* reached the dissector */
	uint64_t accepted, dropped, modified;
	uint64_t held;	   /* now */
	uint64_t overlaps; /* TCP segments retransmitted with other octets, and corrected */
	uint64_t trimmed; /* TCP segments without the octets that their receiver had acknowledged */
	uint64_t unverified; /* retransmissions whose first copy is not remembered any more */
	uint64_t snapped;    /* forwarded frames that a recording holds a part of (keep_snapped) */
	uint64_t gaps; /* places where a recording lacks TCP octets that segments waited for */
	uint64_t failed_open;	    /* could not be decided and were forwarded */
	uint64_t created, injected; /* made by rules: sent; come in, which are among the packets */
	uint64_t drops[GATE_DROP_N];
};
const struct gate_counters *gate_counters(const struct gate *g);
struct flow_table *gate_flows(struct gate *g);
/* Returns the clock of packets. */
const struct clock_src *gate_clock(const struct gate *g);

/*
 * A listener in C. w->p is NULL at the end of a flow, and where no packet of the flow is in
 * progress (gate_walk.h); f is NULL outside of flows. False: the walk stops, and the listener has
 * called gate_drop().
 */
typedef bool (*gate_listener_fn)(void *ctx, struct gate_walk *w, struct flow *f);
int gate_listen(struct gate *g, enum gate_event e, gate_listener_fn fn, void *ctx) must_check;
/* Removes a listener that was added with gate_listen(). */
void gate_unlisten(struct gate *g, enum gate_event e, gate_listener_fn fn, void *ctx);
/* Ends all flows, with their events. */
void gate_end_flows(struct gate *g);
/* Drops the packet of a walk; called by listeners. The first reason counts. */
void gate_drop(struct gate_packet *p, enum gate_drop why);
/* Forwards the packet of a walk now, from its place in the stack: later dissectors do not see it.
 * -EPERM: it is a segment of a connection, which is forwarded by its stream, or it was sent
 * already.
 */
int gate_send_now(struct gate_walk *w) must_check;
