/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the client has on its interface: one address, and routes. It removes what it added and nothing
 * else; an address or route that was there already in just this form is taken over. Needs CAP_NET_ADMIN.
 * Addresses in host order.
 */
#pragma once

#include "base/attr.h"
#include "client/lease.h"
#include "client/netlink.h"

struct netconf {
	struct nl nl;
	int ifindex;
	uint32_t address;		/* 0: none */
	uint8_t prefix_len;
	uint32_t n_removed;		/* addresses that the kernel removed for us, ever */
	uint16_t n_routes;
	struct client_route route[CLIENT_LEASE_ROUTES];
	uint32_t route_src;		/* of the routes */
	uint16_t mtu;
};

struct netconf_address {
	uint32_t address, broadcast;	/* broadcast 0: none */
	uint32_t valid_s;		/* UINT32_MAX: for ever */
	uint8_t prefix_len;
};

struct netconf_routes {
	uint32_t address, mask;		/* source address of the routes, and which gateways are on the link */
	uint16_t mtu;			/* 0: the link's */
	uint16_t n;
	struct client_route route[CLIENT_LEASE_ROUTES];
};

/* 0 or -errno. */
int netconf_open(struct netconf *c, int ifindex) must_check;
void netconf_close(struct netconf *c);
/* Sets the interface up, if it is down. 0 or -errno. */
int netconf_link_up(struct netconf *c) must_check;
/* Adds, or replaces lifetimes and broadcast; another address that we added goes. 0 or -errno. */
int netconf_set_address(struct netconf *c, const struct netconf_address *a) must_check;
int netconf_del_address(struct netconf *c) must_check;
/* Another interface of the host that has this address; 0: none. */
int netconf_elsewhere(struct netconf *c, uint32_t address);
/*
 * Exactly these routes, in this order. A route that the kernel refuses does not keep it from the others:
 * 0, or the first one's -errno; *ret_failed (may be NULL) is its number.
 */
int netconf_set_routes(struct netconf *c, const struct netconf_routes *r, size_t *ret_failed) must_check;
int netconf_del_routes(struct netconf *c) must_check;
