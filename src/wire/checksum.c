/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RFC 1071. Words are summed as they lie in memory and the sum is turned once (RFC 1071 2 B). A
 * 32-bit sum takes 65,536 folded 16-bit values before it overflows; callers add a handful.
 */
#include "wire/checksum.h"

#include "base/cursor.h"

#include <arpa/inet.h>

enum { IP_PROTO_UDP = 17 };

uint32_t checksum_add(uint32_t sum, struct span s)
{
	struct rd r = rd_init(s);
	uint64_t acc = 0;
	uint8_t tail[4] = {0};
	uint32_t v;

	while (rd_left(&r) >= sizeof(v)) {
		rd_copy(&r, &v, sizeof(v));
		acc += v;
	}
	rd_copy(&r, tail, rd_left(&r));
	memcpy(&v, tail, sizeof(v));
	acc += v;
	while (acc >> 16)
		acc = (acc & 0xffff) + (acc >> 16);
	return sum + ntohs((uint16_t)acc);
}

uint16_t checksum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

uint32_t checksum_pseudo(uint32_t src, uint32_t dst, uint8_t proto, size_t len)
{
	return (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff) + proto + (uint32_t)len;
}

uint32_t checksum_pseudo_udp(uint32_t src, uint32_t dst, size_t len)
{
	return checksum_pseudo(src, dst, IP_PROTO_UDP, len);
}
