/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Conflicts of our address in ARP packets (RFC 5227 2.1.1, 2.4). Pure.
 */
#pragma once

#include "client/core/client.h"

/*
 * Checks a frame, which begins with its Ethernet header. Returns CLIENT_DROP_NONE with the event:
 * PROBE_CONFLICT while the address is being probed, ARP_CONFLICT while it is in use. Returns the
 * row of drop.def otherwise.
 */
enum client_drop client_arp_check(const struct client *c, struct span frame,
				  enum client_event *ret_event) must_check;
