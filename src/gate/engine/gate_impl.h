/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct gate from inside, for the files of the gate. The packet in progress is not here: functions
 * hand a struct gate_walk to each other.
 */
#pragma once

#include "base/clock.h"
#include "gate/engine/dissector.h"

enum { GATE_MAX_LISTENERS = 16, GATE_MAX_PORTS = 32 };

struct gate_listeners {
	uint32_t n;
	struct {
		gate_listener_fn fn;
		void *ctx;
	} at[GATE_MAX_LISTENERS];
};

struct created_packets;
struct defrag;
struct early_acks;
struct gate_plugin;
struct held_pool;
struct tcp_conn;
struct tcp_pool;

/* For followers of streams (lua/bind_stream.c); `stream` is the value of tcp_conn.script or
 * gate_http_script() for a direction. */
struct gate_stream_ops {
	/* Octets [off, off + gone) of all that is pending became `came` others. */
	void (*changed)(void *stream, const struct gate_view *all, uint32_t off, uint32_t gone,
			uint32_t came);
	/* Returns how many of all pending octets may be forwarded. */
	uint32_t (*may_go)(void *stream, const struct gate_view *all);
	/* Called when the sender of held data is stuck: all of it is forwarded. False: the flow is
	 * dropped. */
	bool (*repeated)(void *stream, const struct gate_view *all);
	/* Called when there is no room for the data shown from this number on: it will be
	 * retransmitted. */
	void (*lost)(void *stream, uint32_t out);
	/* Called when no more can be held back. False: the flow is dropped. */
	bool (*full)(void *stream, struct gate_walk *w);
	/* Called at the end of the stream: afterwards there is none. */
	void (*ended)(void *stream, struct gate_walk *w);
};

/* The place of a frame's flow, found out before the frame is inspected. */
struct gate_hint {
	struct flow_key key; /* proto 0: not known */
	uint32_t bucket;
};

typedef void (*gate_alarm_fn)(void *ctx, struct gate *g, int64_t until_ns);

struct gate {
	/* as created */
	const struct gate_dissector_row *rows; /* [DISSECT_N] */
	/* the functions of the rows that every packet needs, close together */
	int (*receive[DISSECT_N])(struct gate_walk *w);
	void (*send[DISSECT_N])(struct gate *g, struct gate_packet *p);
	void (*flow_end[DISSECT_N])(struct gate_walk *w, struct flow *f); /* [n_flow_ends] */
	unsigned n_flow_ends;
	const struct gate_net_ops *net;
	struct frames *frames;
	struct log *log;
	bool pass_through, fail_open, ignore_checksums;
	bool keep_snapped;  /* recorded frames that are cut off are forwarded */
	bool recorded;	    /* the source is a capture file (frames_recorded) */
	bool drop_overlaps; /* data retransmitted with other octets is dropped, not corrected */
	bool midstream;	    /* connections whose beginning was not seen are followed */
	uint32_t seed;	    /* keyed, so that nobody can choose addresses that share a number
			       (own_buffers) */
	uint32_t loaded;    /* a bit a dissector */

	/* time */
	int64_t now_ns;	   /* of the last packet or timer */
	int64_t live_ns;   /* of this turn, by the source's clock; 0: the frames have the time */
	int64_t ticked_ns; /* of the last expiry */
	struct clock_src clock;	 /* its source */
	const int64_t *alarm_ns; /* gate_alarm() */
	gate_alarm_fn on_alarm;
	void *alarm_ctx;

	/* owned tables */
	struct flow_table *flows;
	struct held_pool *held;
	void *apps[DISSECT_N];	     /* of the dissectors of applications, their own */
	struct gate_plugin *plugins; /* dissectors that were registered at run time (plugin.h) */
	struct defrag *defrag;	     /* net/defrag.h */
	struct created_packets *created;    /* net/created.h */
	uint32_t n_created;		    /* packets of it that are in use */
	struct tcp_conn *conns, *conn_free; /* tcp/tcp_conn.h: [max_flows] */
	uint32_t n_conns, conn_fresh;	    /* conn_fresh: from here on none was ever used */
	struct tcp_pool *tcp_pool, *history_pool;
	struct early_acks *early_acks; /* tcp/early_ack.h */

	/* listeners and policies */
	const struct gate_stream_ops *stream_ops;
	uint32_t n_ports; /* ports of an application's servers besides its own (app.h) */
	struct {
		uint16_t port;
		uint8_t dissector;
	} ports[GATE_MAX_PORTS];
	/* NULL: there is no policy. The first may name another dissector, or an end of the walk.
	 * The second decides on packets that the dissectors cannot decide; false: it does not. */
	int (*on_next)(void *ctx, struct gate_walk *w, enum gate_dissector from, int next);
	bool (*on_undecided)(void *ctx, struct gate_walk *w, enum gate_drop why, int *ret_how);
	/* May a flow begin, that no listener refused? NULL: it may. */
	bool (*on_new)(void *ctx, struct gate_walk *w);
	void *policy_ctx;
	struct gate_listeners listeners[EVENT_N];
	struct gate_counters counters;

	/* memory of the walk */
	struct gate_packet slot;      /* walk.c: of each packet in turn, ... */
	struct gate_walk packet_walk; /* ... and of its walk */
	struct frame batch[FRAMES_BATCH];
	struct gate_hint hints[FRAMES_BATCH]; /* of the batch; only while `hinted` */
	bool hinted;
	uint8_t *scratch; /* [FRAME_MAX_LEN]: a packet that grew, or was in pieces */
	uint8_t *octets;  /* [TCP_GROWN_MAX]: data on its way into packets */
	uint8_t *piece;	  /* [FRAME_MAX_LEN]: a fragment of one that was changed */
	uint8_t *whole;	  /* [FRAME_MAX_LEN]: a made segment before it is cut into fragments; octets
			     of one that is retransmitted */
};
