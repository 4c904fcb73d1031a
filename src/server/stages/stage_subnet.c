/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SUBNET: selects the client's subnet. In this order: link selection of the relay (RFC 3527) or of
 * the client (RFC 3011); the relay's address; the client's address; the interface. RELEASE and
 * DECLINE name an address and need no subnet.
 */
#include "base/ip.h"
#include "base/cursor.h"
#include "config/config.h"
#include "runtime/iface.h"
#include "server/stages/stages.h"
#include "server/core/trace.h"
#include "wire/option_codes.h"

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

/* Reads the address of a link selection. RFC 3527 takes precedence over RFC 3011. */
static bool selector_address(const struct exchange *x, uint32_t *ret)
{
	struct span sub;

	if (!x->cfg->ignore_rai_link_selection && dhcp4_subopt(x->rai, RAI_LINK_SELECTION, &sub) &&
	    rd_span_be32(sub, ret) && *ret)
		return true; /* 0.0.0.0 selects nothing, as in Kea */
	return dhcp4_opt_u32(&x->query, DHCP4_OPT_SUBNET_SELECTION, ret) && *ret;
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

static const struct config_subnet *select_subnet(const struct exchange *x)
{
	bool broadcast = x->pkt.flags & PACKET_BROADCAST;
	const struct config_subnet *s;
	uint32_t addr;

	if (selector_address(x, &addr))
		return first_allowed(x, config_subnet_containing, addr);
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

/* Adds the classes of the client's global reservation before the choice of the subnet
 * (early-global-reservations-lookup). Returns false if one of them is DROP. */
static bool early_lookup(struct exchange *x)
{
	const struct config_host *h;

	host_identify(x);
	h = host_global(x);
	if (!h)
		return true;
	if (h->classes.n)
		classify_again(x);
	for (size_t i = 0; i < h->classes.n; i++)
		exchange_add_class(x, h->classes.ids[i]);
	x->known = true;
	exchange_add_class(x, CLASS_KNOWN);
	classify_pass(x, false);
	classify_pass(x, true);
	return !exchange_has_class(x, CLASS_DROP);
}

/* Returns whether interfaces-config names an address of the interface, which is the server's
 * identifier there then. */
static bool has_own_address(const struct exchange *x)
{
	for (size_t i = 0; i < x->cfg->n_interfaces; i++)
		if (x->cfg->interfaces[i].addr &&
		    strcmp(x->cfg->interfaces[i].name, x->iface->name) == 0)
			return true;
	return false;
}

void subnet_adopt_address(struct exchange *x)
{
	const struct config_subnet *s = x->subnet;

	if (!s || !x->iface || x->query.giaddr || !(x->pkt.flags & PACKET_BROADCAST) ||
	    (x->local_addr & ip_mask(s->prefix_len)) == s->prefix || has_own_address(x))
		return;
	for (size_t i = 0; i < x->iface->n_addrs; i++) {
		if ((x->iface->addrs[i].addr & ip_mask(s->prefix_len)) == s->prefix) {
			x->local_addr = x->iface->addrs[i].addr;
			return;
		}
	}
}

enum verdict stage_subnet(struct exchange *x)
{
	if (x->type == DHCP4_RELEASE || x->type == DHCP4_DECLINE)
		return VERDICT_CONTINUE;
	if (x->cfg->early_global_reservations_lookup && !early_lookup(x))
		return exchange_drop(x, DROP_CLASS_DROP);
	x->subnet = select_subnet(x);
	subnet_adopt_address(x);
	TRACE(x, "subnet %s", x->subnet ? x->subnet->text : "none");
	return VERDICT_CONTINUE;
}
