/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Routes are added behind others to the same destination (NLM_F_APPEND), so a default route of
 * another interface stays in force and is never replaced. The MTU is set on routes, not on the
 * link: an interface that restarts for a new MTU would restart without end. The kernel adds the
 * route of the prefix itself, without an MTU; where the lease has one, a route with the MTU takes
 * its place.
 */
#include "client/os/netconf.h"

#include "base/ip.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <sys/socket.h>

enum {
	MARK = RTPROT_DHCP, /* IFA_PROTO of the client's addresses */
	STALE_MAX = 64,	    /* removed in one pass; more take more passes */
	PASSES_MAX = 64,
	BATCH = NL_MSGS_MAX / 2,
};

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

/* --- addresses
 * ---------------------------------------------------------------------------------- */

struct own_addresses {
	const struct netconf *c;
	uint32_t address; /* wanted */
	uint8_t prefix_len;
	bool present;
	size_t n_stale;
	struct nl_address stale[STALE_MAX];
};

static bool take_own(void *ctx, const struct nlmsghdr *h)
{
	struct own_addresses *o = ctx;
	struct nl_address a;
	bool wanted, ours;

	if (!nl_read_address(h, &a) || a.ifindex != o->c->ifindex)
		return true;
	wanted = a.address == o->address && a.prefix_len == o->prefix_len;
	ours = a.proto == MARK || (a.address == o->c->address && a.prefix_len == o->c->prefix_len);
	o->present |= wanted;
	if (!wanted && ours && o->n_stale < STALE_MAX)
		o->stale[o->n_stale++] = a;
	return true;
}

static void address_head(struct netconf *c, struct nl_batch *b, uint16_t type, uint16_t flags,
			 uint8_t len, uint32_t address)
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

static int add_address(struct netconf *c, const struct netconf_address *a)
{
	struct ifa_cacheinfo life = {.ifa_valid = a->valid_s, .ifa_prefered = a->valid_s};
	struct nl_batch b uninit;
	uint8_t mark = MARK;

	nl_batch_init(&b);
	address_head(c, &b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, a->prefix_len, a->address);
	if (a->broadcast)
		nl_put_be32(&b, IFA_BROADCAST, a->broadcast);
	nl_put(&b, IFA_CACHEINFO, &life, sizeof(life));
	nl_put(&b, NL_IFA_PROTO, &mark, sizeof(mark));
	return talk_one(c, &b);
}

int netconf_del_address(struct netconf *c, uint32_t address, uint8_t prefix_len)
{
	struct nl_batch b uninit;
	int r;

	nl_batch_init(&b);
	address_head(c, &b, RTM_DELADDR, 0, prefix_len, address);
	r = talk_one(c, &b);
	/* another program removed it, or the interface is gone: it is absent, as wanted */
	if (r == -EADDRNOTAVAIL || r == -ENODEV)
		r = 0;
	if (r == 0 && c->address == address && c->prefix_len == prefix_len)
		c->address = 0;
	return r;
}

/*
 * Removes other addresses of the client: before the new one is added, because the kernel would make
 * that a secondary of an address in the same subnet and remove both; but one with another prefix
 * length only is removed behind it, so that connections survive.
 */
static int del_stale(struct netconf *c, const struct own_addresses *o, bool same)
{
	int r = 0;

	for (size_t i = 0; i < o->n_stale && r == 0; i++)
		if ((o->stale[i].address == o->address) == same)
			r = netconf_del_address(c, o->stale[i].address, o->stale[i].prefix_len);
	return r;
}

int netconf_set_address(struct netconf *c, const struct netconf_address *a, bool *ret_new)
{
	struct own_addresses o = {.c = c, .address = a->address, .prefix_len = a->prefix_len};
	int r = nl_addresses(&c->nl, take_own, &o);

	if (r == 0)
		r = del_stale(c, &o, false);
	if (r == 0)
		r = add_address(c, a);
	if (r == 0)
		r = del_stale(c, &o, true);
	if (r < 0)
		return r;
	c->address = a->address;
	c->prefix_len = a->prefix_len;
	if (ret_new)
		*ret_new = !o.present;
	return 0;
}

struct elsewhere {
	uint32_t address;
	int ours, other;
};

static bool take_elsewhere(void *ctx, const struct nlmsghdr *h)
{
	struct elsewhere *e = ctx;
	struct nl_address a;

	if (nl_read_address(h, &a) && a.address == e->address && a.ifindex != e->ours)
		e->other = a.ifindex;
	return !e->other;
}

int netconf_elsewhere(struct netconf *c, uint32_t address)
{
	struct elsewhere e = {.address = address, .ours = c->ifindex};

	return nl_addresses(&c->nl, take_elsewhere, &e) < 0 ? 0 : e.other;
}

/* --- comparison of routes
 * ----------------------------------------------------------------------- */

struct own_routes {
	int ifindex;
	const struct netconf_routes *want; /* NULL: none */
	bool has_prefix;		   /* the route of the prefix, with its MTU */
	bool has[CLIENT_LEASE_ROUTES];	   /* by the number of the wanted route */
	size_t n_stale;			   /* how many there are; the first STALE_MAX are kept */
	struct nl_route stale[STALE_MAX];
};

static bool is_prefix_route(const struct netconf_routes *w, const struct nl_route *r)
{
	return w && r->protocol == RTPROT_KERNEL && r->src == w->address && !r->gateway &&
	       r->len == client_prefix_len(w->mask) && r->dest == (w->address & w->mask);
}

static bool find_wanted(struct own_routes *o, const struct nl_route *r)
{
	const struct netconf_routes *w = o->want;

	bool found = false;

	if (!w || r->src != w->address || r->mtu != w->mtu || r->priority || r->tos)
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (w->route[i].dest == r->dest && w->route[i].len == r->len &&
		    w->route[i].gateway == r->gateway)
			o->has[i] = found = true; /* a lease may name a route twice */
	return found;
}

static bool take_route(void *ctx, const struct nlmsghdr *h)
{
	struct own_routes *o = ctx;
	struct nl_route r;
	bool stale;

	if (!nl_read_route(h, &r) || r.oif != o->ifindex || r.table != RT_TABLE_MAIN ||
	    r.type != RTN_UNICAST)
		return true;
	if (is_prefix_route(o->want, &r)) {
		stale = r.mtu != o->want->mtu;
		o->has_prefix |= !stale;
	} else {
		stale = r.protocol == RTPROT_DHCP && !find_wanted(o, &r);
	}
	if (stale && o->n_stale++ < STALE_MAX)
		o->stale[o->n_stale - 1] = r;
	return true;
}

/* Reads the routes of the interface. want NULL: every route of the client is stale. */
static int read_routes(struct nl *nl, int ifindex, const struct netconf_routes *want,
		       struct own_routes *ret)
{
	*ret = (struct own_routes){.ifindex = ifindex, .want = want};
	ret->has_prefix = want && want->mask == UINT32_MAX;
	return nl_routes(nl, ifindex, take_route, ret);
}

int netconf_compare(struct nl *nl, int ifindex, uint8_t prefix_len, const struct netconf_routes *r,
		    struct netconf_diff *ret)
{
	struct netconf c = {.ifindex = ifindex};
	struct own_addresses o = {.c = &c, .address = r->address, .prefix_len = prefix_len};
	struct own_routes routes;
	int e = nl_addresses(nl, take_own, &o);

	if (e == 0)
		e = read_routes(nl, ifindex, r, &routes);
	if (e < 0)
		return e;
	*ret = (struct netconf_diff){.no_address = !o.present,
				     .n_stale = (unsigned)routes.n_stale,
				     .n_missing = !routes.has_prefix};
	for (size_t i = 0; i < r->n; i++)
		ret->n_missing += !routes.has[i];
	return 0;
}

/* --- change of routes
 * --------------------------------------------------------------------------- */

/* Appends a request about a route; flags 0: its removal. */
static void route_put(struct netconf *c, struct nl_batch *b, const struct nl_route *r,
		      uint16_t flags, bool on_link)
{
	struct rtmsg rt = {
		.rtm_family = AF_INET,
		.rtm_dst_len = r->len,
		.rtm_tos = r->tos,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = r->protocol,
		.rtm_scope = r->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = r->gateway && on_link ? RTNH_F_ONLINK : 0,
	};

	nl_begin(b, &c->nl, flags ? RTM_NEWROUTE : RTM_DELROUTE, flags, &rt, sizeof(rt));
	if (r->len)
		nl_put_be32(b, RTA_DST, r->dest);
	if (r->gateway)
		nl_put_be32(b, RTA_GATEWAY, r->gateway);
	nl_put_u32(b, RTA_OIF, (uint32_t)c->ifindex);
	if (r->src)
		nl_put_be32(b, RTA_PREFSRC, r->src);
	if (r->priority)
		nl_put_u32(b, RTA_PRIORITY, r->priority);
	if (r->mtu) {
		size_t at = nl_nest(b, RTA_METRICS);

		nl_put_u32(b, RTAX_MTU, r->mtu);
		nl_nest_end(b, at);
	}
}

/* Removes the stale routes that were kept. Returns 0 or the first -errno. */
static int del_routes(struct netconf *c, const struct own_routes *o)
{
	size_t n = o->n_stale < STALE_MAX ? o->n_stale : STALE_MAX;
	int result[BATCH], e = 0;
	struct nl_batch b uninit;

	for (size_t i = 0; i < n && e == 0;) {
		size_t k = 0;

		nl_batch_init(&b);
		/* in reverse order: a gateway may be reached by a route added before */
		for (; k < BATCH && i + k < n; k++)
			route_put(c, &b, &o->stale[n - 1 - i - k], 0, false);
		e = nl_talk(&c->nl, &b, result, BATCH);
		for (size_t x = 0; e == 0 && x < k; x++)
			/* it vanished with the address or the link, as wanted */
			if (result[x] < 0 && result[x] != -ESRCH && result[x] != -ENODEV)
				e = result[x];
		i += k;
	}
	return e;
}

/* Adds the route of the prefix as the kernel writes it, with the wanted MTU. One with another
 * MTU is removed afterwards. */
static int add_prefix_route(struct netconf *c, const struct netconf_routes *r)
{
	struct nl_route x = {.dest = r->address & r->mask,
			     .len = (uint8_t)client_prefix_len(r->mask),
			     .src = r->address,
			     .mtu = r->mtu,
			     .protocol = RTPROT_KERNEL};
	struct nl_batch b uninit;
	int e;

	nl_batch_init(&b);
	route_put(c, &b, &x, NLM_F_CREATE | NLM_F_APPEND, false);
	e = talk_one(c, &b);
	return e == -EEXIST ? 0 : e;
}

static int add_routes(struct netconf *c, const struct netconf_routes *r, const struct own_routes *o,
		      size_t *ret_failed)
{
	int result[BATCH], e = 0;
	struct nl_batch b uninit;
	size_t number[BATCH];

	for (size_t i = 0; i < r->n;) {
		size_t k = 0;
		int t;

		nl_batch_init(&b);
		for (; i < r->n && k < BATCH; i++) {
			const struct client_route *w = &r->route[i];
			struct nl_route x = {.dest = w->dest,
					     .len = w->len,
					     .gateway = w->gateway,
					     .src = r->address,
					     .mtu = r->mtu,
					     .protocol = RTPROT_DHCP};

			if (o->has[i])
				continue;
			number[k++] = i;
			/* a gateway outside of our network is on the link, or cannot be reached
			 * at all */
			route_put(c, &b, &x, NLM_F_CREATE | NLM_F_APPEND,
				  ((w->gateway ^ r->address) & r->mask) != 0);
		}
		t = nl_talk(&c->nl, &b, result, BATCH);
		if (t < 0)
			return t;
		for (size_t x = 0; x < k && e == 0; x++)
			if (result[x] < 0 && result[x] != -EEXIST) {
				e = result[x];
				if (ret_failed)
					*ret_failed = number[x];
			}
	}
	return e;
}

int netconf_set_routes(struct netconf *c, const struct netconf_routes *r, size_t *ret_failed)
{
	struct own_routes o;
	int e = r->n > CLIENT_LEASE_ROUTES ? -EINVAL : 0;

	for (int pass = 0; e == 0 && pass < PASSES_MAX; pass++) {
		e = read_routes(&c->nl, c->ifindex, r, &o);
		if (e == 0 && !o.has_prefix)
			e = add_prefix_route(c, r);
		if (e == 0)
			e = del_routes(c, &o);
		if (e == 0 && o.n_stale <= STALE_MAX)
			return add_routes(c, r, &o, ret_failed);
	}
	return e < 0 ? e : -EBUSY;
}

int netconf_del_routes(struct netconf *c)
{
	struct own_routes o;
	int e = 0;

	for (int pass = 0; e == 0 && pass < PASSES_MAX; pass++) {
		e = read_routes(&c->nl, c->ifindex, NULL, &o);
		if (e == 0)
			e = del_routes(c, &o);
		if (o.n_stale <= STALE_MAX)
			break;
	}
	return e;
}
