/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct lease: one lease as a value, copied in and out of the table, so nobody ever holds a
 * pointer into it. All times are wall-clock seconds.
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
	LEASE_RELEASED = 3,  /* released, kept likewise */
	LEASE_OFFERED = 100,
};

struct lease {
	uint32_t addr; /* host order; the key */
	uint32_t subnet_id;
	uint32_t pool_id;
	uint32_t valid_lft; /* seconds; LEASE_INFINITE */
	int64_t cltt;	    /* client's last transaction time; expiry is cltt + valid_lft */
	uint8_t state;	    /* enum lease_state */
	bool fqdn_fwd, fqdn_rev;
	uint8_t hw_len; /* 0: no hardware address */
	uint8_t hw[LEASE_HW_MAX];
	uint16_t client_id_len; /* 0: no client identifier */
	uint8_t client_id[LEASE_CLIENT_ID_MAX];
	char hostname[LEASE_HOSTNAME_MAX + 1];
	uint64_t row; /* number of the row it was read at; set by the table, not read by it */
	const char *
		user_context; /* JSON on one line, or NULL; borrowed: from an arena or the caller */
};

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

/* The client. Either part may be empty, not both. */
struct lease_client {
	struct span client_id; /* empty: none, or match-client-id is off */
	struct span hw;
};

/* Does the lease belong to the client: by client_id where both have one, else by hw. RFC 2131
 * 4.2 */
bool lease_is_of(const struct lease *l, const struct lease_client *c);
