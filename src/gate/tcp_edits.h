/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a rule changed in one direction of a TCP connection, as a map between the numbers its sender counts
 * by (in) and those its receiver does (out). Ranges are kept, with the octets that took their place, until
 * the receiver has acknowledged them: a retransmission is edited like the first time. Pure.
 */
#pragma once

#include "base/span.h"
#include "wire/tcp.h"

enum { TCP_MAX_EDITS = 1024, TCP_EDIT_TEXT = 107 * 1024 };

struct tcp_edit {
	uint32_t in_from, in_to;	/* what was there */
	uint32_t out_from, out_to;	/* what is there now */
	uint32_t text;			/* where in the store its octets are */
};

struct tcp_edit_store {
	struct tcp_edit at[TCP_MAX_EDITS];
	uint32_t used;
	uint8_t text[TCP_EDIT_TEXT];
};

struct tcp_edits {
	uint32_t n;
	uint32_t shift;			/* out minus in, before the first edit */
	struct tcp_edit_store *store;	/* the caller's; NULL as long as nothing was edited */
};

/* Nothing was changed and numbers agree: nothing needs translating. */
static inline bool tcp_edits_none(const struct tcp_edits *e)
{
	return e->n == 0 && e->shift == 0;
}

/* From the sender's numbers to the receiver's, and back. Inside of a changed range there is no counterpart: up
 * gives its end, else its beginning. */
uint32_t tcp_edits_out(const struct tcp_edits *e, uint32_t in, bool up);
uint32_t tcp_edits_in(const struct tcp_edits *e, uint32_t out, bool up);

/*
 * The out range [from, to), which is not empty, is replaced by `with`: the map behind moves. (To insert, replace
 * a neighbouring octet by itself and what is new: so the sender goes on repeating it until all of it came over.)
 * False: there are too many edits, or too much text; nothing has changed.
 */
bool tcp_edits_add(struct tcp_edits *e, uint32_t from, uint32_t to, struct span with);
/* The edits that begin at out number `from` or behind it become one; octets: what is there now, from `from` on. */
void tcp_edits_join(struct tcp_edits *e, uint32_t from, struct span octets);
/* So much is on its way and not acknowledged that the next segment had better wait. */
static inline bool tcp_edits_crowded(const struct tcp_edits *e)
{
	return e->n > TCP_MAX_EDITS / 2 || (e->n && e->store->used > TCP_EDIT_TEXT / 2);
}

/* The receiver has everything before this out number: what is before it is forgotten. */
void tcp_edits_acked(struct tcp_edits *e, uint32_t out);
/*
 * Octets [in_from, in_from + n) come again: writes them to w as they were sent the first time; *ret_out is the
 * number they begin with. False if w is too small.
 */
bool tcp_edits_apply(const struct tcp_edits *e, uint32_t in_from, struct span octets, struct wr *w, uint32_t *ret_out);
