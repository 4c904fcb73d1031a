/* SPDX-License-Identifier: MPL-2.0 */
/*
 * TCP headers (RFC 9293 3.1). Pure; reading checks form, not sense.
 */
#pragma once

#include "base/cursor.h"

enum { TCP_HDR_LEN = 20, TCP_MAX_HDR_LEN = 60 };

/* Offsets of fields, for writing into a header. */
enum { TCP_SEQ_OFF = 4, TCP_ACK_OFF = 8, TCP_FLAGS_OFF = 13, TCP_CSUM_OFF = 16, TCP_URP_OFF = 18 };

enum tcp_flag {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16,
	TCP_URG = 32,
	TCP_ECE = 64,
	TCP_CWR = 128,
};

struct tcp_hdr {
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t hdr_len; /* octets, options included */
	uint8_t res;	 /* the four reserved bits */
	uint8_t flags;	 /* enum tcp_flag */
	uint16_t wnd, csum, urp;
	struct span options; /* borrowed from the input */
};

/* Reads a header. 0; -USHER_E_TRUNCATED: no whole header; -USHER_E_MALFORMED: the data offset is
 * under five words. */
int tcp_read(struct rd *r, struct tcp_hdr *ret) must_check;
/* Returns whether the checksum over segment (header and data) is right. */
bool tcp_csum_ok(uint32_t src, uint32_t dst, struct span segment);
/* Writes a header with options (padded to words), checksum 0; hdr_len and csum are ignored. */
void tcp_write(struct wr *w, const struct tcp_hdr *h);

/* Returns the flags (enum tcp_flag) of a header, which is whole. */
static inline uint8_t tcp_flags(const uint8_t *hdr)
{
	return hdr[TCP_FLAGS_OFF];
}

/* Clears flags of a header, which is whole; its checksum is left as it is. */
static inline void tcp_clear_flags(uint8_t *hdr, unsigned flags)
{
	hdr[TCP_FLAGS_OFF] &= (uint8_t)~flags;
}

/* Kinds of options (RFC 9293 3.2). */
enum { TCP_OPTION_END = 0, TCP_OPTION_NOP = 1 };

struct tcp_option_place {
	uint8_t kind;
	size_t at;	  /* of its kind, in the options */
	struct span data; /* behind kind and length; borrowed from the options */
};

/*
 * Finds the option at or behind *at (0 at first), which moves behind it; NOPs are passed over.
 * False: there are no more, or the rest is malformed: an option that is shorter than its own kind
 * and length, or longer than the rest.
 */
static inline bool tcp_next_option(struct span options, size_t *at, struct tcp_option_place *ret)
{
	enum { HEADER = 2 }; /* kind and length */
	const uint8_t *o = options.p;
	size_t i = *at, len;

	while (i < options.n && o[i] == TCP_OPTION_NOP)
		i++;
	if (options.n < i + HEADER || o[i] == TCP_OPTION_END)
		return false;
	len = o[i + 1];
	if (len < HEADER || len > options.n - i)
		return false;
	ret->kind = o[i];
	ret->at = i;
	ret->data = span_of(o + i + HEADER, len - HEADER);
	*at = i + len;
	return true;
}

/* Returns whether sequence number a is before b; they wrap (RFC 9293 3.4). */
static inline bool tcp_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}
