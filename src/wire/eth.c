/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ethernet II and VLAN tags: IEEE 802.3 3.2, 802.1Q 9.
 */
#include "wire/eth.h"

bool eth_read(struct rd *r, struct eth_hdr *ret)
{
	struct eth_hdr h = {0};

	rd_copy(r, h.dst, sizeof(h.dst));
	rd_copy(r, h.src, sizeof(h.src));
	h.type = rd_be16(r);
	while (rd_ok(r) && eth_is_tag(h.type) && h.n_tags < ETH_MAX_TAGS) {
		h.tpid[h.n_tags] = h.type;
		h.tci[h.n_tags++] = rd_be16(r);
		h.type = rd_be16(r);
	}
	if (!rd_ok(r))
		return false;
	*ret = h;
	return true;
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
