/* SPDX-License-Identifier: MPL-2.0 */
/* The choice of the subnet whose option 108 stands in the place of an address. */
#include "server/stages/v6_only.h"

#include "server/stages/response.h"

static bool configures(const struct config_options *o)
{
	return code_set_has(&o->codes, DHCP4_OPT_V6_ONLY_PREFERRED);
}

/* Returns the first candidate whose subnet configures the option, the first one of all if their
 * network does, NULL if neither does. */
static const struct candidate *v6_only_candidate(const struct exchange *x)
{
	const struct config_network *n = x->candidates[0].subnet->network;

	for (uint32_t i = 0; i < x->n_candidates; i++)
		if (configures(&x->candidates[i].subnet->options))
			return &x->candidates[i];
	return n && configures(&n->options) ? &x->candidates[0] : NULL;
}

cold_fn bool v6_only_ask(struct exchange *x)
{
	const struct candidate *c;

	if (!query_requests(x, DHCP4_OPT_V6_ONLY_PREFERRED))
		return false;
	c = v6_only_candidate(x);
	if (!c)
		return false;
	x->subnet = c->subnet;
	x->host = c->host;
	x->v6_only = true;
	return true;
}
