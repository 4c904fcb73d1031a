/* SPDX-License-Identifier: MPL-2.0 */
/*
 * COMMIT: the answer waits here until the rows of its lease are on disk, then leases4_committed (or
 * lease4_offer) is called, which may park or write the lease again. Only this stage deals with
 * durability. An exchange without a response ends here, by the reason that PROCESS has set.
 */
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "lease/lease_db.h"
#include "lease/lease_store.h"
#include "server/core/services.h"
#include "server/core/exchange_hook.h"
#include "server/core/name_change.h"
#include "server/core/server.h"
#include "server/core/snapshot.h"
#include "server/stages/stages.h"
#include "server/core/trace.h"

/* Declines an address at which the callout, a probe for example, found another host: quarantine. */
static enum verdict server_decline(struct exchange *x)
{
	struct lease_client who = exchange_client(x, x->subnet);
	struct server *srv = exchange_server(x);
	struct lease_change before = {0}, change;
	char ip[IP_TEXT_LEN];
	struct lease stored = *x->lease;

	if (lease_db_assign(srv->db, &stored, &who, &before) == 0 &&
	    lease_db_decline(srv->db, x->lease->addr, &who, x->cfg->decline_probation_s, &change) ==
		    0) {
		if (before.had_old)
			(void)name_change_now(srv, x->cfg, DDNS_REMOVE, &before.old);
		EXCHANGE_LOG(x, LOG_DHCP4_SERVER_INITIATED_DECLINE,
			     "Lease for addr %s has been found to be already in use. The lease "
			     "will be unavailable for %u seconds.",
			     ip_text(x->lease->addr, ip), x->cfg->decline_probation_s);
		(void)exchange_hook(x, HOOK_LEASE4_SERVER_DECLINE, x->lease, NULL);
	} else {
		EXCHANGE_LOG(x, LOG_DHCP4_SERVER_INITIATED_DECLINE_ADD_FAILED,
			     "address %s is in use by a host, and was leased to another client "
			     "meanwhile",
			     ip_text(x->lease->addr, ip));
	}
	return exchange_drop(x, DROP_NO_LEASE);
}

/* Drops the packet: the store reports that its lease is another client's. The client's next
 * packet finds that in the table. */
static enum verdict drop_refused(struct exchange *x)
{
	struct lease_store *s = exchange_server(x)->store;
	char ip[IP_TEXT_LEN];
	struct lease holder;

	if (lease_store_refused(s, x->wait_seq, &holder))
		TRACE(x, "row %llu was refused: another server leased %s",
		      (unsigned long long)x->wait_seq, ip_text(holder.addr, ip));
	return exchange_drop(x, DROP_NO_LEASE);
}

static enum verdict wait_for_row(struct exchange *x)
{
	TRACE(x, "waiting for row %llu to be on disk", (unsigned long long)x->wait_seq);
	x->waiting = true;
	x->stage = STAGE_COMMIT;
	exchange_wait_durable(x);
	return VERDICT_PARK;
}

/* Returns the outcome of the exchange's row. Its store may fail while it waits: then no answer
 * may be sent. */
static enum lease_outcome row_outcome(struct exchange *x)
{
	struct lease_store *s = exchange_server(x)->store;

	if (!s || !x->wait_seq)
		return LEASE_ROW_DURABLE;
	if (!x->waiting)
		x->wait_epoch = lease_store_epoch(s);
	return lease_store_outcome(s, x->wait_seq, x->wait_epoch);
}

static enum verdict await_row(struct exchange *x)
{
	switch (row_outcome(x)) {
	case LEASE_ROW_PENDING:
		return wait_for_row(x);
	case LEASE_ROW_UNAVAILABLE:
		return exchange_drop(x, DROP_STORE_DOWN);
	case LEASE_ROW_REFUSED:
		return drop_refused(x);
	case LEASE_ROW_DURABLE:
		break;
	}
	x->waiting = false;
	return VERDICT_CONTINUE;
}

/* Calls the callouts, once. One may have written the lease again: then the answer waits for that
 * row, too. */
static enum verdict committed_hook(struct exchange *x)
{
	bool offer = x->type == DHCP4_DISCOVER;
	enum hook_point p = offer ? HOOK_LEASE4_OFFER : HOOK_LEASES4_COMMITTED;
	struct lease *shown = x->lease;
	uint64_t waited = x->wait_seq;
	enum usher_next_step step;
	bool park;

	if (!x->committed_hook || !hook_any(x->snap->hooks, p))
		return VERDICT_CONTINUE;
	x->committed_hook = false;
	if (x->lease_reused)
		x->lease = NULL; /* nothing was written, so callouts have nothing to see */
	step = exchange_hook_parking(x, p, &park);
	x->lease = shown;
	if (park) {
		x->commit_parked = true;
		x->stage = STAGE_COMMIT;
		return VERDICT_PARK;
	}
	if (step == USHER_DROP)
		return exchange_drop(x, x->drop ? x->drop : exchange_hook_drop(p));
	if (offer && x->parked.in_use)
		return server_decline(x);
	return x->wait_seq > waited ? await_row(x) : VERDICT_CONTINUE;
}

/* Continues with an exchange that a callout parked: the result of a probe is known. A row
 * that a callout wrote may still be on its way to disk. */
static enum verdict after_parking(struct exchange *x)
{
	x->commit_parked = false;
	if (x->type == DHCP4_DISCOVER && x->parked.in_use)
		return server_decline(x);
	if (x->type == DHCP4_DISCOVER && exchange_server(x)->disabled)
		return exchange_drop(x, DROP_SERVICE_DISABLED);
	return x->waiting ? await_row(x) : VERDICT_CONTINUE;
}

enum verdict stage_commit(struct exchange *x)
{
	enum verdict v;

	same_client_release(x);
	v = x->commit_parked ? after_parking(x) : await_row(x);
	if (v == VERDICT_CONTINUE) {
		name_change_send(x);
		v = committed_hook(x);
	}
	if (v == VERDICT_CONTINUE && !x->has_response)
		return exchange_drop(x, x->silent ? x->silent : DROP_PROCESSING_FAILED);
	return v;
}
