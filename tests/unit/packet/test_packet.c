/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The walk from Ethernet to UDP, and the codecs under it: R1122-*, R768-01, ROB-13, ROB-15, ROB-20.
 */
#include "unit/unit.h"

#include "packet/packet.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

static uint8_t slot[PACKET_DATA_LEN];
static uint8_t arena_mem[PACKET_ARENA_LEN];
static struct packet p;

enum { SRC = 0xc0000201, DST = 0xc0000202, IP_OFF = 14, UDP_OFF = 34 };

/* A frame with payload "hello!" from and to the addresses above. */
static void frame(void)
{
	struct udp_frame f = {
		.dst_mac = {2, 0, 0, 0, 0, 2},
		.src_mac = {2, 0, 0, 0, 0, 1},
		.src = SRC,
		.dst = DST,
		.sport = 68,
		.dport = 67,
		.payload = span_str("hello!"),
	};
	struct wr w = wr_init(slot, sizeof(slot));

	packet_init(&p, slot, sizeof(slot), arena_mem, sizeof(arena_mem));
	udp_frame_write(&w, &f);
	assert_true(wr_ok(&w));
	p.len = (uint32_t)w.len;
}

/* Puts n octets in at off. */
static void insert(size_t off, const char *octets, size_t n)
{
	memmove(slot + off + n, slot + off, p.len - off);
	memcpy(slot + off, octets, n);
	p.len += (uint32_t)n;
}

static void ip_csum_fix(size_t ip_off)
{
	size_t len = (slot[ip_off] & 15) * 4U;
	uint16_t c;

	slot[ip_off + 10] = slot[ip_off + 11] = 0;
	c = checksum_fold(checksum_add(0, span_of(slot + ip_off, len)));
	slot[ip_off + 10] = (uint8_t)(c >> 8);
	slot[ip_off + 11] = (uint8_t)c;
}

static void assert_decodes(void)
{
	assert_string_equal(drop_info(packet_decode(&p))->name, "");
	assert_int_equal(p.src, SRC);
	assert_int_equal(p.dst, DST);
	assert_int_equal(p.sport, 68);
	assert_int_equal(p.dport, 67);
	assert_true(span_eq(packet_app(&p), span_str("hello!")));
}

static void assert_drops(enum drop want)
{
	assert_string_equal(drop_info(packet_decode(&p))->symbol, drop_info(want)->symbol);
	assert_true(packet_app(&p).p == NULL);
}

static void test_plain(void **state)
{
	(void)state;
	frame();
	assert_decodes();
	assert_int_equal(p.l2, 0);
	assert_int_equal(p.l3, IP_OFF);
	assert_int_equal(p.l4, UDP_OFF);
	assert_int_equal(slot[IP_OFF + 8], 64);
	assert_int_equal(p.flags, 0);
	frame();
	memset(slot, 0xff, 6);
	assert_decodes();
	assert_true(p.flags & PACKET_BROADCAST);
}

static void test_tags(void **state)
{
	(void)state;
	frame();
	insert(12, "\x81\0\0\0", 4);
	assert_decodes();
	assert_int_equal(p.vlan_id, 0);
	frame();
	insert(12, "\x81\0\xe0\x64", 4);
	assert_decodes();
	assert_int_equal(p.vlan_id, 100);
	frame();
	insert(12, "\x88\xa8\0\x07\x81\0\0\x64", 8);
	assert_decodes();
	assert_int_equal(p.vlan_id, 7);
	assert_int_equal(p.l3, IP_OFF + 8);
	frame();
	insert(12, "\x88\xa8\0\x07\x81\0\0\x64\x81\0\0\x65", 12);
	assert_drops(DROP_NOT_IPV4);
	frame();
	p.vlan_id = 9; /* the kernel took the outer tag off */
	insert(12, "\x81\0\0\x64", 4);
	assert_decodes();
	assert_int_equal(p.vlan_id, 9);
}

static void test_padding_and_runts(void **state)
{
	uint32_t len;

	(void)state;
	frame();
	len = p.len;
	insert(len, "padding beyond the datagram", 27);
	assert_decodes();
	for (uint32_t n = 0; n < len; n++) {
		frame();
		p.len = n;
		assert_int_equal(packet_decode(&p), DROP_FRAME_TRUNCATED);
	}
	frame();
	p.flags = PACKET_TRUNCATED;
	assert_drops(DROP_FRAME_TRUNCATED);
}

static void test_ip(void **state)
{
	(void)state;
	frame();
	insert(UDP_OFF, "\1\1\1\0", 4); /* IP options */
	slot[IP_OFF] = 0x46;
	slot[IP_OFF + 3] += 4;
	ip_csum_fix(IP_OFF);
	assert_decodes();
	frame();
	slot[IP_OFF + 10] ^= 1;
	assert_drops(DROP_IP_CHECKSUM);
	frame();
	slot[IP_OFF] = 0x44;
	assert_drops(DROP_IP_HEADER);
	frame();
	slot[IP_OFF] = 0x65;
	assert_drops(DROP_IP_HEADER);
	frame();
	slot[IP_OFF + 3] = 19;
	assert_drops(DROP_IP_HEADER);
	for (size_t i = 0; i < 2; i++) {
		frame();
		slot[IP_OFF + 6 + i] = i ? 1 : 0x20; /* MF; an offset */
		ip_csum_fix(IP_OFF);
		assert_drops(DROP_IP_FRAGMENT);
	}
	frame();
	slot[IP_OFF + 9] = IPV4_PROTO_TCP;
	ip_csum_fix(IP_OFF);
	assert_drops(DROP_NOT_UDP);
	frame();
	slot[12] = 0x86;
	assert_drops(DROP_NOT_IPV4);
}

static void test_udp(void **state)
{
	(void)state;
	frame();
	slot[UDP_OFF + 8] ^= 1;
	assert_drops(DROP_UDP_CHECKSUM);
	frame();
	slot[UDP_OFF + 8] = 'h';
	slot[UDP_OFF + 6] = slot[UDP_OFF + 7] = 0; /* none: RFC 768 */
	assert_decodes();
	frame();
	slot[UDP_OFF + 7] ^= 0x55;
	p.flags = PACKET_CSUM_NOT_READY;
	assert_decodes();
	frame();
	slot[UDP_OFF + 5] = 7;
	assert_drops(DROP_UDP_LENGTH);
	frame();
	slot[UDP_OFF + 5]++;
	assert_drops(DROP_UDP_LENGTH);
	frame();
	slot[UDP_OFF + 5]--; /* shorter than the datagram: the UDP length counts */
	slot[UDP_OFF + 6] = slot[UDP_OFF + 7] = 0;
	assert_int_equal(packet_decode(&p), DROP_NONE);
	assert_true(span_eq(packet_app(&p), span_str("hello")));
}

static void test_no_l2(void **state)
{
	(void)state;
	frame();
	p.flags = PACKET_NO_L2;
	p.app = 0;
	p.app_len = 5;
	assert_int_equal(packet_decode(&p), DROP_NONE);
	packet_reset(&p);
	assert_int_equal(p.app, PACKET_NO_LAYER);
	assert_int_equal(p.len | p.flags, 0);
	assert_ptr_equal(p.data, slot);
	assert_non_null(arena_alloc(&p.arena, 100));
}

static void test_drop_names(void **state)
{
	(void)state;
	assert_string_equal(drop_info(DROP_UDP_CHECKSUM)->name, "drop-udp-checksum");
	assert_string_equal(drop_info(DROP_HOOK_BUFFER4_RECEIVE)->name,
			    "drop-hook-buffer4-receive");
	assert_string_equal(drop_info(DROP_NONE)->name, "");
	for (int d = 1; d < DROP_N; d++)
		assert_int_equal(strlen(drop_info((enum drop)d)->name),
				 strlen(drop_info((enum drop)d)->symbol) + 5);
}

static void test_arp(void **state)
{
	struct arp_packet a = {ARP_REQUEST, {1, 2, 3, 4, 5, 6}, {0}, SRC, DST};
	struct wr w = wr_init(slot, sizeof(slot));
	struct arp_packet b;
	struct rd r;

	(void)state;
	arp_write(&w, &a);
	assert_int_equal(w.len, ARP_LEN);
	r = rd_init(span_of(slot, w.len));
	assert_true(arp_read(&r, &b));
	assert_int_equal(b.tpa, DST);
	assert_memory_equal(b.sha, a.sha, 6);
	r = rd_init(span_of(slot, w.len - 1));
	assert_false(arp_read(&r, &b));
	slot[4] = 8;
	r = rd_init(span_of(slot, w.len));
	assert_false(arp_read(&r, &b));
}

static void test_checksum_odd(void **state)
{
	static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7, 0x80};

	(void)state;
	/* the example of RFC 1071 3, with one octet more */
	assert_int_equal(checksum_fold(checksum_add(0, span_of(data, 8))), 0x220d);
	assert_int_equal(checksum_fold(checksum_add(0, span_of(data, 9))), 0xa20c);
	assert_int_equal(checksum_fold(checksum_add(0, SPAN_NULL)), 0xffff);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_padding_and_runts),
		cmocka_unit_test(test_ip),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_no_l2),
		cmocka_unit_test(test_drop_names),
		cmocka_unit_test(test_arp),
		cmocka_unit_test(test_checksum_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
