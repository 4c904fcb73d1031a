/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Declarations that the files of the DHCPv4 message share.
 */
#pragma once

#include "script/values/dhcp.h"

extern const struct script_class dhcp_options_class;

/* Called before a write: returns the message; raises if the host refuses. */
struct script_dhcp *dhcp_write(lua_State *L, void *obj);
/* Called after a write: notifies the host. */
void dhcp_touch(struct script_dhcp *d);
/* Raises "NAME: no room left in the packet", with `what` as NAME, unless r is 0. */
void dhcp_check_room(lua_State *L, int r, const char *what);
