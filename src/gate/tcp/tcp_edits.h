/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Changes by rules in one direction of a TCP connection, as a map between the numbers of its sender
 * (in) and those of its receiver (out). Ranges are kept, with the octets that took their place,
 * until the receiver has acknowledged them: a retransmission is edited like the first time. Pure.
 */
#pragma once

#include "base/span.h"
#include "wire/tcp.h"

enum { TCP_MAX_EDITS = 1024, TCP_EDIT_TEXT = 107 * 1024 };

struct tcp_edit {
	uint32_t in_from, in_to;   /* the replaced octets */
	uint32_t out_from, out_to; /* the octets in their place */
	uint32_t text;		   /* where in the store its octets are */
};

struct tcp_edit_store {
	struct tcp_edit at[TCP_MAX_EDITS];
	uint32_t used;
	uint8_t text[TCP_EDIT_TEXT];
};

struct tcp_edits {
	uint32_t n;
	uint32_t shift;		      /* out minus in, before the first edit */
	struct tcp_edit_store *store; /* the caller's; NULL as long as nothing was edited */
};

/* Returns whether nothing was changed and numbers agree, so that nothing needs translating. */
static inline bool tcp_edits_none(const struct tcp_edits *e)
{
	return e->n == 0 && e->shift == 0;
}

/* Translates the sender's numbers to the receiver's; tcp_edits_in() translates back. Inside of a
 * changed range there is no counterpart: `up` returns its end, else its beginning. */
uint32_t tcp_edits_out(const struct tcp_edits *e, uint32_t in, bool up);
uint32_t tcp_edits_in(const struct tcp_edits *e, uint32_t out, bool up);

/*
 * Replaces the out range [from, to), which is not empty, by `with`; the map behind moves. (To
 * insert, replace a neighbouring octet by itself and the new octets: so the sender retransmits it
 * until all of it arrived.) False: there are too many edits, or too much text; nothing has changed.
 */
bool tcp_edits_add(struct tcp_edits *e, uint32_t from, uint32_t to, struct span with);
/* Joins the edits that begin at out number `from` or behind it; octets: the present octets from
 * `from` on. */
void tcp_edits_join(struct tcp_edits *e, uint32_t from, struct span octets);
/* Returns whether so many edits are not acknowledged yet that the next segment had better wait. */
static inline bool tcp_edits_crowded(const struct tcp_edits *e)
{
	return e->n > TCP_MAX_EDITS / 2 || (e->n && e->store->used > TCP_EDIT_TEXT / 2);
}

/* Forgets the edits before this out number: the receiver has acknowledged them. */
void tcp_edits_acked(struct tcp_edits *e, uint32_t out);
/*
 * Writes a retransmission of octets [in_from, in_from + n) to w as the first copy was sent;
 * *ret_out is the number they begin with. False if w is too small.
 */
bool tcp_edits_apply(const struct tcp_edits *e, uint32_t in_from, struct span octets, struct wr *w,
		     uint32_t *ret_out);
