/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCP messages in rules: the object that scripts see in every program (script/values/dhcp.h), over
 * the message that the dissector decoded. It is encoded anew before the packet is forwarded, if a
 * rule wrote to it.
 */
#include "gate/lua/bind_impl.h"

#include "gate/engine/dissect.h"

static struct gate *gate_of(const struct script_dhcp *d)
{
	return d->ctx;
}

static void drop(struct script_dhcp *d)
{
	gate_drop(&gate_of(d)->pkt, GATE_DROP_RULE);
}

static int before(struct script_dhcp *d)
{
	return gate_dhcp_change(gate_of(d), &gate_of(d)->pkt);
}

static const struct script_dhcp_host host = {.drop = drop, .before = before};

int bind_dhcp_open(struct gate_bind *b, struct script *s, struct gate *g)
{
	script_dhcp_init(bind_dhcp(b), &host, g);
	return script_dhcp_register(s);
}
