/* SPDX-License-Identifier: MPL-2.0 */
/*
 * State machines in Lua: definitions, the effects of events, time-outs on a clock of the
 * test's own, and refusals; and the timers below them.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "base/error.h"
#include "script/script_open.h"
#include "script/rules/timer.h"

#include <stdio.h>

static struct script *s;
static struct script_error err;
static char said[8192];
static int64_t now_ns;

static int64_t clock_ns(void *ctx)
{
	(void)ctx;
	return now_ns;
}

static void say(void *ctx, struct span line)
{
	size_t at = strlen(said);

	(void)ctx;
	(void)snprintf(said + at, sizeof(said) - at, "%.*s ", (int)line.n, (const char *)line.p);
}

static void open_with(bool timers, size_t memory)
{
	static const struct clock_src clock = {clock_ns, clock_ns, NULL};
	struct script_opts o = {.print = say, .clock = &clock, .timers = timers, .memory = memory};

	now_ns = 0;
	said[0] = '\0';
	assert_int_equal(script_new(&o, &s), 0);
}

static int setup(void **state)
{
	(void)state;
	open_with(true, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	script_free(s);
	return 0;
}

static void run(const char *text)
{
	int r = script_run_text(s, "@m.lua", span_str(text), &err);

	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
}

static void refused(const char *text, const char *why)
{
	assert_int_equal(script_run_text(s, "@m.lua", span_str(text), &err), -USHER_E_SCRIPT);
	if (!strstr(err.text, why))
		print_error("%s\n", err.text);
	assert_non_null(strstr(err.text, why));
}

static void expect(const char *text)
{
	assert_string_equal(said, text);
	said[0] = '\0';
}

/* Advances the time to that second, as in the gate. */
static void until(double seconds)
{
	int64_t to = (int64_t)(seconds * 1e9);

	while (*script_timer_due(s) <= to) {
		now_ns = *script_timer_due(s);
		(void)script_timer_fire(s, now_ns);
	}
	now_ns = to;
}

static void walks(void **state)
{
	(void)state;
	run("M = haka.state_machine.new('door', function ()\n"
	    " state_type{events = {'push', 'pull'}}\n"
	    " closed = state() opened = state()\n"
	    " local function tell(what) return function (self, arg) print(self.name, what, arg or "
	    "'-') end end\n"
	    " any:on{event = events.init, execute = tell('init')}\n"
	    " any:on{event = events.enter, execute = tell('enter')}\n"
	    " any:on{event = events.leave, execute = tell('leave')}\n"
	    " any:on{event = events.finish, execute = tell('finish')}\n"
	    " any:on{event = events.fail, execute = tell('fail')}\n"
	    " any:on{event = events.pull, execute = tell('any pull')}\n"
	    " closed:on{event = events.push, when = function (self, n) return n > 1 end, execute = "
	    "tell('push'), jump = opened}\n"
	    " closed:on{event = events.push, execute = tell('weak')}\n"
	    " opened:on{events = {events.push, events.pull}, execute = tell('own'), jump = "
	    "closed}\n"
	    " opened:on{event = events.push, execute = tell('never')}\n"
	    " initial(closed)\n"
	    "end)\n"
	    "i = M:instanciate{name = 'a'} print(i.current)");
	expect("a\tenter\t- a\tinit\t- closed ");
	run("i:trigger('push', 1) print(i.current)");
	expect("a\tweak\t1 closed ");
	run("i:trigger('push', 2) print(i.current)");
	expect("a\tpush\t2 a\tleave\t- a\tenter\t- opened ");
	run("i:trigger('pull', 3) print(i.current) i:trigger('pull', 4)");
	expect("a\town\t3 a\tleave\t- a\tenter\t- closed a\tany pull\t4 ");
	run("i:finish() print(i.current, i:ended()) i:finish()");
	expect("a\tleave\t- a\tfinish\t- finish\ttrue ");
	refused("i:trigger('push')", "state machine 'door' has ended (finish)");
	refused("i:update('push')", "has ended");
	/* nothing of a definition is a global */
	run("print(closed, opened, state, any, tostring(M))");
	expect("nil\tnil\tnil\tnil\tstate machine 'door' ");
}

static void ends(void **state)
{
	(void)state;
	run("M = haka.state_machine.new('m', function ()\n"
	    " state_type{events = {'bad', 'good'}}\n"
	    " a = state()\n"
	    " a:on{event = events.bad, jump = fail}\n"
	    " a:on{event = events.good, jump = finish}\n"
	    " a:on{event = events.timeout(1), execute = function () print('late') end}\n"
	    " for _, e in ipairs{'leave', 'fail', 'finish'} do any:on{event = events[e], execute = "
	    "function () print(e) end} end\n"
	    " initial(a)\n"
	    "end)\n"
	    "i = M:instanciate() i:trigger('bad') print(i.current)\n"
	    "j = M:instanciate() j:trigger('good') print(j.current)");
	expect("fail leave finish fail leave finish finish ");
	assert_int_equal(script_timers_armed(s), 0);
}

/* A jump of the action of leave replaces the one that is on its way; the state is left once. */
static void leave_jumps(void **state)
{
	(void)state;
	run("M = haka.state_machine.new('m', function ()\n"
	    " state_type{events = {'go', 'out'}}\n"
	    " a = state() b = state() c = state() d = state()\n"
	    " for _, e in ipairs{'leave', 'fail', 'finish', 'enter'} do any:on{event = events[e], "
	    "execute = function (self) print(e, self.i and self.i.current) end} end\n"
	    " a:on{event = events.go, jump = b}\n"
	    " a:on{event = events.out, jump = finish}\n"
	    " a:on{event = events.leave, execute = function () print('other way') end, jump = c}\n"
	    " c:on{event = events.go, jump = d}\n"
	    " c:on{event = events.leave, jump = fail}\n"
	    " initial(a)\n"
	    "end)\n"
	    "o = {} o.i = M:instanciate(o) o.i:trigger('go') print(o.i.current)\n"
	    "o.i:trigger('go') print(o.i.current)");
	expect("enter\tnil other way enter\tc c fail\tc finish\tc fail ");
	run("o = {} o.i = M:instanciate(o) o.i:trigger('out') print(o.i.current)");
	expect("enter\tnil other way finish\ta finish ");
}

static void times_out(void **state)
{
	(void)state;
	run("M = haka.state_machine.new('m', function ()\n"
	    " state_type{events = {'again', 'go'}}\n"
	    " a = state() b = state()\n"
	    " a:on{event = events.timeout(10), execute = function (self) print('a', "
	    "haka.network_time().seconds) end}\n"
	    " a:on{event = events.again, jump = a}\n"
	    " a:on{event = events.go, jump = b}\n"
	    " b:on{event = events.timeout(2.5), jump = finish}\n"
	    " any:on{event = events.timeout(60), execute = function () print('any', "
	    "haka.network_time().seconds) end}\n"
	    " initial(a)\n"
	    "end)\n"
	    "i = M:instanciate()");
	assert_int_equal(script_timers_armed(s), 2);
	until(9);
	expect("");
	until(31);
	expect("a\t10 a\t20 a\t30 "); /* repeated until the state is left */
	run("i:trigger('again')");
	until(62);
	expect("a\t41 a\t51 a\t61 "); /* armed anew on entry, the 60 seconds too */
	run("i:trigger('go')");
	assert_int_equal(script_timers_armed(s), 2);
	until(64.4);
	run("print(i.current)");
	until(64.5);
	run("print(i.current)");
	expect("b finish ");
	assert_int_equal(script_timers_armed(s), 0);
	assert_int_equal(*script_timer_due(s), INT64_MAX);
}

static void time_out_fails(void **state)
{
	(void)state;
	run("M = haka.state_machine.new('m', function () a = state()\n"
	    " a:on{event = events.timeout(1), execute = function () error('boom') end} initial(a) "
	    "end)\n"
	    "owner = {error = function () print('told') end} M:instanciate(owner)");
	now_ns = *script_timer_due(s);
	assert_false(script_timer_fire(s, now_ns));
	expect("told ");
}

static void types(void **state)
{
	(void)state;
	run("local T = haka.state_machine.new_state_type{name = 'T', events = {'data'}, update = "
	    "function (state, inst, n)\n"
	    " print('T', state.name, n) inst:trigger('data', n) end}\n"
	    "local U = haka.state_machine.new_state_type{name = 'U', parent = T, events = "
	    "{'more'}}\n"
	    "M = haka.state_machine.new('m', function ()\n"
	    " state_type(T) a = state() state_type(U) b = state()\n"
	    " a:on{event = events.data, jump = b}\n"
	    " b:on{event = events.data, execute = function (_, n) print('data', n) end}\n"
	    " b:on{event = events.more, execute = function () print('more') end, jump = finish}\n"
	    " initial(a)\n"
	    "end)\n"
	    "i = M:instanciate() i:update(1) i:update(2) i:trigger('more') print(i.current)");
	expect("T\ta\t1 T\tb\t2 data\t2 more finish ");
}

static void directions(void **state)
{
	(void)state;
	run("local function rule(name) return {parse = function (self, iter, result, user)\n"
	    " if iter == 'bad' then return nil, name .. ' bad' end return name .. ' ' .. iter .. ' "
	    "of ' .. user.name end} end\n"
	    "M = haka.state_machine.new('m', function ()\n"
	    " state_type(BidirectionalState)\n"
	    " a = state(rule('u'), nil) b = state(nil, 'named')\n"
	    " a:on{event = events.up, execute = function (self, r) print(r) end, jump = b}\n"
	    " b:on{event = events.down, execute = function (self, r) print(r) end, jump = a}\n"
	    " any:on{event = events.missing_grammar, execute = function (self, dir, payload) "
	    "print('missing', dir, payload) end}\n"
	    " any:on{event = events.parse_error, execute = function (self, e) print(e) end, jump = "
	    "fail}\n"
	    " initial(a)\n"
	    "end)\n"
	    "i = M:instanciate{name = 'o', grammar = {named = rule('d')}}\n"
	    "i:update('x', 'down') i:update('x', 'up') i:update('y', 'down') i:update('bad', 'up') "
	    "print(i.current)");
	expect("missing\tdown\tx u x of o d y of o u bad fail ");
	run("i = M:instanciate{name = 'n'}");
	refused("i:update('x', 'sideways')", "direction 'up' or 'down' expected");
	run("i:update('x', 'up')");
	expect("u x of n ");
	refused("i:update('x', 'down')",
		"state machine 'm': there is no grammar to find 'named' in");
}

static void refuses(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"haka.state_machine.new(1, print)",
		 "haka.state_machine.new: string expected, got number"},
		{"haka.state_machine.new('m', 1)",
		 "haka.state_machine.new: function expected, got number"},
		{"haka.state_machine.new('m', print)", "a function written in Lua expected"},
		{"haka.state_machine.new('m', function () end)", "'m' has no initial state"},
		{"haka.state_machine.new('m', function () initial(3) end)",
		 "initial: state expected, got number"},
		{"haka.state_machine.new('m', function () initial(any) end)",
		 "initial: a state of this machine expected"},
		{"haka.state_machine.new('m', function () a = state() a:on{event = events.up} end)",
		 "on: a State has no event 'up'"},
		{"haka.state_machine.new('m', function () a = state() a:on{event = 'up'} end)",
		 "on: event expected, got string"},
		{"haka.state_machine.new('m', function () a = state() a:on{} end)",
		 "either 'event' or 'events'"},
		{"haka.state_machine.new('m', function () a = state() a:on{event = events.enter, "
		 "jump = 'a'} end)",
		 "on: jump: state expected, got string"},
		{"haka.state_machine.new('m', function () a = state() a:on{event = events.enter, "
		 "jump = any} end)",
		 "no state to be in"},
		{"haka.state_machine.new('m', function () a = state() a:on{event = events.enter, "
		 "exec = print} end)",
		 "on: unknown key 'exec'"},
		{"haka.state_machine.new('m', function () a = state() a:on{event = events.enter, "
		 "execute = 1} end)",
		 "on: execute: function expected"},
		{"haka.state_machine.new('m', function () a = state() a:on{event = "
		 "events.timeout(0)} end)",
		 "no number of seconds"},
		{"haka.state_machine.new('m', function () a = state() a:on{event = "
		 "events.timeout('x')} end)",
		 "events.timeout: number expected"},
		{"haka.state_machine.new('m', function () state = 1 end)",
		 "'state' is a word of the language"},
		{"haka.state_machine.new('m', function () a = state() any:on{event = events.up} "
		 "initial(a) end)",
		 "any: a State has no event 'up'"},
		{"haka.state_machine.new('m', function () state_type(BidirectionalState) a = "
		 "state(1) end)",
		 "a rule that a grammar exports"},
		{"haka.state_machine.new('m', function () state_type(1) end)",
		 "state_type: table expected, got number"},
		{"haka.state_machine.new('m', function () state_type{event = {}} end)",
		 "unknown key 'event'"},
		{"haka.state_machine.new('m', function () a = state() initial(a) "
		 "end):instanciate():update()",
		 "has no update"},
		{"haka.state_machine.new('m', function () a = state() initial(a) "
		 "end):instanciate():trigger('x')",
		 "state 'a' has no event 'x'"},
		{"local x haka.state_machine.new('m', function () x = state() initial(x) end)\n"
		 "haka.state_machine.new('m', function () a = state() a:on{event = events.enter, "
		 "jump = x} end)",
		 "a state of another machine"},
		{"haka.state_machine.new('m', function () a = state() a:on{event = events.enter, "
		 "jump = a} initial(a) end):instanciate()",
		 "more than 32 transitions inside of each other"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		refused(rows[i].text, rows[i].why);
	assert_int_equal(script_timers_armed(s), 0);
}

/* The function of a definition has its own globals again, and functions made in it write to
 * them. */
static void environment(void **state)
{
	(void)state;
	run("count = 0\n"
	    "local function f() a = state() a:on{event = events.enter, execute = function () count "
	    "= count + 1 fresh = 'g' end}\n"
	    " initial(a) end\n"
	    "haka.state_machine.new('m', f):instanciate() print(count, fresh, a)\n"
	    "print(pcall(f))");
	assert_non_null(strstr(said, "1\tg\tnil false\t"));
	said[0] = '\0';
	/* nothing privileged is lent: functions of ours see no more than the script does */
	run("print(pcall(haka.state_machine.new, 'm', table.merge)) print(pcall(table.merge, 1))");
	assert_non_null(strstr(said, "table.merge: first argument"));
}

static void without_timers(void **state)
{
	(void)teardown(state);
	open_with(false, 0);
	refused("haka.state_machine.new('m', function () a = state() a:on{event = "
		"events.timeout(1)} end)",
		"events.timeout: this program has no timers");
	run("haka.state_machine.new('m', function () a = state() initial(a) end):instanciate() "
	    "print(1)");
	expect("1 ");
}

static void many_timers(void **state)
{
	(void)teardown(state);
	open_with(true, 64 << 20);
	run("M = haka.state_machine.new('m', function () a = state() a:on{event = "
	    "events.timeout(5), execute = function (self)\n"
	    " n = n + 1 if haka.network_time().seconds ~= self.t then print('wrong') end end, jump "
	    "= finish}\n"
	    " initial(a) end) n = 0 all = {}");
	/* in no order, some at the same time, every third is let go of */
	for (int i = 0; i < 6; i++) {
		now_ns = (i * 7 % 6) * INT64_C(1000000000);
		run("for i = 1, 2000 do local i = M:instanciate{t = haka.network_time().seconds + "
		    "5} all[#all + 1] = i end");
	}
	assert_int_equal(script_timers_armed(s), 12000);
	run("for i = 1, #all, 3 do all[i]:finish() end");
	assert_int_equal(script_timers_armed(s), 8000);
	until(100);
	run("print(n)");
	expect("8000 ");
	assert_int_equal(script_timers_armed(s), 0);
}

static void timers_are_bounded(void **state)
{
	(void)teardown(state);
	open_with(true, 256 << 20);
	run("M = haka.state_machine.new('m', function () a = state()\n"
	    " for i = 1, 1024 do a:on{event = events.timeout(i)} end initial(a) end)");
	for (int i = 0; i < SCRIPT_TIMERS / 1024; i++)
		run("M:instanciate()");
	assert_int_equal(script_timers_armed(s), SCRIPT_TIMERS);
	refused("M:instanciate()", "timer: more than 65536 are armed");
}

/* A timer that was due many times while no packet came is fired once, and continues at its old
 * times. */
static void missed(void **state)
{
	(void)state;
	run("haka.state_machine.new('m', function () a = state() a:on{event = events.timeout(1), "
	    "execute = function () print('x') end}\n"
	    " initial(a) end):instanciate()");
	now_ns = INT64_C(1000500000000);
	assert_true(script_timer_fire(s, now_ns));
	expect("x ");
	assert_int_equal(*script_timer_due(s), INT64_C(1001000000000));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(walks, setup, teardown),
		cmocka_unit_test_setup_teardown(ends, setup, teardown),
		cmocka_unit_test_setup_teardown(leave_jumps, setup, teardown),
		cmocka_unit_test_setup_teardown(times_out, setup, teardown),
		cmocka_unit_test_setup_teardown(time_out_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(types, setup, teardown),
		cmocka_unit_test_setup_teardown(directions, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(environment, setup, teardown),
		cmocka_unit_test_setup_teardown(without_timers, setup, teardown),
		cmocka_unit_test_setup_teardown(many_timers, setup, teardown),
		cmocka_unit_test_setup_teardown(timers_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(missed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
