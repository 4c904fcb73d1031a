/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct lease: one lease as a value, copied in and out of the table, so no caller has a pointer
 * into it. All times are wall-clock seconds. An empty hw or client_id: the lease has none.
 * user_context is borrowed: from an arena, or from the caller.
 */
#pragma once

#include "base/span.h"

enum {
	LEASE_HW_MAX = 20,
	LEASE_CLIENT_ID_MAX = 255,
	LEASE_HOSTNAME_MAX = 255,
	LEASE_INFINITE = 0xffffffffU, /* valid_lft that never ends (RFC 2131 3.3) */
};

/* As in the lease file (Kea's numbers). OFFERED lives in memory only. */
enum lease_state {
	LEASE_ASSIGNED = 0,
	LEASE_DECLINED = 1,
	LEASE_RECLAIMED = 2, /* expired and reclaimed, kept so that its client gets it again */
	LEASE_RELEASED = 3,  /* released, kept so that its client gets it again */
	LEASE_OFFERED = 100,
};

/*
 * How fields of a kind (lease_fields.def) are stored: an expansion of a row picks one of six. Only
 * numbers have a type of their own.
 */
#define LEASE_PICK_ADDRESS(number, state, flag, octets, text, context)	 number
#define LEASE_PICK_HARDWARE(number, state, flag, octets, text, context)	 octets
#define LEASE_PICK_CLIENT_ID(number, state, flag, octets, text, context) octets
#define LEASE_PICK_LIFETIME(number, state, flag, octets, text, context)	 number
#define LEASE_PICK_TIME(number, state, flag, octets, text, context)	 number
#define LEASE_PICK_NUMBER(number, state, flag, octets, text, context)	 number
#define LEASE_PICK_OPTIONAL(number, state, flag, octets, text, context)	 number
#define LEASE_PICK_FLAG(number, state, flag, octets, text, context)	 flag
#define LEASE_PICK_TEXT(number, state, flag, octets, text, context)	 text
#define LEASE_PICK_STATE(number, state, flag, octets, text, context)	 state
#define LEASE_PICK_CONTEXT(number, state, flag, octets, text, context)	 context

#define LEASE_TYPE_ADDRESS  uint32_t
#define LEASE_TYPE_LIFETIME uint32_t
#define LEASE_TYPE_TIME	    int64_t
#define LEASE_TYPE_NUMBER   uint32_t
#define LEASE_TYPE_OPTIONAL uint32_t

struct lease {
#define LEASE_FIELD(member, kind, ...)                                             \
	LEASE_PICK_##kind(LEASE_TYPE_##kind member;, uint8_t member;, bool member; \
			  , uint16_t member##_len;, , )
#include "lease/lease_fields.def"
#define LEASE_FIELD(member, kind, longest, ...)                                       \
	LEASE_PICK_##kind(, , , uint8_t member[longest];, char member[(longest) + 1]; \
			  , const char *member;)
#include "lease/lease_fields.def"
	uint64_t row; /* number of the row it was read or written at; a change of the lease
			 names it */
};

/* The octets of a user-context that is read for a packet; commands set longer ones. */
enum { LEASE_CONTEXT_MAX = 16384 };

static inline int64_t lease_expire(const struct lease *l)
{
	return l->valid_lft == LEASE_INFINITE ? INT64_MAX : l->cltt + l->valid_lft;
}

static inline struct span lease_hw(const struct lease *l)
{
	return span_of(l->hw, l->hw_len);
}

static inline struct span lease_client_id(const struct lease *l)
{
	return span_of(l->client_id, l->client_id_len);
}

/* Returns whether two leases have the hardware address and the client identifier in common. */
static inline bool lease_same_identity(const struct lease *a, const struct lease *b)
{
	return span_eq(lease_hw(a), lease_hw(b)) && span_eq(lease_client_id(a), lease_client_id(b));
}

/* The client. Either part may be empty, not both. */
struct lease_client {
	struct span client_id; /* empty: none, or match-client-id is off */
	struct span hw;
};

/* Returns whether the lease belongs to the client: by client_id where both have one, else by hw.
 * RFC 2131 4.2 */
bool lease_is_of(const struct lease *l, const struct lease_client *c);
