/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dhcp in the engine: the current message for listeners of its events, and its changes.
 */
#pragma once

#include "gate/engine/dissect.h"
#include "wire/dhcp4.h"

/* Returns the message of the current packet, for listeners of pkt4_receive and pkt4_send. */
struct dhcp4_msg *gate_dhcp_msg(const struct gate *g);
/* Called by listeners before they change the message: it is encoded anew before the packet is
 * forwarded. -EROFS: pass-through. */
int gate_dhcp_change(struct gate *g, struct gate_packet *p) must_check;

int gate_dhcp_init(struct gate *g, const struct gate_opts *o) must_check;
void gate_dhcp_fini(struct gate *g);
void send_dhcp(struct gate *g, struct gate_packet *p);
