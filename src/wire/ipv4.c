/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RFC 791 3.1; RFC 1122 3.2.1.
 */
#include "wire/ipv4.h"

#include "base/error.h"
#include "wire/checksum.h"

static void read_ipv4_fields(struct rd *r, struct ipv4_hdr *h)
{
	h->tos = rd_u8(r);
	h->total_len = rd_be16(r);
	h->id = rd_be16(r);
	h->frag = rd_be16(r);
	h->ttl = rd_u8(r);
	h->proto = rd_u8(r);
	(void)rd_be16(r); /* the checksum is summed over raw */
	h->src = rd_be32(r);
	h->dst = rd_be32(r);
}

int ipv4_read(struct rd *r, struct ipv4_hdr *ret)
{
	struct rd whole = *r;
	struct ipv4_hdr h = {0};
	uint8_t ver_ihl = rd_u8(r);

	h.hdr_len = ipv4_hdr_len(ver_ihl);
	read_ipv4_fields(r, &h);
	if (!rd_ok(r))
		return -USHER_E_TRUNCATED;
	if (ver_ihl >> 4 != 4 || h.hdr_len < IPV4_HDR_LEN || h.total_len < h.hdr_len)
		return -USHER_E_MALFORMED;
	(void)rd_bytes(r, h.hdr_len - (size_t)IPV4_HDR_LEN);
	h.raw = rd_bytes(&whole, h.hdr_len);
	if (!rd_ok(r))
		return -USHER_E_TRUNCATED;
	h.csum_ok = checksum_fold(checksum_add(0, h.raw)) == 0;
	*ret = h;
	return 0;
}

void ipv4_write(struct wr *w, const struct ipv4_hdr *h)
{
	size_t at = w->len;

	wr_u8(w, 4 << 4 | IPV4_HDR_LEN / 4);
	wr_u8(w, h->tos);
	wr_be16(w, h->total_len);
	wr_be16(w, h->id);
	wr_be16(w, h->frag);
	wr_u8(w, h->ttl);
	wr_u8(w, h->proto);
	wr_be16(w, 0);
	wr_be32(w, h->src);
	wr_be32(w, h->dst);
	if (wr_ok(w))
		wr_patch_be16(w, at + IPV4_CSUM_OFF,
			      checksum_fold(checksum_add(0, span_of(w->base + at, IPV4_HDR_LEN))));
}
