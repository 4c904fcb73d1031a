/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ethernet to UDP. Every length comes from the octets themselves and is checked against the one
 * around it: frame >= IP total length >= UDP length. Octets of the frame behind the IP datagram are
 * padding (RFC 1122 3.2.1); octets of the datagram behind the UDP length are ignored.
 */
#include "packet/packet.h"

#include "base/error.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

static uint16_t offset(const struct packet *p, const struct rd *r)
{
	return (uint16_t)(p->len - rd_left(r));
}

/* VLAN tags that the sockets' filter skips. */
enum { TAGS_MAX = 2 };

static enum drop decode_eth(struct packet *p, struct rd *r)
{
	struct eth_hdr eth;

	if (!eth_read(r, &eth))
		return DROP_FRAME_TRUNCATED;
	p->l2 = 0;
	memcpy(p->l2_src, eth.src, sizeof(p->l2_src));
	memcpy(p->l2_dst, eth.dst, sizeof(p->l2_dst));
	if (eth_is_group(eth.dst))
		p->flags |= PACKET_BROADCAST;
	if (eth.n_tags > TAGS_MAX)
		return DROP_NOT_IPV4;
	/* the outermost tag that names a VLAN; one the kernel took off is outside of these */
	for (size_t i = 0; i < eth.n_tags && !p->vlan_id; i++)
		p->vlan_id = eth_vlan_id(eth.tci[i]);
	return eth.type == ETH_TYPE_IPV4 ? DROP_NONE : DROP_NOT_IPV4;
}

/* Decodes the IPv4 header. On DROP_NONE *r covers the datagram's payload only. */
static enum drop decode_ipv4(struct packet *p, struct rd *r)
{
	struct ipv4_hdr ip;
	int e;

	p->l3 = offset(p, r);
	e = ipv4_read(r, &ip);
	if (e == -USHER_E_TRUNCATED)
		return DROP_FRAME_TRUNCATED;
	if (e < 0)
		return DROP_IP_HEADER;
	if (!ip.csum_ok)
		return DROP_IP_CHECKSUM;
	p->src = ip.src;
	p->dst = ip.dst;
	p->l4 = offset(p, r);
	*r = rd_sub(r, (size_t)ip.total_len - ip.hdr_len);
	if (!rd_ok(r))
		return DROP_FRAME_TRUNCATED;
	if (ipv4_is_fragment(&ip))
		return DROP_IP_FRAGMENT;
	return ip.proto == IPV4_PROTO_UDP ? DROP_NONE : DROP_NOT_UDP;
}

static enum drop decode_udp(struct packet *p, struct rd *r)
{
	struct rd whole = *r;
	struct udp_hdr udp;

	if (!udp_read(r, &udp) || udp.len < UDP_HDR_LEN || udp.len > rd_left(&whole))
		return DROP_UDP_LENGTH;
	p->sport = udp.sport;
	p->dport = udp.dport;
	if (!(p->flags & PACKET_CSUM_NOT_READY) &&
	    !udp_csum_ok(p->src, p->dst, rd_bytes(&whole, udp.len)))
		return DROP_UDP_CHECKSUM;
	p->app = (uint16_t)(p->l4 + UDP_HDR_LEN);
	p->app_len = (uint16_t)(udp.len - UDP_HDR_LEN);
	return DROP_NONE;
}

enum drop packet_decode(struct packet *p)
{
	struct rd r = rd_init(span_of(p->data, p->len));
	enum drop d;

	if (p->flags & PACKET_TRUNCATED)
		return DROP_FRAME_TRUNCATED;
	if (p->flags & PACKET_NO_L2)
		return DROP_NONE;
	d = decode_eth(p, &r);
	if (d == DROP_NONE)
		d = decode_ipv4(p, &r);
	if (d == DROP_NONE)
		d = decode_udp(p, &r);
	return d;
}
