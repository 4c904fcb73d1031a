/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Dissectors in Lua through the engine: how a stream is held back and for how long, the fate of
 * flows whose dissector fails or cannot read them, with each fallback, and the memory in use after
 * their end.
 */
#include "unit/unit.h"

#include "gate_tcp_util.h"

#include "gate/lua/bind.h"
#include "gate/engine/plugin.h"
#include "script/rules/timer.h"

#include <stdio.h>

static struct gt t;
static struct gate_bind *bind;
static struct script_error err;
static uint8_t buf[GT_CAP];
static struct gt_conn c;
static char said[16384];

static void say(void *ctx, struct span line)
{
	size_t at = strlen(said);

	(void)ctx;
	(void)snprintf(said + at, sizeof(said) - at, "%.*s\n", (int)line.n, (const char *)line.p);
}

static void open_with(bool fail_open, bool pass_through)
{
	struct script_opts so = {.print = say};
	struct gate_opts o;

	gt_opts(&o);
	o.fail_open = fail_open;
	o.pass_through = pass_through;
	gt_open(&t, &o, DISSECT_RAW);
	assert_int_equal(gate_bind_new(t.g, &so, &bind, &err), 0);
	said[0] = '\0';
}

static int setup(void **state)
{
	(void)state;
	open_with(false, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gate_bind_free(bind);
	gt_close(&t);
	return 0;
}

static void rules(const char *text)
{
	int r = gate_bind_run_text(bind, span_str(text), &err);

	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
}

static void expect(const char *text)
{
	assert_string_equal(said, text);
	said[0] = '\0';
}

/* Messages: one octet of length, then text. x:dropped, x:failed are words that do so. */
static const char messages[] =
	"local tcp = require('protocol/tcp_connection')\n"
	"D = haka.dissector.new{type = tcp.helper.TcpFlowDissector, name = 'messages'}\n"
	"D:register_event('message')\n"
	"D.grammar = haka.grammar.new('m', function () message = record{ field('len', "
	"number(8)):validate(function (r) r.len = #r.text end),\n"
	" field('text', text:count(function (r) return r.len end)), verify(function (r) return "
	"r.text ~= 'bad' end, 'it is bad') } export(message) end)\n"
	"function D.method:receive_streamed(iter, dir)\n"
	" while iter:wait() do\n"
	"  local m, e = D.grammar.message:parse(iter)\n"
	"  if e then return self:protocol_error(e) end\n"
	"  self:trigger('message', m, dir)\n"
	"  if m.text == 'drop' then self:drop() end\n"
	"  if m.text == 'fail' then error('as asked') end\n"
	"  if m.text == 'loop' then while true do end end\n"
	"  self:continue()\n"
	" end\n"
	" print('end', dir)\n"
	"end\n"
	"function D.method:finished() print('finished') end\n"
	"haka.policy{on = tcp.policies.next_dissector, port = 77, action = "
	"haka.dissectors.messages.install}\n"
	"haka.rule{on = haka.dissectors.messages.events.message, eval = function (d, m, dir) "
	"print(dir, m.text) if m.text == 'grow' then\n"
	" m.text = 'longer' m.len = nil end end}\n"
	"haka.rule{on = haka.dissectors.messages.events.protocol_error, eval = function (d, e) "
	"print(e) end}\n";

static void holds_back(void **state)
{
	(void)state;
	rules(messages);
	gt_conn_open(&c, &t, 1000, 77);
	gt_conn_say(&c, GATE_UP, span_str("\4on"));
	assert_int_equal(c.n[GATE_UP], 0); /* a record is not let go before it is complete */
	gt_conn_say(&c, GATE_UP, span_str("e!\3tw"));
	assert_string_equal(gt_conn_text(&c, GATE_UP), "\4one!");
	gt_conn_say(&c, GATE_UP, span_str("o"));
	assert_string_equal(gt_conn_text(&c, GATE_UP), "\4one!\3two");
	gt_conn_say(&c, GATE_UP, span_str("\4grow\1."));
	assert_string_equal(gt_conn_text(&c, GATE_UP), "\4one!\3two\6longer\1.");
	gt_conn_say(&c, GATE_DOWN, span_str("\2ok"));
	gt_conn_fin(&c, GATE_UP);
	gt_conn_fin(&c, GATE_DOWN);
	expect("up\tone!\nup\ttwo\nup\tgrow\nup\t.\ndown\tok\nend\tup\nend\tdown\n");
	assert_true(c.fin[GATE_UP] && c.fin[GATE_DOWN]);
	gate_end_flows(t.g);
	expect("finished\n");
}

/* Each ends the flow, under a name of its own. */
static void ends_flows(void **state)
{
	static const struct {
		const char *what;
		enum gate_drop why;
		const char *said;
	} rows[] = {
		{"\4drop", GATE_DROP_SCRIPT_DISSECTOR, "up\tdrop\n"},
		{"\4fail", GATE_DROP_RULE_FAILED, "up\tfail\n"},
		{"\4loop", GATE_DROP_RULE_FAILED, "up\tloop\n"},
		{"\3bad", GATE_DROP_SCRIPT_PARSE,
		 "parse error at byte 4 for field <verify> in message: it is bad\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)teardown(state);
		open_with(false, false);
		rules(messages);
		gt_conn_open(&c, &t, 1000, 77);
		gt_conn_say(&c, GATE_UP, span_str("\2ok"));
		said[0] = '\0';
		gt_conn_say(&c, GATE_UP, span_str(rows[i].what));
		assert_int_equal(gt_drops(&t, rows[i].why), 1);
		assert_non_null(strstr(said, rows[i].said));
		assert_non_null(strstr(said, "finished\n"));
		gt_conn_say(&c, GATE_UP, span_str("\2ok"));
		gt_conn_say(&c, GATE_DOWN, span_str("\2ok"));
		assert_string_equal(gt_conn_text(&c, GATE_UP), "\2ok");
		assert_int_equal(c.n[GATE_DOWN], 0);
	}
}

static void fails_open(void **state)
{
	static const char *const words[] = {"\4fail", "\3bad"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		(void)teardown(state);
		open_with(true, false);
		rules(messages);
		gt_conn_open(&c, &t, 1000, 77);
		gt_conn_say(&c, GATE_UP, span_str(words[i]));
		gt_conn_say(&c, GATE_UP, span_str("\2ok"));
		assert_int_equal(c.n[GATE_UP], strlen(words[i]) + 3); /* forwarded, not dissected */
		assert_null(strstr(said, "up\tok"));
		assert_int_equal(gate_counters(t.g)->failed_open, 1);
	}
}

static void passes_through(void **state)
{
	(void)teardown(state);
	open_with(false, true);
	rules(messages);
	gt_conn_open(&c, &t, 1000, 77);
	gt_conn_say(&c, GATE_UP, span_str("\4on"));
	assert_int_equal(c.n[GATE_UP], 3); /* nothing is held */
	gt_conn_say(&c, GATE_UP, span_str("e!\4drop"));
	expect("up\tone!\nup\tdrop\nfinished\n");
	assert_int_equal(c.n[GATE_UP], 10);
	gt_conn_say(&c, GATE_UP, span_str("\4grow"));
	assert_int_equal(c.n[GATE_UP], 15);
}

/* A message that is never complete holds back as much as there is room for, and no more. */
static void bounded(void **state)
{
	static char long_text[1400];

	(void)state;
	memset(long_text, 'x', sizeof(long_text));
	rules("local tcp = require('protocol/tcp_connection')\n"
	      "D = haka.dissector.new{type = tcp.helper.TcpFlowDissector, name = 'all'}\n"
	      "D.grammar = haka.grammar.new('m', function () all = record{ field('x', "
	      "bytes():count(2^30)) } export(all) end)\n"
	      "function D.method:receive_streamed(iter) D.grammar.all:parse(iter) end\n"
	      "haka.policy{on = tcp.policies.next_dissector, port = 77, action = "
	      "haka.dissectors.all.install}\n");
	gt_conn_open(&c, &t, 1000, 77);
	for (int i = 0; i < 60 && !gt_drops(&t, GATE_DROP_RULE_FAILED); i++)
		gt_conn_say(&c, GATE_UP, span_of(long_text, sizeof(long_text)));
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
	assert_int_equal(c.n[GATE_UP], 0);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

/* More changes than there is room for, and a message that is cut: the next segment waits until the
 * receiver has the changed octets. It is not dropped, because its sender would retransmit only the
 * held piece. */
static void crowded(void **state)
{
	enum { MESSAGES = 280 };
	static char text[MESSAGES * 5 + 3];

	(void)state;
	rules(messages);
	gt_conn_open(&c, &t, 1000, 77);
	for (size_t i = 0; i < MESSAGES; i++)
		memcpy(text + 5 * i, "\4grow", 5);
	memcpy(text + 5 * MESSAGES, "\4on", 3);
	gt_conn_say(&c, GATE_UP, span_of(text, sizeof(text)));
	assert_int_equal(c.n[GATE_UP], MESSAGES * 7);
	gt_conn_say(&c, GATE_UP, span_str("e!\2ok"));
	assert_int_equal(c.n[GATE_UP], MESSAGES * 7);
	assert_int_equal(gate_counters(t.g)->dropped, 0);
	said[0] = '\0';
	/* the receiver has it */
	gt_conn_segment(&c, GATE_DOWN, TCP_ACK, c.next[GATE_DOWN], SPAN_NULL);
	expect("up\tone!\nup\tok\n");
	assert_int_equal(c.n[GATE_UP], MESSAGES * 7 + 8);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

/* Data that waits when the connection ends is seen to end. */
static void ends_early(void **state)
{
	(void)state;
	rules(messages);
	gt_conn_open(&c, &t, 1000, 77);
	gt_conn_say(&c, GATE_UP, span_str("\11not all"));
	gt_conn_fin(&c, GATE_UP);
	expect("parse error at byte 1 for field text in message: not enough data: 9 octets "
	       "expected\nfinished\n");
	assert_int_equal(c.n[GATE_UP], 0);
	/* and when it is reset */
	gt_conn_open(&c, &t, 1001, 77);
	gt_conn_say(&c, GATE_UP, span_str("\11not all"));
	gt_conn_segment(&c, GATE_UP, TCP_RST | TCP_ACK, c.next[GATE_UP], SPAN_NULL);
	gate_end_flows(t.g);
	assert_int_equal(gate_counters(t.g)->held, 0);
	assert_non_null(strstr(said, "finished\n"));
}

static void udp(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport, const char *text,
		int64_t ns)
{
	gt_push(&t, buf, gt_udp(buf, src, sport, dst, dport, text), ns);
	gt_run(&t);
}

/* A machine over datagrams: its time-outs run on the packets' time, and end with the flow. */
static void datagrams(void **state)
{
	(void)state;
	rules("local udp = require('protocol/udp_connection')\n"
	      "D = haka.dissector.new{type = udp.helper.UdpFlowDissector, name = 'turns'}\n"
	      "D.grammar = haka.grammar.new('g', function () q = record{ field('t', "
	      "token('[a-z]+')) } export(q) end)\n"
	      "D.state_machine = haka.state_machine.new('turns', function () "
	      "state_type(BidirectionalState)\n"
	      " ask = state('q', nil) answer = state(nil, 'q')\n"
	      " ask:on{event = events.up, execute = function (self, q, pkt) print('q', q.t, "
	      "pkt.srcport) end, jump = answer}\n"
	      " answer:on{event = events.down, execute = function (self, q) print('a', q.t) end, "
	      "jump = ask}\n"
	      " answer:on{event = events.timeout(5), execute = function (self) print('late', "
	      "haka.network_time().seconds) end, jump = ask}\n"
	      " any:on{event = events.finish, execute = function () print('finish') end}\n"
	      " initial(ask) end)\n"
	      "haka.policy{on = udp.policies.next_dissector, port = 99, action = "
	      "haka.dissectors.turns.install}\n");
	udp(GT_CLIENT, 1000, GT_SERVER, 99, "one", 1000000000);
	assert_int_equal(gt_pop(&t) > 0, true);
	udp(GT_SERVER, 99, GT_CLIENT, 1000, "two", 2000000000);
	assert_int_equal(gt_pop(&t) > 0, true);
	udp(GT_CLIENT, 1000, GT_SERVER, 99, "three", 3000000000);
	assert_int_equal(gt_pop(&t) > 0, true);
	/* before the packet of that time is looked at */
	udp(GT_CLIENT, 1000, GT_SERVER, 99, "four", 20000000000);
	assert_int_equal(gt_pop(&t) > 0, true);
	expect("q\tone\t1000\na\ttwo\nq\tthree\t1000\nlate\t8\nq\tfour\t1000\n");
	/* no packet: the tick */
	gate_tick(t.g, 26000000000);
	expect("late\t25\n");
	/* nobody may answer now: there is no grammar for that, nor an answer of the machine's */
	udp(GT_SERVER, 99, GT_CLIENT, 1000, "five", 27000000000);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_SCRIPT_PARSE), 1);
	gate_end_flows(t.g);
	expect("finish\n");
	assert_int_equal(script_timers_armed(gate_bind_script(bind)), 0);
	/* a malformed message, without a transition of the machine */
	udp(GT_CLIENT, 1001, GT_SERVER, 99, "123", 28000000000);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_SCRIPT_PARSE), 2);
}

/* haka.dissector.pcall: a failure is an error of the object. */
static void protected_calls(void **state)
{
	(void)state;
	rules("local udp = require('protocol/udp_connection')\n"
	      "D = haka.dissector.new{type = udp.helper.UdpFlowDissector, name = 'p'}\n"
	      "function D.method:receive(pkt, payload) haka.dissector.pcall(self, function () if "
	      "#payload == 3 then error('three') end end) end\n"
	      "haka.policy{on = udp.policies.next_dissector, port = 99, action = "
	      "haka.dissectors.p.install}\n");
	udp(GT_CLIENT, 1000, GT_SERVER, 99, "four", 1);
	assert_int_equal(gt_pop(&t) > 0, true);
	udp(GT_CLIENT, 1000, GT_SERVER, 99, "abc", 2);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
}

/* Names are the engine's: another state may use them again. */
static void again(void **state)
{
	for (int i = 0; i < 2; i++) {
		rules(messages);
		assert_string_equal(gate_plugin(t.g, GATE_FIRST_PLUGIN)->name, "messages");
		(void)teardown(state);
		open_with(false, false);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		T(holds_back), T(ends_flows), T(fails_open), T(passes_through),	 T(bounded),
		T(crowded),    T(ends_early), T(datagrams),  T(protected_calls), T(again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
