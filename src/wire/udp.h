/* SPDX-License-Identifier: MPL-2.0 */
/*
 * UDP (RFC 768), and whole Ethernet frames that carry a datagram. Pure.
 */
#pragma once

#include "base/cursor.h"

enum { UDP_HDR_LEN = 8, UDP_FRAME_OVERHEAD = 14 + 20 + UDP_HDR_LEN, UDP_TTL = 64 };

/* Offsets of fields, for writing into a header. */
enum { UDP_DPORT_OFF = 2, UDP_LEN_OFF = 4, UDP_CSUM_OFF = 6 };

struct udp_hdr {
	uint16_t sport, dport;
	uint16_t len;  /* header and payload */
	uint16_t csum; /* 0: the sender made none */
};

/* Reads a header. False: it is not whole. */
bool udp_read(struct rd *r, struct udp_hdr *ret) must_check;
/* Returns whether the checksum over datagram (header and payload, exactly its length) is right, or
 * absent. */
bool udp_csum_ok(uint32_t src, uint32_t dst, struct span datagram);

struct udp_frame {
	uint8_t dst_mac[6], src_mac[6];
	uint32_t src, dst; /* host order */
	uint16_t sport, dport;
	struct span payload;
};

/*
 * Writes Ethernet, IPv4 (TTL 64, DF off, id 0: RFC 6864 allows it for datagrams that are never
 * fragmented), UDP with checksum. Does not pad to Ethernet's minimum, which is up to the link. Sets
 * w bad if the frame does not fit, or the payload is over 65,507 octets.
 */
void udp_frame_write(struct wr *w, const struct udp_frame *f);
