/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCPRELEASE and DHCPDECLINE (RFC 2131 4.3.3, 4.3.4): only the holder can end or decline a lease;
 * neither is answered. Both name an address, so the subnet is the lease's, not the packet's.
 */
#include "base/attr.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "lease/lease_db.h"
#include "server/core/exchange_hook.h"
#include "server/core/name_change.h"
#include "server/core/server.h"
#include "server/core/snapshot.h"
#include "server/stages/stages.h"
#include "wire/option_codes.h"

/* Returns the lease at addr, in the arena, if it is the client's and in use; else NULL with
 * x->drop. */
static struct lease *own_lease(struct exchange *x, uint32_t addr, struct lease_client *ret_who,
			       enum drop none, enum drop not_owned)
{
	struct lease *l = arena_zalloc(&x->pkt.arena, sizeof(*l));

	x->drop = DROP_PROCESSING_FAILED;
	if (!l)
		return NULL;
	x->drop = none;
	if (lease_db_get(exchange_server(x)->db, addr, &x->pkt.arena, l, NULL) < 0 ||
	    l->state == LEASE_OFFERED)
		return NULL;
	x->subnet = config_subnet_by_id(x->cfg, l->subnet_id);
	*ret_who = exchange_client(x, x->subnet);
	x->drop = not_owned;
	if (l->state != LEASE_ASSIGNED || !lease_is_of(l, ret_who))
		return NULL;
	x->drop = DROP_NONE;
	return l;
}

static enum verdict end_silently(struct exchange *x, const struct lease_change *change,
				 enum drop silent)
{
	x->wait_seq = change->seq;
	x->silent = silent;
	return VERDICT_CONTINUE;
}

/* Continues without an answer after an ineffective message. As in Kea, leases4_committed is
 * called with empty lists. */
static enum verdict not_done(struct exchange *x)
{
	x->silent = x->drop;
	x->drop = DROP_NONE;
	return VERDICT_CONTINUE;
}

enum verdict process_release(struct exchange *x)
{
	uint32_t addr = x->query.ciaddr;
	struct lease_change change;
	struct lease_client who;
	char ip[IP_TEXT_LEN];
	struct lease *l = own_lease(x, addr, &who, DROP_RELEASE_NO_LEASE, DROP_RELEASE_NOT_OWNED);
	enum usher_next_step step;
	bool keep;

	x->committed_hook = true;
	if (!l) {
		EXCHANGE_LOG(x, LOG_DHCP4_RELEASE_FAIL, "RELEASE of %s: %s", ip_text(addr, ip),
			     drop_info(x->drop)->sentence);
		return not_done(x);
	}
	step = exchange_hook(x, HOOK_LEASE4_RELEASE, l, NULL);
	if (step != USHER_CONTINUE)
		return exchange_drop(x, DROP_HOOK_RELEASE);
	keep = x->snap->affinity && l->valid_lft != LEASE_INFINITE;
	if (lease_db_release(exchange_server(x)->db, addr, &who, keep, &change) < 0) {
		x->drop = DROP_RELEASE_NOT_OWNED;
		return not_done(x);
	}
	x->deleted = l;
	name_change_ended(x, &change.old);
	EXCHANGE_LOG(x, LOG_DHCP4_RELEASE, "address %s was released", ip_text(addr, ip));
	return end_silently(x, &change, DROP_RELEASE_DONE);
}

/* Writes an identity as text, "-" for none. */
static const char *identity_text(struct exchange *x, struct span s)
{
	struct buf b;
	const char *text = NULL;

	buf_init(&b);
	buf_hex(&b, s, ':');
	if (b.p && !b.failed)
		text = arena_strdup(&x->pkt.arena, b.p);
	buf_fini(&b);
	return text ? text : "-";
}

static cold_fn void log_refused_decline(struct exchange *x, uint32_t addr)
{
	struct lease l uninit;
	char ip[IP_TEXT_LEN];

	if (lease_db_get(exchange_server(x)->db, addr, NULL, &l, NULL) < 0) {
		EXCHANGE_LOG(x, LOG_DHCP4_DECLINE_LEASE_NOT_FOUND,
			     "Received DHCPDECLINE for addr %s: there is no such lease",
			     ip_text(addr, ip));
		return;
	}
	EXCHANGE_LOG(x, LOG_DHCP4_DECLINE_LEASE_MISMATCH,
		     "Received DHCPDECLINE for addr %s, but the data doesn't match: received "
		     "hwaddr: %s, lease hwaddr: %s, received client-id: %s, lease client-id: %s, "
		     "lease state: %u",
		     ip_text(addr, ip), identity_text(x, x->hw), identity_text(x, lease_hw(&l)),
		     identity_text(x, x->client_id), identity_text(x, lease_client_id(&l)),
		     (unsigned)l.state);
}

enum verdict process_decline(struct exchange *x)
{
	struct lease_change change;
	struct lease_client who;
	char ip[IP_TEXT_LEN];
	struct lease *l;
	uint32_t addr;

	x->committed_hook = true;
	if (!dhcp4_opt_u32(&x->query, DHCP4_OPT_REQUESTED_ADDRESS, &addr))
		return exchange_drop(x, DROP_DECLINE_NO_ADDRESS);
	l = own_lease(x, addr, &who, DROP_DECLINE_NOT_OWNED, DROP_DECLINE_NOT_OWNED);
	if (!l) {
		log_refused_decline(x, addr);
		return not_done(x);
	}
	if (exchange_hook(x, HOOK_LEASE4_DECLINE, l, NULL) != USHER_CONTINUE)
		return exchange_drop(x, DROP_HOOK_DECLINE);
	if (lease_db_decline(exchange_server(x)->db, addr, &who, x->cfg->decline_probation_s,
			     &change) < 0) {
		x->drop = DROP_DECLINE_NOT_OWNED;
		return not_done(x);
	}
	name_change_ended(x, &change.old);
	/* leases4_committed receives the lease in its present state */
	if (lease_db_get(exchange_server(x)->db, addr, &x->pkt.arena, l, NULL) == 0)
		x->lease = l;
	EXCHANGE_LOG(x, LOG_DHCP4_DECLINE_LEASE,
		     "address %s was declined and is not used for %u seconds", ip_text(addr, ip),
		     x->cfg->decline_probation_s);
	return end_silently(x, &change, DROP_DECLINE_DONE);
}
