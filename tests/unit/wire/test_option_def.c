/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The options table, text to data and data to text.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "base/ip.h"
#include "wire/fqdn.h"
#include "wire/option_codes.h"
#include "wire/option_def.h"

#include <stdlib.h>
#include <time.h>

static void test_table(void **state)
{
	size_t n4 = 0;

	(void)state;
	for (size_t i = 0; option_def_at(i); i++) {
		const struct option_def *d = option_def_at(i);

		n4 += strcmp(d->space, OPTION_SPACE_DHCP4) == 0;
		assert_ptr_equal(option_def_by_code(d->space, d->code), d);
		assert_ptr_equal(option_def_by_name(d->space, d->name), d);
		assert_int_equal(d->type == OPTION_RECORD, d->n_record > 0);
	}
	assert_int_equal(n4, 125); /* Kea's 124 and 43 */
	assert_string_equal(option_def_by_code(OPTION_SPACE_RAI, RAI_LINK_SELECTION)->name,
			    "link-selection");
	assert_int_equal(DHCP4_OPT_CLIENT_ID, 61);
	assert_null(option_def_by_code(OPTION_SPACE_VENDOR, 1));
}

static void test_types(void **state)
{
	enum option_type t;

	(void)state;
	for (int i = 0; i < OPTION_N_TYPES; i++) {
		assert_int_equal(option_type_parse(option_type_name((enum option_type)i), &t), 0);
		assert_int_equal(t, i);
	}
	assert_int_equal(option_type_parse("uint64", &t), -USHER_E_UNKNOWN);
}

struct pair {
	const char *name;
	const char *text;
	const char *hex;  /* NULL: refused */
	const char *back; /* NULL: the text itself */
};

static void check_pair(const struct option_def *d, const struct pair *p, bool csv)
{
	const char *why = NULL;
	struct buf text = {0};
	struct arena arena;
	struct span data;
	uint8_t want[512];
	int r;

	arena_init(&arena);
	r = option_encode_text(d, p->text, csv, &arena, &data, &why);
	if (!p->hex) {
		if (r >= 0)
			fail_msg("%s '%s' was taken", p->name, p->text);
		assert_non_null(why);
	} else {
		if (r < 0)
			fail_msg("%s '%s': %s", p->name, p->text, why);
		r = hex_parse(p->hex, strlen(p->hex), want, sizeof(want));
		assert_true(r >= 0 && span_eq(data, span_of(want, (size_t)r)));
		assert_true(option_data_valid(d, data));
		option_text(d, data, &text);
		buf_char(&text, '\0');
		assert_string_equal(text.p, p->back ? p->back : p->text);
	}
	buf_fini(&text);
	arena_fini(&arena);
}

static void test_csv(void **state)
{
	static const struct pair pairs[] = {
		{"routers", "192.0.2.1, 192.0.2.2", "c0000201c0000202", NULL},
		{"routers", ",192.0.2.1,,", "c0000201", "192.0.2.1"},
		{"routers", "", NULL, NULL},
		{"subnet-mask", " 255.255.255.0 ", "ffffff00", "255.255.255.0"},
		{"subnet-mask", "1.2.3.4, 1.2.3.5", "01020304", "1.2.3.4"},
		{"static-routes", "1.2.3.4", NULL, NULL},
		{"time-offset", "-3600", "fffff1f0", NULL},
		{"time-offset", "2147483648", NULL, NULL},
		{"interface-mtu", "0x5dc", "05dc", "1500"},
		{"interface-mtu", "65536", NULL, NULL},
		{"interface-mtu", "-1", NULL, NULL},
		{"interface-mtu", "15x", NULL, NULL},
		{"interface-mtu", "5dc", "05dc", "1500"},
		{"default-ip-ttl", "256", NULL, NULL},
		{"path-mtu-plateau-table", "68, 296", "00440128", NULL},
		{"ip-forwarding", "True", "01", "true"},
		{"ip-forwarding", "0", "00", "false"},
		{"ip-forwarding", "yes", NULL, NULL},
		{"domain-name", "a\\,b", "612c62", "a,b"},
		{"domain-name", "a,b", "61", "a"},
		{"domain-name", "a\\\\b\\c", "615c625c63", "a\\b\\c"},
		{"domain-name", "", NULL, NULL},
		{"domain-search", "a.example, b.", "0161076578616d706c6500016200",
		 "a.example., b."},
		{"domain-search", "a..b", NULL, NULL},
		{"v4-lost", ".", "00", NULL},
		{"slp-directory-agent", "true, 1.2.3.4, 1.2.3.5", "010102030401020305", NULL},
		{"slp-directory-agent", "true", NULL, NULL},
		{"slp-service-scope", "false, text", "0074657874", NULL},
		{"slp-service-scope", "false, ", "00", NULL},
		{"client-ndi", "1, 2, 3", "010203", NULL},
		{"client-ndi", "1, 2", NULL, NULL},
		{"v4-portparams", "2, 3/4", "02043000", NULL},
		{"v4-portparams", "2, 16/4", NULL, NULL},
		{"v4-portparams", "2, 0/0", "02000000", NULL},
		{"option-6rd", "8, 32, 2001:db8::, 192.0.2.1",
		 "082020010db8000000000000000000000000c0000201", NULL},
		{"uuid-guid", "0, 0a0b", "000a0b", NULL},
		{"v4-sztp-redirect", "https://a, b", "000968747470733a2f2f61000162", NULL},
		{"vivso-suboptions", "4491", "0000118b", NULL},
		{"vendor-encapsulated-options", "", "", NULL},
		{"vendor-encapsulated-options", "x", NULL, NULL},
		{"classless-static-route", "10.0.0.0/8 - 192.0.2.1, 0.0.0.0/0 - 192.0.2.254",
		 "080ac000020100c00002fe", NULL},
		{"classless-static-route", "10.1.2.3/12 - 192.0.2.1", "0c0a00c0000201",
		 "10.0.0.0/12 - 192.0.2.1"},
		{"classless-static-route", "10.0.0.0/33 - 192.0.2.1", NULL, NULL},
		{"classless-static-route", "10.0.0.0/8", NULL, NULL},
		{"v4-dnr", "100, a.b., 192.0.2.1 192.0.2.2, alpn=dot\\,doq port=853",
		 "0023006405016101620008c0000201c000020200010008"
		 "03646f7403646f71"
		 "000300020355",
		 NULL},
		{"v4-dnr", "1, a. | 2, b.",
		 "0006000103016100000600020301"
		 "6200",
		 NULL},
		{"v4-dnr", "1, a., 192.0.2.1, port=1 alpn=dot", NULL, NULL},
		{"v4-dnr", "1, a., 192.0.2.1, key9=0a",
		 "0010000103016100"
		 "04c0000201"
		 "000900010a",
		 NULL},
		{"v4-dnr", "1", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct option_def *d = option_def_by_name(OPTION_SPACE_DHCP4, pairs[i].name);

		assert_non_null(d);
		check_pair(d, &pairs[i], true);
	}
}

static void test_raw(void **state)
{
	static const struct pair pairs[] = {
		{"domain-name", "'a, b'", "612c2062", "a, b"},
		{"domain-name", "61:62", "6162", "ab"},
		{"routers", "0xC0000201", "c0000201", "192.0.2.1"},
		{"routers", "c00002", NULL, NULL},
		{"routers", "zz", NULL, NULL},
		{"vendor-encapsulated-options", "0102ff", "0102ff", "0102ff"},
		{"dhcp-agent-options", "0102ff", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		check_pair(option_def_by_name(OPTION_SPACE_DHCP4, pairs[i].name), &pairs[i], false);
}

static void test_own_types(void **state)
{
	static const struct option_def prefix = {.code = 200,
						 .name = "p",
						 .space = "dhcp4",
						 .type = OPTION_IPV6_PREFIX,
						 .encapsulate = ""};
	static const struct option_def tuple = {.code = 201,
						.name = "t",
						.space = "dhcp4",
						.type = OPTION_TUPLE,
						.encapsulate = ""};
	static const struct option_def i8 = {.code = 202,
					     .name = "i",
					     .space = "dhcp4",
					     .type = OPTION_INT8,
					     .flags = OPTION_F_ARRAY,
					     .encapsulate = ""};

	(void)state;
	check_pair(&prefix,
		   &(struct pair){"p", "2001:db8:ff::/36", "2420010db800", "2001:db8::/36"}, true);
	check_pair(&prefix, &(struct pair){"p", "::/129", NULL, NULL}, true);
	check_pair(&tuple, &(struct pair){"t", "abc", "03616263", NULL}, true);
	check_pair(&i8, &(struct pair){"i", "-128, 127", "807f", NULL}, true);
	check_pair(&i8, &(struct pair){"i", "128", NULL, NULL}, true);
}

static void assert_text(uint32_t code, const char *hex, const char *want)
{
	const struct option_def *d = option_def_by_code(OPTION_SPACE_DHCP4, code);
	struct buf b = {0};
	uint8_t data[512];
	int n = hex_parse(hex, strlen(hex), data, sizeof(data));

	assert_true(n >= 0);
	option_text(d, span_of(data, (size_t)n), &b);
	buf_char(&b, '\0');
	assert_string_equal(b.p, want);
	buf_fini(&b);
}

static void test_names(void **state)
{
	uint8_t out[FQDN_WIRE_MAX];
	char label[65];

	(void)state;
	/* compressed: RFC 1035 4.1.4 */
	assert_text(119, "0361626300016403616263c000", "abc., d.abc.abc.");
	/* ROB-12: loops, pointers forward, unterminated: shown as hex */
	assert_text(119, "c000", "c000");
	assert_text(119, "0161c000", "0161c000");
	assert_text(119, "c00200", "c00200");
	assert_text(119, "0361", "0361");
	assert_text(119, "0161", "0161");
	assert_text(119, "8061", "8061");
	assert_text(137, "03612e2c00", "a\\046\\044.");
	/* option 81: partial name, ASCII form, nothing */
	assert_text(81, "04000004686f7374", "4, 0, 0, host");
	assert_text(81, "000000686f7374", "0, 0, 0, host");
	assert_text(81, "040000", "4, 0, 0, ");
	assert_text(81, "0400", "0400");
	memset(label, 'a', 64);
	assert_int_equal(fqdn_parse(label, 64, out), -USHER_E_RANGE);
	assert_int_equal(fqdn_parse(label, 63, out), 65);
	assert_int_equal(fqdn_parse("a\\046b", 6, out), 5);
	assert_int_equal(fqdn_parse("a\\999", 5, out), -USHER_E_SYNTAX);
}

/* ROB-03 to 05: no definition minds any length or fill. */
static void test_any_data(void **state)
{
	static const int fills[] = {0x00, 0xff, 0x01, 0xc0};

	(void)state;
	for (size_t i = 0; option_def_at(i); i++) {
		for (size_t f = 0; f < ARRAY_LEN(fills); f++) {
			for (size_t n = 0; n <= 255; n += n < 40 ? 1 : 43) {
				uint8_t *data = malloc(n ? n : 1);
				struct buf b = {0};

				assert_non_null(data);
				memset(data, fills[f], n);
				(void)option_data_valid(option_def_at(i), span_of(data, n));
				option_text(option_def_at(i), span_of(data, n), &b);
				buf_fini(&b);
				free(data);
			}
		}
	}
}

/* Data that costs as much as it can: kinds of compressed names, and one octet all the way. */
static void fill_hostile(uint8_t *data, size_t n, int kind)
{
	memset(data, kind == 0 ? 0 : kind == 1 ? 0xff : 1, n);
	if (kind < 3)
		return;
	data[0] = 0;
	for (size_t i = 1; i + 1 < n; i += 2) { /* each name points to the one before */
		size_t to = i == 1 ? 0 : kind == 3 ? i - 2 : 0;

		data[i] = (uint8_t)(0xc0 | (to >> 8 & 0x3f));
		data[i + 1] = (uint8_t)to;
	}
	if (kind == 5) { /* one long name, then pointers to it */
		for (size_t i = 0; i < 4; i++) {
			data[i * 63] = 62;
			memset(data + i * 63 + 1, 7, 62);
		}
		data[252] = 0;
		for (size_t i = 253; i + 1 < n; i += 2)
			data[i] = 0xc0, data[i + 1] = 0;
	}
}

/* CPU time of one text, the least of three. */
static double text_cost(const struct option_def *def, const uint8_t *data, size_t n)
{
	struct buf b = {0};
	double best = 1e9;

	option_text(def, span_of(data, n), &b); /* room for it */
	for (int round = 0; round < 3; round++) {
		clock_t start = clock();
		double s;

		for (int i = 0; i < 16; i++) {
			buf_reset(&b);
			option_text(def, span_of(data, n), &b);
		}
		s = (double)(clock() - start) / CLOCKS_PER_SEC / 16;
		best = s < best ? s : best;
	}
	buf_fini(&b);
	return best;
}

/* The text of an option costs no more than its octets: four times as many, four times as much. */
static void test_text_is_linear(void **state)
{
	enum { SMALL = 1024, LARGE = 4096, KINDS = 6 };
	uint8_t data[LARGE];

	(void)state;
	for (size_t i = 0; option_def_at(i); i++) {
		for (int kind = 0; kind < KINDS; kind++) {
			double small;
			double large;

			fill_hostile(data, LARGE, kind);
			large = text_cost(option_def_at(i), data, LARGE);
			if (large < 100e-6)
				continue;
			fill_hostile(data, SMALL, kind);
			small = text_cost(option_def_at(i), data, SMALL);
			if (large > 10 * small) /* in a quadratic way it is 16 times */
				fail_msg("%s, kind %d: %.0f us, %.0f us for four times as much",
					 option_def_at(i)->name, kind, small * 1e6, large * 1e6);
		}
	}
}

/* A search list as DHCP servers send it is read whole; one that stands for far more than it says is
 * not. */
static void test_many_names(void **state)
{
	const struct option_def *def = option_def_by_code(OPTION_SPACE_DHCP4, 119);
	uint8_t data[2048];
	size_t n = 0;
	struct buf b = {0};

	(void)state;
	n += (size_t)fqdn_parse("a0.department.of.a.quite.long.company.name.example", 50, data);
	for (int i = 1; i < 60; i++) {
		data[n++] = 2;
		data[n++] = (uint8_t)('a' + i % 26);
		data[n++] = (uint8_t)('0' + i / 26);
		data[n++] = 0xc0;
		data[n++] = 3; /* behind the first label */
	}
	option_text(def, span_of(data, n), &b);
	assert_non_null(strstr(b.p, "h2.department.of.a.quite.long.company.name.example"));
	buf_fini(&b);
	fill_hostile(data, sizeof(data), 5);
	assert_false(option_data_valid(def, span_of(data, sizeof(data))));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	   cmocka_unit_test(test_types),
		cmocka_unit_test(test_csv),	   cmocka_unit_test(test_raw),
		cmocka_unit_test(test_own_types),  cmocka_unit_test(test_names),
		cmocka_unit_test(test_any_data),   cmocka_unit_test(test_text_is_linear),
		cmocka_unit_test(test_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
