/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RFC 826.
 */
#include "wire/arp.h"

#include "wire/eth.h"

enum { ARP_HRD_ETHERNET = 1, ARP_HLN = 6, ARP_PLN = 4 };

bool arp_read(struct rd *r, struct arp_packet *ret)
{
	uint16_t hrd = rd_be16(r);
	uint16_t pro = rd_be16(r);
	uint8_t hln = rd_u8(r);
	uint8_t pln = rd_u8(r);
	struct arp_packet a = {.op = rd_be16(r)};

	rd_copy(r, a.sha, sizeof(a.sha));
	a.spa = rd_be32(r);
	rd_copy(r, a.tha, sizeof(a.tha));
	a.tpa = rd_be32(r);
	if (!rd_ok(r) || hrd != ARP_HRD_ETHERNET || pro != ETH_TYPE_IPV4 || hln != ARP_HLN ||
	    pln != ARP_PLN)
		return false;
	*ret = a;
	return true;
}

void arp_write(struct wr *w, const struct arp_packet *a)
{
	wr_be16(w, ARP_HRD_ETHERNET);
	wr_be16(w, ETH_TYPE_IPV4);
	wr_u8(w, ARP_HLN);
	wr_u8(w, ARP_PLN);
	wr_be16(w, a->op);
	wr_bytes(w, a->sha, sizeof(a->sha));
	wr_be32(w, a->spa);
	wr_bytes(w, a->tha, sizeof(a->tha));
	wr_be32(w, a->tpa);
}
