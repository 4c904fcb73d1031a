/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The DHCPv4 message in Lua: fields, options by type, refusals and their messages, the flag
 * that says it was changed, handles that outlive their message. Each check is a chunk of Lua that
 * asserts; a refusal is the message of its error.
 */
#include "script/script_open.h"
#include "script/values/addr.h"
#include "script/values/dhcp.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ARENA_LEN = 8192, SMALL_ARENA_LEN = 640 };

static struct {
	struct script *s;
	struct script_dhcp d;
	struct dhcp4_msg msg;
	struct arena arena;
	_Alignas(16) uint8_t mem[ARENA_LEN];
	unsigned changes, drops;
} w;

static void on_changed(struct script_dhcp *d)
{
	(void)d;
	w.changes++;
}

static void on_drop(struct script_dhcp *d)
{
	(void)d;
	w.drops++;
}

static const struct option_def own[] = {
	{.code = 224, .name = "site-port", .space = "dhcp4", .type = OPTION_UINT16},
	{.code = 226, .name = "site-flag", .space = "dhcp4", .type = OPTION_EMPTY},
};

static const struct option_def *by_code(const struct script_dhcp *d, uint32_t code)
{
	(void)d;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (own[i].code == code)
			return &own[i];
	return option_def_by_code(OPTION_SPACE_DHCP4, code);
}

static const struct option_def *by_name(const struct script_dhcp *d, const char *name)
{
	(void)d;
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strcmp(name, own[i].name) == 0)
			return &own[i];
	return option_def_by_name(OPTION_SPACE_DHCP4, name);
}

static const struct script_dhcp_host host = {.drop = on_drop,
					     .changed = on_changed,
					     .by_code = by_code,
					     .by_name = by_name};
static const struct script_dhcp_host bare = {0};

static int global_msg(lua_State *L)
{
	script_dhcp_push(L, &w.d);
	lua_setglobal(L, "msg");
	return 0;
}

static void push_msg(void)
{
	struct script_error err;

	assert_int_equal(script_protect(w.s, global_msg, NULL, &err), 0);
}

static void begin(size_t arena, const struct script_dhcp_host *h)
{
	struct script_opts o = {0};

	memset(&w, 0, sizeof(w));
	arena_init_fixed(&w.arena, w.mem, arena);
	dhcp4_init(&w.msg, &w.arena);
	w.msg.op = 1;
	w.msg.htype = 1;
	w.msg.hlen = 6;
	w.msg.xid = 0x12345678;
	w.msg.giaddr = 0x0a000001;
	memcpy(w.msg.chaddr, (const uint8_t[]){2, 0, 0, 0, 0, 0xab}, 6);
	assert_int_equal(dhcp4_opt_set_u8(&w.msg, 53, DHCP4_DISCOVER), 0);
	assert_int_equal(script_new(&o, &w.s), 0);
	assert_int_equal(script_dhcp_register(w.s), 0);
	script_dhcp_init(&w.d, h, NULL);
	script_dhcp_begin(&w.d, &w.msg);
	push_msg();
}

static int setup(void **state)
{
	(void)state;
	begin(ARENA_LEN, &host);
	return 0;
}

static int setup_small(void **state)
{
	(void)state;
	begin(SMALL_ARENA_LEN, &bare);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	script_free(w.s);
	script_dhcp_fini(&w.d);
	return 0;
}

static void ok(const char *text)
{
	struct script_error err = {0};

	if (script_run_text(w.s, "@t", span_str(text), &err) != 0)
		fail_msg("%s\n%s", text, err.text);
}

static void refused(const char *text, const char *why)
{
	struct script_error err = {0};

	assert_int_not_equal(script_run_text(w.s, "@t", span_str(text), &err), 0);
	if (!strstr(err.text, why))
		fail_msg("%s\nsays '%s', not '%s'", text, err.text, why);
}

static void test_fields(void **state)
{
	(void)state;
	ok("assert(msg.op == 1 and msg.htype == 1 and msg.hlen == 6 and msg.hops == 0)");
	ok("assert(msg.xid == 0x12345678 and msg.secs == 0 and msg.flags == 0)");
	ok("assert(msg.giaddr == require('protocol/ipv4').addr('10.0.0.1'))");
	ok("assert(msg.chaddr == '02:00:00:00:00:ab' and msg.sname == '' and msg.file == '')");
	ok("assert(msg.type == 1 and msg.type_name == 'DISCOVER')");
	assert_false(w.d.changed);
	ok("msg.hops = 3 msg.secs = 65535 msg.flags = 0x8000 msg.xid = 4294967295");
	ok("msg.yiaddr = '192.0.2.7' msg.siaddr = msg.giaddr msg.sname = 'boot' msg.file = 'f'");
	assert_true(w.d.changed);
	assert_int_equal(w.changes, 8);
	assert_int_equal(w.msg.hops, 3);
	assert_int_equal(w.msg.xid, UINT32_MAX);
	assert_int_equal(w.msg.yiaddr, 0xc0000207);
	assert_int_equal(w.msg.siaddr, 0x0a000001);
	assert_string_equal((const char *)w.msg.sname, "boot");
	ok("msg.sname = 'x' assert(msg.sname == 'x')");
	ok("msg.chaddr = '01:02:03' assert(msg.hlen == 3 and msg.chaddr == '01:02:03')");
	ok("msg.type = 'request' assert(msg.type == 3) msg.type = 7 assert(msg.type_name == "
	   "'RELEASE')");
	ok("msg.options[53] = nil assert(msg.type == 0 and msg.type_name == nil)");
	ok("local n = 0 for k, v in pairs(msg) do n = n + 1 end assert(n >= 15)");
}

static void test_fields_refused(void **state)
{
	(void)state;
	refused("msg.hops = 256", "dhcp.hops: 256 is no whole number from 0 to 255");
	refused("msg.secs = -1", "dhcp.secs");
	refused("msg.xid = 1.5", "dhcp.xid");
	refused("msg.hlen = 17", "dhcp.hlen: 17 is no whole number from 0 to 16");
	refused("msg.op = '1'", "dhcp.op: number expected, got string");
	refused("msg.yiaddr = 'x'", "dhcp.yiaddr: 'x' is no IPv4 address");
	refused("msg.yiaddr = 7", "IPv4 address expected, got number");
	refused("msg.sname = ('x'):rep(65)", "dhcp.sname: 65 octets do not fit, it has 64");
	refused("msg.chaddr = 'zz'", "'zz' is no hardware address");
	refused("msg.chaddr = ('01:'):rep(16) .. '01'", "no hardware address");
	refused("msg.type = 'hello'", "'hello' is no message type");
	refused("msg.type_name = 'x'", "dhcp.type_name is read-only");
	refused("msg.nothing = 1", "dhcp has no field 'nothing'");
	assert_int_equal(w.changes, 0);
}

static void test_options_read(void **state)
{
	(void)state;
	assert_int_equal(dhcp4_opt_set(&w.msg, 55, span_of("\1\3\6", 3)), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 3, span_of("\12\0\0\1\12\0\0\2", 8)), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 50, span_of("\300\0\2\7", 4)), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 60, span_str("MSFT 5.0")), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 19, span_of("\1", 1)), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 2, span_of("\377\377\377\377", 4)), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 51, span_of("\0\0\16", 3)), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 82, span_of("\1\1x", 3)), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 224, span_of("\0\7", 2)), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 225, span_of("?", 1)), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 226, SPAN_NULL), 0);
	assert_int_equal(dhcp4_opt_set(&w.msg, 119, span_of("\1a\0\1b\1c\0", 8)), 0);
	ok("local o = msg.options assert(#o[55] == 3 and o[55][2] == 3)");
	ok("local o = msg.options assert(tostring(o.routers[2]) == '10.0.0.2' and #o[3] == 2)");
	ok("assert(tostring(msg.options['dhcp-requested-address']) == '192.0.2.7')");
	ok("assert(msg.options.vendor_class_identifier == 'MSFT 5.0' and msg.options[19] == true)");
	ok("assert(msg.options['time-offset'] == -1 and msg.options.site_flag == true)");
	/* values that do not fit their type, and options without a type, are octets */
	ok("assert(msg.options[51] == '\\0\\0\\14' and msg.options[82] == '\\1\\1x')");
	ok("assert(msg.options[225] == '?' and msg.options:raw(55) == '\\1\\3\\6')");
	ok("assert(msg.options.site_port == 7 and msg.options[224] == 7)");
	ok("assert(msg.options.domain_search:match('^a%., ?b%.c%.$'), msg.options.domain_search)");
	ok("assert(msg.options[6] == nil and msg.options:raw(6) == nil)");
	ok("local n = msg:option_names() assert(n[1] == 'dhcp-message-type' and n[2] == "
	   "'dhcp-parameter-request-list' and n[11] == 225 and #n == 13)");
	ok("local t = {} for code, v in pairs(msg.options) do t[#t + 1] = code end "
	   "assert(table.concat(t, ' ') == '2 3 19 50 51 53 55 60 82 119 224 225 226')");
	assert_int_equal(w.changes, 0);
}

static void test_options_write(void **state)
{
	(void)state;
	ok("local o = msg.options o[51] = 7200 assert(o[51] == 7200 and o:raw(51) == "
	   "'\\0\\0\\28\\32')");
	ok("local o = msg.options o.routers = {'10.0.0.1', msg.giaddr} assert(#o.routers == 2)");
	ok("local o = msg.options o.routers = '10.0.0.9, 10.0.0.8' assert(tostring(o[3][2]) == "
	   "'10.0.0.8')");
	ok("local o = msg.options o[6] = msg.giaddr assert(#o[6] == 1)");
	ok("local o = msg.options o[12] = 'name' o[43] = '\\1\\2' o[61] = '\\0\\0' o[226] = true "
	   "assert(o[12] == 'name' and o:raw(43) == '\\1\\2' and o[226] == true)");
	ok("local o = msg.options o[19] = false o[2] = -7200 o[26] = 1500 o[23] = 64 "
	   "assert(o[19] == false and o[2] == -7200 and o[26] == 1500 and o[23] == 64)");
	ok("local o = msg.options o[119] = 'a.example, b.example' assert(#o:raw(119) > 8)");
	ok("local o = msg.options o[224] = 65535 o[225] = 'x' assert(o:raw(224) == '\\255\\255')");
	ok("local o = msg.options o:raw(51, 'odd') assert(o[51] == 'odd') o[51] = nil o[51] = nil "
	   "assert(o[51] == nil)");
	ok("for code in pairs(msg.options) do msg.options[code] = nil end "
	   "assert(#msg:option_names() "
	   "== 0)");
	assert_int_equal(w.msg.n_opts, 0);
	assert_true(w.d.changed);
}

static void test_options_refused(void **state)
{
	(void)state;
	refused("msg.options[0] = 'x'", "0 is no option code (1 to 254)");
	refused("return msg.options[255]", "255 is no option code");
	refused("return msg.options[1.5]", "1.5 is no option code");
	refused("return msg.options.no_such_thing", "no option is called 'no_such_thing'");
	refused("return msg.options[{}]", "a code or name: number expected, got table");
	refused("msg.options[51] = -1",
		"dhcp.options[51]: -1 is no whole number from 0 to 4294967295");
	refused("msg.options[26] = 65536", "from 0 to 65535");
	refused("msg.options[23] = 1.5", "1.5 is no whole number");
	refused("msg.options[2] = 2 ^ 31", "no whole number from -2147483648 to 2147483647");
	refused("msg.options[19] = 1", "dhcp.options[19]: boolean expected, got number");
	refused("msg.options[3] = {}", "dhcp.options[3]: an empty list");
	refused("msg.options[3] = {'10.0.0.1', 7}", "IPv4 address expected, got number");
	refused("msg.options[50] = {'10.0.0.1'}", "IPv4 address expected, got table");
	refused("msg.options[50] = 'here'", "dhcp.options[50] (dhcp-requested-address): 'here'");
	refused("msg.options[12] = 7", "dhcp.options[12]: string expected, got number");
	refused("msg.options[12] = ''", "do not fit type string");
	refused("msg.options[225] = {1}", "dhcp.options[225]: string expected, got table");
	refused("msg.options[119] = 7", "text expected, got number");
	refused("msg.options:raw(51, 7)", "string expected, got number");
	assert_int_equal(w.changes, 0);
	assert_int_equal(w.msg.n_opts, 1);
}

static void test_full_arena(void **state)
{
	(void)state;
	refused("for i = 1, 254 do msg.options:raw(i, ('x'):rep(64)) end",
		"no room left in the packet");
	refused("msg.options[3] = (function() local t = {} for i = 1, 200 do t[i] = '10.0.0.1' end "
		"return t end)()",
		"no room left in the packet");
	ok("assert(msg.type == 1)");
	refused("msg:drop()", "cannot be dropped here");
}

static void test_drop_and_life(void **state)
{
	uint64_t v;

	(void)state;
	ok("msg:drop() kept = msg.options");
	assert_int_equal(w.drops, 1);
	script_dhcp_end(&w.d);
	refused("return msg.op", "dhcp: object has been destroyed");
	refused("return kept[53]", "dhcp.options: object has been destroyed");
	refused("return msg:drop()", "object has been destroyed");
	script_dhcp_begin(&w.d, NULL);
	push_msg();
	ok("assert(msg == nil)");
	script_dhcp_begin(&w.d, &w.msg);
	refused("return kept[53]", "object has been destroyed");
	assert_int_equal(script_dhcp_parse_type("dhcpnak", &v), 0);
	assert_int_equal(v, DHCP4_NAK);
	assert_true(script_dhcp_parse_type("known", &v) < 0);
	assert_int_equal(script_dhcp_parse_chaddr("02:00:00:00:00:ab", &v), 0);
	assert_true(v == script_dhcp_chaddr(&w.msg) && script_dhcp_has_chaddr(&w.msg));
	assert_true(script_dhcp_parse_chaddr("02:00", &v) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_arena, setup_small, teardown),
		cmocka_unit_test_setup_teardown(test_drop_and_life, setup, teardown),
	};

	return cmocka_run_group_tests_name("script_dhcp", tests, NULL, NULL);
}
