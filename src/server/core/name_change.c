/* SPDX-License-Identifier: MPL-2.0 */
/*
 * When the DNS is updated. A renewal that changes neither name nor flags sends nothing, unless
 * ddns-update-on-renew; every other change of a lease removes the old name before the new one is
 * added. Removals go by the flags in the lease, not by the configuration.
 */
#include "server/core/name_change.h"

#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "ddns/ddns.h"
#include "server/core/server.h"

#include <strings.h>

const struct config_names *name_change_rules(const struct config *cfg, const struct lease *l)
{
	const struct config_subnet *s = config_subnet_by_id(cfg, l->subnet_id);

	for (size_t i = 0; s && i < s->n_pools; i++)
		if (s->pools[i].names && l->addr >= s->pools[i].first &&
		    l->addr <= s->pools[i].last)
			return s->pools[i].names;
	return s ? &s->params.names : &cfg->params.names;
}

/* Makes a request, and logs why that is not possible. */
static bool make_request(struct server *srv, const struct config *cfg, enum ddns_op op,
			 const struct lease *l, struct ddns_request *ret)
{
	int r = ddns_request_make(ret, op, l, &name_change_rules(cfg, l)->updates);
	char ip[IP_TEXT_LEN];

	if (r < 0 && r != -USHER_E_NOTFOUND)
		log_msg(srv->log, LOG_DHCP4_NCR_CREATION_FAILED,
			"%s: failed to generate name change requests for DNS: the name '%s' or the "
			"identifier of its client has no DHCID",
			ip_text(l->addr, ip), l->hostname);
	return r == 0;
}

bool name_change_now(struct server *srv, const struct config *cfg, enum ddns_op op,
		     const struct lease *l)
{
	struct ddns_request r;

	if (!cfg->ddns.enabled || !make_request(srv, cfg, op, l, &r))
		return false;
	ddns_submit(srv->ddns, &r);
	return true;
}

/* Adds a request behind the others of the exchange. */
static void note_change(struct exchange *x, enum ddns_op op, const struct lease *l)
{
	struct name_change **at = &x->name_changes;
	struct name_change *c;

	if (!l->hostname[0] || (!l->fqdn_fwd && !l->fqdn_rev))
		return;
	c = arena_zalloc(&x->pkt.arena, sizeof(*c));
	if (!c || !make_request(exchange_server(x), x->cfg, op, l, &c->r))
		return;
	while (*at)
		at = &(*at)->next;
	*at = c;
}

/* Returns whether name and flags of a lease are those of the record before. */
static bool is_unchanged(const struct lease *old, const struct lease *l)
{
	return old->fqdn_fwd == l->fqdn_fwd && old->fqdn_rev == l->fqdn_rev &&
	       strcasecmp(old->hostname, l->hostname) == 0;
}

/* Returns whether both leases have one owner in the DNS: a client may have changed its identifier.
 */
static bool is_same_owner(const struct lease *old, const struct lease *l)
{
	uint8_t a[DDNS_DHCID_LEN], b[DDNS_DHCID_LEN];

	return lease_same_identity(old, l) ||
	       (ddns_dhcid(old, ".", a) == 0 && ddns_dhcid(l, ".", b) == 0 &&
		memcmp(a, b, sizeof(a)) == 0);
}

void name_change_granted_do(struct exchange *x, const struct lease *l,
			    const struct lease_change *change, bool same_client)
{
	const struct lease *old = change->had_old ? &change->old : NULL;

	if (old && same_client && is_unchanged(old, l) && is_same_owner(old, l) &&
	    !name_change_rules(x->cfg, l)->updates.on_renew)
		return;
	if (old)
		note_change(x, DDNS_REMOVE, old);
	note_change(x, DDNS_ADD, l);
}

void name_change_ended_do(struct exchange *x, const struct lease *old)
{
	note_change(x, DDNS_REMOVE, old);
}

void name_change_send_do(struct exchange *x)
{
	for (const struct name_change *c = x->name_changes; c; c = c->next)
		ddns_submit(exchange_server(x)->ddns, &c->r);
	x->name_changes = NULL;
}
