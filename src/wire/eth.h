/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ethernet II headers with up to ETH_MAX_TAGS VLAN tags (802.1Q, 802.1ad). Pure; cursors only.
 */
#pragma once

#include "base/cursor.h"

enum { ETH_ADDR_LEN = 6, ETH_HDR_LEN = 14, ETH_TAG_LEN = 4, ETH_MAX_TAGS = 8 };

/* Octets of a type; offset of the first tag, or of the type of a header without tags. */
enum { ETH_TYPE_LEN = 2, ETH_TYPE_OFF = 2 * ETH_ADDR_LEN };

enum {
	ETH_TYPE_IPV4 = 0x0800,
	ETH_TYPE_ARP = 0x0806,
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_QINQ = 0x88a8,
	ETH_TYPE_QINQ_OLD = 0x9100,
};

struct eth_hdr {
	uint8_t dst[ETH_ADDR_LEN];
	uint8_t src[ETH_ADDR_LEN];
	uint16_t type;		    /* behind the tags */
	uint16_t tci[ETH_MAX_TAGS]; /* outermost first: priority and VLAN id */
	uint16_t tpid[ETH_MAX_TAGS];
	uint8_t n_tags;
};

static inline bool eth_is_group(const uint8_t addr[ETH_ADDR_LEN])
{
	return addr[0] & 1;
}

/* Returns whether this is the EtherType of a VLAN tag. */
static inline bool eth_is_tag(uint16_t type)
{
	return type == ETH_TYPE_VLAN || type == ETH_TYPE_QINQ || type == ETH_TYPE_QINQ_OLD;
}

static inline uint16_t eth_vlan_id(uint16_t tci)
{
	return tci & 0x0fff;
}

/* Reads the header and its tags; one more than ETH_MAX_TAGS is left as type (eth_is_tag). Tags from
 * n_tags on are not set. False: too short, and *ret is not valid. */
bool eth_read(struct rd *r, struct eth_hdr *ret) must_check;
void eth_write(struct wr *w, const struct eth_hdr *h);
/* Swaps source and destination of a header, which is whole. */
void eth_swap_addresses(uint8_t *hdr);
