/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The choice of the client's subnet, for the stage SUBNET and for the command that tests it.
 */
#pragma once

#include <stdint.h>

struct config_subnet;
struct exchange;

/*
 * Returns the subnet of a query; NULL: none. In this order: link, the address of a link selection
 * of the relay (RFC 3527) or of the client (RFC 3011), 0 if there is none; the relay's address; the
 * client's address; the source address; the interface. Reads cfg, classes, giaddr, ciaddr, source
 * address, the flag of a broadcast, iface and local_addr.
 */
const struct config_subnet *subnet_select(const struct exchange *x, uint32_t link);
