/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DHCP messages and ARP in frames, for the tests of the gate's dissector and guard. Header only.
 */
#pragma once

#include "gate_util.h"

#include "wire/arp.h"
#include "wire/dhcp4.h"
#include "wire/option_codes.h"

enum { GD_ALL = (int)0xffffffff, GD_POOL = 0x0a000064, GD_SERVER = 0x0a000001, GD_LEASE_S = 600 };

/* The fields that differ from message to message; zero: left out, or the usual value. */
struct gd {
	uint8_t type, op;		       /* op 0: as the type has it */
	uint8_t mac[6], chaddr[6], dst_mac[6]; /* chaddr: all zero: as mac; dst_mac: to all */
	uint32_t xid, ciaddr, yiaddr, giaddr, src, dst; /* dst: 0: to all */
	uint32_t server_id, requested, lease_s;
	uint16_t vlan, sport, dport; /* ports: 0: as op has it */
	struct span cid, agent;
	bool bootp;	  /* no option 53 */
	bool keep_chaddr; /* chaddr as it is */
};

static inline void gd_put_u32(struct dhcp4_msg *m, uint8_t code, uint32_t v)
{
	if (v)
		assert_int_equal(dhcp4_opt_set_u32(m, code, v), 0);
}

static inline void gd_options(struct dhcp4_msg *m, const struct gd *d)
{
	if (!d->bootp)
		assert_int_equal(dhcp4_opt_set_u8(m, DHCP4_OPT_MESSAGE_TYPE, d->type), 0);
	gd_put_u32(m, DHCP4_OPT_SERVER_ID, d->server_id);
	gd_put_u32(m, DHCP4_OPT_REQUESTED_ADDRESS, d->requested);
	gd_put_u32(m, DHCP4_OPT_LEASE_TIME, d->lease_s);
	if (d->cid.n)
		assert_int_equal(dhcp4_opt_set(m, DHCP4_OPT_CLIENT_ID, d->cid), 0);
	if (d->agent.n)
		assert_int_equal(dhcp4_opt_set(m, DHCP4_OPT_AGENT_OPTIONS, d->agent), 0);
}

static inline uint8_t gd_op(const struct gd *d)
{
	bool reply = d->type == DHCP4_OFFER || d->type == DHCP4_ACK || d->type == DHCP4_NAK;

	return d->op ? d->op : reply ? DHCP4_BOOTREPLY : DHCP4_BOOTREQUEST;
}

static inline struct span gd_message(const struct gd *d, uint8_t *buf, size_t cap)
{
	static const uint8_t none[6];
	static uint8_t mem[8192];
	struct dhcp4_encode_opts o = {.max_len = cap, .no_overload = true, .min_len = 300};
	struct dhcp4_encoded e;
	struct dhcp4_msg m;
	struct arena a;

	arena_init_fixed(&a, mem, sizeof(mem));
	dhcp4_init(&m, &a);
	m.op = gd_op(d);
	m.htype = 1;
	m.hlen = 6;
	m.xid = d->xid;
	m.ciaddr = d->ciaddr;
	m.yiaddr = d->yiaddr;
	m.giaddr = d->giaddr;
	memcpy(m.chaddr, d->keep_chaddr || memcmp(d->chaddr, none, 6) != 0 ? d->chaddr : d->mac, 6);
	gd_options(&m, d);
	assert_int_equal(dhcp4_encode(&m, &o, buf, cap, &e), 0);
	return span_of(buf, e.len);
}

/* Puts an 802.1Q tag into a frame; its new length. */
static inline size_t gd_tag(uint8_t *frame, size_t len, uint16_t vlan)
{
	memmove(frame + 16, frame + 12, len - 12);
	frame[12] = 0x81;
	frame[13] = 0;
	frame[14] = (uint8_t)(vlan >> 8);
	frame[15] = (uint8_t)vlan;
	return len + 4;
}

/* The frame in buf[GT_CAP]; its length. */
static inline size_t gd_frame(uint8_t *buf, const struct gd *d)
{
	static const uint8_t none[6];
	uint8_t msg[2048];
	bool up = gd_op(d) == DHCP4_BOOTREQUEST;
	struct udp_frame f = {
		.src = d->src,
		.dst = d->dst ? d->dst : (uint32_t)GD_ALL,
		.sport = d->sport ? d->sport
			 : up	  ? 68
				  : 67,
		.dport = d->dport ? d->dport
			 : up	  ? 67
				  : 68,
		.payload = gd_message(d, msg, sizeof(msg)),
	};
	struct wr w = wr_init(buf, GT_CAP);

	memset(f.dst_mac, 0xff, 6);
	if (memcmp(d->dst_mac, none, 6) != 0)
		memcpy(f.dst_mac, d->dst_mac, 6);
	memcpy(f.src_mac, d->mac, 6);
	udp_frame_write(&w, &f);
	assert_true(wr_ok(&w));
	return d->vlan ? gd_tag(buf, w.len, d->vlan) : w.len;
}

/* The message in a frame that came out; options lie in a. */
static inline void gd_read(uint8_t *frame, size_t len, struct arena *a, struct dhcp4_msg *ret)
{
	struct packet p;

	packet_init(&p, frame, len, NULL, 0);
	p.len = (uint32_t)len;
	assert_int_equal(packet_decode(&p), DROP_NONE);
	assert_int_equal(dhcp4_decode(packet_app(&p), DHCP4_STRICT, a, ret), 0);
}

static inline size_t gd_arp(uint8_t *buf, const uint8_t *src_mac, uint16_t vlan,
			    const struct arp_packet *arp)
{
	struct eth_hdr e = {.type = ETH_TYPE_ARP};
	struct wr w = wr_init(buf, GT_CAP);

	memset(e.dst, 0xff, 6);
	memcpy(e.src, src_mac, 6);
	eth_write(&w, &e);
	arp_write(&w, arp);
	return vlan ? gd_tag(buf, w.len, vlan) : w.len;
}
