/* SPDX-License-Identifier: MPL-2.0 */
/* An answer that is read holds the octets of its fields, also when its checksum is repaired; cut
 * short, it is refused. */
#include "fuzz.h"
#include "base/cursor.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

#include <string.h>

static void read_one(struct span datagram)
{
	struct icmp_echo e, again;
	uint32_t src;

	if (!icmp_read_answer(datagram, &e))
		return;
	fuzz_check(e.type == ICMP4_ECHO_REPLY || e.type == ICMP4_UNREACHABLE);
	fuzz_check(datagram.n >= IPV4_HDR_LEN + ICMP4_ECHO_LEN);
	if (e.type == ICMP4_ECHO_REPLY)
		fuzz_check(rd_span_be32(span_of(datagram.p + IPV4_SRC_OFF, 4), &src) &&
			   e.addr == src);
	else
		fuzz_check(datagram.n >= 2 * (IPV4_HDR_LEN + ICMP4_ECHO_LEN));
	fuzz_check(icmp_read_answer(datagram, &again) && again.addr == e.addr && again.id == e.id &&
		   again.seq == e.seq);
	fuzz_check(!icmp_read_answer(span_of(datagram.p, IPV4_HDR_LEN + ICMP4_ECHO_LEN - 1), &e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	uint16_t sum;
	size_t head;

	fuzz_check(copy != NULL);
	memcpy(copy, data, size);
	read_one(span_of(copy, size));
	head = size ? ipv4_hdr_len(copy[0]) : 0;
	if (size >= head + ICMP4_ECHO_LEN) {
		copy[head + 2] = copy[head + 3] = 0;
		sum = checksum_fold(checksum_add(0, span_of(copy + head, size - head)));
		copy[head + 2] = (uint8_t)(sum >> 8);
		copy[head + 3] = (uint8_t)sum;
		read_one(span_of(copy, size));
	}
	free(copy);
	return 0;
}
