/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Another subnet for a client, after the answer of its RADIUS server.
 */
#include "library/radius/radius.h"

#include "base/ip.h"
#include "hook/hook.h"
#include "wire/dhcp4.h"

#include <string.h>

/* Returns whether the client is in one of the classes of a guard. */
static bool is_open(const struct usher_call *call, const struct config_class_list *guard)
{
	for (size_t i = 0; i < guard->n; i++)
		if (call->class_has(call->ctx, call->cfg->class_names[guard->ids[i]]))
			return true;
	return !guard->n;
}

/* Returns whether one of the subnet's pools is for members of a class. */
static bool has_pool_for(const struct config *cfg, const struct config_subnet *s, const char *name)
{
	for (size_t i = 0; i < s->n_pools; i++) {
		const struct config_class_list *guard = &s->pools[i].classes;

		if (!guard->n)
			return true;
		for (size_t k = 0; k < guard->n; k++)
			if (strcmp(cfg->class_names[guard->ids[k]], name) == 0)
				return true;
	}
	return false;
}

static bool has_address(const struct config_subnet *s, uint32_t addr)
{
	return (addr & ip_mask(s->prefix_len)) == s->prefix;
}

/* Returns whether the client may be served from a subnet: it is one of its network, or that of its
 * relay or source. */
static bool is_near(const struct usher_call *call, const struct config_subnet *own,
		    const struct config_subnet *s)
{
	uint32_t from = call->query->giaddr ? call->query->giaddr : call->src;

	return (own->network && own->network == s->network) || (from && has_address(s, from));
}

const struct config_subnet *radius_reselect_pool(const struct usher_call *call,
						 const struct config_subnet *subnet,
						 const char *pool)
{
	const struct config *cfg = call->cfg;

	if (is_open(call, &subnet->classes) && has_pool_for(cfg, subnet, pool))
		return subnet;
	for (size_t i = 0; i < cfg->n_subnets; i++) {
		const struct config_subnet *s = &cfg->subnets[i];

		if (s != subnet && is_near(call, subnet, s) && is_open(call, &s->classes) &&
		    has_pool_for(cfg, s, pool))
			return s;
	}
	return NULL;
}

const struct config_subnet *radius_reselect_address(const struct usher_call *call,
						    const struct config_subnet *subnet,
						    uint32_t addr)
{
	const struct config *cfg = call->cfg;

	if (is_open(call, &subnet->classes) && has_address(subnet, addr))
		return subnet;
	for (size_t i = 0; i < cfg->n_subnets; i++)
		if (has_address(&cfg->subnets[i], addr) && is_open(call, &cfg->subnets[i].classes))
			return &cfg->subnets[i];
	return NULL;
}
