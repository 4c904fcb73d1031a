/* SPDX-License-Identifier: MPL-2.0 */
/*
 * For implementers of dissectors: the engine from inside, and the functions for every dissector. A
 * dissector reads its header with wire/, sets the packet's offsets, raises its events and names the
 * next one.
 */
#pragma once

#include "base/clock.h"
#include "base/cursor.h"
#include "gate/net/defrag.h"
#include "gate/engine/gate.h"
#include "wire/dhcp4.h"
#include "wire/tcp.h"

enum { GATE_MAX_LISTENERS = 16, GATE_MAX_PORTS = 32 };

struct gate_listeners {
	uint32_t n;
	struct {
		gate_listener_fn fn;
		void *ctx;
	} at[GATE_MAX_LISTENERS];
};

struct gate_created;
struct early_acks;
struct gate_plugin;
struct gate_view;

/* For followers of streams (bind_stream.c); `stream` is the value of tcp_conn.script or
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
	/* No more can be held back. False: the flow is dropped. */
	bool (*full)(void *stream);
	/* It is over: afterwards there is no stream. */
	void (*ended)(void *stream);
};

/* Where a frame's flow will be looked for, found out before its turn. */
struct gate_hint {
	struct flow_key key; /* proto 0: not known */
	uint32_t bucket;
};

struct tcp_conn;
struct tcp_pool;

typedef void (*gate_alarm_fn)(void *ctx, struct gate *g, int64_t until_ns);

struct gate {
	struct frames *frames;
	struct log *log;
	uint32_t loaded; /* a bit a dissector */
	bool pass_through, fail_open, ignore_checksums;
	uint32_t seed;	   /* nobody knows which addresses share a number (own_buffers) */
	bool keep_snapped; /* recorded frames that are cut off are forwarded */
	bool recorded;	   /* the source is a capture file (frames_recorded) */
	int64_t now_ns;	   /* time of the current packet */
	int64_t live_ns;   /* of this turn, by the source's clock; 0: the frames have the time */
	int64_t ticked_ns; /* time of the last expiry */
	struct clock_src clock; /* its source */
	struct flow_table *flows;
	struct held_pool *held;
	struct defrag *defrag;
	struct tcp_conn *conns, *conn_free; /* [max_flows] */
	uint32_t n_conns, conn_fresh;	    /* conn_fresh: from here on none was ever used */
	struct tcp_pool *tcp_pool, *history_pool;
	bool drop_overlaps; /* data retransmitted with other octets is dropped, not corrected */
	struct early_acks *early_acks; /* octets that are acknowledged in the receiver's place */
	const struct gate_stream_ops *stream_ops;
	struct gate_view *view;	     /* data shown to listeners of receive_data */
	void *apps[DISSECT_N];	     /* of the dissectors of applications, their own */
	struct gate_plugin *plugins; /* dissectors that were registered at run time (plugin.h) */
	uint32_t n_ports;	     /* where else their servers are (app.h) */
	struct {
		uint16_t port;
		uint8_t dissector;
	} ports[GATE_MAX_PORTS];
	bool midstream; /* connections whose beginning was not seen are taken up */
	struct gate_packet pkt;
	bool at_hand; /* there is one; else pkt.flow is NULL */
	uint8_t hops; /* of the next one (created.h) */
	struct gate_created *created;
	uint32_t n_created;   /* places of its that are in use */
	enum gate_drop error; /* reason for listeners of protocol_error */
	bool taken;	      /* the current segment is in order, and counted by its connection */
	struct gate_counters counters;
	struct tcp_hdr tcp;    /* of the current packet */
	struct dhcp4_msg dhcp; /* the same; listeners of pkt4_receive and pkt4_send may look */
	bool dhcp_changed;     /* gate_dhcp_change */
	uint8_t *scratch;      /* [FRAME_MAX_LEN]: a packet that grew, or was in pieces */
	uint8_t *octets;       /* [TCP_GROWN_MAX]: data on its way into packets */
	uint8_t *piece;	       /* [FRAME_MAX_LEN]: a fragment of one that was changed */
	uint8_t *whole; /* [FRAME_MAX_LEN]: a made segment before it is cut into fragments; octets
			   of one that is repeated */
	/* Policies; NULL: there are none. The first may name another dissector, or an end of the
	 * walk. The second decides on packets that the dissectors cannot decide; false: it does
	 * not. */
	int (*on_next)(void *ctx, struct gate *g, struct gate_packet *p, enum gate_dissector from,
		       int next);
	bool (*on_undecided)(void *ctx, struct gate *g, struct gate_packet *p, enum gate_drop why,
			     int *ret_how);
	/* May a flow begin, that no listener refused? NULL: it may. */
	bool (*on_new)(void *ctx, struct gate *g, struct gate_packet *p);
	void *policy_ctx;
	const int64_t *alarm_ns; /* gate_alarm() */
	gate_alarm_fn on_alarm;
	void *alarm_ctx;
	struct gate_listeners listeners[EVENT_N];
	struct frame batch[FRAMES_BATCH];
	struct gate_hint hints[FRAMES_BATCH]; /* of the batch; only while `hinted` */
	bool hinted;
	uint32_t at; /* index of the current frame in the batch */
};

/* Tells the listeners. False: one of them ended the walk, receive gives GATE_DROP. */
bool gate_raise_slow(struct gate *g, enum gate_event e, struct gate_packet *p, struct flow *f);

static inline bool gate_raise(struct gate *g, enum gate_event e, struct gate_packet *p,
			      struct flow *f)
{
	return likely(!g->listeners[e].n) || gate_raise_slow(g, e, p, f);
}

/* Registers timers of a user: *due_ns is when the first is due. fn is called before a packet of
 * that time or a later one is inspected, and when time passes without packets. due_ns NULL: no
 * more. */
void gate_alarm(struct gate *g, const int64_t *due_ns, gate_alarm_fn fn, void *ctx);

/* A flow begins with this packet: do listeners and policies want it? */
static inline bool gate_raise_new(struct gate *g, enum gate_event e, struct gate_packet *p)
{
	return gate_raise(g, e, p, p->flow) &&
	       (likely(!g->on_new) || g->on_new(g->policy_ctx, g, p));
}

/* Returns the dissector as the result of a receive function, or GATE_ACCEPT if it is not loaded. */
static inline int gate_next_dissector(const struct gate *g, enum gate_dissector d)
{
	if (unlikely((int)d >
		     DISSECT_N)) /* of plugin.h: they are loaded when they are registered */
		return (int)d;
	return d != DISSECT_N && (g->loaded & UINT32_C(1) << d) ? (int)d : GATE_ACCEPT;
}

/* It cannot be read, or there is no room: GATE_DROP, or GATE_ACCEPT under fail_open. */
int gate_undecided(struct gate *g, struct gate_packet *p, enum gate_drop why);

/* Forwards a held frame, unchanged or with other octets, or drops it; no effect if its verdict was
 * given. */
void gate_release(struct gate *g, struct held *h, int how, enum gate_drop why);
void gate_release_as(struct gate *g, const struct held *h, struct span octets);
/* Gives all frames of a reassembled datagram their verdict; a changed one is forwarded in
 * fragments. */
void gate_release_fragments(struct gate *g, struct gate_packet *p, int how);

/* Of the UDP datagram or TCP segment, as it came. Good too: none, left to hardware, or not looked
 * at by configuration. */
enum gate_checksum gate_checksum(const struct gate *g, struct gate_packet *p);

/* A cursor from octet `off` to the end of the frame, or of the datagram behind the IPv4 header. */
struct rd gate_rd(const struct gate_packet *p, uint32_t off);

/* For listeners of DHCP's events, before they change g->dhcp: it is encoded anew before the packet
 * is forwarded. -EROFS: pass-through. */
int gate_dhcp_change(struct gate *g, struct gate_packet *p) must_check;

#define DISSECTOR(symbol, name, parents, receive, send, what) \
	int receive(struct gate *g, struct gate_packet *p);
#include "gate/engine/dissectors.def"
#undef DISSECTOR
/* One direction's key, as the packet has it. */
void gate_flow_key(const struct gate_packet *p, struct flow_key *k);
/*
 * Does the packet come by the interface of its end of the flow (RFC 9293 says nothing of
 * interfaces: an acknowledgement that the other end made up must not count as the receiver's)? The
 * first packet of each end says which that is. followed: a dissector relies on the flow, so that an
 * end cannot move to a third interface.
 */
bool gate_flow_side_changed(struct gate_packet *p, bool followed);

static inline bool gate_flow_side(struct gate_packet *p, bool followed)
{
	uint32_t side = p->frame.side;

	return likely(!side || p->flow->side[p->direction] == side) ||
	       gate_flow_side_changed(p, followed);
}

/* Returns the hash bucket of a flow of the current packet. */
uint32_t gate_flow_bucket(const struct gate *g, const struct flow_key *k);
/* The first n frames of the batch will be walked: their flows come to the cache. */
void gate_expect_flows(struct gate *g, uint32_t n);
void send_ipv4(struct gate *g, struct gate_packet *p);
void send_icmp(struct gate *g, struct gate_packet *p);
void send_dhcp(struct gate *g, struct gate_packet *p);
void send_udp(struct gate *g, struct gate_packet *p);
void send_tcp(struct gate *g, struct gate_packet *p);
