/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ethernet II and VLAN tags: IEEE 802.3 3.2, 802.1Q 9.
 */
#include "wire/eth.h"

bool eth_read(struct rd *r, struct eth_hdr *ret)
{
	unsigned n = 0;

	rd_copy(r, ret->dst, sizeof(ret->dst));
	rd_copy(r, ret->src, sizeof(ret->src));
	ret->type = rd_be16(r);
	while (unlikely(eth_is_tag(ret->type)) && rd_ok(r) && n < ETH_MAX_TAGS) {
		ret->tpid[n] = ret->type;
		ret->tci[n++] = rd_be16(r);
		ret->type = rd_be16(r);
	}
	ret->n_tags = (uint8_t)n;
	return rd_ok(r);
}

void eth_write(struct wr *w, const struct eth_hdr *h)
{
	wr_bytes(w, h->dst, sizeof(h->dst));
	wr_bytes(w, h->src, sizeof(h->src));
	for (size_t i = 0; i < h->n_tags && i < ETH_MAX_TAGS; i++) {
		wr_be16(w, h->tpid[i]);
		wr_be16(w, h->tci[i]);
	}
	wr_be16(w, h->type);
}

void eth_swap_addresses(uint8_t *hdr)
{
	uint8_t dst[ETH_ADDR_LEN];

	memcpy(dst, hdr, ETH_ADDR_LEN);
	memcpy(hdr, hdr + ETH_ADDR_LEN, ETH_ADDR_LEN);
	memcpy(hdr + ETH_ADDR_LEN, dst, ETH_ADDR_LEN);
}
