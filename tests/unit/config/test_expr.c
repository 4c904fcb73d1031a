/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Class expressions: every operator, function and field on one message, edge rules, and where
 * errors are said to be.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "config/expr.h"
#include "wire/dhcp4.h"

static struct arena arena, scratch;
static struct dhcp4_msg msg;

static void set(uint8_t code, const void *p, size_t n)
{
	assert_int_equal(dhcp4_opt_set(&msg, code, span_of(p, n)), 0);
}

static int setup(void **state)
{
	(void)state;
	arena_init(&arena);
	arena_init(&scratch);
	dhcp4_init(&msg, &arena);
	msg.op = 1;
	msg.htype = 1;
	msg.hlen = 6;
	msg.xid = 0x01020304;
	msg.giaddr = 0x0a000001;
	memcpy(msg.chaddr, "\x02\x03\x04\x05\x06\x07", 6);
	set(53, "\x01", 1);
	set(12, "Host-A", 6);
	set(60, "PXEClient:Arch:00007", 20);
	set(82,
	    "\x01\x03"
	    "abc"
	    "\x02\x01z",
	    8);
	set(93, "\x00\x07", 2);
	set(124,
	    "\x00\x00\x11\x8b\x03"
	    "cls",
	    8);
	set(125, "\x00\x00\x11\x8b\x04\x01\x02hi\x00\x00\x00\x01\x00", 14);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_fini(&scratch);
	arena_fini(&arena);
	return 0;
}

static bool member(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "in") == 0;
}

static struct expr_ctx context(void)
{
	return (struct expr_ctx){
		.msg = &msg,
		.pkt = {"eth0", 0xc0000201, 0xffffffff, 300},
		.scratch = &scratch,
		.member = member,
	};
}

static const struct {
	const char *text;
	int want; /* 1, 0; -1: an error of evaluation */
} conditions[] = {
	{"option[53].exists", 1},
	{"option[54].exists", 0},
	{"not option[54].exists", 1},
	{"not not option[53].exists", 1},
	{"option[54].hex == ''", 1},
	{"option[host-name].text == 'Host-A'", 1},
	{"option[12].hex == 0x486f73742d41", 1},
	{"option[53].hex == 1", 0},
	{"uint8totext(option[53].hex) == '1'", 1},
	{"option[93].hex == 0x0007", 1},
	{"option[93].hex == 0x007", 1},
	{"option[82].option[1].hex == 'abc'", 1},
	{"option[82].option[3].exists", 0},
	{"relay4[2].hex == 'z'", 1},
	{"relay4[2].exists and relay4[1].exists", 1},
	{"relay4[7].exists", 0},
	{"vendor[4491].exists", 1},
	{"vendor[*].exists", 1},
	{"vendor[99].exists", 0},
	{"vendor.enterprise == 4491", 1},
	{"vendor[4491].option[1].hex == 'hi'", 1},
	{"vendor[*].option[2].exists", 0},
	{"vendor-class[4491].exists", 1},
	{"vendor-class.enterprise == 0x0000118b", 1},
	{"vendor-class[4491].data == 'cls'", 1},
	{"vendor-class[*].data[0] == 'cls'", 1},
	{"vendor-class[4491].data[1] == ''", 1},
	{"pkt.iface == 'eth0'", 1},
	{"pkt.src == 192.0.2.1", 1},
	{"pkt.dst == 255.255.255.255", 1},
	{"pkt.len == 300", 1},
	{"pkt4.mac == 0x020304050607", 1},
	{"pkt4.hlen == 6 and pkt4.htype == 1", 1},
	{"pkt4.ciaddr == 0.0.0.0 and pkt4.yiaddr == 0.0.0.0 and pkt4.siaddr == 0.0.0.0", 1},
	{"pkt4.giaddr == 10.0.0.1", 1},
	{"pkt4.msgtype == 1", 1},
	{"pkt4.transid == 0x01020304", 1},
	{"substring('foobar', 0, 3) == 'foo'", 1},
	{"substring('foobar', 3, all) == 'bar'", 1},
	{"substring('foobar', -3, 2) == 'ba'", 1},
	{"substring('foobar', -1, -3) == 'oba'", 1},
	{"substring('foobar', 4, -9) == 'foob'", 1},
	{"substring('foobar', 6, 1) == ''", 1},
	{"substring('foobar', -7, 1) == ''", 1},
	{"substring('', 0, all) == ''", 1},
	{"split('a.b-c', '.-', 2) == 'b'", 1},
	{"split('a..c', '.', 2) == ''", 1},
	{"split('a..c', '.', 3) == 'c'", 1},
	{"split('a.b', '.', 3) == ''", 1},
	{"split('a.b', '.', 0) == ''", 1},
	{"split('a.b', '', 1) == 'a.b'", 1},
	{"concat('a', 'b') == 'ab'", 1},
	{"'a' + 'b' + 'c' == 'abc'", 1},
	{"'abc' == 'a' + ('b' + 'c')", 1},
	{"lcase('AbZ1') == 'abz1' and ucase('aBz1') == 'ABZ1'", 1},
	{"ifelse(option[53].exists, 'y', 'n') == 'y'", 1},
	{"sifelse(option[54].exists, 'y', 'n') == 'n'", 1},
	{"hexstring(0x0a0b, ':') == '0a:0b'", 1},
	{"hexstring(0x0a0b, '') == '0a0b'", 1},
	{"hexstring('', ':') == ''", 1},
	{"addrtotext(10.0.0.1) == '10.0.0.1'", 1},
	{"addrtotext(2001:db8::1) == '2001:db8::1'", 1},
	{"addrtotext('') == ''", 1},
	{"addrtotext('abc') == 'x'", -1},
	{"int8totext(0xff) == '-1' and int16totext(0xfffe) == '-2' and int32totext(-3) == '-3'", 1},
	{"uint16totext(0xfffe) == '65534' and uint32totext(-1) == '4294967295'", 1},
	{"uint32totext('') == ''", 1},
	{"uint16totext('abc') == ''", -1},
	{"match('PXE.*', option[60].hex)", 1},
	{"match('PXE', option[60].hex)", 0},
	{"match('(PXE|HTTP)Client:Arch:[0-9]{5}', option[60].hex)", 1},
	{"match('a?b+c*\\d{2,3}', 'bb12')", 1},
	{"match('[^a-c\\s]+', 'xyz')", 1},
	{"match('(a*)*b', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac')", 0},
	{"match('', '')", 1},
	{"match('^a$', 'a')", 1},
	{"member('in')", 1},
	{"member('out')", 0},
	/* precedence: sor < or < sand < and < not */
	{"member('in') or member('out') and member('out')", 1},
	{"(member('in') or member('out')) and member('out')", 0},
	{"member('in') sor member('in') or member('out') and member('out')", 1},
	{"not member('out') and member('in')", 1},
	{"member('out') and member('in') sand member('in') or member('in')", 1},
	/* an operand that cannot matter is not evaluated, but for sand and sor */
	{"member('in') or addrtotext('x') == ''", 1},
	{"member('out') and addrtotext('x') == ''", 0},
	{"member('in') sor addrtotext('x') == ''", -1},
	{"member('out') sand addrtotext('x') == ''", -1},
	{"ifelse(member('in'), 'a', addrtotext('x')) == 'a'", 1},
	{"sifelse(member('in'), 'a', addrtotext('x')) == 'a'", -1},
};

static void test_conditions(void **state)
{
	static const struct json_pos at = {"", 1, 1};
	struct expr_ctx c = context();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++) {
		struct config_error err = {0};
		const char *why = "";
		struct expr *e;
		bool b = false;
		int r = expr_compile(span_str(conditions[i].text), true, NULL, &at, &arena, &e,
				     &err);

		if (r == 0)
			r = expr_bool(e, &c, &b, &why);
		if (r != (conditions[i].want < 0 ? -USHER_E_EVAL : 0) ||
		    (r == 0 && b != conditions[i].want))
			fail_msg("%s: %d %d %s %s", conditions[i].text, r, b, err.text, why);
	}
}

static const struct {
	const char *text;
	int result;
	unsigned col;
	const char *fragment;
} bad[] = {
	{"", -USHER_E_SYNTAX, 1, "end of the expression"},
	{"'abc", -USHER_E_SYNTAX, 1, "not closed"},
	{"option[60].hex", -USHER_E_SYNTAX, 1, "expected a condition"},
	{"option[60].hex == ", -USHER_E_SYNTAX, 19, "end of the expression"},
	{"option[256].exists", -USHER_E_SYNTAX, 8, "between 0 and 255"},
	{"option[60]exists", -USHER_E_SYNTAX, 11, "expected '.'"},
	{"option[60].foo == ''", -USHER_E_SYNTAX, 12, "found 'foo'"},
	{"option[nope].exists", -USHER_E_UNKNOWN, 8, "unknown option 'nope'"},
	{"option[60].exists and", -USHER_E_SYNTAX, 22, "end of the expression"},
	{"option[60].exists foo", -USHER_E_SYNTAX, 19, "found 'foo', expected an operator"},
	{"option[60].exists == 'x'", -USHER_E_SYNTAX, 1, "expected a string"},
	{"not 'x'", -USHER_E_SYNTAX, 5, "expected a condition"},
	{"relay6[0].linkaddr == ::1", -USHER_E_UNKNOWN, 1, "DHCPv6"},
	{"pkt6.transid == 1", -USHER_E_UNKNOWN, 1, "DHCPv6"},
	{"pkt4.foo == 1", -USHER_E_UNKNOWN, 1, "unknown field 'pkt4.foo'"},
	{"known", -USHER_E_UNKNOWN, 1, "unknown word 'known'"},
	{"match(option[60].hex, 'x')", -USHER_E_SYNTAX, 7, "single quotes"},
	{"match('a(b', 'x')", -USHER_E_SYNTAX, 11, "not closed by ')'"},
	{"match('(?=a)', 'x')", -USHER_E_SYNTAX, 10, "(?:"},
	{"match('\\1', 'x')", -USHER_E_SYNTAX, 9, "not supported"},
	{"match('((a{200}){200}){200}', 'x')", -USHER_E_SYNTAX, 22, "too large"},
	{"1.2.3 == 'x'", -USHER_E_SYNTAX, 1, "not an IP address"},
	{"0x == 'x'", -USHER_E_SYNTAX, 4, "hexadecimal digits"},
	{"99999999999 == 'x'", -USHER_E_SYNTAX, 1, "between"},
	{"substring('a', 0, x) == ''", -USHER_E_SYNTAX, 19, "an integer"},
};

static void test_errors(void **state)
{
	static const struct json_pos at = {"f", 3, 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct config_error err = {0};
		struct expr *e;
		int r = expr_compile(span_str(bad[i].text), true, NULL, &at, &arena, &e, &err);

		if (r != bad[i].result || err.pos.line != 3 || err.pos.col != bad[i].col ||
		    !strstr(err.text, bad[i].fragment))
			fail_msg("%s: %d %u: %s", bad[i].text, r, err.pos.col, err.text);
	}
}

static void test_depth(void **state)
{
	static const struct json_pos at = {"", 1, 1};
	struct expr_ctx c = context();
	struct config_error err;
	char text[4000];
	struct expr *e;
	bool b;

	(void)state;
	memset(text, '(', 100);
	assert_int_equal(expr_compile(span_of(text, 100), true, NULL, &at, &arena, &e, &err),
			 -USHER_E_DEPTH);
	/* long is not deep */
	text[0] = '\0';
	for (int i = 0; i < 150; i++)
		strcat(text, i ? " and member('in')" : "member('in')");
	assert_int_equal(expr_compile(span_str(text), true, NULL, &at, &arena, &e, &err), 0);
	assert_int_equal(expr_bool(e, &c, &b, NULL), 0);
	assert_true(b);
}

static bool late(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "KNOWN") == 0;
}

static void test_late_and_string(void **state)
{
	static const struct json_pos at = {"", 1, 1};
	struct expr_opts o = {.class_late = late};
	struct expr_ctx c = context();
	struct config_error err;
	struct expr *e;
	struct span s;

	(void)state;
	assert_int_equal(expr_compile(span_str("member('KNOWN')"), true, &o, &at, &arena, &e, &err),
			 0);
	assert_true(expr_is_late(e));
	assert_int_equal(expr_compile(span_str("member('x')"), true, &o, &at, &arena, &e, &err), 0);
	assert_false(expr_is_late(e));
	assert_int_equal(expr_compile(span_str("'a' + option[12].hex"), false, &o, &at, &arena, &e,
				      &err),
			 0);
	assert_int_equal(expr_string(e, &c, &s, NULL), 0);
	assert_true(span_eq(s, span_str("aHost-A")));
}

static void test_small_scratch(void **state)
{
	static const struct json_pos at = {"", 1, 1};
	struct expr_ctx c = context();
	struct config_error err;
	const char *why = NULL;
	uint8_t room[16];
	struct arena tiny;
	struct expr *e;
	bool b;

	(void)state;
	arena_init_fixed(&tiny, room, sizeof(room));
	c.scratch = &tiny;
	assert_int_equal(expr_compile(span_str("hexstring(option[60].hex, ':') == ''"), true, NULL,
				      &at, &arena, &e, &err),
			 0);
	assert_int_equal(expr_bool(e, &c, &b, &why), -USHER_E_EVAL);
	assert_non_null(strstr(why, "memory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_conditions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_and_string, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_scratch, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
