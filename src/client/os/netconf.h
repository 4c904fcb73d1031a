/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The configuration of the client's interface: one address, the route of its prefix, and the routes
 * of the lease. Each function reads the kernel's state first and changes only the difference, so it
 * may be repeated at any time. The client owns addresses with its mark (IFA_PROTO, Linux 5.18 and
 * later), the address that it set last, and the routes of protocol dhcp on this interface in table
 * main; leftovers of an earlier run are therefore replaced. An address that is present already is
 * taken over. Needs CAP_NET_ADMIN to change, no privilege to compare. Addresses in host order.
 */
#pragma once

#include "base/attr.h"
#include "client/core/lease.h"
#include "client/os/netlink.h"

struct netconf {
	struct nl nl;
	int ifindex;
	uint32_t address; /* set last; 0: none */
	uint8_t prefix_len;
};

struct netconf_address {
	uint32_t address, broadcast; /* broadcast 0: none */
	uint32_t valid_s;	     /* UINT32_MAX: for ever */
	uint8_t prefix_len;
};

struct netconf_routes {
	uint32_t address,
		mask; /* source address of the routes, and which gateways are on the link */
	uint16_t mtu; /* 0: the link's */
	uint16_t n;
	struct client_route route[CLIENT_LEASE_ROUTES];
};

/* Differences between the kernel's state and a lease. */
struct netconf_diff {
	bool no_address;    /* the address with its prefix length is absent */
	unsigned n_missing; /* routes that are absent */
	unsigned n_stale; /* routes of protocol dhcp, or of the prefix, that the lease does not have
			   */
};

/* Opens the configuration of an interface. Returns 0 or -errno. */
int netconf_open(struct netconf *c, int ifindex) must_check;
void netconf_close(struct netconf *c);
/* Sets the interface up, if it is down. 0 or -errno. */
int netconf_link_up(struct netconf *c) must_check;
/*
 * Adds the address, or replaces its lifetimes and broadcast address, and removes the client's other
 * addresses. *ret_new (may be NULL): it was not on the interface before. Returns 0 or -errno.
 */
int netconf_set_address(struct netconf *c, const struct netconf_address *a, bool *ret_new)
	must_check;
/* Removes this address; returns 0 also when it is absent, or -errno. */
int netconf_del_address(struct netconf *c, uint32_t address, uint8_t prefix_len) must_check;
/* Returns another interface of the host that has this address; 0: none. */
int netconf_elsewhere(struct netconf *c, uint32_t address);
/*
 * Makes the client's routes exactly these, in this order, with their MTU, which the route of the
 * prefix gets too. A route that the kernel refuses does not keep it from the others: returns 0, or
 * the first one's -errno with its number in *ret_failed (may be NULL).
 */
int netconf_set_routes(struct netconf *c, const struct netconf_routes *r, size_t *ret_failed)
	must_check;
/* Removes the client's routes. Returns 0 or -errno. */
int netconf_del_routes(struct netconf *c) must_check;
/* Compares only. nl: any rtnetlink socket. Returns 0 or -errno. */
int netconf_compare(struct nl *nl, int ifindex, uint8_t prefix_len, const struct netconf_routes *r,
		    struct netconf_diff *ret) must_check;
