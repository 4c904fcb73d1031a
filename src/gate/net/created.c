/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A created packet is a struct gate_packet like the current one, over octets of its own; headers
 * are put before its contents, so it is always whole. Lengths and checksums are completed when it
 * is sent, by the dissectors' own send functions.
 */
#include "gate/net/created.h"

#include "base/pages.h"
#include "gate/net/fragment.h"
#include "gate/engine/verdict.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#include <errno.h>
#include <stdlib.h>

enum {
	TTL = 64,
	ICMP_HDR_LEN = 4,
	PROTO_OFF = 9,
	TAG_OFF = 12,
	TYPE_LEN = 2,
	UDP_CSUM_OFF = 6,
	IP_MAX_LEN = 65535
};

struct created {
	struct gate_packet p;
	struct created *next; /* of those that are to come in */
	uint8_t *octets;      /* [FRAME_MAX_LEN] */
	bool used, queued;
	bool as_at_hand;  /* the link header is copied from the current packet, ... */
	uint16_t came_by; /* ... which came by this port */
};

struct gate_created {
	struct created at[CREATED_MAX];
	uint8_t *octets;
	struct created *first, **end;
	struct frame frame; /* of the one that comes in */
	unsigned run;
	uint16_t id;
};

static struct created *self(struct gate_packet *p)
{
	return container_of(p, struct created, p);
}

int gate_created_new(struct gate *g)
{
	struct gate_created *f = calloc(1, sizeof(*f));

	g->created = f;
	if (!f)
		return -ENOMEM;
	f->end = &f->first;
	f->octets = pages_new(CREATED_MAX, FRAME_MAX_LEN);
	if (!f->octets)
		return -ENOMEM;
	for (unsigned i = 0; i < CREATED_MAX; i++)
		f->at[i].octets = f->octets + (size_t)i * FRAME_MAX_LEN;
	return 0;
}

void gate_created_free(struct gate *g)
{
	if (g->created)
		pages_free(g->created->octets, CREATED_MAX, FRAME_MAX_LEN);
	free(g->created);
	g->created = NULL;
}

static void release(struct created *f)
{
	f->used = f->queued = false;
	f->p.generation++;
}

struct gate_packet *gate_forge(struct gate *g, uint32_t len)
{
	struct created *f = g->created->at, *end = f + CREATED_MAX;
	uint32_t generation;

	while (f < end && f->used)
		f++;
	if (f == end || len > FRAME_MAX_LEN)
		return NULL;
	generation = f->p.generation + 1;
	f->used = true;
	f->as_at_hand = false;
	f->came_by = g->pkt.frame.port;
	memset(f->octets, 0, len);
	f->p = (struct gate_packet){
		.g = g,
		.p = {.data = f->octets,
		      .cap = FRAME_MAX_LEN,
		      .len = len,
		      .l2 = PACKET_NO_LAYER,
		      .l3 = PACKET_NO_LAYER,
		      .l4 = PACKET_NO_LAYER,
		      .app = PACKET_NO_LAYER,
		      .ts_ns = g->now_ns},
		.frame = {.port = g->pkt.frame.port, .link = g->pkt.frame.link, .ts_ns = g->now_ns},
		.generation = generation,
		.end = len,
		.created = true,
		.checksum = CHECKSUM_GOOD,
		.dirty = DIRTY_L2 | DIRTY_L3 | DIRTY_L4 | DIRTY_APP | DIRTY_LENGTH,
	};
	f->p.stack[f->p.depth++] = DISSECT_RAW;
	g->n_created++;
	return &f->p;
}

struct gate_packet *gate_created_at(struct gate *g, unsigned i)
{
	return &g->created->at[i].p;
}

unsigned gate_created_index(const struct gate_packet *p)
{
	return (unsigned)(container_of((struct gate_packet *)(uintptr_t)p, struct created, p) -
			  p->g->created->at);
}

/* --- Headers ---------------------------------------------------------------------------------- */

/* Inserts n octets of value 0 at off. */
static bool insert(struct gate_packet *p, uint32_t off, uint32_t n)
{
	uint32_t datagram = p->p.l3 == PACKET_NO_LAYER ? 0 : p->p.len - p->p.l3;

	if (p->p.len + n > FRAME_MAX_LEN || datagram + n > IP_MAX_LEN)
		return false;
	memmove(p->p.data + off + n, p->p.data + off, p->p.len - off);
	memset(p->p.data + off, 0, n);
	p->p.len += n;
	p->end = p->p.len;
	return true;
}

static void push(struct gate_packet *p, enum gate_dissector d)
{
	p->stack[p->depth++] = (uint8_t)d;
}

static enum gate_dissector top(const struct gate_packet *p)
{
	return (enum gate_dissector)p->stack[p->depth - 1];
}

/* Sets the type of the protocol behind the link header. */
static void set_type(struct gate_packet *p, uint16_t type)
{
	p->eth_type = type;
	if (p->p.l3 >= TYPE_LEN && p->frame.link != FRAME_NULL)
		verdict_be16(p, p->p.l3 - (uint32_t)TYPE_LEN, type);
}

static int put_ethernet(struct gate_packet *p)
{
	if (!insert(p, 0, ETH_HDR_LEN))
		return -EMSGSIZE;
	p->p.l2 = 0;
	p->p.l3 = ETH_HDR_LEN;
	return 0;
}

static int put_vlan(struct gate_packet *p)
{
	if (p->n_tags == ETH_MAX_TAGS)
		return -EINVAL;
	if (!insert(p, TAG_OFF, ETH_TAG_LEN))
		return -EMSGSIZE;
	verdict_be16(p, TAG_OFF, ETH_TYPE_VLAN);
	p->n_tags++;
	p->p.l3 = (uint16_t)(p->p.l3 + ETH_TAG_LEN);
	return 0;
}

static int put_arp(struct gate_packet *p)
{
	const struct arp_packet a = {.op = ARP_REQUEST};
	struct wr w;

	if (!insert(p, p->p.l3, ARP_LEN))
		return -EMSGSIZE;
	w = wr_init(p->p.data + p->p.l3, ARP_LEN);
	arp_write(&w, &a);
	p->p.app = (uint16_t)(p->p.l3 + ARP_LEN);
	set_type(p, ETH_TYPE_ARP);
	return 0;
}

/* Puts the link header of the current packet. */
static int put_link(struct gate *g, struct gate_packet *p)
{
	const struct gate_packet *like = &g->pkt;

	if (p->frame.link == FRAME_IPV4) {
		p->p.l3 = 0;
		return 0;
	}
	if (!g->at_hand || like->p.l3 == PACKET_NO_LAYER)
		return -ENOENT;
	if (!insert(p, 0, like->p.l3))
		return -EMSGSIZE;
	memcpy(p->p.data, like->p.data, like->p.l3);
	p->p.l2 = like->p.l2;
	p->p.l3 = like->p.l3;
	p->p.vlan_id = like->p.vlan_id;
	p->vlans = like->vlans;
	p->n_tags = like->n_tags;
	self(p)->as_at_hand = true;
	if (p->p.l2 != PACKET_NO_LAYER)
		push(p, DISSECT_ETHERNET);
	if (p->n_tags)
		push(p, DISSECT_VLAN);
	return 0;
}

static int put_ipv4(struct gate *g, struct gate_packet *p)
{
	struct ipv4_hdr ip = {.ttl = TTL, .id = g->created->id++};
	int r = p->p.l3 == PACKET_NO_LAYER ? put_link(g, p) : 0;
	struct wr w;

	if (r < 0)
		return r;
	if (!insert(p, p->p.l3, IPV4_HDR_LEN))
		return -EMSGSIZE;
	ip.total_len = (uint16_t)(p->p.len - p->p.l3);
	w = wr_init(p->p.data + p->p.l3, IPV4_HDR_LEN);
	ipv4_write(&w, &ip);
	p->l3_len = IPV4_HDR_LEN;
	p->p.l4 = (uint16_t)(p->p.l3 + IPV4_HDR_LEN);
	set_type(p, ETH_TYPE_IPV4);
	return 0;
}

static int put_transport(struct gate_packet *p, uint8_t proto, uint32_t len)
{
	if (!insert(p, p->p.l4, len))
		return -EMSGSIZE;
	p->p.data[p->p.l3 + PROTO_OFF] = proto;
	p->proto = proto;
	p->l4_len = (uint8_t)len;
	p->p.app = (uint16_t)(p->p.l4 + len);
	p->p.app_len = (uint16_t)(p->p.len - p->p.app);
	return 0;
}

static int put_udp(struct gate_packet *p)
{
	int r = put_transport(p, IPV4_PROTO_UDP, UDP_HDR_LEN);

	/* none would mean: none is wanted */
	if (r == 0)
		verdict_be16(p, p->p.l4 + (uint32_t)UDP_CSUM_OFF, UINT16_MAX);
	return r;
}

static int put_tcp(struct gate_packet *p)
{
	const struct tcp_hdr h = {.wnd = UINT16_MAX};
	int r = put_transport(p, IPV4_PROTO_TCP, TCP_HDR_LEN);
	struct wr w;

	if (r < 0)
		return r;
	w = wr_init(p->p.data + p->p.l4, TCP_HDR_LEN);
	tcp_write(&w, &h);
	return 0;
}

static bool stands_on(enum gate_dissector d, enum gate_dissector below)
{
	bool link = below == DISSECT_ETHERNET || below == DISSECT_VLAN;

	if (d == DISSECT_ETHERNET)
		return below == DISSECT_RAW;
	if (d == DISSECT_VLAN || d == DISSECT_ARP)
		return link;
	if (d == DISSECT_IPV4)
		return link || below == DISSECT_RAW;
	return below == DISSECT_IPV4;
}

int gate_created_header(struct gate *g, struct gate_packet *p, enum gate_dissector d)
{
	int r = -EINVAL;

	if (!p->created || !stands_on(d, top(p)))
		return -EINVAL;
	if (d == DISSECT_ETHERNET)
		r = put_ethernet(p);
	else if (d == DISSECT_VLAN)
		r = put_vlan(p);
	else if (d == DISSECT_ARP)
		r = put_arp(p);
	else if (d == DISSECT_IPV4)
		r = put_ipv4(g, p);
	else if (d == DISSECT_ICMP)
		r = put_transport(p, IPV4_PROTO_ICMP, ICMP_HDR_LEN);
	else if (d == DISSECT_UDP)
		r = put_udp(p);
	else if (d == DISSECT_TCP)
		r = put_tcp(p);
	if (r == 0)
		push(p, d);
	return r;
}

/* --- Going ------------------------------------------------------------------------------------ */

void gate_created_by(struct gate_packet *p, unsigned port)
{
	p->frame.port = (uint16_t)(FRAME_BACK | port);
}

/* Swaps the addresses of the link header: the packet is sent to the sender of the current
 * packet. */
static void turn_round(struct gate_packet *p)
{
	uint8_t *eth = p->p.data + p->p.l2;
	uint8_t mac[ETH_ADDR_LEN];

	if (!self(p)->as_at_hand || p->p.l2 == PACKET_NO_LAYER ||
	    p->frame.port != (FRAME_BACK | self(p)->came_by))
		return;
	memcpy(mac, eth, ETH_ADDR_LEN);
	memcpy(eth, eth + ETH_ADDR_LEN, ETH_ADDR_LEN);
	memcpy(eth + ETH_ADDR_LEN, mac, ETH_ADDR_LEN);
}

int gate_created_send(struct gate *g, struct gate_packet *p)
{
	int r = g->pass_through ? -EROFS : 0;

	if (r == 0) {
		turn_round(p);
		gate_make_right(g, p);
		r = gate_inject_made(g, p);
		g->counters.created += r == 0;
	}
	release(self(p));
	return r;
}

void gate_created_inject(struct gate *g, struct gate_packet *p)
{
	struct gate_created *f = g->created;
	uint8_t hops = (uint8_t)(g->at_hand ? g->pkt.hops + 1 : 1);

	g->counters.injected++;
	if (hops > CREATED_DEPTH || f->run == CREATED_RUN) {
		g->counters.packets++;
		g->counters.dropped++;
		g->counters.drops[GATE_DROP_INJECTED]++;
		release(self(p));
		return;
	}
	f->run++;
	gate_make_right(g, p);
	p->hops = hops;
	p->generation++;
	self(p)->queued = true;
	self(p)->next = NULL;
	*f->end = self(p);
	f->end = &self(p)->next;
}

void gate_created_drop(struct gate_packet *p)
{
	release(self(p));
}

void gate_created_end(struct gate *g)
{
	g->n_created = 0;
	for (unsigned i = 0; i < CREATED_MAX; i++) {
		struct created *f = &g->created->at[i];

		if (f->used && !f->queued)
			release(f);
		g->n_created += f->used;
	}
}

struct frame *gate_created_next(struct gate *g)
{
	struct gate_created *f = g->created;
	struct created *next = f->first;

	gate_created_end(g);
	g->hops = next ? next->p.hops : 0;
	if (!next) {
		f->run = 0;
		return NULL;
	}
	f->first = next->next;
	if (!f->first)
		f->end = &f->first;
	/* its place is free when the one behind it is asked for */
	next->queued = false;
	f->frame = (struct frame){
		.data = next->p.p.data,
		.len = next->p.p.len,
		.port = (uint16_t)(next->p.frame.port & ~FRAME_BACK),
		.link = next->p.frame.link,
		.flags = FRAME_CREATED,
		.ts_ns = g->now_ns,
	};
	return &f->frame;
}
