/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Messages of clients: only with the sender's own addresses (RFC 2131 4.1, RFC 3046 2.1), within
 * the rates of a port and of a client, and only to ports of servers. Tokens and places in tables
 * are taken when no other check refuses the message.
 */
#include "gate/guard/guard_impl.h"
#include "wire/option_codes.h"

#include <errno.h>

enum { MAX_KEYS = 3, HTYPE_ETHERNET = 1, MAC_LEN = 6 };

/* The current message, and the limits of its port. */
struct request {
	struct guard *gd;
	struct gate_packet *p;
	const struct dhcp4_msg *m;
	struct guard_port *port;
	enum dhcp4_type type;
	bool relayed; /* by an agent that may */
	struct guard_id id;
};

/* Checks for fields and options that a message of a client may not have. GATE_DROP_NONE: there are
 * none. */
static enum gate_drop bad_form(const struct request *q)
{
	bool agent = dhcp4_opt(q->m, DHCP4_OPT_AGENT_OPTIONS) != NULL;

	/* BOOTP has no type; a type that is there must be one */
	if (q->type == DHCP4_NOTYPE && dhcp4_opt(q->m, DHCP4_OPT_MESSAGE_TYPE))
		return GATE_DROP_GUARD_MESSAGE_TYPE;
	if (q->type == DHCP4_OFFER || q->type == DHCP4_ACK || q->type == DHCP4_NAK ||
	    q->type == DHCP4_FORCERENEW)
		return GATE_DROP_GUARD_MESSAGE_TYPE;
	if (q->relayed)
		return GATE_DROP_NONE;
	if (q->type > DHCP4_INFORM)
		return GATE_DROP_GUARD_MESSAGE_TYPE;
	if (q->m->giaddr)
		return GATE_DROP_GUARD_RELAYED;
	if (agent && q->gd->o.agent == GUARD_AGENT_DROP)
		return GATE_DROP_GUARD_AGENT_OPTIONS;
	if (q->gd->o.check_mac && (q->m->htype != HTYPE_ETHERNET || q->m->hlen != MAC_LEN ||
				   memcmp(q->m->chaddr, q->p->p.l2_src, MAC_LEN) != 0))
		return GATE_DROP_GUARD_HW_ADDRESS;
	return GATE_DROP_NONE;
}

static bool anothers(const struct request *q, uint32_t ip)
{
	const struct guard_binding *b = ip ? guard_bindings_find(q->gd->bindings, q->p->vlans, ip)
					   : NULL;

	return b && memcmp(b->mac, q->p->p.l2_src, MAC_LEN) != 0;
}

/* Returns whether another port has a client of this hardware address that is not silent. */
static bool in_use(const struct request *q)
{
	const struct guard *gd = q->gd;
	bool used = false;

	for (const struct guard_binding *b = NULL;
	     (b = guard_bindings_of(gd->bindings, q->p->vlans, q->p->p.l2_src, b)) != NULL;) {
		if (b->port == q->p->frame.port || b->port == GUARD_ANY_PORT)
			return false;
		used |= b->fixed || gd->gate->now_ns - b->seen_ns < gd->o.in_use_ns;
	}
	return used;
}

/* Returns the binding that a RELEASE or DECLINE ends; NULL: it is not the sender's, or not here. */
static struct guard_binding *given_back(const struct request *q)
{
	uint32_t ip = q->m->ciaddr;
	struct guard_binding *b;

	if (q->type == DHCP4_DECLINE && !dhcp4_opt_u32(q->m, DHCP4_OPT_REQUESTED_ADDRESS, &ip))
		return NULL;
	b = guard_bindings_find(q->gd->bindings, q->p->vlans, ip);
	return b && guard_binding_fits(b, q->p->p.l2_src, q->p->frame.port) ? b : NULL;
}

static bool gives_back(const struct request *q)
{
	return q->type == DHCP4_RELEASE || q->type == DHCP4_DECLINE;
}

static enum gate_drop bad_claim(const struct request *q)
{
	if (q->relayed)
		return GATE_DROP_NONE;
	if ((q->p->p.src && q->p->p.src != q->m->ciaddr) || anothers(q, q->m->ciaddr))
		return GATE_DROP_GUARD_CLIENT_ADDRESS;
	if (in_use(q))
		return GATE_DROP_GUARD_IN_USE;
	return gives_back(q) && !given_back(q) ? GATE_DROP_GUARD_RELEASE : GATE_DROP_NONE;
}

/* --- Rates ------------------------------------------------------------------------------------ */

static uint64_t request_key(const struct request *q, uint8_t kind, struct span s)
{
	uint8_t octets[1 + 3 + 512] = {kind, (uint8_t)(q->p->vlans >> 16),
				       (uint8_t)(q->p->vlans >> 8), (uint8_t)q->p->vlans};
	size_t n = s.n < sizeof(octets) - 4 ? s.n : sizeof(octets) - 4;

	if (n)
		memcpy(octets + 4, s.p, n);
	return hash_bytes(&q->gd->o.hash_key, span_of(octets, 4 + n));
}

/* Returns the keys of a client: its hardware address, its identifier, and, from a relay, its
 * line. */
static unsigned keys_of(const struct request *q, uint64_t keys[MAX_KEYS])
{
	struct span cid = dhcp4_opt_data(q->m, DHCP4_OPT_CLIENT_ID),
		    line = dhcp4_opt_data(q->m, DHCP4_OPT_AGENT_OPTIONS);
	unsigned n = 0;

	keys[n++] = request_key(q, 'm', span_of(q->m->chaddr, MAC_LEN));
	if (cid.n)
		keys[n++] = request_key(q, 'c', cid);
	if (q->relayed && line.n)
		keys[n++] = request_key(q, 'l', line);
	return n;
}

static enum gate_drop exceeds_limits(const struct request *q)
{
	struct guard *gd = q->gd;
	const struct guard_rate *rate = &gd->o.client_requests;
	int64_t now = gd->gate->now_ns;
	uint64_t keys[MAX_KEYS];
	unsigned n = keys_of(q, keys);

	if (!guard_rate_ok(&q->port->requests, q->port->requests_paid_ns, now))
		return GATE_DROP_GUARD_PORT_RATE;
	for (unsigned i = 0; i < n; i++)
		if (!guard_rate_ok(rate, *guard_buckets_get(gd->buckets, keys[i]), now))
			return GATE_DROP_GUARD_CLIENT_RATE;
	guard_rate_take(&q->port->requests, &q->port->requests_paid_ns, now);
	for (unsigned i = 0; i < n; i++)
		guard_rate_take(rate, guard_buckets_get(gd->buckets, keys[i]), now);
	return GATE_DROP_NONE;
}

/* --- Clients of the port ---------------------------------------------------------------------- */

static bool bound_here(const struct request *q)
{
	const struct guard_binding *b = NULL;

	do
		b = guard_bindings_of(q->gd->bindings, q->p->vlans, q->p->p.l2_src, b);
	while (b && (b->port != q->p->frame.port || !guard_id_eq(&b->id, &q->id)));
	return b != NULL;
}

static enum gate_drop remember_request(const struct request *q)
{
	struct guard *gd = q->gd;
	const uint8_t *mac = q->p->p.l2_src;
	struct guard_pending *c = guard_pendings_asking(gd->pendings, q->p->vlans, mac,
							q->p->frame.port, &q->id);
	bool fresh = !c && !bound_here(q);

	if (fresh && q->port->n_bindings + q->port->n_fresh >= q->port->max_clients)
		return GATE_DROP_GUARD_MAX_CLIENTS;
	if (fresh && guard_bindings_full(gd->bindings))
		return GATE_DROP_GUARD_TABLE_FULL;
	if (!c) {
		c = guard_pendings_add(gd->pendings, q->p->vlans, mac, q->p->frame.port, &q->id);
		if (!c)
			return GATE_DROP_GUARD_TABLE_FULL;
		c->fresh = fresh;
		q->port->n_fresh += fresh;
	}
	guard_pendings_touch(gd->pendings, c, q->m->xid, gd->gate->now_ns);
	return GATE_DROP_NONE;
}

static bool is_asking(const struct request *q)
{
	return !q->relayed && q->type != DHCP4_INFORM && !gives_back(q);
}

static enum gate_drop judge_request(const struct request *q)
{
	enum gate_drop why = bad_form(q);

	if (why == GATE_DROP_NONE)
		why = bad_claim(q);
	if (why == GATE_DROP_NONE)
		why = exceeds_limits(q);
	if (why == GATE_DROP_NONE && is_asking(q))
		why = remember_request(q);
	return why;
}

bool guard_judge_request(struct guard *gd, struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	enum guard_role role = guard_role_of(gd, p);
	struct request q = {.gd = gd,
			    .p = p,
			    .m = gate_dhcp_msg(gd->gate),
			    .port = guard_port_of(gd, p)};
	enum gate_drop why = GATE_DROP_NONE;
	struct guard_binding *b;

	q.type = dhcp4_msg_type(q.m);
	q.relayed = role == GUARD_RELAY || (gd->o.allow_relayed && q.m->giaddr);
	guard_id_of(dhcp4_opt_data(q.m, DHCP4_OPT_CLIENT_ID), &q.id);
	if (role != GUARD_TRUSTED && p->p.l2 != PACKET_NO_LAYER) {
		why = judge_request(&q);
		if (why == GATE_DROP_GUARD_TABLE_FULL && !guard_no_room(gd, w, why))
			return false;
		if (why != GATE_DROP_NONE && why != GATE_DROP_GUARD_TABLE_FULL)
			return guard_refuse(gd, p, why);
		b = !q.relayed && gives_back(&q) ? given_back(&q) : NULL;
		if (b && !b->fixed) {
			guard_unbind(gd, b);
			guard_count(gd, GUARD_COUNT_RELEASED);
		}
		if (!q.relayed)
			guard_agent_add(gd, p);
	}
	p->frame.not_to |= ~gd->to_servers;
	guard_count(gd, GUARD_COUNT_REQUESTS);
	return true;
}
