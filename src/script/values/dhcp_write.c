/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Writing into a DHCPv4 message: the host is asked before, and notified afterwards.
 */
#include "script/values/dhcp_impl.h"

#include "base/error.h"

#include <lauxlib.h>

struct script_dhcp *dhcp_write(lua_State *L, void *obj)
{
	struct script_dhcp *d = obj;
	int r = d->host && d->host->before ? d->host->before(d) : 0;

	if (r < 0)
		luaL_error(L, "dhcp: it cannot be changed here: %s", usher_strerror(r));
	return d;
}

void dhcp_touch(struct script_dhcp *d)
{
	d->changed = true;
	if (d->host && d->host->changed)
		d->host->changed(d);
}

void dhcp_check_room(lua_State *L, int r, const char *what)
{
	if (r < 0)
		luaL_error(L, "%s: no room left in the packet", what);
}
