/* SPDX-License-Identifier: MPL-2.0 */
/*
 * SUBNET: selects the client's subnet by subnet_select(). RELEASE and DECLINE name an address and
 * need no subnet.
 */
#include "base/ip.h"
#include "base/cursor.h"
#include "config/config.h"
#include "runtime/iface.h"
#include "server/stages/stages.h"
#include "server/core/subnet_select.h"
#include "server/core/trace.h"
#include "wire/option_codes.h"

/* Returns the address of a link selection; 0: none. RFC 3527 takes precedence over RFC 3011. */
static uint32_t selector_address(const struct exchange *x)
{
	struct span sub;
	uint32_t addr;

	if (!x->cfg->ignore_rai_link_selection && dhcp4_subopt(x->rai, RAI_LINK_SELECTION, &sub) &&
	    rd_span_be32(sub, &addr) && addr)
		return addr; /* 0.0.0.0 selects nothing, as in Kea */
	return dhcp4_opt_u32(&x->query, DHCP4_OPT_SUBNET_SELECTION, &addr) ? addr : 0;
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
	return !exchange_has_builtin(x, CLASS_DROP);
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
	x->subnet = subnet_select(x, selector_address(x));
	subnet_adopt_address(x);
	if (x->subnet)
		FINDING(x, DHCP4_SUBNET_SELECTED, "subnet %s", x->subnet->text);
	else
		FINDING(x, DHCP4_SUBNET_SELECTION_FAILED, "subnet none");
	return VERDICT_CONTINUE;
}
