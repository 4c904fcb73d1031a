/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From a message to a lease, and the rules for values that may be configured. Options of a wrong
 * length count as absent (a required one is then missing); everything is bounded by the message,
 * nothing by trust. RFC 2131 4.4.1, 4.4.5; RFC 2132; RFC 3442 (routes); RFC 3021 (/31); RFC
 * 1122 3.2.1.3 (addresses).
 */
#include "client/core/lease.h"

#include "base/cursor.h"
#include "base/ip.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

enum { LEASE_FUZZ = 32 * 256 };

/* --- addresses -------------------------------------------------------------------------------- */

static enum client_drop special_check(uint32_t a)
{
	if (a == 0)
		return CLIENT_DROP_ADDRESS_ZERO;
	if (a >> 24 == 0)
		return CLIENT_DROP_ADDRESS_THIS_NET;
	if (a >> 24 == 127)
		return CLIENT_DROP_ADDRESS_LOOPBACK;
	if (a >> 28 == 14)
		return CLIENT_DROP_ADDRESS_MULTICAST;
	if (a >> 28 == 15)
		return CLIENT_DROP_ADDRESS_CLASS_E;
	return CLIENT_DROP_NONE;
}

static bool mask_ok(uint32_t mask)
{
	uint32_t host = ~mask;

	return mask != 0 && (host & (host + 1)) == 0;
}

enum client_drop client_address_check(uint32_t a, uint32_t mask)
{
	enum client_drop d = special_check(a);

	if (d != CLIENT_DROP_NONE)
		return d;
	if (!mask_ok(mask))
		return CLIENT_DROP_BAD_MASK;
	/* RFC 3021: a /31 has two hosts and neither end; a /32 is its own network */
	if (mask >= 0xfffffffeU)
		return CLIENT_DROP_NONE;
	if ((a & ~mask) == 0)
		return CLIENT_DROP_ADDRESS_NETWORK;
	if ((a | mask) == UINT32_MAX)
		return CLIENT_DROP_ADDRESS_BROADCAST;
	return CLIENT_DROP_NONE;
}

bool client_address_is_unicast(uint32_t a)
{
	return special_check(a) == CLIENT_DROP_NONE;
}

/* --- routes ----------------------------------------------------------------------------------- */

/*
 * Appends a route. One without a place, or to loopback or multicast destinations, is counted and
 * left out; the default route takes the place of the last one then.
 */
static void route_add(struct client_lease *l, uint32_t dest, unsigned len, uint32_t gateway)
{
	struct client_route r = {dest & ip_mask(len), gateway, (uint8_t)len};
	bool full = l->n_routes == CLIENT_LEASE_ROUTES;

	if ((len >= 8 && r.dest >> 24 == 127) || r.dest >> 29 == 7 || (full && len)) {
		l->n_left_out++;
		return;
	}
	l->n_left_out += full;
	l->route[full ? l->n_routes - 1 : l->n_routes++] = r;
}

static bool on_link(const struct client_lease *l, uint32_t a)
{
	if (((a ^ l->address) & l->mask) == 0)
		return true;
	for (size_t i = 0; i < l->n_routes; i++)
		if (!l->route[i].gateway && l->route[i].len &&
		    ((a ^ l->route[i].dest) & ip_mask(l->route[i].len)) == 0)
			return true;
	return false;
}

/* Adds a route. A gateway outside of the subnet (a /32 lease) is on the link and gets a route of
 * its own before it. */
static void route_via(struct client_lease *l, uint32_t dest, unsigned len, uint32_t gateway)
{
	if (gateway && !client_address_is_unicast(gateway)) {
		l->n_left_out++;
		return;
	}
	/* the host itself as router: everything is on the link (proxy ARP) */
	if (gateway == l->address)
		gateway = 0;
	if (gateway && !on_link(l, gateway))
		route_add(l, gateway, 32, 0);
	route_add(l, dest, len, gateway);
}

uint32_t client_lease_router(const struct client_lease *l)
{
	for (size_t i = 0; i < l->n_routes; i++)
		if (!l->route[i].len && l->route[i].gateway)
			return l->route[i].gateway;
	return 0;
}

/* Reads classless routes (RFC 3442): the entries up to the first malformed one. */
static void routes_classless(struct client_lease *l, struct span data)
{
	struct rd r = rd_init(data);

	while (rd_left(&r)) {
		unsigned len = rd_u8(&r);
		uint32_t dest = 0;
		uint32_t gateway;

		if (len > 32)
			return;
		for (unsigned i = 0; i < (len + 7) / 8; i++)
			dest |= (uint32_t)rd_u8(&r) << (24 - 8 * i);
		gateway = rd_be32(&r);
		if (!rd_ok(&r))
			return;
		route_via(l, dest, len, gateway);
	}
}

static unsigned class_len(uint32_t a)
{
	return a >> 31 == 0 ? 8 : a >> 30 == 2 ? 16 : 24;
}

/* Reads classful routes (RFC 2132 5.8): pairs of destination and router, without a default
 * route. */
static void routes_classful(struct client_lease *l, struct span data)
{
	struct rd r = rd_init(data);

	if (data.n % 8)
		return;
	while (rd_left(&r)) {
		uint32_t dest = rd_be32(&r);
		uint32_t gateway = rd_be32(&r);
		unsigned len = dest & ~ip_mask(class_len(dest)) ? 32 : class_len(dest);

		if (client_address_is_unicast(dest) && gateway)
			route_via(l, dest, len, gateway);
	}
}

static uint32_t first_router(const struct client_lease *l)
{
	struct span routers = client_lease_option(l, DHCP4_OPT_ROUTERS);
	struct rd r = rd_init(routers);

	while (routers.n % 4 == 0 && rd_left(&r)) {
		uint32_t a = rd_be32(&r);

		if (client_address_is_unicast(a))
			return a;
	}
	return 0;
}

static void routes_read(struct client_lease *l)
{
	struct span classless = client_lease_option(l, DHCP4_OPT_CLASSLESS_STATIC_ROUTE);
	uint32_t router = first_router(l);

	l->n_routes = l->n_left_out = 0;
	/* RFC 3442: with this option the other two are ignored, even where it is broken */
	if (classless.p) {
		routes_classless(l, classless);
		return;
	}
	if (router)
		route_via(l, 0, 0, router);
	routes_classful(l, client_lease_option(l, DHCP4_OPT_STATIC_ROUTES));
}

/* --- options ---------------------------------------------------------------------------------- */

struct span client_lease_option(const struct client_lease *l, uint8_t code)
{
	struct rd r = rd_init(span_of(l->options, l->options_len));

	while (rd_left(&r)) {
		uint8_t c = rd_u8(&r);
		struct span data = rd_bytes(&r, rd_be16(&r));

		if (rd_ok(&r) && c == code)
			return data;
	}
	return SPAN_NULL;
}

static bool option_be(const struct client_lease *l, uint8_t code, size_t width, uint32_t *ret)
{
	struct span s = client_lease_option(l, code);
	struct rd r = rd_init(s);

	if (s.n != width)
		return false;
	*ret = width == 2 ? rd_be16(&r) : rd_be32(&r);
	return true;
}

static enum client_drop options_copy(const struct dhcp4_msg *m, struct client_lease *l)
{
	struct wr w = wr_init(l->options, sizeof(l->options));

	for (size_t i = 0; i < m->n_opts; i++) {
		if (m->opts[i].data.n > UINT16_MAX)
			return CLIENT_DROP_MALFORMED;
		wr_u8(&w, m->opts[i].code);
		wr_be16(&w, (uint16_t)m->opts[i].data.n);
		wr_span(&w, m->opts[i].data);
	}
	l->options_len = (uint16_t)w.len;
	return wr_ok(&w) ? CLIENT_DROP_NONE : CLIENT_DROP_MALFORMED;
}

static void mtu_read(struct client_lease *l, uint16_t link_mtu)
{
	uint32_t mtu;

	l->mtu = 0;
	if (!option_be(l, DHCP4_OPT_INTERFACE_MTU, 2, &mtu) || mtu < CLIENT_MTU_MIN)
		return;
	l->mtu = (uint16_t)(link_mtu && mtu > link_mtu ? link_mtu : mtu);
}

static enum client_drop mask_read(struct client_lease *l, uint32_t fallback)
{
	if (!option_be(l, DHCP4_OPT_SUBNET_MASK, 4, &l->mask)) {
		if (!fallback)
			return CLIENT_DROP_NO_MASK;
		l->mask = fallback;
	}
	return mask_ok(l->mask) ? CLIENT_DROP_NONE : CLIENT_DROP_BAD_MASK;
}

static enum client_drop time_read(struct client_lease *l)
{
	if (!option_be(l, DHCP4_OPT_LEASE_TIME, 4, &l->lease_s))
		return CLIENT_DROP_NO_LEASE_TIME;
	if (l->lease_s == 0)
		return CLIENT_DROP_LEASE_ZERO;
	l->t1_s = l->t2_s = 0;
	(void)option_be(l, DHCP4_OPT_RENEWAL_TIME, 4, &l->t1_s);
	(void)option_be(l, DHCP4_OPT_REBINDING_TIME, 4, &l->t2_s);
	return CLIENT_DROP_NONE;
}

static void broadcast_read(struct client_lease *l)
{
	uint32_t b;

	l->broadcast = l->mask >= 0xfffffffeU ? 0 : l->address | ~l->mask;
	/* another broadcast address only if it can be one in this subnet: all ones or, of old, all
	 * zeros */
	if (l->broadcast && option_be(l, DHCP4_OPT_BROADCAST_ADDRESS, 4, &b) &&
	    b == (l->address & l->mask))
		l->broadcast = b;
}

/* --- a message ------------------------------------------------------------------------------- */

enum client_drop client_lease_check(const struct client_lease *l)
{
	enum client_drop d = client_address_check(l->address, l->mask);

	if (d != CLIENT_DROP_NONE)
		return d;
	if (l->lease_s == 0)
		return CLIENT_DROP_LEASE_ZERO;
	if (!client_address_is_unicast(l->server_id))
		return CLIENT_DROP_BAD_SERVER_ID;
	if (l->address == l->server_id)
		return CLIENT_DROP_ADDRESS_SERVER;
	return CLIENT_DROP_NONE;
}

static enum client_drop server_read(struct client_lease *l)
{
	if (!option_be(l, DHCP4_OPT_SERVER_ID, 4, &l->server_id) || !l->server_id)
		return CLIENT_DROP_NO_SERVER_ID;
	return CLIENT_DROP_NONE;
}

enum client_drop client_lease_read(const struct dhcp4_msg *m, const struct client_lease_terms *t,
				   struct client_lease *ret)
{
	enum client_drop d;

	memset(ret, 0, sizeof(*ret));
	ret->address = m->yiaddr;
	d = special_check(m->yiaddr);
	if (d == CLIENT_DROP_NONE)
		d = options_copy(m, ret);
	if (d == CLIENT_DROP_NONE && t->want && m->yiaddr != t->want)
		d = CLIENT_DROP_ADDRESS_OTHER;
	if (d == CLIENT_DROP_NONE)
		d = server_read(ret);
	if (d == CLIENT_DROP_NONE)
		d = time_read(ret);
	if (d == CLIENT_DROP_NONE)
		d = mask_read(ret, t->mask);
	if (d == CLIENT_DROP_NONE)
		d = client_lease_check(ret);
	if (d != CLIENT_DROP_NONE)
		return d;
	broadcast_read(ret);
	routes_read(ret);
	mtu_read(ret, t->link_mtu);
	return CLIENT_DROP_NONE;
}

enum client_drop client_lease_read_options(const struct dhcp4_msg *m, uint16_t link_mtu,
					   struct client_lease *ret)
{
	enum client_drop d;

	memset(ret, 0, sizeof(*ret));
	d = options_copy(m, ret);
	if (d == CLIENT_DROP_NONE)
		d = server_read(ret);
	mtu_read(ret, link_mtu);
	return d;
}

void client_lease_times(struct client_lease *l, uint8_t fuzz)
{
	uint64_t lease = l->lease_s;
	uint64_t less = lease * fuzz / LEASE_FUZZ;

	if (l->lease_s == CLIENT_LEASE_INFINITE) {
		l->t1_s = l->t2_s = CLIENT_LEASE_INFINITE;
		return;
	}
	if (l->t1_s && l->t2_s == 0 && l->t1_s < lease * 7 / 8)
		l->t2_s = (uint32_t)(lease * 7 / 8);
	if (l->t2_s && l->t1_s == 0 && l->t2_s > lease / 2)
		l->t1_s = (uint32_t)(lease / 2);
	if (l->t1_s && l->t1_s < l->t2_s && l->t2_s < lease)
		return;
	l->t1_s = (uint32_t)(lease / 2 - less / 2);
	l->t2_s = (uint32_t)(lease * 7 / 8 - less);
	/* a renewal is no use for leases of one or two seconds: they end and begin again, at the
	 * pace of INIT */
	if (l->t1_s == 0 || l->t1_s >= l->t2_s)
		l->t1_s = l->t2_s = l->lease_s;
}
