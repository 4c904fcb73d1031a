/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A packet on its way through the dissectors: the slot of packet/packet.h (octets and offsets), and
 * the results of the gate. There is one a worker, used again for each packet; data that has to
 * outlive the walk is copied (held.h). Its octets are written through verdict.h; new frames are put
 * together by net/ and tcp/.
 */
#pragma once

#include "capture/frames.h"
#include "packet/packet.h"

struct flow;
struct gate;
struct held;

enum gate_dissector {
#define DISSECTOR(symbol, name, parents, receive, send, init, fini, tick, drain, flow_end, what) \
	DISSECT_##symbol,
#include "gate/engine/dissectors.def"
#undef DISSECTOR
	DISSECT_N
};

/* The result of a dissector's receive function: the next one, or the end of the walk. */
enum gate_next {
	GATE_ACCEPT = -1,
	GATE_DROP = -2, /* with gate_packet.drop set */
	GATE_HOLD = -3, /* kept by copy; its verdict comes later */
};

enum gate_drop {
	GATE_DROP_NONE,
#define DROP(symbol, kind, sentence) GATE_DROP_##symbol,
#include "gate/engine/drop.def"
#undef DROP
	GATE_DROP_N
};

enum gate_drop_kind { GATE_KIND_RULE, GATE_KIND_MALFORMED, GATE_KIND_LIMIT };

struct gate_drop_info {
	const char *symbol, *name, *sentence; /* "RULE", "drop-rule", ... */
	enum gate_drop_kind kind;
};

const struct gate_drop_info *gate_drop_info(enum gate_drop d);

/* Direction of a packet of a flow: up is from the client to the server. */
enum gate_direction { GATE_UP, GATE_DOWN };

/* Of UDP and TCP, found out when somebody asks, and before anything is written: a rule that changes
 * a damaged packet must not make it look whole. */
enum gate_checksum { CHECKSUM_UNKNOWN, CHECKSUM_GOOD, CHECKSUM_BAD };

/* The written parts: headers to complete before the packet is forwarded. */
enum gate_dirty { DIRTY_L2 = 1, DIRTY_L3 = 2, DIRTY_L4 = 4, DIRTY_APP = 8, DIRTY_LENGTH = 16 };

enum { GATE_MAX_DEPTH = 8 };

struct gate_packet {
	struct packet p;
	struct gate *g;	     /* whose it is */
	struct frame frame;  /* as lent by the source; its octets are p.data until they grow */
	uint32_t generation; /* another one for each packet: handles of scripts know by it */
	uint16_t eth_type;   /* behind the tags; 0: no Ethernet */
	uint32_t vlans; /* identities in its tags, but for 0: the outermost, and << 12 the second */
	uint32_t end;	/* octet behind the IPv4 datagram, where padding begins */
	uint8_t proto;
	uint8_t l3_len; /* IPv4 header, options included */
	uint8_t l4_len; /* TCP, UDP, ICMP header */
	uint8_t n_tags;
	bool many_tags; /* more than can be looked behind */
	uint8_t depth, stack[GATE_MAX_DEPTH];
	uint8_t direction;   /* enum gate_direction, with a flow */
	uint8_t dirty;	     /* enum gate_dirty */
	uint8_t checksum;    /* enum gate_checksum */
	bool stopped;	     /* a rule dropped it */
	bool keep_fragments; /* a rule wants fragments as they are */
	bool created;	     /* made by a rule (created.h) */
	bool sending;	     /* on the way back up */
	bool given;	     /* its verdict was given before the walk was over */
	uint8_t hops;	     /* came in as one that was made, so often */
	enum gate_drop drop;
	struct flow *flow;
	struct held *fragments; /* of a datagram that was put together: the frames it came in */
};
