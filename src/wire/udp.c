/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RFC 768; RFC 1122 4.1.3.4.
 */
#include "wire/udp.h"

#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"

enum { PAYLOAD_MAX = 65535 - IPV4_HDR_LEN - UDP_HDR_LEN };

bool udp_read(struct rd *r, struct udp_hdr *ret)
{
	struct udp_hdr h;

	h.sport = rd_be16(r);
	h.dport = rd_be16(r);
	h.len = rd_be16(r);
	h.csum = rd_be16(r);
	if (!rd_ok(r))
		return false;
	*ret = h;
	return true;
}

bool udp_csum_ok(uint32_t src, uint32_t dst, struct span datagram)
{
	struct rd r = rd_init(datagram);
	struct udp_hdr h;

	if (!udp_read(&r, &h))
		return false;
	if (h.csum == 0)
		return true;
	return checksum_fold(checksum_add(checksum_pseudo_udp(src, dst, datagram.n), datagram)) ==
	       0;
}

static void datagram_write(struct wr *w, const struct udp_frame *f, size_t len)
{
	size_t at = w->len;
	uint32_t sum = checksum_pseudo_udp(f->src, f->dst, len);
	uint16_t csum;

	wr_be16(w, f->sport);
	wr_be16(w, f->dport);
	wr_be16(w, (uint16_t)len);
	wr_be16(w, 0);
	wr_span(w, f->payload);
	if (!wr_ok(w))
		return;
	csum = checksum_fold(checksum_add(sum, span_of(w->base + at, len)));
	/* RFC 768: a sum of zero is sent as all ones, zero means none */
	wr_patch_be16(w, at + UDP_CSUM_OFF, csum ? csum : 0xffff);
}

void udp_frame_write(struct wr *w, const struct udp_frame *f)
{
	struct eth_hdr eth = {.type = ETH_TYPE_IPV4};
	size_t len = UDP_HDR_LEN + f->payload.n;
	struct ipv4_hdr ip = {.ttl = UDP_TTL,
			      .proto = IPV4_PROTO_UDP,
			      .src = f->src,
			      .dst = f->dst};

	if (f->payload.n > PAYLOAD_MAX) {
		w->bad = true;
		return;
	}
	memcpy(eth.dst, f->dst_mac, sizeof(eth.dst));
	memcpy(eth.src, f->src_mac, sizeof(eth.src));
	eth_write(w, &eth);
	ip.total_len = (uint16_t)(IPV4_HDR_LEN + len);
	ipv4_write(w, &ip);
	datagram_write(w, f, len);
}
