/* SPDX-License-Identifier: MPL-2.0 */
/*
 * IPv4 headers (RFC 791). Pure; reading checks form, not addresses.
 */
#pragma once

#include "base/cursor.h"

enum { IPV4_HDR_LEN = 20, IPV4_PROTO_ICMP = 1, IPV4_PROTO_TCP = 6, IPV4_PROTO_UDP = 17 };

/* Offsets of fields, for writing into a header. */
enum {
	IPV4_LEN_OFF = 2,
	IPV4_FRAG_OFF = 6,
	IPV4_PROTO_OFF = 9,
	IPV4_CSUM_OFF = 10,
	IPV4_SRC_OFF = 12,
	IPV4_DST_OFF = 16
};

enum { IPV4_DF = 0x4000, IPV4_MF = 0x2000, IPV4_OFFSET_MASK = 0x1fff };

struct ipv4_hdr {
	uint8_t hdr_len; /* octets, options included */
	uint8_t tos, ttl, proto;
	uint16_t total_len, id;
	uint16_t frag;	   /* flags and offset as on the wire */
	uint32_t src, dst; /* host order */
	struct span raw;   /* the header's octets, borrowed from the input */
	bool csum_ok;
};

/* Returns the header length in octets, options included, from the first octet of a header. */
static inline uint8_t ipv4_hdr_len(uint8_t ver_ihl)
{
	return (uint8_t)((ver_ihl & 0x0f) * 4);
}

static inline bool ipv4_is_fragment(const struct ipv4_hdr *h)
{
	return (h->frag & (IPV4_MF | IPV4_OFFSET_MASK)) != 0;
}

/* Reads a header. 0; -USHER_E_TRUNCATED: no whole header; -USHER_E_MALFORMED: version, header or
 * total length. */
int ipv4_read(struct rd *r, struct ipv4_hdr *ret) must_check;
/* Writes a header without options, checksum filled in; hdr_len, raw and csum_ok are ignored. */
void ipv4_write(struct wr *w, const struct ipv4_hdr *h);
