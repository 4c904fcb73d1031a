/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RFC 9293 3.1.
 */
#include "wire/tcp.h"

#include "base/error.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"

int tcp_read(struct rd *r, struct tcp_hdr *ret)
{
	struct tcp_hdr h = {.sport = rd_be16(r), .dport = rd_be16(r)};
	uint8_t off;

	h.seq = rd_be32(r);
	h.ack = rd_be32(r);
	off = rd_u8(r);
	h.flags = rd_u8(r);
	h.wnd = rd_be16(r);
	h.csum = rd_be16(r);
	h.urp = rd_be16(r);
	if (!rd_ok(r))
		return -USHER_E_TRUNCATED;
	h.hdr_len = (uint8_t)(off >> 4 << 2);
	h.res = off & 0x0f;
	if (h.hdr_len < TCP_HDR_LEN)
		return -USHER_E_MALFORMED;
	h.options = rd_bytes(r, h.hdr_len - (size_t)TCP_HDR_LEN);
	if (!rd_ok(r))
		return -USHER_E_TRUNCATED;
	*ret = h;
	return 0;
}

bool tcp_csum_ok(uint32_t src, uint32_t dst, struct span segment)
{
	uint32_t sum = checksum_pseudo(src, dst, IPV4_PROTO_TCP, segment.n);

	return checksum_fold(checksum_add(sum, segment)) == 0;
}

void tcp_write(struct wr *w, const struct tcp_hdr *h)
{
	size_t pad = (4 - h->options.n % 4) % 4;
	size_t len = TCP_HDR_LEN + h->options.n + pad;

	if (len > TCP_MAX_HDR_LEN) {
		w->bad = true;
		return;
	}
	wr_be16(w, h->sport);
	wr_be16(w, h->dport);
	wr_be32(w, h->seq);
	wr_be32(w, h->ack);
	wr_u8(w, (uint8_t)(len / 4 << 4 | (h->res & 0x0f)));
	wr_u8(w, h->flags);
	wr_be16(w, h->wnd);
	wr_be16(w, 0);
	wr_be16(w, h->urp);
	wr_span(w, h->options);
	wr_zero(w, pad);
}
