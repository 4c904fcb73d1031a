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

enum { TTL = 64, ICMP_HDR_LEN = 4, IP_MAX_LEN = 65535 };

struct created {
	struct gate_packet p;
	struct created *next; /* of those that are to come in */
	uint8_t *octets;      /* [FRAME_MAX_LEN] */
	bool used, queued;
	bool copies_link; /* the link header is copied from the current packet, ... */
	uint16_t came_by; /* ... which came by this port */
};

struct created_packets {
	struct created at[CREATED_MAX];
	uint8_t *octets;
	struct created *first, **end;
	struct frame frame; /* of the one that comes in */
	unsigned run;
	uint16_t id;
};

static struct created *created_of(struct gate_packet *p)
{
	return container_of(p, struct created, p);
}

int created_new(struct gate *g)
{
	struct created_packets *f = calloc(1, sizeof(*f));

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

void created_free(struct gate *g)
{
	if (g->created)
		pages_free(g->created->octets, CREATED_MAX, FRAME_MAX_LEN);
	free(g->created);
	g->created = NULL;
}

static void release_place(struct created *f)
{
	f->used = f->queued = false;
	f->p.generation++;
}

struct gate_packet *created_new_packet(struct gate_walk *w, uint32_t len)
{
	struct gate *g = w->g;
	/* between packets it is sent like the last one */
	const struct frame *like = w->p ? &w->p->frame : &g->slot.frame;
	struct created *f = g->created->at, *end = f + CREATED_MAX;
	uint32_t generation;

	while (f < end && f->used)
		f++;
	if (f == end || len > FRAME_MAX_LEN)
		return NULL;
	generation = f->p.generation + 1;
	f->used = true;
	f->copies_link = false;
	f->came_by = like->port;
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
		.frame = {.port = like->port, .link = like->link, .ts_ns = g->now_ns},
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

struct gate_packet *created_at(struct gate *g, unsigned i)
{
	return &g->created->at[i].p;
}

unsigned created_index(const struct gate_packet *p)
{
	return (unsigned)(container_of((struct gate_packet *)(uintptr_t)p, struct created, p) -
			  p->g->created->at);
}

/* --- Headers ---------------------------------------------------------------------------------- */

/* Inserts n octets of value 0 at off. */
static bool insert_zeros(struct gate_packet *p, uint32_t off, uint32_t n)
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

static void push_dissector(struct gate_packet *p, enum gate_dissector d)
{
	p->stack[p->depth++] = (uint8_t)d;
}

static enum gate_dissector top_dissector(const struct gate_packet *p)
{
	return (enum gate_dissector)p->stack[p->depth - 1];
}

/* Sets the type of the protocol behind the link header. */
static void set_type(struct gate_packet *p, uint16_t type)
{
	p->eth_type = type;
	if (p->p.l3 >= ETH_TYPE_LEN && p->frame.link != FRAME_NULL)
		verdict_be16(p, p->p.l3 - (uint32_t)ETH_TYPE_LEN, type);
}

static int put_ethernet(struct gate_packet *p)
{
	if (!insert_zeros(p, 0, ETH_HDR_LEN))
		return -EMSGSIZE;
	p->p.l2 = 0;
	p->p.l3 = ETH_HDR_LEN;
	return 0;
}

static int put_vlan(struct gate_packet *p)
{
	if (p->n_tags == ETH_MAX_TAGS)
		return -EINVAL;
	if (!insert_zeros(p, ETH_TYPE_OFF, ETH_TAG_LEN))
		return -EMSGSIZE;
	verdict_be16(p, ETH_TYPE_OFF, ETH_TYPE_VLAN);
	p->n_tags++;
	p->p.l3 = (uint16_t)(p->p.l3 + ETH_TAG_LEN);
	return 0;
}

static int put_arp(struct gate_packet *p)
{
	const struct arp_packet a = {.op = ARP_REQUEST};
	struct wr w;

	if (!insert_zeros(p, p->p.l3, ARP_LEN))
		return -EMSGSIZE;
	w = wr_init(p->p.data + p->p.l3, ARP_LEN);
	arp_write(&w, &a);
	p->p.app = (uint16_t)(p->p.l3 + ARP_LEN);
	set_type(p, ETH_TYPE_ARP);
	return 0;
}

/* Puts the link header of the current packet. */
static int put_link(const struct gate_walk *w, struct gate_packet *p)
{
	const struct gate_packet *like = w->p;

	if (p->frame.link == FRAME_IPV4) {
		p->p.l3 = 0;
		return 0;
	}
	if (!like || like->p.l3 == PACKET_NO_LAYER)
		return -ENOENT;
	if (!insert_zeros(p, 0, like->p.l3))
		return -EMSGSIZE;
	memcpy(p->p.data, like->p.data, like->p.l3);
	p->p.l2 = like->p.l2;
	p->p.l3 = like->p.l3;
	p->p.vlan_id = like->p.vlan_id;
	p->vlans = like->vlans;
	p->n_tags = like->n_tags;
	created_of(p)->copies_link = true;
	if (p->p.l2 != PACKET_NO_LAYER)
		push_dissector(p, DISSECT_ETHERNET);
	if (p->n_tags)
		push_dissector(p, DISSECT_VLAN);
	return 0;
}

static int put_ipv4(const struct gate_walk *w, struct gate_packet *p)
{
	struct ipv4_hdr ip = {.ttl = TTL, .id = w->g->created->id++};
	int r = p->p.l3 == PACKET_NO_LAYER ? put_link(w, p) : 0;
	struct wr out;

	if (r < 0)
		return r;
	if (!insert_zeros(p, p->p.l3, IPV4_HDR_LEN))
		return -EMSGSIZE;
	ip.total_len = (uint16_t)(p->p.len - p->p.l3);
	out = wr_init(p->p.data + p->p.l3, IPV4_HDR_LEN);
	ipv4_write(&out, &ip);
	p->l3_len = IPV4_HDR_LEN;
	p->p.l4 = (uint16_t)(p->p.l3 + IPV4_HDR_LEN);
	set_type(p, ETH_TYPE_IPV4);
	return 0;
}

static int put_transport(struct gate_packet *p, uint8_t proto, uint32_t len)
{
	if (!insert_zeros(p, p->p.l4, len))
		return -EMSGSIZE;
	p->p.data[p->p.l3 + IPV4_PROTO_OFF] = proto;
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

int created_add_header(const struct gate_walk *w, struct gate_packet *p, enum gate_dissector d)
{
	int r = -EINVAL;

	if (!p->created || !stands_on(d, top_dissector(p)))
		return -EINVAL;
	if (d == DISSECT_ETHERNET)
		r = put_ethernet(p);
	else if (d == DISSECT_VLAN)
		r = put_vlan(p);
	else if (d == DISSECT_ARP)
		r = put_arp(p);
	else if (d == DISSECT_IPV4)
		r = put_ipv4(w, p);
	else if (d == DISSECT_ICMP)
		r = put_transport(p, IPV4_PROTO_ICMP, ICMP_HDR_LEN);
	else if (d == DISSECT_UDP)
		r = put_udp(p);
	else if (d == DISSECT_TCP)
		r = put_tcp(p);
	if (r == 0)
		push_dissector(p, d);
	return r;
}

/* --- Going ------------------------------------------------------------------------------------ */

void created_set_port(struct gate_packet *p, unsigned port)
{
	p->frame.port = (uint16_t)(FRAME_BACK | port);
}

/* Swaps the addresses of the link header: the packet is sent to the sender of the current
 * packet. */
static void swap_macs(struct gate_packet *p)
{
	if (!created_of(p)->copies_link || p->p.l2 == PACKET_NO_LAYER ||
	    p->frame.port != (FRAME_BACK | created_of(p)->came_by))
		return;
	eth_swap_addresses(p->p.data + p->p.l2);
}

int created_send(struct gate *g, struct gate_packet *p)
{
	int r = g->pass_through ? -EROFS : 0;

	if (r == 0) {
		swap_macs(p);
		gate_complete_headers(g, p);
		r = fragment_inject_created(g, p);
		g->counters.created += r == 0;
	}
	release_place(created_of(p));
	return r;
}

void created_inject(const struct gate_walk *w, struct gate_packet *p)
{
	struct gate *g = w->g;
	struct created_packets *f = g->created;
	uint8_t hops = (uint8_t)(w->p ? w->p->hops + 1 : 1);

	g->counters.injected++;
	if (hops > CREATED_DEPTH || f->run == CREATED_RUN) {
		g->counters.packets++;
		g->counters.dropped++;
		g->counters.drops[GATE_DROP_INJECTED]++;
		release_place(created_of(p));
		return;
	}
	f->run++;
	gate_complete_headers(g, p);
	p->hops = hops;
	p->generation++;
	created_of(p)->queued = true;
	created_of(p)->next = NULL;
	*f->end = created_of(p);
	f->end = &created_of(p)->next;
}

void created_drop(struct gate_packet *p)
{
	release_place(created_of(p));
}

static void free_unqueued(struct gate *g)
{
	g->n_created = 0;
	for (unsigned i = 0; i < CREATED_MAX; i++) {
		struct created *f = &g->created->at[i];

		if (f->used && !f->queued)
			release_place(f);
		g->n_created += f->used;
	}
}

const struct frame *created_next(struct gate *g, uint8_t *ret_hops)
{
	struct created_packets *f = g->created;
	struct created *next = f->first;

	free_unqueued(g);
	if (!next) {
		f->run = 0;
		return NULL;
	}
	*ret_hops = next->p.hops;
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
