/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The way of a bulk query through the lease table. Leases of a client are found by an index; those
 * of a relay by their contexts, in a walk over all leases.
 */
#include "library/lease_query/bulk.h"

#include "lease/context/relay_info.h"
#include "lease/lease_db.h"

enum { STRETCHES = 4 }; /* of 512 leases, in one step */

static bool has_relay_key(const struct lease *l, const struct bulk_query *q, struct arena *a)
{
	struct relay_info info;
	struct span key = span_of(q->key, q->key_len);

	return relay_info_read(a, l->user_context, LEASE_CONTEXT_MAX, &info) &&
	       span_eq(q->by == BULK_RELAY_ID ? info.relay_id : info.remote_id, key);
}

/* Keeps the leases that the query asks for. Returns their number. */
static size_t keep_matches(const struct bulk_query *q, int64_t now_s, struct arena *a,
			   struct lease *leases, size_t n)
{
	bool by_relay = q->by == BULK_RELAY_ID || q->by == BULK_REMOTE_ID;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct lease *l = &leases[i];

		if (!lease_query_runs(l, now_s) || l->cltt < q->first || l->cltt > q->last ||
		    (by_relay && !has_relay_key(l, q, a)))
			continue;
		if (kept != i)
			leases[kept] = *l;
		kept++;
	}
	return kept;
}

static size_t page_clients(struct lease_db *db, const struct bulk_query *q, uint64_t *at,
			   struct arena *a, struct lease *ret, size_t n)
{
	struct span key = span_of(q->key, q->key_len);
	struct lease_filter f = {.client_id = q->by == BULK_CLIENT_ID ? key : SPAN_NULL,
				 .hw = q->by == BULK_HARDWARE ? key : SPAN_NULL,
				 .state = LEASE_ASSIGNED};
	size_t got = lease_db_page(db, (uint32_t)*at, &f, a, ret, n);

	*at = got == n ? ret[n - 1].addr : UINT64_MAX;
	return got;
}

size_t bulk_walk_next(struct lease_db *db, const struct bulk_query *q, uint64_t *at, int64_t now_s,
		      struct arena *arena, struct lease *ret, size_t n)
{
	static const struct lease_filter relayed = {.context = "\"relay-agent-info\"",
						    .state = LEASE_ASSIGNED};
	size_t got = 0;

	if (q->by == BULK_CLIENT_ID || q->by == BULK_HARDWARE) {
		got = page_clients(db, q, at, arena, ret, n);
		return keep_matches(q, now_s, arena, ret, got);
	}
	for (unsigned i = 0; i < STRETCHES && got < n && *at <= UINT32_MAX; i++) {
		size_t more = lease_db_step(db, at, &relayed, arena, ret + got, n - got);

		got += keep_matches(q, now_s, arena, ret + got, more);
	}
	return got;
}
