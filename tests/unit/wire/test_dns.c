/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS messages made by hand, octet by octet: valid ones are read, invalid ones are refused.
 */
#include "unit/unit.h"

#include <time.h>

#include "base/error.h"
#include "wire/dns.h"

#include <stdlib.h>

static uint8_t buf[DNS_MSG_MAX + 1], again[DNS_MSG_MAX + 1];

/* Writes a header with these counts; the caller appends the records. */
static struct wr message(uint16_t flags, uint16_t qd, uint16_t an, uint16_t ns, uint16_t ar)
{
	struct wr w = wr_init(buf, sizeof(buf));

	wr_be16(&w, 0x1234);
	wr_be16(&w, flags);
	wr_be16(&w, qd);
	wr_be16(&w, an);
	wr_be16(&w, ns);
	wr_be16(&w, ar);
	return w;
}

static void raw(struct wr *w, const char *octets, size_t n)
{
	wr_bytes(w, octets, n);
}

#define RAW(w, s) raw((w), (s), sizeof(s) - 1)

static int decode(const struct wr *w, struct dns_msg *m)
{
	/* of just this size, so that a sanitizer sees a read behind it */
	static uint8_t *exact;
	int r;

	free(exact);
	exact = malloc(w->len ? w->len : 1);
	assert_non_null(exact);
	memcpy(exact, w->base, w->len);
	r = dns_decode(span_of(exact, w->len), m);
	return r;
}

static const char *text(const struct dns_name *n)
{
	static char t[DNS_TEXT_MAX];

	size_t len = dns_name_text(n, t);

	assert_int_equal(len, strlen(t));
	return t;
}

static const char *owner(const struct dns_msg *m, const struct dns_rr *rr)
{
	struct dns_name n;

	assert_true(dns_owner(m, rr, &n));
	return text(&n);
}

static const char *inner(const struct dns_msg *m, const struct dns_rr *rr, unsigned i)
{
	struct dns_name n;

	assert_true(dns_rdata_name(m, rr, i, &n));
	return text(&n);
}

/* o.example. asked for, a CNAME and an address answered, with EDNS. */
static struct wr answer(void)
{
	struct wr w = message(DNS_QR | DNS_RD | DNS_RA, 1, 2, 1, 1);

	RAW(&w, "\1o\7example\0\0\1\0\1");		      /* 12 */
	RAW(&w, "\300\014\0\5\0\1\0\0\0\074\0\4\1t\300\016"); /* 27: t.example. */
	RAW(&w, "\300\047\0\1\0\1\0\0\1\0\0\4\300\0\2\7");    /* of t.example.: 39 */
	RAW(&w,
	    "\300\016\0\6\0\1\0\0\0\1\0\033\2ns\300\016\300\014\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5");
	RAW(&w, "\0\0\051\4\320\2\0\200\0\0\6\0\012\0\2\252\273");
	return w;
}

static void test_reads_an_answer(void **state)
{
	struct wr w = answer();
	struct dns_msg m;
	struct dns_rr rr;
	struct dns_iter it;
	struct dns_edns e;
	struct dns_soa soa;
	struct span option;
	struct rd r;
	uint16_t code;

	(void)state;
	assert_int_equal(decode(&w, &m), 0);
	assert_int_equal(m.id, 0x1234);
	assert_int_equal(dns_opcode(&m), 0);
	assert_true(dns_at(&m, DNS_QUESTION, 0, &rr));
	assert_string_equal(owner(&m, &rr), "o.example.");
	assert_int_equal(rr.type, DNS_TYPE_A);
	assert_int_equal(rr.ttl_at, 0);
	it = dns_each(&m, DNS_ANSWER);
	assert_true(dns_next(&it, &rr));
	/* the owner is one name, the target another */
	assert_string_equal(owner(&m, &rr), "o.example.");
	assert_string_equal(inner(&m, &rr, 0), "t.example.");
	assert_int_equal(rr.ttl, 60);
	assert_true(dns_next(&it, &rr));
	assert_string_equal(owner(&m, &rr), "t.example.");
	assert_int_equal(dns_ipv4(&m, &rr), 0xc0000207);
	assert_int_equal(rr.ttl, 256);
	assert_false(dns_next(&it, &rr));
	assert_true(dns_at(&m, DNS_AUTHORITY, 0, &rr));
	soa = dns_soa(&m, &rr);
	assert_string_equal(inner(&m, &rr, 0), "ns.example.");
	assert_string_equal(inner(&m, &rr, 1), "o.example.");
	assert_int_equal(soa.serial, 1);
	assert_int_equal(soa.minimum, 5);
	assert_false(dns_at(&m, DNS_AUTHORITY, 1, &rr));
	assert_true(dns_edns(&m, &e));
	assert_int_equal(e.udp_size, 1232);
	assert_int_equal(e.flags, 0x8000);
	assert_int_equal(dns_rcode(&m), 2 << 4);
	r = rd_init(e.options);
	assert_true(dns_option_next(&r, &code, &option));
	assert_int_equal(code, 10);
	assert_memory_equal(option.p, "\252\273", 2);
	assert_false(dns_option_next(&r, &code, &option));
}

static void test_every_prefix_is_refused(void **state)
{
	struct wr w = answer();
	struct dns_msg m;
	size_t whole = w.len;

	(void)state;
	for (w.len = 0; w.len < whole; w.len++)
		assert_true(decode(&w, &m) < 0);
	assert_int_equal(decode(&w, &m), 0);
	wr_u8(&w, 0);
	assert_int_equal(decode(&w, &m), -USHER_E_MALFORMED); /* an octet behind it */
}

static void test_other_rdata(void **state)
{
	struct wr w = message(DNS_QR, 0, 6, 0, 0);
	struct dns_msg m;
	struct dns_rr rr;
	struct rd r;
	struct span s;

	(void)state;
	RAW(&w, "\0\0\017\0\1\0\0\0\0\0\5\0\012\1m\0");				/* MX */
	RAW(&w, "\0\0\041\0\1\0\0\0\0\0\11\0\1\0\2\0\120\1s\0");		/* SRV */
	RAW(&w, "\0\0\020\0\1\0\0\0\0\0\6\2ab\0\1c");				/* TXT */
	RAW(&w, "\0\0\034\0\1\0\0\0\0\0\020 \1\r\270\0\0\0\0\0\0\0\0\0\0\0\1"); /* AAAA */
	RAW(&w, "\0\0\043\0\1\0\0\0\0\0\14\0\1\0\2\1u\0\1x\1n\0");		/* NAPTR */
	RAW(&w, "\0\377\1\0\1\0\0\0\0\0\3abc");					/* type 65281 */
	assert_int_equal(decode(&w, &m), 0);
	assert_true(dns_at(&m, DNS_ANSWER, 0, &rr));
	assert_int_equal(dns_mx_preference(&m, &rr), 10);
	assert_string_equal(inner(&m, &rr, 0), "m.");
	assert_true(dns_at(&m, DNS_ANSWER, 1, &rr));
	assert_int_equal(dns_srv(&m, &rr).port, 80);
	assert_int_equal(dns_srv(&m, &rr).weight, 2);
	assert_string_equal(inner(&m, &rr, 0), "s.");
	assert_int_equal(dns_ipv4(&m, &rr), 0);
	assert_true(dns_at(&m, DNS_ANSWER, 2, &rr));
	r = rd_init(dns_rdata(&m, &rr));
	assert_true(dns_string_next(&r, &s) && span_eq(s, span_str("ab")));
	assert_true(dns_string_next(&r, &s) && s.n == 0);
	assert_true(dns_string_next(&r, &s) && span_eq(s, span_str("c")));
	assert_false(dns_string_next(&r, &s));
	assert_true(dns_at(&m, DNS_ANSWER, 3, &rr));
	assert_int_equal(dns_ipv6(&m, &rr).n, 16);
	assert_true(dns_at(&m, DNS_ANSWER, 4, &rr));
	assert_string_equal(inner(&m, &rr, 0), "n.");
	assert_true(dns_at(&m, DNS_ANSWER, 5, &rr));
	assert_int_equal(rr.form, DNS_FORM_RAW);
	assert_int_equal(dns_rdata(&m, &rr).n, 3);
}

/* One record of a type with this rdata: is it refused? */
static int one_record(uint16_t type, uint16_t flags, const char *rdata, size_t n)
{
	struct wr w = message(flags, 0, 1, 0, 0);
	struct dns_msg m;

	wr_u8(&w, 0);
	wr_be16(&w, type);
	wr_be16(&w, DNS_CLASS_IN);
	wr_be32(&w, 0);
	wr_be16(&w, (uint16_t)n);
	raw(&w, rdata, n);
	return decode(&w, &m);
}

#define ONE(type, rdata) one_record((type), DNS_QR, (rdata), sizeof(rdata) - 1)

static void test_wrong_rdata(void **state)
{
	(void)state;
	assert_int_equal(ONE(DNS_TYPE_A, "\1\2\3\4"), 0);
	assert_int_equal(ONE(DNS_TYPE_A, "\1\2\3"), -USHER_E_MALFORMED);
	assert_int_equal(ONE(DNS_TYPE_A, "\1\2\3\4\5"), -USHER_E_MALFORMED);
	assert_int_equal(ONE(DNS_TYPE_AAAA, "\1\2\3\4"), -USHER_E_MALFORMED);
	assert_int_equal(ONE(DNS_TYPE_NS, "\1a\0"), 0);
	assert_int_equal(ONE(DNS_TYPE_NS, "\1a\0x"), -USHER_E_MALFORMED);
	assert_int_equal(ONE(DNS_TYPE_NS, "\1a"), -USHER_E_MALFORMED);
	assert_int_equal(ONE(DNS_TYPE_MX, "\0"), -USHER_E_MALFORMED);
	assert_int_equal(ONE(DNS_TYPE_TXT, "\3ab"), -USHER_E_MALFORMED);
	assert_int_equal(ONE(DNS_TYPE_SOA, "\0\0\0\0\0\0"), -USHER_E_MALFORMED);
	assert_int_equal(ONE(DNS_TYPE_OPT, ""), -USHER_E_MALFORMED); /* among the answers */
	/* an update that takes away has no rdata (RFC 2136 2.5.2) */
	assert_int_equal(one_record(DNS_TYPE_A, DNS_OPCODE_UPDATE << 11, "", 0), 0);
	assert_int_equal(one_record(DNS_TYPE_A, 0, "", 0), -USHER_E_MALFORMED);
}

static int question(const char *name, size_t n)
{
	struct wr w = message(0, 1, 0, 0, 0);
	struct dns_msg m;

	raw(&w, name, n);
	RAW(&w, "\0\1\0\1");
	return decode(&w, &m);
}

#define QUESTION(name) question((name), sizeof(name) - 1)

static void test_wrong_names(void **state)
{
	char longest[255], label[70];

	(void)state;
	assert_int_equal(QUESTION("\0"), 0);
	assert_int_equal(QUESTION("\300\014"), -USHER_E_MALFORMED);    /* to itself */
	assert_int_equal(QUESTION("\1a\300\014"), -USHER_E_MALFORMED); /* in a circle */
	assert_int_equal(QUESTION("\1a\300\015"), -USHER_E_MALFORMED); /* into its own label */
	assert_int_equal(QUESTION("\300\020"), -USHER_E_MALFORMED);    /* forwards */
	assert_int_equal(QUESTION("\300\000"), -USHER_E_MALFORMED);    /* into the header */
	assert_int_equal(QUESTION("\100"), -USHER_E_MALFORMED); /* labels of kinds that are not */
	assert_int_equal(QUESTION("\200"), -USHER_E_MALFORMED);
	memset(label, 'a', sizeof(label));
	label[0] = 63;
	label[64] = 0;
	assert_int_equal(question(label, 65), 0);
	memset(longest, 1, sizeof(longest));
	longest[254] = 0;
	assert_int_equal(question(longest, 255), 0);
	longest[252] = 2; /* one octet more */
	assert_int_equal(question(longest, 255), -USHER_E_MALFORMED);
}

static void test_second_opt(void **state)
{
	struct wr w = message(0, 0, 0, 0, 2);
	struct dns_msg m;

	(void)state;
	for (int i = 0; i < 2; i++)
		RAW(&w, "\0\0\051\4\320\0\0\0\0\0\0");
	assert_int_equal(decode(&w, &m), -USHER_E_MALFORMED);
	buf[11] = 1;
	w.len -= 11;
	assert_int_equal(decode(&w, &m), 0);
	RAW(&w, "\1");
	buf[22] = 1; /* half an option */
	assert_int_equal(decode(&w, &m), -USHER_E_MALFORMED);
}

/* 64 kB of names that lead to one another: refused, and soon. */
static void test_large(void **state)
{
	struct wr w = message(DNS_QR, 0, 0, 0, 0);
	uint16_t n = 0, at;
	struct dns_msg m;

	(void)state;
	for (at = 0; w.len + 14 <= DNS_MSG_MAX; n++) {
		uint16_t here = (uint16_t)w.len;

		RAW(&w, "\1x");
		if (at && here < 0x4000 && n % 126)
			wr_be16(&w, (uint16_t)(0xc000 | at));
		else if (at && here >= 0x4000)
			wr_be16(&w, (uint16_t)(0xc000 | at));
		else
			wr_u8(&w, 0);
		RAW(&w, "\0\377\0\1\0\0\0\0\0\0");
		at = here < 0x4000 && (!at || n % 126 != 125) ? here : at;
	}
	buf[6] = (uint8_t)(n >> 8);
	buf[7] = (uint8_t)n;
	assert_int_equal(decode(&w, &m), -USHER_E_MALFORMED);
	/* as many records with names of their own are read */
	w = message(DNS_QR, 0, 0, 0, 0);
	for (n = 0; w.len + 13 <= DNS_MSG_MAX; n++)
		RAW(&w, "\1x\0\0\377\0\1\0\0\0\0\0\0");
	buf[6] = (uint8_t)(n >> 8);
	buf[7] = (uint8_t)n;
	assert_int_equal(decode(&w, &m), 0);
	assert_int_equal(m.count[DNS_ANSWER], n);
	wr_zero(&w, DNS_MSG_MAX + 1 - w.len);
	assert_int_equal(decode(&w, &m), -USHER_E_MALFORMED);
}

static void test_names_as_text(void **state)
{
	static const char *const good[] =
		{".", "a.", "www.example.com.", "a\\.b.c.", "\\000\\255.x.", "a\\\\b."};
	static const char *const bad[] = {"", "..", ".a", "a..b", "\\", "\\25", "\\256.", "a\\"};
	struct dns_name n, m;
	char many[600];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(dns_name_parse(span_str(good[i]), &n), 0);
		assert_string_equal(text(&n), good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(dns_name_parse(span_str(bad[i]), &n), -USHER_E_MALFORMED);
	assert_int_equal(dns_name_parse(span_str("WWW.Example.com"), &n), 0);
	assert_int_equal(dns_name_parse(span_str("www.eXample.COM."), &m), 0);
	assert_true(dns_name_eq(&n, &m));
	assert_int_equal(dns_name_parse(span_str("www.example.org."), &m), 0);
	assert_false(dns_name_eq(&n, &m));
	memset(many, 'a', sizeof(many));
	assert_int_equal(dns_name_parse(span_of(many, 63), &n), 0);
	assert_int_equal(dns_name_parse(span_of(many, 64), &n), -USHER_E_RANGE);
	for (size_t i = 1; i < sizeof(many); i += 2)
		many[i] = '.';
	assert_int_equal(dns_name_parse(span_of(many, 254), &n), 0);
	assert_int_equal(n.len, 255);
	assert_int_equal(dns_name_parse(span_of(many, 255), &n), -USHER_E_RANGE);
	/* every octet, in as long a name as there can be */
	n = (struct dns_name){.len = 0};
	for (unsigned l = 0; l < 4; l++) {
		n.octets[n.len] = l < 3 ? 63 : 61;
		memset(n.octets + n.len + 1, (int)(l * 80), n.octets[n.len]);
		n.len = (uint8_t)(n.len + 1 + n.octets[n.len]);
	}
	n.len++;
	assert_int_equal(n.len, 255);
	assert_int_equal(dns_name_parse(span_str(text(&n)), &m), 0);
	assert_memory_equal(&n, &m, 256);
}

static void test_types(void **state)
{
	uint16_t t = 0;

	(void)state;
	assert_string_equal(dns_type_name(28), "AAAA");
	assert_null(dns_type_name(65280));
	assert_int_equal(dns_type_find("cname", &t), 0);
	assert_int_equal(t, 5);
	assert_int_equal(dns_type_find("nonsense", &t), -USHER_E_UNKNOWN);
	assert_string_equal(dns_class_name(1), "IN");
	assert_null(dns_class_name(2));
}

static size_t copy(const struct dns_msg *m, bool compress, const struct dns_change *c)
{
	struct dns_writer d;
	struct dns_rr rr;
	size_t len = 0;

	dns_write_begin(&d, again, sizeof(again), m->id, m->flags);
	d.compress = compress;
	for (int s = 0; s < DNS_N_SECTIONS; s++) {
		struct dns_iter it = dns_each(m, (enum dns_section)s);

		while (dns_next(&it, &rr))
			dns_write_copy(&d, m, &rr, rr.type == DNS_TYPE_CNAME ? c : NULL);
	}
	assert_int_equal(dns_write_end(&d, &len), 0);
	return len;
}

static void test_built_anew(void **state)
{
	struct wr w = answer();
	struct dns_change c = {0};
	struct dns_name other;
	struct dns_msg m, b;
	struct dns_rr rr;
	size_t plain, packed;

	(void)state;
	assert_int_equal(decode(&w, &m), 0);
	plain = copy(&m, false, NULL);
	assert_int_equal(dns_decode(span_of(again, plain), &b), 0);
	packed = copy(&m, true, NULL);
	/* it was compressed as simply in the first place */
	assert_int_equal(packed, w.len);
	assert_memory_equal(again, buf, packed);
	assert_true(plain > packed);
	/* another name to lead to */
	assert_int_equal(dns_name_parse(span_str("elsewhere.test."), &other), 0);
	c.rdata[0] = &other;
	packed = copy(&m, true, &c);
	assert_int_equal(dns_decode(span_of(again, packed), &b), 0);
	assert_true(dns_at(&b, DNS_ANSWER, 0, &rr));
	assert_string_equal(owner(&b, &rr), "o.example.");
	assert_string_equal(inner(&b, &rr, 0), "elsewhere.test.");
	assert_true(dns_at(&b, DNS_ANSWER, 1, &rr));
	assert_string_equal(owner(&b, &rr), "t.example.");
	assert_int_equal(dns_ipv4(&b, &rr), 0xc0000207);
}

static void test_built_from_nothing(void **state)
{
	struct dns_name n;
	struct dns_new_rr rr = {.owner = &n, .type = DNS_TYPE_A, .cls = DNS_CLASS_IN, .ttl = 5};
	struct dns_writer d;
	struct dns_msg m;
	size_t len = 0, cap;

	(void)state;
	assert_int_equal(dns_name_parse(span_str("a.b.c."), &n), 0);
	rr.rdata = span_of("\1\2\3\4", 4);
	for (cap = 0; cap < 200; cap++) {
		dns_write_begin(&d, again, cap, 7, DNS_QR);
		d.compress = true;
		dns_write_question(&d, &n, DNS_TYPE_A, DNS_CLASS_IN);
		dns_write_rr(&d, DNS_ANSWER, &rr);
		if (dns_write_end(&d, &len) == 0)
			break;
	}
	assert_int_equal(cap, 12 + 7 + 4 + 2 + 10 + 4);
	assert_int_equal(len, cap);
	assert_int_equal(dns_decode(span_of(again, len), &m), 0);
	assert_int_equal(m.count[DNS_ANSWER], 1);
	/* more than a message can be long */
	dns_write_begin(&d, again, sizeof(again), 7, DNS_QR);
	for (int i = 0; i < 4000; i++)
		dns_write_rr(&d, DNS_ANSWER, &rr);
	assert_int_equal(dns_write_end(&d, &len), -USHER_E_NOSPACE);
}

/* Names of many short labels, all different: each costs its length, independent of the names
 * before. */
static void test_writing_is_linear(void **state)
{
	static uint8_t out[65535];
	struct timespec a, b;
	struct dns_writer d;
	size_t len = 0;

	(void)state;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	dns_write_begin(&d, out, sizeof(out), 7, DNS_QR);
	d.compress = true;
	for (unsigned i = 0; i < 220; i++) {
		struct dns_name n = {.len = 255};
		struct dns_new_rr rr = {.owner = &n,
					.type = DNS_TYPE_A,
					.cls = DNS_CLASS_IN,
					.rdata = span_of("\1\2\3\4", 4)};

		for (unsigned k = 0; k < 127; k++) {
			n.octets[2 * k] = 1;
			n.octets[2 * k + 1] = (uint8_t)(k * 7 + i * (k + 13));
		}
		dns_write_rr(&d, DNS_ANSWER, &rr);
	}
	assert_int_equal(dns_write_end(&d, &len), 0);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	/* seconds when each label is held against all names before it; a millisecond or two by
	 * hash */
	assert_true((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_an_answer),
		cmocka_unit_test(test_writing_is_linear),
		cmocka_unit_test(test_every_prefix_is_refused),
		cmocka_unit_test(test_other_rdata),
		cmocka_unit_test(test_wrong_rdata),
		cmocka_unit_test(test_wrong_names),
		cmocka_unit_test(test_second_opt),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_names_as_text),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_built_anew),
		cmocka_unit_test(test_built_from_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
