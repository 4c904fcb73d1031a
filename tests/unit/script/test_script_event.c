/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Events and rules: order, conditions, groups, streamed rules, the ways to stop an event, faults,
 * and refusals when a rule is registered. The last test prints the cost of an event.
 */
#include "script/script_open.h"
#include "script/values/addr.h"
#include "script/rules/event.h"

#include "base/error.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct world {
	struct script *s;
	unsigned ev, streamed, bare;
	/* the packet */
	uint32_t src;
	uint16_t dstport;
	bool has_port;
	bool dropped;
	unsigned pushes;
	unsigned faults;
	struct script_error err;
	char said[1024];
};

static void print_line(void *ctx, struct span line)
{
	struct world *w = ctx;

	(void)snprintf(w->said + strlen(w->said), sizeof(w->said) - strlen(w->said), "%.*s ",
		       (int)line.n, (const char *)line.p);
}

static uint64_t get_src(const void *ctx)
{
	return ((const struct world *)ctx)->src;
}

static uint64_t get_port(const void *ctx)
{
	return ((const struct world *)ctx)->dstport;
}

static bool has_port(const void *ctx)
{
	return ((const struct world *)ctx)->has_port;
}

static int parse_port(const char *text, uint64_t *ret)
{
	if (strcmp(text, "dns") != 0)
		return -USHER_E_UNKNOWN;
	*ret = 53;
	return 0;
}

static const struct script_filter_field fields[] = {
	{.name = "src", .get = get_src},
	{.name = "dstport", .get = get_port, .present = has_port, .parse = parse_port},
	{0},
};

static int push_packet(lua_State *L, void *ctx, bool streamed)
{
	struct world *w = ctx;

	w->pushes++;
	lua_pushinteger(L, w->dstport);
	lua_pushstring(L, streamed ? "iter" : "sub");
	return 2;
}

static bool is_stopped(void *ctx)
{
	return ((struct world *)ctx)->dropped;
}

static void on_fault(void *ctx, const struct script_error *err)
{
	struct world *w = ctx;

	w->faults++;
	w->err = *err;
}

static int drop(lua_State *L)
{
	((struct world *)lua_touserdata(L, lua_upvalueindex(1)))->dropped = true;
	return 0;
}

static int yield(lua_State *L)
{
	return lua_yield(L, 0);
}

static struct world world;

static int setup(void **state)
{
	struct world *w = &world;
	struct script_opts o = {.print = print_line, .ctx = w, .instructions = 100000};

	memset(w, 0, sizeof(*w));
	w->has_port = true;
	assert_int_equal(script_new(&o, &w->s), 0);
	assert_int_equal(script_event_define(w->s, "udp", "receive_packet", 0, &w->ev), 0);
	assert_int_equal(script_event_define(w->s, "http", "data", SCRIPT_EVENT_STREAMED,
					     &w->streamed),
			 0);
	assert_int_equal(script_event_define(w->s, "udp", "bare", 0, &w->bare), 0);
	assert_int_equal(script_event_define(w->s, "udp", "bare", 0, &w->bare), -USHER_E_EXISTS);
	script_event_fields(w->s, w->ev, fields);
	assert_int_equal(script_haka_function(w->s, "drop_it", drop, w), 0);
	assert_int_equal(script_haka_function(w->s, "wait", yield, w), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	assert_int_equal(lua_gettop(script_lua(w->s)), 0);
	script_free(w->s);
	return 0;
}

static void load(struct world *w, const char *text)
{
	struct script_error err = {0};

	if (script_run_text(w->s, "@r.lua", span_str(text), &err) != 0) {
		print_error("%s\n%s\n", text, err.text);
		fail();
	}
}

static void refused(struct world *w, const char *text, const char *with)
{
	struct script_error err = {0};

	if (script_run_text(w->s, "@r.lua", span_str(text), &err) >= 0 ||
	    strcmp(err.text, with) != 0) {
		print_error("%s\ngives: %s\nnot:   %s\n", text, err.text, with);
		fail();
	}
}

static unsigned raise_on(struct world *w, unsigned id, const void *stream)
{
	struct script_raise r = {.ctx = w,
				 .push = push_packet,
				 .stopped = is_stopped,
				 .on_fault = on_fault,
				 .stream = stream};

	w->dropped = false;
	w->said[0] = '\0';
	w->pushes = w->faults = 0;
	return script_raise(w->s, id, &r);
}

static unsigned raise(struct world *w)
{
	return raise_on(w, w->ev, NULL);
}

static void c_listener(void *ctx, void *raise_ctx)
{
	struct world *w = raise_ctx;

	assert_ptr_equal(w, ctx);
	(void)strcat(w->said, "C ");
}

#define ON "on = haka.dissectors.udp.events.receive_packet"

static void test_order(void **state)
{
	struct world *w = *state;

	assert_false(script_event_any(w->s, w->ev));
	assert_int_equal(raise(w), 0);
	load(w, "haka.rule{" ON ", eval = function(port, what) print('a', port, what) end}");
	assert_true(script_event_any(w->s, w->ev));
	assert_false(script_event_any(w->s, w->bare));
	assert_int_equal(script_event_listen_c(w->s, w->ev, c_listener, w), 0);
	load(w, "local r = {" ON
		", name = 'second', eval = function() print('b') end} assert(haka.rule(r) == r)");
	load(w, "haka.rule{hook = haka.dissectors.udp.events.receive_packet, eval = function() "
		"print('c') end}");
	w->dstport = 7;
	assert_int_equal(raise(w), 0);
	assert_string_equal(w->said, "a\t7\tsub C b c ");
	assert_int_equal(w->pushes, 1);
	load(w,
	     "assert(tostring(haka.dissectors.udp.events.receive_packet) == 'udp.receive_packet')"
	     "assert(haka.dissectors.udp.name == 'udp')");
}

static void test_conditions(void **state)
{
	static const struct {
		const char *when;
		const char
			*ports; /* of 52, 53, 54, and without one, those for which it holds: "1" */
	} cases[] = {
		{"dstport = 53", "0100"},
		{"dstport = {52, 54}", "1010"},
		{"dstport = haka.range(53, 60)", "0110"},
		{"dstport = {haka.range(1, 52), haka.range(54, 70)}", "1010"},
		{"dstport = {54, haka.range(50, 52), 53}", "1110"},
		{"dstport = 'dns'", "0100"},
		{"dstport = {'dns', 52}", "1100"},
		{"src = require('protocol/ipv4').addr('10.0.0.1')", "1111"},
		{"src = require('protocol/ipv4').network('10.0.0.0/8')", "1111"},
		{"src = require('protocol/ipv4').network('11.0.0.0/8')", "0000"},
		{"src = require('protocol/ipv4').network('0.0.0.0/0'), dstport = 54", "0010"},
		{"src = {require('protocol/ipv4').addr('1.1.1.1'), "
		 "require('protocol/ipv4').network('10.0.0.0/30')}",
		 "1111"},
		{"", "1111"},
	};
	struct world *w = *state;

	w->src = 0x0a000001;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[256];

		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
		w->src = 0x0a000001;
		(void)snprintf(text, sizeof(text),
			       "haka.rule{" ON ", when = {%s}, eval = function() print('x') end}",
			       cases[i].when);
		load(w, text);
		for (unsigned k = 0; k < 4; k++) {
			w->dstport = (uint16_t)(52 + k);
			w->has_port = k < 3;
			assert_int_equal(raise(w), 0);
			if ((w->said[0] != '\0') != (cases[i].ports[k] == '1') ||
			    w->pushes != (w->said[0] != '\0')) {
				print_error("%s: %u\n", cases[i].when, k);
				fail();
			}
		}
	}
}

static void test_what_stops_an_event(void **state)
{
	struct world *w = *state;

	load(w, "haka.rule{" ON ", eval = function() print('a') end}");
	load(w, "haka.rule{" ON
		", when = {dstport = 1}, eval = function() haka.drop_it() print('drop') end}");
	load(w, "haka.rule{" ON ", when = {dstport = 2}, eval = function() pcall(haka.abort) "
		"print('not reached') end}");
	load(w,
	     "\nhaka.rule{" ON
	     ", name = 'wrong', when = {dstport = 3}, eval = function()\n local x = nil + 1 end}");
	load(w, "haka.rule{" ON ", when = {dstport = 4}, eval = function() while true do end end}");
	load(w, "haka.rule{" ON ", eval = function() print('z') end}");
	w->dstport = 1;
	assert_int_equal(raise(w), 0);
	assert_string_equal(w->said, "a drop ");
	w->dstport = 2;
	assert_int_equal(raise(w), SCRIPT_RAISE_ABORTED);
	assert_string_equal(w->said, "a ");
	assert_int_equal(w->faults, 0);
	w->dstport = 3;
	assert_int_equal(raise(w), SCRIPT_RAISE_FAULT);
	assert_string_equal(w->said, "a z ");
	assert_int_equal(w->faults, 1);
	assert_string_equal(w->err.text, "r.lua:3: attempt to perform arithmetic on a nil value");
	w->dstport = 4;
	assert_int_equal(raise(w), SCRIPT_RAISE_FAULT);
	assert_string_equal(w->said, "a z ");
	assert_int_equal(w->err.fault, SCRIPT_E_BUDGET);
}

static void test_statistics(void **state)
{
	struct world *w = *state;
	struct script_rule st[3];

	load(w, "haka.rule{" ON ", name = 'one', eval = function() end}");
	load(w, "\nhaka.rule{" ON ", when = {dstport = 1}, eval = function() error('x') end}");
	script_rules_timing(w->s, true);
	for (w->dstport = 0; w->dstport < 3; w->dstport++)
		(void)raise(w);
	assert_int_equal(script_rules(w->s, st, 1), 2);
	assert_int_equal(script_rules(w->s, st, 3), 2);
	assert_string_equal(st[0].event, "udp.receive_packet");
	assert_string_equal(st[0].name, "one");
	assert_string_equal(st[0].where, "r.lua:1");
	assert_int_equal(st[0].calls, 3);
	assert_int_equal(st[0].faults, 0);
	assert_true(st[0].ns > 0);
	assert_string_equal(st[1].where, "r.lua:2");
	assert_int_equal(st[1].calls, 1);
	assert_int_equal(st[1].faults, 1);
	assert_int_equal(st[1].skipped, 2);
}

static void test_groups(void **state)
{
	struct world *w = *state;

	load(w, "local g = haka.rule_group{" ON
		", name = 'g', init = function(p) print('init', p) end,"
		" continue = function(ret, p) print('continue', ret, p) return ret ~= 'enough' end,"
		" final = function() print('final') end}\n"
		"g:rule{eval = function(p) print('1') return p == 5 and 'enough' end}\n"
		"g:rule(function(p) if p == 6 then haka.drop_it() end print('2') return 2 end)\n"
		"g:rule{function(p) if p == 7 then error('x') end print('3') end}");
	w->dstport = 4;
	assert_int_equal(raise(w), 0);
	assert_string_equal(
		w->said, "init\t4 1 continue\tfalse\t4 2 continue\t2\t4 3 continue\tnil\t4 final ");
	w->dstport = 5;
	assert_int_equal(raise(w), 0);
	assert_string_equal(w->said, "init\t5 1 continue\tenough\t5 ");
	w->dstport = 6;
	assert_int_equal(raise(w), 0);
	assert_string_equal(w->said, "init\t6 1 continue\tfalse\t6 2 ");
	w->dstport = 7;
	assert_int_equal(raise(w), SCRIPT_RAISE_FAULT);
	assert_string_equal(w->said, "init\t7 1 continue\tfalse\t7 2 continue\t2\t7 ");
	load(w, "haka.rule_group{" ON "}:rule(function() print('alone') end)");
	w->dstport = 5;
	assert_int_equal(raise(w), 0);
	assert_string_equal(w->said, "init\t5 1 continue\tenough\t5 alone ");
	assert_int_equal(script_rules(w->s, NULL, 0), 4);
}

static void test_streamed(void **state)
{
	struct world *w = *state;
	static const char one, two;

	load(w, "haka.rule{on = haka.dissectors.http.events.data, options = {streamed = true}, "
		"eval = function(p, what)"
		" local n = 0 print('start', what) while n < 2 do n = n + 1 print(n)"
		" pcall(function() pcall(haka.wait) end) end print('end') end}");
	load(w, "haka.rule{on = haka.dissectors.http.events.data, eval = function(p, what) "
		"print(what) end}");
	assert_int_equal(raise_on(w, w->streamed, &one), 0);
	assert_string_equal(w->said, "start\titer 1 sub ");
	assert_int_equal(w->pushes, 2);
	assert_int_equal(raise_on(w, w->streamed, &two), 0);
	assert_string_equal(w->said, "start\titer 1 sub ");
	assert_int_equal(raise_on(w, w->streamed, &one), 0);
	assert_string_equal(w->said, "2 sub ");
	assert_int_equal(w->pushes, 1);
	assert_int_equal(raise_on(w, w->streamed, &one), 0);
	assert_string_equal(w->said, "end sub ");
	assert_int_equal(raise_on(w, w->streamed, &one), 0);
	assert_string_equal(w->said, "sub ");
	script_stream_forget(w->s, &one);
	script_stream_forget(w->s, &one);
	assert_int_equal(raise_on(w, w->streamed, &one), 0);
	assert_string_equal(w->said, "start\titer 1 sub ");
	/* faults in a coroutine: the place, and the end of that coroutine only */
	load(w, "\nhaka.rule{on = haka.dissectors.http.events.data, options = {streamed = true}, "
		"eval = function()"
		" haka.wait() error('late') end}");
	assert_int_equal(raise_on(w, w->streamed, &one), 0);
	assert_int_equal(raise_on(w, w->streamed, &one), SCRIPT_RAISE_FAULT);
	assert_string_equal(w->err.text, "r.lua:2: late");
	assert_int_equal(raise_on(w, w->streamed, &one), 0);
	load(w, "haka.rule{on = haka.dissectors.http.events.data, options = {streamed = true}, "
		"eval = function()"
		" while true do end end}");
	assert_int_equal(raise_on(w, w->streamed, &one), SCRIPT_RAISE_FAULT);
	assert_int_equal(w->err.fault, SCRIPT_E_BUDGET);
	assert_int_equal(raise_on(w, w->streamed, &one), 0);
}

static int raise_again(lua_State *L)
{
	struct world *w = lua_touserdata(L, lua_upvalueindex(1));
	struct script_raise r = {.ctx = w, .push = push_packet};

	lua_pushinteger(L, script_raise(w->s, w->bare, &r));
	return 1;
}

static void test_events_inside_events(void **state)
{
	struct world *w = *state;

	assert_int_equal(script_haka_function(w->s, "raise", raise_again, w), 0);
	load(w, "haka.rule{" ON
		", eval = function(p) local r = haka.raise() print('outer', r, p) end}");
	load(w, "haka.rule{" ON ", eval = function(p) print('co', coroutine.wrap(function() return "
		"haka.raise() end)()) end}");
	load(w,
	     "haka.rule{on = haka.dissectors.udp.events.bare, eval = function(p) print('inner', p)"
	     " if p == 1 then error('x') end end}");
	w->dstport = 9;
	assert_int_equal(raise(w), 0);
	assert_string_equal(w->said, "inner\t9 outer\t0\t9 inner\t9 co\t0 ");
	w->dstport = 1;
	assert_int_equal(raise(w), 0);
	assert_string_equal(w->said, "inner\t1 outer\t1\t1 inner\t1 co\t1 ");
}

static void test_started_and_exiting(void **state)
{
	struct world *w = *state;

	load(w, "haka.rule{on = haka.events.started, eval = function() print('started') end}"
		"haka.rule{on = haka.events.exiting, eval = function() print('exiting') end}");
	assert_int_equal(script_started(w->s), 0);
	assert_int_equal(script_exiting(w->s), 0);
	assert_string_equal(w->said, "started exiting ");
}

static void test_refusals(void **state)
{
	struct world *w = *state;

	refused(w, "\nhaka.rule{on = haka.dissectors.udp.events.nothing, eval = print}",
		"r.lua:2: dissector 'udp' has no event 'nothing'");
	refused(w, "haka.rule{on = haka.dissectors.tcp.events.x, eval = print}",
		"r.lua:1: unknown dissector 'tcp' (is a require missing?)");
	refused(w, "haka.rule{on = haka.events.x, eval = print}",
		"r.lua:1: haka.events: no event 'x'");
	refused(w, "haka.rule{eval = print}",
		"r.lua:1: haka.rule: event (haka.dissectors.x.events.y) as 'on' expected, got "
		"nothing");
	refused(w, "haka.rule{on = 'x', eval = print}",
		"r.lua:1: haka.rule: event (haka.dissectors.x.events.y) as 'on' expected, got "
		"string");
	refused(w, "haka.rule{" ON "}",
		"r.lua:1: haka.rule: 'eval': function expected, got nothing");
	refused(w, "haka.rule{" ON ", eval = 1}",
		"r.lua:1: haka.rule: 'eval': function expected, got number");
	refused(w, "haka.rule{" ON ", eval = print, evl = 1}",
		"r.lua:1: haka.rule: unknown key 'evl' (known: on hook eval name options when )");
	refused(w, "haka.rule{" ON ", eval = print, name = 1}",
		"r.lua:1: haka.rule: 'name': string expected, got number");
	refused(w, "haka.rule(1)", "r.lua:1: haka.rule: table expected, got number");
	refused(w, "haka.rule{print}", "r.lua:1: haka.rule: a name expected as key, got number");
	refused(w, "haka.rule{" ON ", eval = print, when = {port = 1}}",
		"r.lua:1: haka.rule: 'when' of udp.receive_packet: no field 'port' (there are: "
		"src, dstport)");
	refused(w, "haka.rule{" ON ", eval = print, when = {dstport = 'x'}}",
		"r.lua:1: haka.rule: 'when' of udp.receive_packet: 'x' is no value of 'dstport'");
	refused(w, "haka.rule{" ON ", eval = print, when = {dstport = print}}",
		"r.lua:1: haka.rule: 'when' of udp.receive_packet: dstport: number, boolean, text, "
		"address, network or "
		"haka.range expected, got function");
	refused(w, "haka.rule{" ON ", eval = print, when = {dstport = -1}}",
		"r.lua:1: haka.rule: 'when' of udp.receive_packet: dstport: -1 is no whole number "
		"from 0 to 18446744073709551615");
	refused(w, "haka.rule{" ON ", eval = print, when = {dstport = {}}}",
		"r.lua:1: haka.rule: 'when' of udp.receive_packet: dstport: an empty list");
	refused(w, "haka.rule{on = haka.dissectors.udp.events.bare, eval = print, when = {x = 1}}",
		"r.lua:1: haka.rule: 'when' of udp.bare: no field 'x' (there are: none)");
	refused(w, "haka.range(5, 4)", "r.lua:1: haka.range: the first value is above the second");
	refused(w, "haka.range(5)", "r.lua:1: haka.range: number expected, got nothing");
	refused(w, "haka.rule_group{" ON ", eval = print}",
		"r.lua:1: haka.rule_group: unknown key 'eval' (known: on hook name init continue "
		"final options when )");
	refused(w, "haka.rule_group{" ON "}:rule{}",
		"r.lua:1: group:rule: 'eval': function expected, got nothing");
	refused(w, "haka.rule_group{" ON "}.rule({})",
		"r.lua:1: group:rule: group as object expected, got table");
	assert_int_equal(raise(w), 0);
	assert_string_equal(w->said, "");
}

static double cost(struct world *w)
{
	enum { LOOPS = 200000 };
	struct script_raise r = {.ctx = w, .push = push_packet, .stopped = is_stopped};
	double best = 1e9;

	for (int i = 0; i < 5; i++) {
		struct timespec a, b;
		double one;

		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		for (int k = 0; k < LOOPS; k++)
			(void)script_raise(w->s, w->ev, &r);
		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		one = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) /
		      LOOPS;
		best = one < best ? one : best;
	}
	return best;
}

static void test_what_it_costs(void **state)
{
	struct world *w = *state;
	double none, skipped, called;

	none = cost(w);
	load(w, "haka.rule{" ON
		", when = {dstport = {1, 2, 3, haka.range(60, 70)}}, eval = function() end}");
	skipped = cost(w);
	load(w, "haka.rule{" ON ", eval = function(port) if port == 80 then print('x') end end}");
	called = cost(w);
	load(w, "haka.rule{" ON ", eval = function(port) if port == 80 then print('x') end end}");
	print_message(
		"an event without listener %.0f ns, a condition %.0f, a rule %.0f, a second %.0f\n",
		none, skipped - none, called - skipped, cost(w) - called);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_conditions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_stops_an_event, setup, teardown),
		cmocka_unit_test_setup_teardown(test_statistics, setup, teardown),
		cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(test_streamed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events_inside_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_started_and_exiting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_it_costs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
