/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCPDISCOVER (RFC 2131 4.3.1): chooses an address and holds it for a moment; stores nothing
 * unless offer-lifetime requires it. Also the answers to a DISCOVER without an address: option 108
 * (RFC 8925), option 116 (RFC 2563). And DHCPINFORM (4.3.5), which gets parameters only.
 */
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "lease/lease_limit.h"
#include "lease/lease_store.h"
#include "server/stages/agent_info.h"
#include "server/stages/alloc.h"
#include "server/stages/fill.h"
#include "server/stages/response.h"
#include "server/stages/reuse.h"
#include "server/core/name_change.h"
#include "server/core/server.h"
#include "server/core/snapshot.h"
#include "server/stages/stages.h"
#include "server/stages/v6_only.h"
#include "server/core/trace.h"
#include "wire/option_codes.h"

/* Returns whether the answer carries option 116: no address is available, and the link has a
 * rule whether clients may configure themselves (RFC 2563 2.3). */
static bool wants_auto_config(struct exchange *x)
{
	return dhcp4_opt(&x->query, DHCP4_OPT_AUTO_CONFIG) &&
	       fill_find_option(x, OPTION_SPACE_DHCP4, DHCP4_OPT_AUTO_CONFIG);
}

static uint32_t offer_lifetime(const struct exchange *x)
{
	if (exchange_has_builtin(x, CLASS_BOOTP))
		return 0; /* such a client sends no REQUEST */
	for (uint32_t i = 0; i < x->n_class_order; i++) {
		const struct config_class *c = x->cfg->class_by_id[x->class_order[i]];

		if (c && c->has_offer_lifetime)
			return c->offer_lifetime;
	}
	return x->subnet->params.offer_lifetime;
}

/* Finds the client's running lease at the offered address. */
static bool find_running(struct exchange *x, const struct lease *l, struct lease *ret)
{
	struct lease_client who = exchange_client(x, x->subnet);

	return lease_db_get(exchange_server(x)->db, l->addr, NULL, ret, NULL) == 0 &&
	       ret->state == LEASE_ASSIGNED && lease_is_of(ret, &who) && !alloc_expired(x, ret);
}

/* Returns whether lease caching repeats the client's lease `old` in the place of l. *ret_left: the
 * remaining lifetime of `old`. */
static bool repeat_lease(struct exchange *x, const struct lease *old, struct lease *l,
			 uint32_t *ret_left)
{
	if (agent_info_merge(x, l) || !reuse_allowed(x, old, l, ret_left))
		return false;
	reuse_count(x, l, *ret_left);
	return true;
}

/* Repeats the client's lease in an offer that is not stored. The record of a reserved address is
 * not at hand: that address is offered before the client's records are read. */
static void repeat_offered(struct exchange *x, struct lease *l)
{
	struct lease old uninit;

	if (x->own)
		(void)repeat_lease(x, x->own, l, &x->lifetime);
	else if (x->host && x->host->addr == l->addr && find_running(x, l, &old))
		(void)repeat_lease(x, &old, l, &x->lifetime);
}

/* Keeps the name that the DNS has for a lease which an offer replaces. */
static void keep_dns_name(const struct lease *old, struct lease *stored)
{
	if (!old->fqdn_fwd && !old->fqdn_rev)
		return;
	memcpy(stored->hostname, old->hostname, sizeof(stored->hostname));
	stored->fqdn_fwd = old->fqdn_fwd;
	stored->fqdn_rev = old->fqdn_rev;
}

/* Stores an offer as a real, short lease (offer-lifetime). A longer lease of the client stays as
 * it is, and so does an offer that was stored a moment ago (lease caching). */
static int store_offer(struct exchange *x, struct lease *l, uint32_t lft)
{
	struct server *srv = exchange_server(x);
	struct lease_client who = exchange_client(x, x->subnet);
	struct lease_change change;
	struct lease stored = *l;
	struct lease old;
	uint32_t left;

	stored.valid_lft = lft;
	stored.fqdn_fwd = stored.fqdn_rev = false; /* an offer does not change the DNS */
	if (find_running(x, l, &old)) {
		if (lease_expire(&old) > lease_expire(&stored)) {
			(void)repeat_lease(x, &old, l, &x->lifetime);
			return 0;
		}
		if (repeat_lease(x, &old, &stored, &left)) {
			x->wait_seq = old.row;
			return 0;
		}
		keep_dns_name(&old, &stored);
	}
	if (lease_db_assign_within(srv->db, &stored, &who, x->bounds, &change) < 0)
		return -USHER_E_IN_USE;
	x->fake_allocation = false;
	x->offer_stored = true;
	if (change.had_old && hook_any(x->snap->hooks, HOOK_LEASE4_OFFER))
		x->previous = arena_memdup(&x->pkt.arena, &change.old, sizeof(change.old));
	x->wait_seq = change.seq;
	l->row = change.seq;
	alloc_reclaimed(x, &change);
	if (change.old_expired)
		name_change_ended(x, &change.old);
	return 0;
}

enum verdict process_discover(struct exchange *x)
{
	char ip[IP_TEXT_LEN];
	struct lease *l;
	uint32_t lft;
	bool v6_only;
	int r;

	if (exchange_has_builtin(x, CLASS_REJECT))
		return exchange_drop(x, DROP_CLASS_REJECT);
	FINDING(x, DHCP4_DISCOVER, "DISCOVER is processed");
	if (!x->subnet || !x->n_candidates)
		return exchange_drop(x, DROP_NO_SUBNET);
	x->subnet = x->candidates[0].subnet;
	v6_only = v6_only_answer(x);
	r = v6_only ? 0 : alloc_offer(x, &l);
	if (r < 0 && !(r == -USHER_E_EXHAUSTED && wants_auto_config(x)))
		return exchange_drop(x, DROP_NO_LEASE);
	if (response_start(x, DHCP4_OFFER) < 0)
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	if (v6_only || r < 0)
		return VERDICT_CONTINUE; /* yiaddr 0, and the option with the reason */
	x->lease = l;
	x->lifetime = l->valid_lft;
	lft = offer_lifetime(x);
	if (unlikely(lft) && store_offer(x, l, lft) < 0)
		return exchange_drop(x, DROP_NO_LEASE);
	if (unlikely(x->own || x->host) && !lft)
		repeat_offered(x, l);
	x->response.yiaddr = l->addr;
	x->committed_hook = true;
	x->fake_allocation = true;
	EXCHANGE_LOG(x, LOG_DHCP4_LEASE_OFFER, "lease %s will be offered", ip_text(l->addr, ip));
	return VERDICT_CONTINUE;
}

enum verdict process_inform(struct exchange *x)
{
	if (response_start(x, DHCP4_ACK) < 0)
		return exchange_drop(x, DROP_PROCESSING_FAILED);
	x->response.ciaddr = x->query.ciaddr;
	/* as in Kea, an answer sent past the relay to the client contains none of its data */
	if (x->query.ciaddr && x->query.giaddr) {
		x->response.giaddr = 0;
		x->rai = SPAN_NULL;
	}
	return VERDICT_CONTINUE;
}
