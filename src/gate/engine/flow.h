/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Flows: the two directions of a conversation, found by one look-up. Bounded: memory is taken when
 * the table is made, and a full table evicts the flow that waited longest in the most expendable
 * queue. A client that has an eighth of all flows (at least 64) evicts one of its own. Time-outs
 * are queues, one a duration, ordered by last use: the cost of touching a flow, and of finding
 * those that are over, does not depend on their number. One table a worker, one thread.
 */
#pragma once

#include "base/attr.h"
#include "base/hash.h"

#include <stdbool.h>
#include <stdint.h>

enum { FLOW_ALIGN = 64 };

/* Time-outs; the first to be given up for a new flow come first. */
enum flow_queue {
	FLOW_NEW,	  /* nothing came back yet */
	FLOW_CLOSING,	  /* over, stragglers may come */
	FLOW_DATAGRAMS,	  /* both directions were seen */
	FLOW_ESTABLISHED, /* TCP after its handshake */
	FLOW_N_QUEUES
};

/* Ends as the first packet had them: src is the client. Host order. */
struct flow_key {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint32_t vlan : 24; /* gate_packet.vlans */
	uint32_t proto : 8;
};

/* Two lines of the cache: members for every look-up and packet, and counters. */
struct flow {
	_Alignas(FLOW_ALIGN) struct flow_key key;
	uint32_t next, newer, older; /* in its bucket and queue */
	uint32_t bucket;
	uint32_t generation; /* another one for each flow in this place */
	uint8_t queue;	     /* enum flow_queue */
	uint8_t app;	     /* enum gate_dissector that gets its data */
	bool live, dropped;
	int64_t last_ns;
	void *transport, *state; /* of the connection's and the application's dissector */
	uint64_t id;
	int64_t first_ns;
	uint64_t packets[2], octets[2]; /* by enum gate_direction */
	int script;			/* of scripts: a reference, 0: none */
	uint32_t side[2]; /* frame.side of each sender, by enum gate_direction; 0: not known */
};

struct flow_table;

struct flow_limits {
	uint32_t max_flows; /* at least 1 */
	int64_t timeout_ns[FLOW_N_QUEUES];
};

/* Called when a flow ends, for any reason, before its place is used again. */
typedef void (*flow_end_fn)(void *ctx, struct flow *f, bool evicted);

int flow_table_new(const struct flow_limits *l, const struct hash_key *key, flow_end_fn end,
		   void *ctx, struct flow_table **ret) must_check;
/* Ends all flows. */
void flow_table_free(struct flow_table *t);

/* Returns the number of a key's chain, in either direction: for the functions below. */
uint32_t flow_bucket(const struct flow_table *t, const struct flow_key *key);
/* Returns whether the table is so large that it pays to know the chains of a batch in advance. */
bool flow_is_large(const struct flow_table *t);
/* Prefetches the chains of these buckets, all at the same time. */
void flow_expect(const struct flow_table *t, const uint32_t *buckets, uint32_t n);
/* Returns the flow between these ends, in either direction, and the direction of the key; NULL:
 * none. */
struct flow *flow_find(struct flow_table *t, uint32_t bucket, const struct flow_key *key,
		       uint8_t *ret_direction);
/* Finds a flow as flow_find() does, at a given time: a flow that is over by then ends, and there is
 * none. */
struct flow *flow_find_at(struct flow_table *t, uint32_t bucket, const struct flow_key *key,
			  int64_t now_ns, uint8_t *ret_direction);
/* Adds a flow, and makes room if it has to. NULL: a flow that is being ended holds the last place.
 * NULL also if the client has its share of a full table, and none of its flows is among the oldest.
 */
struct flow *flow_add(struct flow_table *t, uint32_t bucket, const struct flow_key *key,
		      int64_t now_ns);
/* Makes a flow the youngest of its queue, because it was used. */
void flow_touch(struct flow_table *t, struct flow *f, enum flow_queue q, int64_t now_ns);
void flow_end(struct flow_table *t, struct flow *f);
/* Ends flows whose time is over, at most n. Returns how many. */
unsigned flow_expire(struct flow_table *t, int64_t now_ns, unsigned n);

struct flow_stats {
	uint32_t live, max;
	uint64_t added, ended, expired, evicted;
};
void flow_stats(const struct flow_table *t, struct flow_stats *ret);
/* Walks over the live ones: the first with an index of at least *at, which is moved behind it;
 * NULL: no more. */
struct flow *flow_each(struct flow_table *t, uint32_t *at);
