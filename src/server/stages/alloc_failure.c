/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Counts and reports that there is no address for a client.
 */
#include "base/log.h"
#include "config/config.h"
#include "server/core/exchange.h"
#include "server/core/trace.h"
#include "server/stages/alloc.h"

void alloc_count_failure(struct exchange *x, const struct alloc_tally *t)
{
	const struct config_subnet *s = x->subnet;
	bool network = s->network != NULL;

	exchange_count(x, s, SUBNET_ALLOCATION_FAIL);
	exchange_count(x, s,
		       network ? SUBNET_ALLOCATION_FAIL_SHARED_NETWORK
			       : SUBNET_ALLOCATION_FAIL_SUBNET);
	if (!t->pools)
		exchange_count(x, s, SUBNET_ALLOCATION_FAIL_NO_POOLS);
	else if (t->closed == t->pools)
		exchange_count(x, s, SUBNET_ALLOCATION_FAIL_CLASSES);
	EXCHANGE_LOG(x,
		     !t->pools		     ? LOG_ALLOC_ENGINE_V4_ALLOC_FAIL_NO_POOLS
		     : t->closed == t->pools ? LOG_ALLOC_ENGINE_V4_ALLOC_FAIL_CLASSES
		     : network		     ? LOG_ALLOC_ENGINE_V4_ALLOC_FAIL_SHARED_NETWORK
					     : LOG_ALLOC_ENGINE_V4_ALLOC_FAIL_SUBNET,
		     "no address in %s %s: %u pools, %u closed to the client",
		     network ? "shared network" : "subnet", network ? s->network->name : s->text,
		     t->pools, t->closed);
	TRACE(x, "no address in %s %s: %u pools, %u closed to the client",
	      network ? "shared network" : "subnet", network ? s->network->name : s->text, t->pools,
	      t->closed);
}
