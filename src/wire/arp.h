/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ARP for IPv4 over Ethernet (RFC 826), and with it address probes (RFC 5227). Pure.
 */
#pragma once

#include "base/cursor.h"

enum { ARP_LEN = 28, ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_packet {
	uint16_t op;
	uint8_t sha[6], tha[6];
	uint32_t spa, tpa; /* host order */
};

/* Reads a packet. False: it is too short, or not IPv4 over Ethernet. */
bool arp_read(struct rd *r, struct arp_packet *ret) must_check;
void arp_write(struct wr *w, const struct arp_packet *a);
