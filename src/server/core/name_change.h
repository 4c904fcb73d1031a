/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests to the DNS for changes of leases. Those of an exchange wait in its arena until its rows
 * are on disk, so that nothing is sent for a lease that was not stored.
 */
#pragma once

#include "config/config.h"
#include "ddns/ddns_request.h"
#include "lease/lease_db.h"
#include "server/core/exchange.h"

/* A packet's requests, in order. */
struct name_change {
	struct ddns_request r;
	struct name_change *next;
};

/* Packets make at most so many: the leases that end beside the new one, and the new one. */
enum { NAME_CHANGES_MAX = 10 };

/* Returns the rules for the name of a lease: of its pool, else its subnet, else the global ones. */
const struct config_names *name_change_rules(const struct config *cfg, const struct lease *l);
/* Sends the request for a lease at once, if it has a name and flags. Returns false, if it has not,
 * or updates are not enabled. */
bool name_change_now(struct server *srv, const struct config *cfg, enum ddns_op op,
		     const struct lease *l);

/*
 * Notes that the client of an exchange has the lease now, which replaced the record of the change.
 * same_client: that record was a lease of this client. The inline functions below cost a comparison
 * where updates are not enabled.
 */
void name_change_granted_do(struct exchange *x, const struct lease *l,
			    const struct lease_change *change, bool same_client);
/* Notes that a lease has ended. */
void name_change_ended_do(struct exchange *x, const struct lease *old);
/* Sends the noted requests. */
void name_change_send_do(struct exchange *x);

static inline bool name_change_wanted(const struct exchange *x)
{
	return unlikely(x->cfg->ddns.enabled);
}

static inline void name_change_granted(struct exchange *x, const struct lease *l,
				       const struct lease_change *change, bool same_client)
{
	if (name_change_wanted(x))
		name_change_granted_do(x, l, change, same_client);
}

static inline void name_change_ended(struct exchange *x, const struct lease *old)
{
	if (name_change_wanted(x))
		name_change_ended_do(x, old);
}

static inline void name_change_send(struct exchange *x)
{
	if (unlikely(x->name_changes != NULL))
		name_change_send_do(x);
}
