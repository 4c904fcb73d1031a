/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From stateless to stateful for datagrams: udp_connection. The client is the first sender.
 */
#include "gate/engine/app.h"
#include "gate/net/net.h"
#include "wire/eth.h"
#include "wire/ipv4.h"

void net_flow_key(const struct gate_packet *p, struct flow_key *k)
{
	*k = (struct flow_key){
		.src = p->p.src,
		.dst = p->p.dst,
		.sport = p->p.sport,
		.dport = p->p.dport,
		.vlan = p->vlans & 0xffffff,
		.proto = p->proto,
	};
}

/* --- Known before their turn ------------------------------------------------------------------ */

enum {
	FRAGMENT_OFF = ETH_HDR_LEN + IPV4_FRAG_OFF,
	PROTO_OFF = ETH_HDR_LEN + IPV4_PROTO_OFF,
	ADDRESSES_OFF = ETH_HDR_LEN + IPV4_SRC_OFF,
	PLAIN = 0x45 /* version 4, a header without options */
};

static struct rd rd_from(const struct frame *f, uint32_t off)
{
	return rd_init(span_sub(span_of(f->data, f->len), off, f->len));
}

/* Reads the flow key of the most frequent frames: Ethernet without tags, an IPv4 header without
 * options, no fragment. The dissectors read the frame again: this is only a hint for prefetching.
 */
static bool peek_flow_key(const struct frame *f, struct flow_key *ret)
{
	struct rd head = rd_from(f, ETH_TYPE_OFF), frag = rd_from(f, FRAGMENT_OFF),
		  ends = rd_from(f, ADDRESSES_OFF);
	struct rd proto = rd_from(f, PROTO_OFF);
	bool plain = f->link == FRAME_ETHERNET && rd_be16(&head) == ETH_TYPE_IPV4 &&
		     rd_u8(&head) == PLAIN && !(rd_be16(&frag) & (IPV4_MF | IPV4_OFFSET_MASK));

	*ret = (struct flow_key){.proto = rd_u8(&proto)};
	ret->src = rd_be32(&ends);
	ret->dst = rd_be32(&ends);
	ret->sport = rd_be16(&ends);
	ret->dport = rd_be16(&ends);
	return plain && rd_ok(&ends) &&
	       (ret->proto == IPV4_PROTO_UDP || ret->proto == IPV4_PROTO_TCP);
}

void net_expect_flows(struct gate *g, uint32_t n)
{
	uint32_t buckets[FRAMES_BATCH], n_buckets = 0;

	g->hinted = flow_is_large(g->flows);
	if (!g->hinted)
		return;
	for (uint32_t i = 0; i < n; i++) {
		struct gate_hint *h = &g->hints[i];

		if (!peek_flow_key(&g->batch[i], &h->key)) {
			h->key.proto = 0;
			continue;
		}
		h->bucket = buckets[n_buckets++] = flow_bucket(g->flows, &h->key);
	}
	flow_expect(g->flows, buckets, n_buckets);
}

uint32_t net_flow_bucket(const struct gate_walk *w, const struct flow_key *k)
{
	const struct gate_hint *h = w->hint;

	if (h && h->key.src == k->src && h->key.dst == k->dst && h->key.sport == k->sport &&
	    h->key.dport == k->dport && h->key.proto == k->proto && h->key.vlan == k->vlan)
		return h->bucket;
	return flow_bucket(w->g->flows, k);
}

/* --- Sides ------------------------------------------------------------------------------------ */

/* Returns whether a flow has an address that several hosts use, or that no host answers from. */
static bool is_shared(const struct flow_key *k)
{
	return k->src == 0 || k->dst >= UINT32_C(0xe0000000);
}

bool net_flow_side_changed(struct gate_packet *p, bool followed)
{
	struct flow *f = p->flow;
	uint32_t side = p->frame.side, *mine = &f->side[p->direction],
		 other = f->side[!p->direction];
	/* behind a router's one interface both ends may be */
	bool bridged = p->frame.link == FRAME_ETHERNET;

	if (p->created || p->hops || is_shared(&f->key))
		return true;
	if (side == other && (bridged || *mine))
		return false;
	if (*mine && bridged && followed)
		return false;
	*mine = side;
	return true;
}

/* --- Datagrams -------------------------------------------------------------------------------- */

/* Begins a flow. GATE_ACCEPT: p->flow is set. */
static int begin_flow(struct gate_walk *w, const struct flow_key *key)
{
	struct gate_packet *p = w->p;

	p->flow = flow_add(w->g->flows, net_flow_bucket(w, key), key, w->g->now_ns);
	p->direction = GATE_UP;
	if (!p->flow)
		return gate_undecided(w, GATE_DROP_FLOW_LIMIT);
	if (gate_raise_new(w, EVENT_UDP_CONNECTION_new_connection) &&
	    gate_app_begin(w, true) == GATE_ACCEPT)
		return GATE_ACCEPT;
	p->flow->dropped = !p->given;
	return GATE_DROP;
}

int receive_udp_connection(struct gate_walk *w)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct flow_key key;
	struct flow *f;
	int r;

	if (net_checksum(g, p) == CHECKSUM_BAD)
		return gate_undecided(w, GATE_DROP_UDP_CHECKSUM);
	net_flow_key(p, &key);
	p->flow = flow_find_at(g->flows, net_flow_bucket(w, &key), &key, g->now_ns, &p->direction);
	if (!p->flow) {
		r = begin_flow(w, &key);
		if (r == GATE_DROP || !p->flow)
			return r;
	}
	f = p->flow;
	if (!net_flow_side(p, f->app != DISSECT_N))
		return gate_undecided(w, GATE_DROP_FLOW_SIDE);
	flow_touch(g->flows, f,
		   p->direction == GATE_DOWN || f->packets[GATE_DOWN] ? FLOW_DATAGRAMS : FLOW_NEW,
		   g->now_ns);
	f->packets[p->direction]++;
	f->octets[p->direction] += p->p.len;
	if (f->dropped) {
		p->drop = GATE_DROP_FLOW_DROPPED;
		return GATE_DROP;
	}
	if (!gate_raise(w, EVENT_UDP_CONNECTION_receive_packet, f) ||
	    !gate_raise(w, EVENT_UDP_CONNECTION_receive_data, f))
		return GATE_DROP;
	return gate_next_dissector(g, (enum gate_dissector)f->app);
}

void udp_flow_end(struct gate_walk *w, struct flow *f)
{
	if (f->key.proto != IPV4_PROTO_UDP)
		return;
	(void)gate_raise(w, EVENT_UDP_CONNECTION_end_connection, f);
	gate_app_end(w, f);
}
