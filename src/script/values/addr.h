/* SPDX-License-Identifier: MPL-2.0 */
/*
 * IPv4 addresses and networks as Lua values: ipv4.addr, ipv4.network. Each exists once in a state
 * while somebody holds it, so that equal ones are identical and work as keys of tables. All
 * functions may raise (class.h).
 */
#pragma once

#include "script/state/class.h"

struct script_net {
	uint32_t net; /* host order */
	unsigned bits;
};

void script_push_addr(lua_State *L, uint32_t addr);
void script_push_network(lua_State *L, struct script_net net);
/* Returns an address argument, which may be given as text. */
uint32_t script_check_addr(lua_State *L, int idx, const char *what);
bool script_is_addr(lua_State *L, int idx, uint32_t *ret);
bool script_is_network(lua_State *L, int idx, struct script_net *ret);
/* Pushes the table of require('protocol/ipv4'): addr, network. A host that has a dissector adds to
 * it. */
void script_push_ipv4(lua_State *L);
