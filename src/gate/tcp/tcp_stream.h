/* SPDX-License-Identifier: MPL-2.0 */
/*
 * One direction of a TCP connection as a stream of octets: puts segments in order, keeps those that
 * must wait (for others before them, or for a dissector to see more), lets a dissector change data
 * that was not released, and cuts it into segments again. Knows frames and numbers, not the engine,
 * which hands it a few functions. One thread; memory is taken once, in pools.
 */
#pragma once

#include "gate/engine/held.h"
#include "gate/tcp/tcp_edits.h"

struct tcp_stream;
struct tcp_pool;

/* Limits for pending data: before another segment is accepted, and after adding that segment and
 * any insertions. */
enum { TCP_PENDING_MAX = 64 * 1024, TCP_GROWN_MAX = 128 * 1024 };

/* Owners share a pool by number (tcp_pool_owner). */
enum { TCP_POOL_OWNERS = 1024, TCP_POOL_FIRST = 64 * 1024 };

/*
 * Makes room for n streams, each with a buffer of `len` octets, a power of two and TCP_GROWN_MAX at
 * least. A buffer longer than that begins with TCP_POOL_FIRST octets, which lie close to those of
 * others, until tcp_pool_large(). 0, -ENOMEM.
 */
int tcp_pool_new(uint32_t n, size_t len, struct held_pool *held, struct tcp_pool **ret) must_check;
/* Sets a limit of all octets in buffers, which their users count by tcp_pool_more() and
 * tcp_pool_less(). There is none before. */
void tcp_pool_limit(struct tcp_pool *p, size_t octets);
/*
 * Counts n more octets of an owner. False: all owners together have the limit, or half of it and
 * this one an eighth; nothing has changed.
 */
bool tcp_pool_more(struct tcp_pool *p, uint16_t owner, size_t n);
/* Counts n octets of an owner less. */
void tcp_pool_less(struct tcp_pool *p, uint16_t owner, size_t n);
void tcp_pool_free(struct tcp_pool *p);
uint32_t tcp_pool_used(const struct tcp_pool *p);
/* Returns the octets in buffers, as their users count them. */
size_t tcp_pool_octets(const struct tcp_pool *p);
/*
 * Takes a buffer for an owner (below TCP_POOL_OWNERS). NULL: none is left, or half of all are in
 * use and the owner has an eighth (64 at least). So one host that leaves streams open does not take
 * the room of all others. tcp_pool_give() sets *at to NULL; of NULL it does nothing.
 */
uint8_t *tcp_pool_take(struct tcp_pool *p, uint16_t owner);
void tcp_pool_give(struct tcp_pool *p, uint8_t **at);
/* Returns the place of a buffer's `len` octets. Nothing is copied, and tcp_pool_give() takes either
 * place. */
uint8_t *tcp_pool_large(struct tcp_pool *p, const uint8_t *at);

struct tcp_stream {
	uint32_t out;	  /* number of the first pending octet, as the receiver counts */
	uint8_t *pending; /* [TCP_GROWN_MAX] data not yet released, including edits; NULL if none */
	uint32_t n;	  /* octets of it */
	struct held *segments; /* of the pending octets, in order: from and to are in numbers */
	struct held *ahead;    /* behind a gap, by number */
	uint32_t n_ahead;
	uint16_t owner; /* of its buffers */
	struct tcp_edits edits;
};

/* Called for segments that are released. `octets` take the place of the held frame's data, from out
 * number `out`; last: no more of this frame will come (its verdict; otherwise a copy is sent). */
typedef void (*tcp_emit_fn)(void *ctx, struct held *frame, uint32_t out, struct span octets,
			    bool last);

/* --- Segments: numbers are the sender's ------------------------------------------------------- */

/* Keeps a segment's data behind the pending data: octets [from, from + data.n). -USHER_E_LIMIT: no
 * room. */
int tcp_stream_append(struct tcp_stream *s, struct tcp_pool *p, const struct frame *f,
		      uint32_t from, struct span data) must_check;
/* Keeps a segment that others come before. -USHER_E_EXISTS: one that is kept has all of it;
 * -USHER_E_LIMIT: no room. */
int tcp_stream_ahead(struct tcp_stream *s, struct tcp_pool *p, const struct frame *f, uint32_t from,
		     uint32_t to) must_check;
/* Removes and returns the segment that is furthest ahead; NULL: none. */
struct held *tcp_stream_give_up(struct tcp_stream *s);
/* Removes and returns the segment ahead that covers `next`; NULL: none. Segments that contain
 * nothing new any more are put into *ret_stale, one by one, first. */
struct held *tcp_stream_follow(struct tcp_stream *s, uint32_t next, struct held **ret_stale);

/* --- The dissector's view: octets [0, n) of the pending data ---------------------------------- */

/* Puts `with` in the place of n octets at off. 0, -ERANGE: they are not there; -USHER_E_LIMIT: no
 * room for the change. To insert at the end of nothing is -ERANGE. */
int tcp_stream_edit(struct tcp_stream *s, struct tcp_pool *p, uint32_t off, uint32_t n,
		    struct span with) must_check;
/* Releases the first n octets; max: the longest segment to make. */
void tcp_stream_release(struct tcp_stream *s, struct tcp_pool *p, uint32_t n, uint32_t max,
			tcp_emit_fn emit, void *ctx);

/* Writes a retransmission of octets [from, from + octets.n) to w: those of them that were released,
 * as the first copy was sent; *ret_out is the number they begin with. False: w is too small. */
bool tcp_stream_again(const struct tcp_stream *s, uint32_t from, struct span octets, struct wr *w,
		      uint32_t *ret_out);
/* Forgets all before this out number: the receiver has it. */
void tcp_stream_acked(struct tcp_stream *s, struct tcp_pool *p, uint32_t out);
/* Gives memory back to the pool, and calls `lost` for all held frames. */
void tcp_stream_end(struct tcp_stream *s, struct tcp_pool *p,
		    void (*lost)(void *ctx, struct held *h), void *ctx);
