/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Messages of servers: from ports where a server may be; the lease of an acknowledgement that
 * passes is remembered (RFC 2131 4.3.1, 4.3.2). It belongs to the port its request came from.
 */
#include "base/clock.h"
#include "gate/guard/guard_impl.h"
#include "wire/option_codes.h"

enum { HTYPE_ETHERNET = 1, MAC_LEN = 6, LEASE_INFINITE = (int)0xffffffff };

static bool listed(const struct guard *gd, const struct gate_packet *p)
{
	if (gd->o.n_server_macs && p->p.l2 != PACKET_NO_LAYER &&
	    !guard_is_server_mac(gd, p->p.l2_src))
		return false;
	if (!gd->o.n_server_ips)
		return true;
	return guard_is_server_ip(gd, p->p.src) &&
	       (!gd->server_id || guard_is_server_ip(gd, gd->server_id));
}

/* Returns the end of an acknowledgement's lease; INT64_MAX: never; 0: it has none. */
static int64_t end_of(const struct guard *gd, const struct dhcp4_msg *m)
{
	enum dhcp4_type type = dhcp4_msg_type(m);
	int64_t end;
	uint32_t s;

	if (m->yiaddr == 0 || m->htype != HTYPE_ETHERNET || m->hlen != MAC_LEN)
		return 0;
	/* BOOTP's answers are for good */
	if (type == DHCP4_NOTYPE && !dhcp4_opt(m, DHCP4_OPT_MESSAGE_TYPE))
		return INT64_MAX;
	if (type != DHCP4_ACK || !dhcp4_opt_u32(m, DHCP4_OPT_LEASE_TIME, &s))
		return 0;
	if (s == (uint32_t)LEASE_INFINITE ||
	    __builtin_add_overflow(gd->gate->now_ns, s * NS_PER_S, &end))
		return INT64_MAX;
	return end;
}

/* Removes the other bindings of a client: it is in one place, and has one address for one
 * identifier. */
static void drop_others(struct guard *gd, const struct guard_binding *b)
{
	struct guard_binding *o = guard_bindings_of(gd->bindings, b->vlan, b->mac, NULL);

	while (o) {
		struct guard_binding *next = guard_bindings_of(gd->bindings, b->vlan, b->mac, o);
		bool moved = o->port != b->port;

		if (o != b && !o->fixed && (moved || guard_id_eq(&o->id, &b->id))) {
			guard_unbind(gd, o);
			guard_count(gd, moved ? GUARD_COUNT_MOVED : GUARD_COUNT_REPLACED);
		}
		o = next;
	}
}

static void bind_client(struct guard *gd, const struct guard_pending *c, struct guard_binding *b,
			int64_t end_ns)
{
	if (b->port != c->port) {
		if (b->port != GUARD_ANY_PORT)
			guard_count(gd, GUARD_COUNT_MOVED);
		guard_set_port(gd, b, c->port);
	}
	b->id = c->id;
	b->seen_ns = b->since_ns = gd->gate->now_ns;
	guard_bindings_end(gd->bindings, b, end_ns);
	drop_others(gd, b);
	gd->changes++;
}

/* Handles an acknowledgement without a request: at most a known lease is extended. */
static void unmatched(struct guard *gd, const struct dhcp4_msg *m, struct guard_binding *b,
		      int64_t end_ns)
{
	if (!b || memcmp(b->mac, m->chaddr, MAC_LEN) != 0) {
		guard_count(gd, GUARD_COUNT_UNMATCHED);
		return;
	}
	guard_bindings_end(gd->bindings, b, end_ns);
	b->since_ns = gd->gate->now_ns;
	guard_count(gd, GUARD_COUNT_RENEWED);
	gd->changes++;
}

static void learn(struct guard *gd, uint32_t vlan, const struct dhcp4_msg *m,
		  struct guard_pending *c, int64_t end_ns)
{
	struct guard_binding *b = guard_bindings_find(gd->bindings, vlan, m->yiaddr);

	if (b && b->fixed)
		return;
	if (!c) {
		unmatched(gd, m, b, end_ns);
		return;
	}
	if (b && memcmp(b->mac, m->chaddr, MAC_LEN) != 0) {
		guard_unbind(gd, b);
		guard_count(gd, GUARD_COUNT_TAKEN);
		b = NULL;
	}
	guard_count(gd, b ? GUARD_COUNT_RENEWED : GUARD_COUNT_LEARNED);
	if (!b)
		b = guard_bindings_add(gd->bindings, vlan, m->yiaddr, m->chaddr);
	if (b) {
		bind_client(gd, c, b, end_ns);
	} else {
		gd->n[GUARD_COUNT_LEARNED]--;
		guard_count(gd, GUARD_COUNT_UNBOUND);
	}
	guard_pendings_done(gd->pendings, c);
}

bool guard_judge_reply(struct guard *gd, struct gate_packet *p)
{
	const struct dhcp4_msg *m = gate_dhcp_msg(gd->gate);
	struct guard_pending *c;
	int64_t end_ns = end_of(gd, m);

	if (guard_role_of(gd, p) != GUARD_TRUSTED)
		return guard_refuse(gd, p, GATE_DROP_GUARD_ROGUE_SERVER);
	if (!listed(gd, p))
		return guard_refuse(gd, p, GATE_DROP_GUARD_UNKNOWN_SERVER);
	c = guard_pendings_answered(gd->pendings, p->vlans, m->chaddr, m->xid);
	/* one that goes to everybody is only its client's affair */
	if (c)
		p->frame.not_to |= ~(UINT32_C(1) << c->port);
	guard_count(gd, GUARD_COUNT_REPLIES);
	if (end_ns)
		learn(gd, p->vlans, m, c, end_ns);
	guard_agent_remove(gd, p);
	return true;
}
