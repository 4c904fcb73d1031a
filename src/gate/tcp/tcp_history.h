/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The octets that one direction of a connection sent and its receiver has not acknowledged, as they
 * came, by the sender's numbers. Rules have inspected these octets, so a retransmission has to be
 * equal. A receiver that missed the first copy would else get octets that no rule has seen. Pure
 * but for buffers, which come from a pool and are held only while octets are unacknowledged.
 */
#pragma once

#include "gate/tcp/tcp_stream.h"

enum {
	TCP_HISTORY_LEN = 4 << 20,   /* octets of a direction that are remembered */
	TCP_HISTORY_ALL = 256 << 20, /* and of all connections of a worker */
};

struct tcp_history {
	uint8_t *
		ring; /* [len] octet number x is at (x - base) % len; NULL: nothing is remembered */
	uint32_t len; /* TCP_POOL_FIRST until that is too little, then TCP_HISTORY_LEN */
	uint32_t base;
	uint32_t from; /* the first */
	uint32_t n;
	uint32_t touched; /* octets of the ring that memory was needed for */
	uint16_t owner;	  /* of the buffer */
};

/*
 * Remembers that octets [from, from + octets.n) were seen, behind all others. forget: where there
 * is no room for all, the oldest are forgotten. Else -USHER_E_LIMIT, and nothing has changed: more
 * than TCP_HISTORY_LEN octets are on their way, no buffer is left, or the limit of all connections
 * is reached. 0.
 */
int tcp_history_note(struct tcp_history *h, struct tcp_pool *p, uint32_t from, struct span octets,
		     bool forget) must_check;
/* Forgets the octets before `next`: the receiver has them. */
void tcp_history_acked(struct tcp_history *h, struct tcp_pool *p, uint32_t next);
/* Forgets the octets from `end` on: they were not seen after all. */
void tcp_history_cut(struct tcp_history *h, struct tcp_pool *p, uint32_t end);
/*
 * Corrects a retransmission of octets [from, from + n): remembered ones are written over `octets`,
 * which are a copy. True: they differed.
 */
bool tcp_history_correct(const struct tcp_history *h, uint32_t from, uint8_t *octets, uint32_t n);
/* Returns how many octets of [from, from + n) cannot be compared; the receiver has all before
 * `acked`. heard: it has acknowledged at all. */
uint32_t tcp_history_unknown(const struct tcp_history *h, uint32_t from, uint32_t n, uint32_t acked,
			     bool heard);
void tcp_history_end(struct tcp_history *h, struct tcp_pool *p);
