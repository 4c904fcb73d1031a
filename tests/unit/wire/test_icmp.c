/* SPDX-License-Identifier: MPL-2.0 */
/*
 * ICMP: requests as they are sent, and each kind of answer, whole and damaged.
 */
#include "unit/unit.h"

#include "base/attr.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

#include <string.h>

enum { US = 0xc0000201, HOST = 0xc000024d, ROUTER = 0xc6336401, SIZE = 128 };

static size_t put_ipv4(uint8_t *to, uint32_t src, uint32_t dst, struct span payload)
{
	struct ipv4_hdr h = {.ttl = 64,
			     .proto = IPV4_PROTO_ICMP,
			     .total_len = (uint16_t)(IPV4_HDR_LEN + payload.n),
			     .src = src,
			     .dst = dst};
	struct wr w = wr_init(to, SIZE);

	ipv4_write(&w, &h);
	wr_bytes(&w, payload.p, payload.n);
	return h.total_len;
}

static void put_sum(uint8_t *message, size_t n)
{
	uint16_t sum;

	message[2] = message[3] = 0;
	sum = checksum_fold(checksum_add(0, span_of(message, n)));
	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
}

static size_t put_echo(uint8_t *to, uint8_t type, uint32_t src, uint32_t dst)
{
	uint8_t echo[ICMP4_ECHO_LEN] = {type, 0, 0, 0, 0x12, 0x34, 0xab, 0xcd};

	put_sum(echo, sizeof(echo));
	return put_ipv4(to, src, dst, span_of(echo, sizeof(echo)));
}

/* Writes a message that a request could not be delivered. n: octets of the request in it. */
static size_t put_unreachable(uint8_t *to, uint8_t type, size_t n)
{
	uint8_t message[SIZE] = {type, 1};

	assert_int_equal(put_echo(message + 8, ICMP4_ECHO_REQUEST, US, HOST), 28);
	put_sum(message, 8 + n);
	return put_ipv4(to, ROUTER, US, span_of(message, 8 + n));
}

static void test_request(void **state)
{
	static const uint8_t want[] = {8, 0, 0xf7, 0xfd, 0, 1, 0, 1};
	uint8_t echo[ICMP4_ECHO_LEN];
	struct wr w = wr_init(echo, sizeof(echo));

	(void)state;
	icmp_write_request(&w, 1, 1);
	assert_true(wr_ok(&w));
	assert_memory_equal(echo, want, sizeof(want));
}

static void assert_answer(struct span datagram, uint8_t type)
{
	struct icmp_echo e;

	assert_true(icmp_read_answer(datagram, &e));
	assert_int_equal(e.type, type);
	assert_int_equal(e.addr, HOST);
	assert_int_equal(e.id, 0x1234);
	assert_int_equal(e.seq, 0xabcd);
}

static void test_answers(void **state)
{
	uint8_t d[SIZE] = {0};
	size_t n;

	(void)state;
	n = put_echo(d, ICMP4_ECHO_REPLY, HOST, US);
	assert_answer(span_of(d, n), ICMP4_ECHO_REPLY);
	assert_answer(span_of(d, n + 18), ICMP4_ECHO_REPLY); /* padding of Ethernet */
	n = put_unreachable(d, ICMP4_UNREACHABLE, 28);
	assert_answer(span_of(d, n), ICMP4_UNREACHABLE);
}

/* No prefix, and no change of one octet of the ICMP message, is an answer: the checksum holds. */
static void test_damage(void **state)
{
	uint8_t d[SIZE];
	struct icmp_echo e;
	size_t sizes[] = {put_echo(d, ICMP4_ECHO_REPLY, HOST, US),
			  put_unreachable(d, ICMP4_UNREACHABLE, 28)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		if (i == 0)
			(void)put_echo(d, ICMP4_ECHO_REPLY, HOST, US);
		else
			(void)put_unreachable(d, ICMP4_UNREACHABLE, 28);
		for (size_t n = 0; n < sizes[i]; n++)
			assert_false(icmp_read_answer(span_of(d, n), &e));
		for (size_t at = IPV4_HDR_LEN; at < sizes[i]; at++) {
			d[at] ^= 0x10;
			assert_false(icmp_read_answer(span_of(d, sizes[i]), &e));
			d[at] ^= 0x10;
		}
		assert_true(icmp_read_answer(span_of(d, sizes[i]), &e));
	}
}

static void test_others(void **state)
{
	uint8_t d[SIZE];
	struct icmp_echo e;
	size_t n;

	(void)state;
	n = put_echo(d, ICMP4_ECHO_REQUEST, HOST, US);
	assert_false(icmp_read_answer(span_of(d, n), &e));
	n = put_unreachable(d, 11, 28); /* time exceeded */
	assert_false(icmp_read_answer(span_of(d, n), &e));
	n = put_unreachable(d, ICMP4_UNREACHABLE, 27);
	assert_false(icmp_read_answer(span_of(d, n), &e));
	n = put_unreachable(d, ICMP4_UNREACHABLE, 0);
	assert_false(icmp_read_answer(span_of(d, n), &e));
	/* another protocol, a fragment */
	n = put_echo(d, ICMP4_ECHO_REPLY, HOST, US);
	d[IPV4_PROTO_OFF] = IPV4_PROTO_UDP;
	assert_false(icmp_read_answer(span_of(d, n), &e));
	n = put_echo(d, ICMP4_ECHO_REPLY, HOST, US);
	d[IPV4_FRAG_OFF] = 0x20;
	assert_false(icmp_read_answer(span_of(d, n), &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
