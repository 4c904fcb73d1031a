/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The DHCPv4 codec: its conformance rows (R2131-4.1-*, R3396-*, R3046-2.2-08, ROB-*).
 */
#include "unit/unit.h"

#include "base/cursor.h"
#include "base/error.h"
#include "wire/dhcp4.h"

#include <stdlib.h>

static uint8_t arena_mem[1 << 20];
static struct arena arena;
static uint8_t in[1 << 17];
static uint8_t out[1 << 17];

static int setup(void **state)
{
	(void)state;
	arena_init_fixed(&arena, arena_mem, sizeof(arena_mem));
	return 0;
}

/* The fixed part; options follow. */
static struct wr message(void)
{
	struct wr w = wr_init(in, sizeof(in));

	wr_u8(&w, DHCP4_BOOTREQUEST);
	wr_u8(&w, 1);
	wr_u8(&w, 6);
	wr_u8(&w, 0);
	wr_be32(&w, 0x12345678);
	wr_zero(&w, 228);
	wr_be32(&w, DHCP4_MAGIC);
	return w;
}

static void opt(struct wr *w, uint8_t code, const void *data, size_t n)
{
	wr_u8(w, code);
	wr_u8(w, (uint8_t)n);
	wr_bytes(w, data, n);
}

static int decode(const struct wr *w, enum dhcp4_leniency how, struct dhcp4_msg *m)
{
	/* a copy of just this size, so that a sanitizer sees a read behind it */
	uint8_t *copy = malloc(w->len);
	int r;

	assert_non_null(copy);
	memcpy(copy, w->base, w->len);
	r = dhcp4_decode(span_of(copy, w->len), how, &arena, m);
	for (size_t i = 0; r == 0 && i < m->n_opts; i++)
		m->opts[i].data = span_of(arena_memdup(&arena, m->opts[i].data.p,
						       m->opts[i].data.n),
					  m->opts[i].data.n);
	free(copy);
	return r;
}

static void assert_opt(const struct dhcp4_msg *m, uint8_t code, const char *text)
{
	assert_true(dhcp4_opt(m, code) != NULL);
	assert_true(span_eq(dhcp4_opt_data(m, code), span_str(text)));
}

static void test_fields(void **state)
{
	struct wr w = message();
	struct dhcp4_msg m;

	(void)state;
	opt(&w, 53, "\1", 1);
	wr_u8(&w, 0);
	opt(&w, 12, "host", 4);
	wr_u8(&w, 255);
	opt(&w, 15, "behind", 6);
	assert_int_equal(decode(&w, false, &m), 0);
	assert_int_equal(m.xid, 0x12345678);
	assert_int_equal(dhcp4_msg_type(&m), DHCP4_DISCOVER);
	assert_string_equal(dhcp4_type_name(dhcp4_msg_type(&m)), "DHCPDISCOVER");
	assert_opt(&m, 12, "host");
	assert_null(dhcp4_opt(&m, 15));
	assert_int_equal(m.n_opts, 2);
}

static void test_refused(void **state)
{
	struct wr w = message();
	struct dhcp4_msg m;

	(void)state;
	for (size_t n = 0; n < DHCP4_MIN_LEN; n++)
		assert_int_equal(dhcp4_decode(span_of(in, n), false, &arena, &m),
				 -USHER_E_TRUNCATED);
	assert_int_equal(decode(&w, false, &m), 0);
	in[2] = 17;
	assert_int_equal(decode(&w, false, &m), -USHER_E_MALFORMED);
	in[2] = 0;
	in[0] = 3;
	assert_int_equal(decode(&w, false, &m), -USHER_E_MALFORMED);
	in[0] = 2;
	in[239] ^= 1;
	assert_int_equal(decode(&w, false, &m), -USHER_E_MALFORMED);
}

/* ROB-03, ROB-04, ROB-05: every code cut off in three ways, of length 0 and 255. */
static void test_every_code(void **state)
{
	uint8_t fill[255];
	struct dhcp4_msg m;

	(void)state;
	memset(fill, 'x', sizeof(fill));
	for (unsigned code = 1; code < 255; code++) {
		struct wr w = message();
		struct wr cut = w;

		(void)setup(NULL);
		wr_u8(&cut, (uint8_t)code);
		assert_int_equal(decode(&cut, false, &m), -USHER_E_TRUNCATED);
		assert_int_equal(decode(&cut, true, &m), 0);
		wr_u8(&cut, 4);
		assert_int_equal(decode(&cut, false, &m), -USHER_E_TRUNCATED);
		wr_bytes(&cut, fill, 3);
		assert_int_equal(decode(&cut, false, &m), -USHER_E_TRUNCATED);
		assert_int_equal(decode(&cut, true, &m), 0);
		assert_int_equal(m.n_opts, 0);
		cut = w;
		opt(&cut, (uint8_t)code, fill, 0);
		assert_int_equal(decode(&cut, false, &m), code == 52 ? -USHER_E_MALFORMED : 0);
		cut = w;
		opt(&cut, (uint8_t)code, fill, 255);
		assert_int_equal(decode(&cut, false, &m), code == 52 ? -USHER_E_MALFORMED : 0);
		if (code != 52)
			assert_int_equal(dhcp4_opt_data(&m, (uint8_t)code).n, 255);
	}
}

/* ROB-06 */
static void test_many_repeats(void **state)
{
	struct dhcp4_msg m;

	(void)state;
	for (size_t n = 190; n <= 500; n += 31) {
		struct wr w = message();

		(void)setup(NULL);
		for (size_t i = 0; i < n; i++)
			opt(&w, 61, &(uint8_t){(uint8_t)i}, 1);
		wr_u8(&w, 255);
		assert_int_equal(decode(&w, false, &m), 0);
		assert_int_equal(m.n_opts, 1);
		assert_int_equal(dhcp4_opt_data(&m, 61).n, n);
		assert_int_equal(dhcp4_opt_data(&m, 61).p[n - 1], (uint8_t)(n - 1));
	}
}

/* R3396-03: options, then file, then sname. */
static void test_join_across_fields(void **state)
{
	struct wr w = message();
	struct wr file = wr_init(in + 108, DHCP4_FILE_LEN);
	struct wr sname = wr_init(in + 44, DHCP4_SNAME_LEN);
	struct dhcp4_msg m;

	(void)state;
	opt(&w, 61, "ab", 2);
	opt(&w, 52, "\3", 1);
	wr_u8(&w, 255);
	opt(&file, 61, "cd", 2);
	opt(&file, 12, "f", 1);
	opt(&sname, 61, "ef", 2); /* neither field has an END */
	assert_int_equal(decode(&w, false, &m), 0);
	assert_opt(&m, 61, "abcdef");
	assert_opt(&m, 12, "f");
	assert_null(dhcp4_opt(&m, 52));
	assert_int_equal(m.file[0] | m.sname[0], 0);
	/* only the field that 52 names is read */
	in[DHCP4_MIN_LEN + 6] = 2;
	assert_int_equal(decode(&w, false, &m), 0);
	assert_opt(&m, 61, "abef");
	assert_int_equal(m.file[0], 61);
}

/* ROB-08 */
static void test_hostile_overload(void **state)
{
	struct wr w = message();
	struct wr file = wr_init(in + 108, DHCP4_FILE_LEN);
	struct dhcp4_msg m;

	(void)state;
	opt(&w, 52, "\1", 1);
	opt(&file, 52, "\2", 1);
	assert_int_equal(decode(&w, false, &m), -USHER_E_MALFORMED);
	memset(in + 108, 0xfe, DHCP4_FILE_LEN);
	assert_int_equal(decode(&w, false, &m), -USHER_E_TRUNCATED);
	assert_int_equal(decode(&w, true, &m), 0);
	memset(in + 108, 0, DHCP4_FILE_LEN);
	opt(&w, 52, "\1", 1);
	assert_int_equal(decode(&w, false, &m), -USHER_E_MALFORMED);
	w = message();
	opt(&w, 52, "\4", 1);
	assert_int_equal(decode(&w, false, &m), -USHER_E_MALFORMED);
}

static void test_arena_full(void **state)
{
	struct wr w = message();
	uint8_t small[64];
	struct arena tight;
	struct dhcp4_msg m;

	(void)state;
	arena_init_fixed(&tight, small, sizeof(small));
	for (uint8_t c = 1; c < 50; c++)
		opt(&w, c, "x", 1);
	assert_int_equal(dhcp4_decode(span_of(in, w.len), false, &tight, &m), -USHER_E_NOMEM);
}

static void reply(struct dhcp4_msg *m)
{
	dhcp4_init(m, &arena);
	m->op = DHCP4_BOOTREPLY;
	assert_int_equal(dhcp4_opt_set_u8(m, 53, DHCP4_ACK), 0);
	assert_int_equal(dhcp4_opt_set(m, 82, span_str("\1\3abc")), 0);
	assert_int_equal(dhcp4_opt_set_u32(m, 51, 3600), 0);
}

/* Reads overloads without a meaning, and repeated ones, as a client: the first good one counts. */
static void test_tolerant_overload(void **state)
{
	static const struct {
		const char *octets;
		size_t n;
		bool file, sname;
	} rows[] = {
		{"\x34\x01\x01", 3, true, false},
		{"\x34\x01\x02", 3, false, true},
		{"\x34\x01\x03", 3, true, true},
		{"\x34\x01\x00", 3, false, false},
		{"\x34\x01\x04", 3, false, false},
		{"\x34\x01\xff", 3, false, false},
		{"\x34\x00", 2, false, false},
		{"\x34\x02\x01\x01", 4, false, false},
		{"\x34\x01\x01\x34\x01\x02", 6, true, false},
		{"\x34\x01", 2, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t octets[400] = {DHCP4_BOOTREPLY, 1, 6};
		struct wr w = wr_init(octets, sizeof(octets));
		struct dhcp4_msg m;

		memcpy(octets + 108,
		       "\x34\x01\x03\x0f\x01"
		       "f\xff",
		       7);				     /* file: 52 again, then 15 */
		memcpy(octets + 44, "\x11\x01s\x11\xfe", 5); /* sname: 17, then a cut-off one */
		w.len = DHCP4_HDR_LEN;
		wr_be32(&w, DHCP4_MAGIC);
		wr_bytes(&w, rows[i].octets, rows[i].n);
		arena_reset(&arena);
		assert_int_equal(decode(&w, DHCP4_TOLERANT, &m), 0);
		assert_int_equal(dhcp4_opt(&m, 15) != NULL, rows[i].file);
		assert_int_equal(dhcp4_opt(&m, 17) != NULL, rows[i].sname);
		assert_null(dhcp4_opt(&m, 52));
	}
}

static struct dhcp4_encoded encode(const struct dhcp4_msg *m, size_t max, bool no_overload)
{
	struct dhcp4_encode_opts o = {max, no_overload, DHCP4_BOOTP_MIN_LEN};
	struct dhcp4_encoded e;

	assert_int_equal(dhcp4_encode(m, &o, out, sizeof(out), &e), 0);
	return e;
}

static void test_encode_order(void **state)
{
	static const uint8_t want[] = {53,  1,	5, 51, 4, 0,   0,   14,	 16,  12, 1,
				       'h', 82, 5, 1,  3, 'a', 'b', 'c', 255, 0};
	struct dhcp4_encoded e;
	struct dhcp4_msg m;

	(void)state;
	reply(&m);
	assert_int_equal(dhcp4_opt_set(&m, 12, span_str("h")), 0);
	e = encode(&m, 1500, false);
	assert_int_equal(e.len, DHCP4_BOOTP_MIN_LEN);
	assert_memory_equal(out + DHCP4_MIN_LEN, want, sizeof(want));
	assert_false(e.overloaded);
}

/* R3396-01 */
static void test_encode_split(void **state)
{
	uint8_t big[600];
	struct dhcp4_encoded e;
	struct dhcp4_msg m, back;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)i;
	reply(&m);
	assert_int_equal(dhcp4_opt_set_ref(&m, 43, span_of(big, sizeof(big))), 0);
	e = encode(&m, 1500, false);
	assert_int_equal(out[DHCP4_MIN_LEN + 9], 43);
	assert_int_equal(out[DHCP4_MIN_LEN + 10], 255);
	assert_int_equal(out[DHCP4_MIN_LEN + 9 + 257], 43);
	assert_int_equal(out[DHCP4_MIN_LEN + 9 + 2 * 257 + 1], 90);
	assert_int_equal(dhcp4_decode(span_of(out, e.len), false, &arena, &back), 0);
	assert_true(span_eq(dhcp4_opt_data(&back, 43), span_of(big, sizeof(big))));
}

/* R2131-4.1-12, R2132-9.10-01, R3046-2.2-08 */
static void test_encode_overload(void **state)
{
	uint8_t big[255] = {0};
	struct dhcp4_encoded e;
	struct dhcp4_msg m, back;

	(void)state;
	reply(&m);
	assert_int_equal(dhcp4_opt_set_ref(&m, 43, span_of(big, 250)), 0);
	assert_int_equal(dhcp4_opt_set_ref(&m, 15, span_of(big, 100)), 0);
	assert_int_equal(dhcp4_opt_set_ref(&m, 17, span_of(big, 50)), 0);
	assert_int_equal(dhcp4_opt_set_ref(&m, 60, span_of(big, 200)), 0);
	e = encode(&m, 20, false); /* nonsense counts as 576 octets of datagram */
	assert_true(e.overloaded);
	assert_int_equal(e.n_omitted, 1);
	assert_int_equal(e.first_omitted, 60);
	assert_true(e.len <= 548);
	assert_int_equal(out[108], 15);
	assert_int_equal(out[108 + 102], 255);
	assert_int_equal(dhcp4_decode(span_of(out, e.len), false, &arena, &back), 0);
	assert_int_equal(back.n_opts, 6);
	assert_opt(&back, 82, "\1\3abc");
	e = encode(&m, 548, true);
	assert_false(e.overloaded);
	assert_int_equal(e.n_omitted, 3);
	m.file[0] = 'b'; /* never over a boot file name */
	m.sname[0] = 's';
	assert_false(encode(&m, 548, false).overloaded);
	assert_int_equal(out[108], 'b');
}

static void test_encode_essentials(void **state)
{
	struct dhcp4_encode_opts o = {.max_len = 1500};
	uint8_t big[600] = {0};
	struct dhcp4_encoded e;
	struct dhcp4_msg m;

	(void)state;
	reply(&m);
	assert_int_equal(dhcp4_encode(&m, &o, out, 245, &e), -USHER_E_NOSPACE);
	assert_int_equal(dhcp4_encode(&m, &o, out, 239, &e), -USHER_E_NOSPACE);
	assert_int_equal(dhcp4_opt_set_ref(&m, 82, span_of(big, 400)), 0);
	e = encode(&m, 548, false);
	assert_int_equal(e.n_omitted, 1);
	assert_int_equal(e.first_omitted, 82);
	assert_int_equal(dhcp4_opt_set_ref(&m, 61, span_of(big, 600)), 0);
	o.max_len = 548;
	assert_int_equal(dhcp4_encode(&m, &o, out, sizeof(out), &e), -USHER_E_NOSPACE);
}

static void test_set_del(void **state)
{
	struct dhcp4_msg m;
	uint16_t v16;
	uint32_t v32;
	uint8_t v8;

	(void)state;
	dhcp4_init(&m, &arena);
	for (unsigned c = 1; c < 255; c++)
		assert_int_equal(dhcp4_opt_set_u8(&m, (uint8_t)c, (uint8_t)c), 0);
	assert_int_equal(m.n_opts, 254);
	assert_true(dhcp4_opt_del(&m, 7));
	assert_false(dhcp4_opt_del(&m, 7));
	assert_true(dhcp4_opt_u8(&m, 254, &v8) && v8 == 254);
	assert_false(dhcp4_opt_u16(&m, 254, &v16));
	assert_int_equal(dhcp4_opt_set_u32(&m, 9, 77), 0);
	assert_true(dhcp4_opt_u32(&m, 9, &v32) && v32 == 77);
	assert_int_equal(m.n_opts, 253);
	assert_int_equal(dhcp4_opt_set_u8(&m, 0, 1), -USHER_E_RANGE);
	assert_int_equal(dhcp4_opt_set_u8(&m, 255, 1), -USHER_E_RANGE);
}

static void test_subopts(void **state)
{
	struct span c = span_of("\1\2ab\2\0\1\1z\377", 10);
	struct span got;

	(void)state;
	assert_true(dhcp4_subopts_valid(c));
	assert_true(dhcp4_subopt(c, 1, &got) && got.n == 2);
	assert_true(dhcp4_subopt(c, 2, &got) && got.n == 0);
	assert_false(dhcp4_subopt(c, 9, &got));
	assert_null(got.p);
	assert_false(dhcp4_subopts_valid(span_of("\1\2a", 3)));
	assert_false(dhcp4_subopt(span_of("\1\2a", 3), 1, &got));
	assert_true(dhcp4_subopts_valid(SPAN_NULL));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_fields, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_every_code, setup),
		cmocka_unit_test_setup(test_many_repeats, setup),
		cmocka_unit_test_setup(test_join_across_fields, setup),
		cmocka_unit_test_setup(test_hostile_overload, setup),
		cmocka_unit_test_setup(test_tolerant_overload, setup),
		cmocka_unit_test_setup(test_arena_full, setup),
		cmocka_unit_test_setup(test_encode_order, setup),
		cmocka_unit_test_setup(test_encode_split, setup),
		cmocka_unit_test_setup(test_encode_overload, setup),
		cmocka_unit_test_setup(test_encode_essentials, setup),
		cmocka_unit_test_setup(test_set_del, setup),
		cmocka_unit_test_setup(test_subopts, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
