/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The class index against asking every class: random tests of every shape on random messages. Tests
 * that the index leaves out must give false without an error; the rest must be few where classes
 * differ by a value.
 */
#include "unit/unit.h"

#include "base/buf.h"
#include "config/class_index.h"
#include "config/config.h"
#include "wire/dhcp4.h"

#include <stdlib.h>

enum { N_CLASSES = 150, N_MESSAGES = 400 };

static struct arena arena;
static struct dhcp4_msg msg;
static unsigned seed;

static unsigned rnd(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static int setup(void **state)
{
	(void)state;
	seed = 7;
	arena_init(&arena);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* --- random tests and messages ---------------------------------------------------------------- */

static const char *const subjects[] = {
	"option[60].hex",
	"substring(option[60].hex,0,3)",
	"substring(option[60].hex,2,all)",
	"option[93].hex",
	"relay4[1].hex",
	"pkt4.mac",
	"pkt4.giaddr",
	"option[77].hex",
	"option[12].text",
	"vendor[4491].option[1].hex",
	"lcase(option[60].hex)",
	"split(option[60].hex,'c',1)",
	"hexstring(option[93].hex,'')",
	"concat(option[77].hex,'')",
};

static const char *const values[] = {"''",     "'abc'",		 "'abcdef'",   "'cdef'",
				     "0x0007", "0x020304050607", "0x0a000001", "'u'",
				     "'hi'",   "'0007'",	 "'ab'"};

static void put_test(struct buf *b, unsigned depth)
{
	static const char *const joins[] = {" and ", " or ", " sand ", " sor "};
	unsigned kind = rnd(depth ? 9 : 5);

	if (kind < 3) {
		buf_printf(b, "%s == %s", subjects[rnd(ARRAY_LEN(subjects))],
			   values[rnd(ARRAY_LEN(values))]);
	} else if (kind == 3) {
		buf_printf(b, "option[%u].exists", 60 + rnd(20));
	} else if (kind == 4) {
		/* fails on a length other than four or sixteen octets */
		buf_printf(b, "addrtotext(%s) == '10.0.0.1'", subjects[rnd(ARRAY_LEN(subjects))]);
	} else if (kind == 5) {
		buf_str(b, "not (");
		put_test(b, depth - 1);
		buf_str(b, ")");
	} else {
		buf_str(b, "(");
		put_test(b, depth - 1);
		buf_str(b, joins[rnd(4)]);
		put_test(b, depth - 1);
		buf_str(b, ")");
	}
}

static struct config *load(const char *classes)
{
	struct json_opts o = {.file = "", .dialect = true};
	struct config_load_opts opts = {0};
	struct config_error e = {0};
	struct config *c = NULL;
	struct buf text;
	struct json *v;

	buf_init(&text);
	buf_printf(&text, "{\"Dhcp4\":{\"client-classes\":[%s]}}", classes);
	assert_int_equal(json_parse(span_of(text.p, text.len), &o, &arena, &v, &e), 0);
	if (config_load_json(v, &opts, &c, &e) < 0)
		fail_msg("%u:%u: %s", e.pos.line, e.pos.col, e.text);
	buf_fini(&text);
	return c;
}

static struct config *random_config(void)
{
	struct config *c;
	struct buf b;

	buf_init(&b);
	for (unsigned i = 0; i < N_CLASSES; i++) {
		buf_printf(&b, "%s{\"name\":\"c%u\",\"test\":\"", i ? "," : "", i);
		put_test(&b, rnd(4));
		buf_str(&b, "\"}");
	}
	c = load(b.p);
	buf_fini(&b);
	return c;
}

static void maybe_set(uint8_t code, const char *v)
{
	if (rnd(2))
		assert_int_equal(dhcp4_opt_set(&msg, code, span_str(v)), 0);
}

static void random_message(void)
{
	static const char *const vendors[] = {"abc", "abcdef", "x", ""};

	dhcp4_init(&msg, &arena);
	msg.hlen = 6;
	msg.giaddr = rnd(2) ? 0x0a000001 : 0;
	memcpy(msg.chaddr, rnd(2) ? "\2\3\4\5\6\7" : "\2\3\4\5\6\10", 6);
	maybe_set(60, vendors[rnd(4)]);
	maybe_set(77, "u");
	maybe_set(12, rnd(2) ? "abc" : "hi");
	if (rnd(2))
		assert_int_equal(dhcp4_opt_set(&msg, 93, span_of("\0\7", 2)), 0);
	if (rnd(2))
		assert_int_equal(dhcp4_opt_set(&msg, 82, span_of("\1\3abc", 5)), 0);
	if (rnd(2))
		assert_int_equal(dhcp4_opt_set(&msg, 125, span_of("\0\0\x11\x8b\4\1\2hi", 9)), 0);
}

/* --- the tests -------------------------------------------------------------------------------- */

static unsigned candidates(const struct config *c, uint64_t *set)
{
	struct expr_ctx ctx = {.msg = &msg, .pkt = {"eth0", 1, 2, 300}, .scratch = &arena};
	unsigned n = 0;

	class_index_candidates(c->class_index, &ctx, false, set);
	for (size_t w = 0; w < class_index_words(c->class_index); w++)
		n += (unsigned)__builtin_popcountll(set[w]);
	return n;
}

static void test_leaves_out_what_is_false(void **state)
{
	unsigned left_out = 0;
	unsigned held = 0;

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		struct config *c = random_config();
		uint64_t set[(N_CLASSES + 63) / 64];

		for (unsigned m = 0; m < N_MESSAGES / 10; m++) {
			random_message();
			(void)candidates(c, set);
			for (size_t i = 0; i < N_CLASSES; i++) {
				struct expr_ctx ctx = {.msg = &msg,
						       .pkt = {"eth0", 1, 2, 300},
						       .scratch = &arena};
				bool yes = false;
				int r = expr_bool(c->classes[i].test, &ctx, &yes, NULL);

				held += yes;
				if (set[i / 64] >> (i % 64) & 1)
					continue;
				left_out++;
				if (r < 0 || yes)
					fail_msg("class c%zu of round %u was left out", i, round);
			}
		}
		config_free(c);
	}
	assert_true(held > 1000);
	assert_true(left_out > N_CLASSES * N_MESSAGES / 4);
}

/* Hundreds of classes that differ by a value: one is asked. */
static void test_one_of_many(void **state)
{
	uint64_t set[10] = {0};
	struct config *c;
	struct buf b;

	(void)state;
	buf_init(&b);
	for (unsigned i = 0; i < 600; i++)
		buf_printf(
			&b,
			"%s{\"name\":\"c%u\",\"test\":\"%s == '%03u' and not option[93].exists\"}",
			i ? "," : "", i, i % 2 ? "substring(option[60].hex,0,3)" : "option[77].hex",
			i);
	c = load(b.p);
	buf_fini(&b);
	dhcp4_init(&msg, &arena);
	assert_int_equal(candidates(c, set), 0);
	assert_int_equal(dhcp4_opt_set(&msg, 60, span_str("471 and more")), 0);
	assert_int_equal(candidates(c, set), 1);
	assert_true(set[471 / 64] >> (471 % 64) & 1);
	assert_int_equal(dhcp4_opt_set(&msg, 77, span_str("042")), 0);
	assert_int_equal(candidates(c, set), 2);
	config_free(c);
}

/* member(), a bare not, and the pass for KNOWN. */
static void test_what_cannot_be_left_out(void **state)
{
	uint64_t set[1] = {0};
	struct expr_ctx ctx = {.msg = &msg, .scratch = &arena};
	struct config *c = load(
		"{\"name\":\"a\",\"test\":\"option[60].hex == 'x'\"},"
		"{\"name\":\"b\",\"test\":\"member('a')\"},"
		"{\"name\":\"c\",\"test\":\"not option[60].exists\"},"
		"{\"name\":\"d\",\"test\":\"member('KNOWN') and option[60].hex == 'y'\"},"
		"{\"name\":\"e\",\"test\":\"member('KNOWN')\"},"
		"{\"name\":\"f\",\"test\":\"option[60].hex == ''\"},"
		"{\"name\":\"g\"}");

	(void)state;
	dhcp4_init(&msg, &arena);
	class_index_candidates(c->class_index, &ctx, false, set);
	assert_int_equal(set[0], 1 << 1 | 1 << 2 | 1 << 5);
	class_index_candidates(c->class_index, &ctx, true, set);
	assert_int_equal(set[0], 1 << 4);
	assert_int_equal(dhcp4_opt_set(&msg, 60, span_str("y")), 0);
	class_index_candidates(c->class_index, &ctx, true, set);
	assert_int_equal(set[0], 1 << 3 | 1 << 4);
	config_free(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_leaves_out_what_is_false, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_of_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_left_out, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
