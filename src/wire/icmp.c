/* SPDX-License-Identifier: MPL-2.0 */
/*
 * RFC 792. A message about an unreachable destination has the header of the datagram that could not
 * be delivered, and the first eight octets of its data, which are the whole of our requests.
 */
#include "wire/icmp.h"

#include "wire/checksum.h"
#include "wire/ipv4.h"

void icmp_write_request(struct wr *w, uint16_t id, uint16_t seq)
{
	uint8_t echo[ICMP4_ECHO_LEN];
	struct wr e = wr_init(echo, sizeof(echo));
	uint16_t sum;

	wr_u8(&e, ICMP4_ECHO_REQUEST);
	wr_u8(&e, 0);
	wr_be16(&e, 0);
	wr_be16(&e, id);
	wr_be16(&e, seq);
	sum = checksum_fold(checksum_add(0, span_of(echo, sizeof(echo))));
	echo[2] = (uint8_t)(sum >> 8);
	echo[3] = (uint8_t)sum;
	wr_bytes(w, echo, sizeof(echo));
}

/* Reads a header and returns the octets of its datagram, as many as are there. Empty: it is no
 * ICMP. */
static struct span icmp_of(struct span datagram, bool whole, struct ipv4_hdr *ret)
{
	struct rd r = rd_init(datagram);
	size_t n;

	if (ipv4_read(&r, ret) < 0 || ret->proto != IPV4_PROTO_ICMP || ipv4_is_fragment(ret))
		return SPAN_NULL;
	n = (size_t)ret->total_len - ret->hdr_len;
	if (whole && n > rd_left(&r))
		return SPAN_NULL;
	return rd_bytes(&r, n < rd_left(&r) ? n : rd_left(&r));
}

/* Reads the request inside of a message about an unreachable destination. */
static bool read_request(struct rd *r, struct icmp_echo *ret)
{
	struct ipv4_hdr h;
	struct rd e;

	(void)rd_be32(r);
	e = rd_init(icmp_of(rd_bytes(r, rd_left(r)), false, &h));
	if (rd_u8(&e) != ICMP4_ECHO_REQUEST || rd_u8(&e) != 0)
		return false;
	(void)rd_be16(&e);
	ret->addr = h.dst;
	ret->id = rd_be16(&e);
	ret->seq = rd_be16(&e);
	return rd_ok(&e);
}

bool icmp_read_answer(struct span datagram, struct icmp_echo *ret)
{
	struct ipv4_hdr h;
	struct span message = icmp_of(datagram, true, &h);
	struct rd r = rd_init(message);

	if (message.n < ICMP4_ECHO_LEN || checksum_fold(checksum_add(0, message)) != 0)
		return false;
	ret->type = rd_u8(&r);
	ret->code = rd_u8(&r);
	ret->addr = h.src;
	(void)rd_be16(&r);
	if (ret->type == ICMP4_UNREACHABLE)
		return read_request(&r, ret);
	ret->id = rd_be16(&r);
	ret->seq = rd_be16(&r);
	return ret->type == ICMP4_ECHO_REPLY && ret->code == 0;
}
