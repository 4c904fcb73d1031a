/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Routes are added behind others to the same destination (NLM_F_APPEND), so a default route of another
 * interface stays in force and is never replaced; one that is there in just this form (protocol dhcp,
 * this gateway) is ours, left behind by a run that was killed. The MTU is the routes', never the link's:
 * interfaces that restart for a new MTU would restart for ever.
 */
#include "client/netconf.h"

#include "base/ip.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <sys/socket.h>

enum { ROUTES_MAX = 2 * CLIENT_LEASE_ROUTES };

int netconf_open(struct netconf *c, int ifindex)
{
	*c = (struct netconf){.ifindex = ifindex};
	return nl_open(&c->nl, 0);
}

void netconf_close(struct netconf *c)
{
	nl_close(&c->nl);
}

static int talk_one(struct netconf *c, struct nl_batch *b)
{
	int result = 0;
	int r = nl_talk(&c->nl, b, &result, 1);

	return r < 0 ? r : result;
}

int netconf_link_up(struct netconf *c)
{
	struct ifinfomsg ifi = {.ifi_index = c->ifindex, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct nl_batch b uninit;

	nl_batch_init(&b);
	nl_begin(&b, &c->nl, RTM_NEWLINK, 0, &ifi, sizeof(ifi));
	return talk_one(c, &b);
}

static void address_head(struct netconf *c, struct nl_batch *b, uint16_t type, uint16_t flags, uint8_t len,
			 uint32_t address)
{
	struct ifaddrmsg ifa = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = len,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = (uint32_t)c->ifindex,
	};

	nl_begin(b, &c->nl, type, flags, &ifa, sizeof(ifa));
	nl_put_be32(b, IFA_LOCAL, address);
	nl_put_be32(b, IFA_ADDRESS, address);
}

int netconf_set_address(struct netconf *c, const struct netconf_address *a)
{
	struct ifa_cacheinfo life = {.ifa_valid = a->valid_s, .ifa_prefered = a->valid_s};
	struct nl_batch b uninit;
	int r;

	if (c->address && (c->address != a->address || c->prefix_len != a->prefix_len)) {
		r = netconf_del_address(c);
		if (r < 0)
			return r;
	}
	nl_batch_init(&b);
	address_head(c, &b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, a->prefix_len, a->address);
	if (a->broadcast)
		nl_put_be32(&b, IFA_BROADCAST, a->broadcast);
	nl_put(&b, IFA_CACHEINFO, &life, sizeof(life));
	r = talk_one(c, &b);
	if (r < 0)
		return r;
	c->address = a->address;
	c->prefix_len = a->prefix_len;
	return 0;
}

int netconf_del_address(struct netconf *c)
{
	struct nl_batch b uninit;
	int r;

	if (!c->address)
		return 0;
	nl_batch_init(&b);
	address_head(c, &b, RTM_DELADDR, 0, c->prefix_len, c->address);
	r = talk_one(c, &b);
	c->n_removed += r == 0;
	/* somebody else removed it, or the interface is gone: it is not there, which is what counts */
	if (r == -EADDRNOTAVAIL || r == -ENODEV)
		r = 0;
	if (r == 0)
		c->address = 0;
	return r;
}

struct elsewhere {
	uint32_t address;
	int ours, other;
};

static bool is_elsewhere(void *ctx, int ifindex, uint32_t address)
{
	struct elsewhere *e = ctx;

	if (address == e->address && ifindex != e->ours)
		e->other = ifindex;
	return !e->other;
}

int netconf_elsewhere(struct netconf *c, uint32_t address)
{
	struct elsewhere e = {.address = address, .ours = c->ifindex};

	return nl_addresses(&c->nl, is_elsewhere, &e) < 0 ? 0 : e.other;
}

static void route_put(struct netconf *c, struct nl_batch *b, const struct client_route *r, uint32_t src,
		      uint16_t mtu, bool on_link, bool del)
{
	struct rtmsg rt = {
		.rtm_family = AF_INET,
		.rtm_dst_len = r->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_DHCP,
		.rtm_scope = r->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = r->gateway && on_link ? RTNH_F_ONLINK : 0,
	};

	nl_begin(b, &c->nl, del ? RTM_DELROUTE : RTM_NEWROUTE, del ? 0 : NLM_F_CREATE | NLM_F_APPEND, &rt,
		 sizeof(rt));
	if (r->len)
		nl_put_be32(b, RTA_DST, r->dest);
	if (r->gateway)
		nl_put_be32(b, RTA_GATEWAY, r->gateway);
	nl_put_u32(b, RTA_OIF, (uint32_t)c->ifindex);
	nl_put_be32(b, RTA_PREFSRC, src);
	if (mtu && !del) {
		size_t at = nl_nest(b, RTA_METRICS);

		nl_put_u32(b, RTAX_MTU, mtu);
		nl_nest_end(b, at);
	}
}

static bool route_wanted(const struct netconf *c, const struct client_route *old, const struct netconf_routes *r)
{
	if (c->route_src != r->address || c->mtu != r->mtu)
		return false;
	for (size_t i = 0; i < r->n; i++)
		if (r->route[i].dest == old->dest && r->route[i].len == old->len &&
		    r->route[i].gateway == old->gateway)
			return true;
	return false;
}

/* Of those that we have, the ones that r (NULL: nothing) does not have. */
static size_t put_removals(struct netconf *c, struct nl_batch *b, const struct netconf_routes *r)
{
	size_t n = 0;

	/* in the other order: a gateway may be reached by a route added before */
	for (size_t i = c->n_routes; i-- > 0;) {
		if (r && route_wanted(c, &c->route[i], r))
			continue;
		route_put(c, b, &c->route[i], c->route_src, c->mtu, false, true);
		n++;
	}
	return n;
}

int netconf_set_routes(struct netconf *c, const struct netconf_routes *r, size_t *ret_failed)
{
	int result[ROUTES_MAX];
	struct nl_batch b uninit;
	size_t n_removed;
	int e;

	if (r->n > CLIENT_LEASE_ROUTES)
		return -EINVAL;
	nl_batch_init(&b);
	n_removed = put_removals(c, &b, r);
	for (size_t i = 0; i < r->n; i++) {
		uint32_t gw = r->route[i].gateway;

		/* a gateway outside of our network is on the link all the same, or nowhere */
		route_put(c, &b, &r->route[i], r->address, r->mtu, ((gw ^ r->address) & r->mask) != 0, false);
	}
	e = nl_talk(&c->nl, &b, result, ROUTES_MAX);
	if (e < 0)
		return e;
	c->n_routes = 0;
	c->route_src = r->address;
	c->mtu = r->mtu;
	for (size_t i = 0; i < r->n; i++) {
		int x = result[n_removed + i];

		if (x == 0 || x == -EEXIST) {
			c->route[c->n_routes++] = r->route[i];
		} else if (e == 0) {
			e = x;
			if (ret_failed)
				*ret_failed = i;
		}
	}
	return e;
}

int netconf_del_routes(struct netconf *c)
{
	int result[ROUTES_MAX] = {0};
	struct nl_batch b uninit;
	int e;

	nl_batch_init(&b);
	(void)put_removals(c, &b, NULL);
	e = nl_talk(&c->nl, &b, result, ROUTES_MAX);
	for (size_t i = 0; e == 0 && i < c->n_routes; i++)
		/* gone with the address or the link: as it should be */
		if (result[i] < 0 && result[i] != -ESRCH && result[i] != -ENODEV)
			e = result[i];
	c->n_routes = 0;
	return e;
}
