/* SPDX-License-Identifier: MPL-2.0 */
/*
 * IPv4 fragments, put together again (RFC 791 3.2, RFC 815, RFC 5722's answer to overlaps: the
 * whole datagram is dropped). Bounded in datagrams and in held frames; incomplete datagrams expire.
 * Knows frames and headers, not the engine. One table a worker, one thread.
 */
#pragma once

#include "gate/engine/gate.h"
#include "gate/engine/held.h"

struct defrag;

/* One fragment, by its frame and its IPv4 header. */
struct defrag_fragment {
	const struct frame *frame;
	uint32_t src, dst;
	uint32_t vlans; /* gate_packet.vlans */
	uint16_t id, port;
	uint8_t proto;
	bool more;	 /* MF */
	uint32_t offset; /* of its payload in the datagram's, octets */
	uint16_t l3, l4; /* in the frame */
	uint32_t end;	 /* octet behind its payload, in the frame */
};

enum defrag_result {
	DEFRAG_HELD,	  /* others are missing */
	DEFRAG_COMPLETE,  /* ret_fragments, in order of arrival, the last one too */
	DEFRAG_DUPLICATE, /* of one that is held: only this frame is dropped */
	DEFRAG_OVERLAP,	  /* the datagram is dropped: ret_fragments, without this frame */
	DEFRAG_INVALID, /* as OVERLAP: a fragment that cannot belong to any datagram, or to this one
			 */
	DEFRAG_LIMIT,	/* no room for this frame */
};

/* Told of each frame of a datagram that did not become complete in time, or had to make room. */
typedef void (*defrag_lost_fn)(void *ctx, struct held *h);

int defrag_new(const struct defrag_limits *l, struct held_pool *pool, defrag_lost_fn lost,
	       void *ctx, struct defrag **ret) must_check;
/* Frees the table; held frames are lost. */
void defrag_free(struct defrag *d);

/* Adds a fragment. A returned list belongs to the caller, which gives each frame its verdict,
 * and gives the list back to the pool. */
enum defrag_result defrag_add(struct defrag *d, const struct defrag_fragment *f, int64_t now_ns,
			      struct held **ret_fragments);
/* Drops datagrams that are too old. */
void defrag_expire(struct defrag *d, int64_t now_ns);
/*
 * Writes the datagram of a complete list to buf: the link header and IPv4 header of its first part,
 * and the whole payload. Flags, offset, length and checksum are corrected. Link headers may differ
 * in length: each fragment's own counts. Returns the length, with the offset of the IPv4 header in
 * *ret_l3; 0: longer than 65,535 octets or cap.
 */
uint32_t defrag_join(const struct held *fragments, uint8_t *buf, uint32_t cap, uint16_t *ret_l3);
