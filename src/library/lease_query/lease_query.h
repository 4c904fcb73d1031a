/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Queries of leases by relays and access concentrators (RFC 4388): the requesters, the facts of a
 * lease as an answer has them, and the answer to a query over UDP. The library is
 * library/lease_query/lease_query.c.
 */
#pragma once

#include "base/attr.h"
#include "lease/lease.h"
#include "packet/packet.h"

struct arena;
struct clock_src;
struct config;
struct dhcp4_msg;
struct lease_db;
struct usher_call;

/* Addresses that may ask: ranges by address, which do not touch. */
struct lease_query_range {
	uint32_t first, last;
};

struct lease_query_requesters {
	struct lease_query_range *ranges;
	size_t n;
};

/* Sorts the ranges and joins those that overlap or touch. */
void lease_query_sort(struct lease_query_requesters *r);
bool lease_query_may_ask(const struct lease_query_requesters *r, uint32_t addr);

/* Returns whether a lease runs. */
static inline bool lease_query_runs(const struct lease *l, int64_t now_s)
{
	return l->state == LEASE_ASSIGNED && lease_expire(l) >= now_s;
}

/* Returns whether the subnet of a lease is configured. */
bool lease_query_has_subnet(const struct config *cfg, const struct lease *l);
/*
 * Sets the fields and options of an active lease: ciaddr, chaddr, 61, 91, 51, 58, 59, 82. Contexts
 * longer than LEASE_CONTEXT_MAX give no 82. 0; -USHER_E_NOTFOUND: its subnet is not configured;
 * -USHER_E_NOMEM. RFC 4388 6.4.2
 */
int lease_query_fill(struct dhcp4_msg *m, const struct lease *l, const struct config *cfg,
		     int64_t now_s) must_check;

/*
 * Answers the decoded DHCPLEASEQUERY of a call, or drops it under a row of drop.def. 0, or
 * -ENOMEM. RFC 4388 6
 */
int lease_query_answer(struct usher_call *call, const struct lease_query_requesters *r,
		       struct lease_db *db, int64_t now_s) must_check;
