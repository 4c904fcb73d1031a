/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From stateless to stateful for datagrams: udp_connection. The client is who sent first.
 */
#include "gate/app.h"

void gate_flow_key(const struct gate_packet *p, struct flow_key *k)
{
	*k = (struct flow_key){
		.src = p->p.src,
		.dst = p->p.dst,
		.sport = p->p.sport,
		.dport = p->p.dport,
		.vlan = p->p.vlan_id,
		.proto = p->proto,
	};
}

/* GATE_ACCEPT: go on with p->flow. */
static int begin_flow(struct gate *g, struct gate_packet *p, const struct flow_key *key)
{
	p->flow = flow_add(g->flows, key, g->now_ns);
	p->direction = GATE_UP;
	if (!p->flow)
		return gate_undecided(g, p, GATE_DROP_FLOW_LIMIT);
	if (gate_raise_new(g, EVENT_UDP_CONNECTION_new_connection, p) && gate_app_begin(g, p, true) == GATE_ACCEPT)
		return GATE_ACCEPT;
	p->flow->dropped = !p->given;
	return GATE_DROP;
}

int receive_udp_connection(struct gate *g, struct gate_packet *p)
{
	struct flow_key key;
	struct flow *f;
	int r;

	if (gate_checksum(g, p) == CHECKSUM_BAD)
		return gate_undecided(g, p, GATE_DROP_UDP_CHECKSUM);
	gate_flow_key(p, &key);
	p->flow = flow_find_at(g->flows, &key, g->now_ns, &p->direction);
	if (!p->flow) {
		r = begin_flow(g, p, &key);
		if (r == GATE_DROP || !p->flow)
			return r;
	}
	f = p->flow;
	flow_touch(g->flows, f, p->direction == GATE_DOWN || f->packets[GATE_DOWN] ? FLOW_DATAGRAMS : FLOW_NEW, g->now_ns);
	f->packets[p->direction]++;
	f->octets[p->direction] += p->p.len;
	if (f->dropped) {
		p->drop = GATE_DROP_FLOW_DROPPED;
		return GATE_DROP;
	}
	if (!gate_raise(g, EVENT_UDP_CONNECTION_receive_packet, p, f) ||
	    !gate_raise(g, EVENT_UDP_CONNECTION_receive_data, p, f))
		return GATE_DROP;
	return gate_next_dissector(g, (enum gate_dissector)f->app);
}
