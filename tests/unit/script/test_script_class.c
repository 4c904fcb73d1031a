/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Typed handles: reading, writing, delegation to parents, refusals and their messages,
 * objects that are gone, fields of a script's own; addresses as values. The last test prints the
 * cost of a field read.
 */
#include "script/script_open.h"
#include "script/values/addr.h"
#include "script/state/class.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct ip {
	uint32_t src;
	uint8_t ttl;
	uint32_t generation;
};

struct tcp {
	struct ip *ip;
	uint16_t dstport;
	bool dropped;
	uint32_t generation;
};

static int ip_get_src(lua_State *L, void *obj)
{
	script_push_addr(L, ((struct ip *)obj)->src);
	return 1;
}

static void ip_set_src(lua_State *L, void *obj, int idx)
{
	((struct ip *)obj)->src = script_check_addr(L, idx, "ipv4.src");
}

static int ip_get_ttl(lua_State *L, void *obj)
{
	lua_pushinteger(L, ((struct ip *)obj)->ttl);
	return 1;
}

static void ip_set_ttl(lua_State *L, void *obj, int idx)
{
	((struct ip *)obj)->ttl = (uint8_t)script_check_uint(L, idx, 255, "ipv4.ttl");
}

static int ip_get_len(lua_State *L, void *obj)
{
	(void)obj;
	lua_pushinteger(L, 40);
	return 1;
}

static const struct script_class ip_class;

static int ip_checksum(lua_State *L)
{
	const struct ip *ip = script_check(L, 1, &ip_class);

	lua_pushboolean(L, ip->ttl == 64);
	return 1;
}

static const struct script_class ip_class = {
	.name = "ipv4",
	.fields = (const struct script_field[]){{"src", ip_get_src, ip_set_src},
						{"ttl", ip_get_ttl, ip_set_ttl},
						{"len", ip_get_len, NULL},
						{"_hidden", ip_get_len, NULL},
						{0}},
	.methods = (const struct script_method[]){{"verify_checksum", ip_checksum}, {0}},
};

static int tcp_get_dstport(lua_State *L, void *obj)
{
	lua_pushinteger(L, ((struct tcp *)obj)->dstport);
	return 1;
}

static void tcp_set_dstport(lua_State *L, void *obj, int idx)
{
	((struct tcp *)obj)->dstport = (uint16_t)script_check_uint(L, idx, 65535, "tcp.dstport");
}

static int tcp_get_len(lua_State *L, void *obj)
{
	(void)obj;
	lua_pushinteger(L, 20);
	return 1;
}

static const struct script_class tcp_class;

static int tcp_drop(lua_State *L)
{
	struct tcp *tcp = script_check(L, 1, &tcp_class);

	tcp->dropped = true;
	return 0;
}

static void *tcp_to_ip(void *obj)
{
	return ((struct tcp *)obj)->ip;
}

static const struct script_class tcp_class = {
	.name = "tcp",
	.fields = (const struct script_field[]){{"dstport", tcp_get_dstport, tcp_set_dstport},
						{"len", tcp_get_len, NULL},
						{0}},
	.methods = (const struct script_method[]){{"drop", tcp_drop}, {0}},
	.parent = &ip_class,
	.to_parent = tcp_to_ip,
};

static int headers_index(lua_State *L, void *obj)
{
	(void)obj;
	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	lua_pushfstring(L, "<%s>", lua_tostring(L, 2));
	return 1;
}

static bool headers_newindex(lua_State *L, void *obj)
{
	if (lua_type(L, 2) != LUA_TSTRING || lua_type(L, 3) != LUA_TSTRING)
		return false;
	*(uint32_t *)obj += 1;
	return true;
}

static int headers_len(lua_State *L)
{
	lua_pushinteger(L, 7);
	return 1;
}

static const struct script_class headers_class = {
	.name = "headers",
	.index = headers_index,
	.newindex = headers_newindex,
	.meta = (const struct luaL_Reg[]){{"__len", headers_len}, {NULL, NULL}},
};

static const struct script_class flow_class = {
	.name = "flow",
	.fields = (const struct script_field[]){{"len", ip_get_len, NULL}, {0}},
	.flags = SCRIPT_CLASS_EXTENSIBLE,
};

struct world {
	struct script *s;
	struct ip ip;
	struct tcp tcp;
	uint32_t headers;
	struct ip flows[2];
};

static int set_globals(lua_State *L)
{
	struct world *w = lua_touserdata(L, 1);

	script_push(L, &tcp_class, &w->tcp, &w->tcp.generation);
	lua_setglobal(L, "pkt");
	script_push(L, &ip_class, &w->ip, &w->ip.generation);
	lua_setglobal(L, "ip");
	script_push(L, &headers_class, &w->headers, NULL);
	lua_setglobal(L, "headers");
	script_push(L, &flow_class, &w->flows[0], &w->flows[0].generation);
	lua_setglobal(L, "flow");
	script_push(L, &flow_class, &w->flows[1], &w->flows[1].generation);
	lua_setglobal(L, "other");
	script_push(L, &flow_class, NULL, NULL);
	lua_setglobal(L, "none");
	return 0;
}

static void globals(struct world *w)
{
	struct script_error err;

	assert_int_equal(script_protect(w->s, set_globals, w, &err), 0);
}

static void ok(struct world *w, const char *text)
{
	struct script_error err = {0};

	if (script_run_text(w->s, "@t.lua", span_str(text), &err) != 0) {
		print_error("%s\n%s\n", text, err.text);
		fail();
	}
}

static void fails(struct world *w, const char *text, const char *with)
{
	struct script_error err = {0};

	if (script_run_text(w->s, "@t.lua", span_str(text), &err) >= 0 ||
	    strcmp(err.text, with) != 0) {
		print_error("%s\ngives: %s\nnot:   %s\n", text, err.text, with);
		fail();
	}
}

static int setup(void **state)
{
	static struct world w;
	struct script_opts o = {.instructions = 1ULL << 40, .call_ms = 60000};

	w = (struct world){.ip = {.src = 0x0a000001, .ttl = 64},
			   .tcp = {.ip = &w.ip, .dstport = 80}};
	assert_int_equal(script_new(&o, &w.s), 0);
	assert_int_equal(script_class_register(w.s, &tcp_class), 0);
	assert_int_equal(script_class_register(w.s, &ip_class), 0);
	assert_int_equal(script_class_register(w.s, &headers_class), 0);
	assert_int_equal(script_class_register(w.s, &flow_class), 0);
	globals(&w);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	script_free(w->s);
	return 0;
}

static void test_fields_and_methods(void **state)
{
	struct world *w = *state;

	ok(w, "assert(pkt.dstport == 80) pkt.dstport = 443 pkt:drop()");
	assert_int_equal(w->tcp.dstport, 443);
	assert_true(w->tcp.dropped);
	ok(w, "assert(tostring(pkt) == '<tcp>' and pkt ~= ip and pkt.nothing == nil and pkt[1] == "
	      "nil)");
	ok(w, "assert(none == nil)");
	ok(w, "assert(getmetatable(pkt) == 'tcp' and not pcall(setmetatable, pkt, {}))");
	ok(w, "local before = pkt local t = {} t[before] = 1 assert(pkt == before)");
}

static void test_delegation(void **state)
{
	struct world *w = *state;

	ok(w, "assert(pkt.ttl == 64 and pkt.len == 20 and ip.len == 40 and pkt._hidden == nil and "
	      "ip._hidden == 40)");
	ok(w, "pkt.ttl = 3 assert(ip.ttl == 3 and not pkt:verify_checksum()) pkt.src = '10.9.8.7'");
	assert_int_equal(w->ip.ttl, 3);
	assert_int_equal(w->ip.src, 0x0a090807);
	w->tcp.ip = NULL;
	ok(w, "assert(pkt.ttl == nil)");
	fails(w, "pkt.ttl = 1", "t.lua:1: tcp.ttl: there is no such part");
	fails(w, "pkt:verify_checksum()",
	      "t.lua:1: calling 'verify_checksum' on bad self (ipv4 expected, got tcp without "
	      "one)");
}

static void test_refusals(void **state)
{
	struct world *w = *state;

	fails(w, "\npkt.ttl = 256", "t.lua:2: ipv4.ttl: 256 is no whole number from 0 to 255");
	fails(w, "pkt.ttl = -1", "t.lua:1: ipv4.ttl: -1 is no whole number from 0 to 255");
	fails(w, "pkt.ttl = 1.5", "t.lua:1: ipv4.ttl: 1.5 is no whole number from 0 to 255");
	fails(w, "pkt.ttl = 0/0", "t.lua:1: ipv4.ttl: -nan is no whole number from 0 to 255");
	fails(w, "pkt.ttl = 1e300", "t.lua:1: ipv4.ttl: 1e+300 is no whole number from 0 to 255");
	fails(w, "pkt.ttl = '1'", "t.lua:1: ipv4.ttl: number expected, got string");
	fails(w, "pkt.ttl = nil", "t.lua:1: ipv4.ttl: number expected, got nothing");
	fails(w, "pkt.src = 'x'", "t.lua:1: ipv4.src: 'x' is no IPv4 address");
	fails(w, "pkt.src = {}", "t.lua:1: ipv4.src: IPv4 address expected, got table");
	fails(w, "pkt.len = 1", "t.lua:1: tcp.len is read-only");
	fails(w, "pkt.dsport = 1", "t.lua:1: tcp has no field 'dsport' (did you mean 'dstport'?)");
	fails(w, "pkt.nothing_like_it = 1", "t.lua:1: tcp has no field 'nothing_like_it'");
	fails(w, "pkt.dsport()",
	      "t.lua:1: attempt to call field 'dsport' (a nil value): tcp has no field 'dsport' (did you mean 'dstport'?)");
	fails(w, "local t = {} t.other()", "t.lua:1: attempt to call field 'other' (a nil value)");
	fails(w, "pkt[1] = 1", "t.lua:1: tcp has no field 'number'");
	fails(w, "pkt.drop = 1", "t.lua:1: tcp.drop is a method and cannot be set");
	fails(w, "pkt.drop(ip)", "t.lua:1: bad argument #1 to 'drop' (tcp expected, got ipv4)");
	fails(w, "pkt.drop(1)", "t.lua:1: bad argument #1 to 'drop' (tcp expected, got number)");
	fails(w, "pkt.drop()", "t.lua:1: bad argument #1 to 'drop' (tcp expected, got no value)");
}

static void test_objects_that_are_gone(void **state)
{
	struct world *w = *state;

	ok(w, "kept = pkt assert(kept.dstport)");
	w->tcp.generation++;
	fails(w, "return kept.dstport", "t.lua:1: tcp: object has been destroyed");
	fails(w, "kept.dstport = 1", "t.lua:1: tcp: object has been destroyed");
	fails(w, "kept:drop()", "t.lua:1: tcp: object has been destroyed");
	fails(w, "tostring(kept)", "t.lua:1: tcp: object has been destroyed");
	globals(w);
	ok(w, "assert(pkt.dstport == 80 and pkt ~= kept)");
	fails(w, "ip.verify_checksum(kept)", "t.lua:1: tcp: object has been destroyed");
}

static void test_fields_of_their_own(void **state)
{
	struct world *w = *state;

	ok(w, "flow.count = 1 flow._p = {2} old = flow");
	globals(w);
	ok(w, "assert(flow.count == 1 and flow._p[1] == 2 and other.count == nil and "
	      "rawequal(flow, old))");
	ok(w,
	   "local t = {[old] = 5} assert(t[flow] == 5) flow.count = nil assert(flow.count == nil)");
	fails(w, "flow.len = 1", "t.lua:1: flow.len is read-only");
	w->flows[0].generation++;
	globals(w);
	ok(w, "assert(flow._p == nil and not rawequal(flow, old) and flow ~= old)");
	ok(w, "flow.x = 1");
	script_forget(w->s, &flow_class, &w->flows[0]);
	script_forget(w->s, &flow_class, &w->flows[0]);
	globals(w);
	ok(w, "assert(flow.x == nil)");
	assert_int_equal(lua_gettop(script_lua(w->s)), 0);
}

static void test_keys_that_are_no_fields(void **state)
{
	struct world *w = *state;

	ok(w, "assert(headers.Host == '<Host>' and headers[1] == nil and #headers == 7) "
	      "headers.Host = 'x'");
	assert_int_equal(w->headers, 1);
	fails(w, "headers.Host = 1", "t.lua:1: headers has no field 'Host'");
}

static void test_addresses(void **state)
{
	struct world *w = *state;

	ok(w, "ipv4 = require('protocol/ipv4') a = ipv4.addr('192.168.0.1')");
	ok(w, "assert(a == ipv4.addr(192, 168, 0, 1) and a == ipv4.addr(0xc0a80001) and a == "
	      "ipv4.addr(a))");
	ok(w, "assert(tostring(a) == '192.168.0.1' and a.packed == 0xc0a80001 and a.x == nil)");
	ok(w, "assert(a < ipv4.addr('192.168.0.2') and a <= a and not (a < a) and "
	      "ipv4.addr('10.0.0.1') < a)");
	ok(w, "local t = {[a] = 1, [ipv4.addr('1.2.3.4')] = 2} assert(t[ipv4.addr('192.168.0.1')] "
	      "== 1)"
	      "pkt.src = '1.2.3.4' assert(t[pkt.src] == 2 and pkt.src == ipv4.addr('1.2.3.4'))");
	ok(w, "n = ipv4.network('192.168.3.4/22') assert(tostring(n) == '192.168.0.0/22' and "
	      "n.bits == 22)");
	ok(w, "assert(n.net == ipv4.addr('192.168.0.0') and n.mask == 22)");
	ok(w, "assert(n:contains(a) and n:contains('192.168.3.255') and not "
	      "n:contains('192.168.4.0'))");
	ok(w, "assert(n == ipv4.network(a, 22) and rawequal(n, ipv4.network('192.168.1.1', 22)) "
	      "and n ~= a)");
	ok(w, "assert(ipv4.network('0.0.0.0/0'):contains(a) and "
	      "ipv4.network('1.1.1.1/32').mask == 32)");
	ok(w, "for i = 1, 200000 do local x = ipv4.addr(i) end"); /* nobody holds them */
	fails(w, "ipv4.addr('1.2.3')", "t.lua:1: ipv4.addr: '1.2.3' is no IPv4 address");
	fails(w, "ipv4.addr(1, 2, 3)", "t.lua:1: ipv4.addr: number expected, got nothing");
	fails(w, "ipv4.addr(1, 2, 3, 256)",
	      "t.lua:1: ipv4.addr: 256 is no whole number from 0 to 255");
	fails(w, "ipv4.addr(-1)", "t.lua:1: ipv4.addr: -1 is no whole number from 0 to 4294967295");
	fails(w, "ipv4.addr()", "t.lua:1: ipv4.addr: IPv4 address expected, got nothing");
	fails(w, "ipv4.network('10.0.0.0/33')",
	      "t.lua:1: ipv4.network: '10.0.0.0/33' is no network (10.0.0.0/8)");
	fails(w, "ipv4.network('10.0.0.0')",
	      "t.lua:1: ipv4.network: '10.0.0.0' is no network (10.0.0.0/8)");
	fails(w, "ipv4.network('10.0.0/8')",
	      "t.lua:1: ipv4.network: '10.0.0/8' is no IPv4 address");
	fails(w, "n.contains(a, a)",
	      "t.lua:1: network:contains: IPv4 network as object expected, got userdata");
	fails(w, "a.packed = 1", "t.lua:1: IPv4 addresses and networks cannot be changed");
	fails(w, "return a < n", "t.lua:1: attempt to compare two userdata values");
}

static double ns(struct world *w, const char *body)
{
	enum { LOOPS = 300000 };
	double best = 1e9;
	char text[256];

	(void)snprintf(text, sizeof(text), "local p, x = pkt for i = 1, %d do %s end", LOOPS, body);
	for (int i = 0; i < 5; i++) {
		struct timespec a, b;

		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		ok(w, text);
		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		double one = ((double)(b.tv_sec - a.tv_sec) * 1e9 +
			      (double)(b.tv_nsec - a.tv_nsec)) /
			     LOOPS;

		best = one < best ? one : best;
	}
	return best;
}

static void test_what_it_costs(void **state)
{
	struct world *w = *state;
	double loop = ns(w, "");

	print_message("field %.0f ns, parent's field %.0f, address %.0f, write %.0f, method %.0f "
		      "(empty loop %.1f)\n",
		      ns(w, "x = p.dstport") - loop, ns(w, "x = p.ttl") - loop,
		      ns(w, "x = p.src") - loop, ns(w, "p.dstport = 5") - loop,
		      ns(w, "x = p:drop()") - loop, loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields_and_methods, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delegation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_objects_that_are_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fields_of_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys_that_are_no_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_it_costs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
