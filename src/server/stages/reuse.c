/* SPDX-License-Identifier: MPL-2.0 */
/* The conditions of lease caching, which are Kea's. */
#include "server/stages/reuse.h"

#include "base/ip.h"
#include "base/log.h"
#include "config/config.h"
#include "lease/lease.h"
#include "server/core/trace.h"
#include "server/stages/alloc.h"

#include <string.h>

/* Returns whether two leases agree in the members that lease caching must not hide. */
static bool lease_same(const struct lease *a, const struct lease *b)
{
	return a->valid_lft == b->valid_lft && a->subnet_id == b->subnet_id &&
	       a->pool_id == b->pool_id && lease_same_identity(a, b) &&
	       a->fqdn_fwd == b->fqdn_fwd && a->fqdn_rev == b->fqdn_rev &&
	       strcmp(a->hostname, b->hostname) == 0;
}

/*
 * Returns whether nothing changes and both limits hold. As in Kea, 0 of either is "never", a lease
 * without an end is never written again unchanged, and a generated name is written each time.
 */
bool reuse_allowed(const struct exchange *x, const struct lease *old, const struct lease *new,
		   uint32_t *ret_left)
{
	const struct config_params *p = &x->subnet->params;
	int64_t age = new->cltt - old->cltt;
	uint32_t max_age;

	if (old->state != LEASE_ASSIGNED || alloc_expired(x, old) || age < 0 || x->name_generated ||
	    !lease_same(old, new))
		return false;
	if (old->valid_lft == LEASE_INFINITE) {
		*ret_left = LEASE_INFINITE;
		return true;
	}
	if (p->has_cache_max_age && (!p->cache_max_age || age > p->cache_max_age))
		return false;
	max_age = (uint32_t)(p->cache_threshold * old->valid_lft);
	if (!max_age || age > max_age)
		return false;
	*ret_left = (uint32_t)(old->valid_lft - age);
	return true;
}

void reuse_count(struct exchange *x, const struct lease *l, uint32_t left)
{
	char ip[IP_TEXT_LEN];

	exchange_count(x, x->subnet, SUBNET_LEASE_REUSES);
	TRACE(x, "lease reused, %u s left", left);
	EXCHANGE_LOG(x, LOG_DHCP4_LEASE_REUSE, "lease %s reused, %u s left", ip_text(l->addr, ip),
		     left);
	x->lease_reused = true;
}
