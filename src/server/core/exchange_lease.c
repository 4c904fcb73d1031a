/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reads and stores the user-context of a lease. Other packets of the client may change the lease
 * between its assignment and the callout, because COMMIT has released the client. So a change names
 * the row that this exchange has written.
 */
#include "server/core/exchange_lease.h"

#include "base/error.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "server/core/exchange.h"
#include "server/core/server.h"
#include "server/core/trace.h"

#include <errno.h>

int exchange_stored_context(void *exchange, const struct lease *l, const char **ret)
{
	struct exchange *x = exchange;
	struct lease stored uninit;
	struct arena a;
	int r = 0;

	*ret = NULL;
	arena_init(&a); /* contexts have any size */
	if (lease_db_get(exchange_server(x)->db, l->addr, &a, &stored, NULL) == 0 &&
	    stored.user_context && lease_same_identity(&stored, l)) {
		*ret = hook_keep_context(&x->pkt.arena, stored.user_context);
		r = *ret ? 0 : -ENOSPC;
	}
	arena_fini(&a);
	return r;
}

/* Returns whether the lease that callouts see is one that this exchange has stored. */
static bool is_stored(const struct exchange *x)
{
	if (!x->lease || !x->lease->user_context || !x->has_response)
		return false;
	if (x->type == DHCP4_DISCOVER)
		return x->offer_stored;
	return dhcp4_msg_type(&x->response) == DHCP4_ACK;
}

int exchange_update_lease(void *exchange)
{
	struct exchange *x = exchange;
	struct server *srv = exchange_server(x);
	struct lease_change change;
	uint64_t epoch;
	int r;

	if (!is_stored(x))
		return -EINVAL;
	epoch = srv->store ? lease_store_epoch(srv->store) : 0;
	r = lease_db_set_context(srv->db, x->lease, x->lease->user_context, &change);
	TRACE(x, "a callout stores the context of the lease: %s", usher_strerror(r));
	if (r < 0)
		return r == -USHER_E_CHANGED ? -ESTALE : r;
	x->lease->row = change.seq;
	if (!change.seq)
		return 0;
	/* the epoch of the first row: the store may fail while the exchange is parked */
	if (!x->waiting)
		x->wait_epoch = epoch;
	x->waiting = true;
	x->wait_seq = change.seq;
	return 0;
}
