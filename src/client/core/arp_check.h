/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Conflicts of our address in ARP packets (RFC 5227 2.1.1, 2.4). Pure.
 */
#pragma once

#include "client/core/client.h"

/*
 * frame has its Ethernet header. CLIENT_DROP_NONE and the event: PROBE_CONFLICT while the address
 * is being probed, ARP_CONFLICT while it is in use. Otherwise the row of drop.def.
 */
enum client_drop client_arp_check(const struct client *c, struct span frame,
				  enum client_event *ret_event) must_check;
