/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCP messages in rules: the object that scripts see in every program (script/values/dhcp.h), over
 * the message that the dissector decoded. It is encoded anew before the packet is forwarded, if a
 * rule wrote to it.
 */
#include "gate/lua/bind_impl.h"

#include "gate/app/dissect_dhcp.h"

/* Returns the walk of the message's packet: handles are valid during its events only. */
static struct gate_walk *walk_of(const struct script_dhcp *d)
{
	return ((const struct gate_bind *)d->ctx)->walk;
}

static void drop_message(struct script_dhcp *d)
{
	gate_drop(walk_of(d)->p, GATE_DROP_RULE);
}

static int begin_change(struct script_dhcp *d)
{
	return gate_dhcp_change(walk_of(d)->g, walk_of(d)->p);
}

static const struct script_dhcp_host host = {.drop = drop_message, .before = begin_change};

int bind_dhcp_open(struct gate_bind *b, struct script *s)
{
	script_dhcp_init(bind_dhcp(b), &host, b);
	return script_dhcp_register(s);
}
