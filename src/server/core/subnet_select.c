/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The choice of a subnet by addresses, interface and classes. Subnets are tried in the order of
 * their ids, and those whose guard is closed are left out.
 */
#include "server/core/subnet_select.h"

#include "config/config.h"
#include "runtime/iface.h"
#include "server/core/exchange.h"

/* Returns whether a subnet's own guard and its network's are open. */
static bool guard_ok(const struct exchange *x, const struct config_subnet *s)
{
	return exchange_class_ok(x, &s->classes) &&
	       (!s->network || exchange_class_ok(x, &s->network->classes));
}

typedef const struct config_subnet *(*next_by_addr)(const struct config *, uint32_t,
						    const struct config_subnet *);

static const struct config_subnet *first_allowed(const struct exchange *x, next_by_addr next,
						 uint32_t addr)
{
	const struct config_subnet *s = next(x->cfg, addr, NULL);

	while (s && !guard_ok(x, s))
		s = next(x->cfg, addr, s);
	return s;
}

static const struct config_subnet *by_interface(const struct exchange *x)
{
	const struct config_subnet *s = config_subnet_by_interface(x->cfg, exchange_iface_name(x),
								   NULL);

	while (s && !guard_ok(x, s))
		s = config_subnet_by_interface(x->cfg, exchange_iface_name(x), s);
	if (s)
		return s;
	s = first_allowed(x, config_subnet_containing, x->local_addr);
	for (size_t i = 0; !s && x->iface && i < x->iface->n_addrs; i++)
		s = first_allowed(x, config_subnet_containing, x->iface->addrs[i].addr);
	if (!s && x->iface && x->iface->accept_any && x->cfg->n_subnets == 1 &&
	    guard_ok(x, x->cfg->subnets))
		s = x->cfg->subnets; /* replay: the capture does not contain the address we had */
	return s;
}

const struct config_subnet *subnet_select(const struct exchange *x, uint32_t link)
{
	bool broadcast = x->pkt.flags & PACKET_BROADCAST;
	const struct config_subnet *s;

	if (link)
		return first_allowed(x, config_subnet_containing, link);
	if (x->query.giaddr) {
		s = first_allowed(x, config_subnet_by_relay, x->query.giaddr);
		return s ? s : first_allowed(x, config_subnet_containing, x->query.giaddr);
	}
	if (x->query.ciaddr && !broadcast)
		return first_allowed(x, config_subnet_containing, x->query.ciaddr);
	if (x->pkt.src && !broadcast)
		return first_allowed(x, config_subnet_containing, x->pkt.src);
	return by_interface(x);
}
