/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Streamed rules on connections: which data a coroutine sees and when, holds back and changes, how
 * it sees the end, and the result where it fails or holds too much.
 */
#include "unit/unit.h"

#include "base/rng.h"
#include "gate_rules_util.h"

enum { D_UP = GATE_UP, D_DOWN = GATE_DOWN };

#define ON \
	"haka.rule{on = haka.dissectors.tcp_connection.events.receive_data, options = {streamed = true}, eval = function(flow, iter, dir)\n"

static int setup(void **state)
{
	(void)state;
	open_gate((struct open_opts){0});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_gate();
	return 0;
}

static void again(struct open_opts how)
{
	close_gate();
	open_gate(how);
}

static void begin(const char *text)
{
	rules(text);
	gt_conn_open(&c, &t, 1000, 9000);
}

static void up(const char *text)
{
	gt_conn_say(&c, D_UP, span_str(text));
}

static void down(const char *text)
{
	gt_conn_say(&c, D_DOWN, span_str(text));
}

static void arrived(unsigned d, const char *text)
{
	assert_string_equal(gt_conn_text(&c, d), text);
}

static void fill(uint32_t n)
{
	static uint8_t piece[GT_MSS];

	memset(piece, 'x', sizeof(piece));
	while (n) {
		uint32_t k = n < GT_MSS ? n : GT_MSS;

		gt_conn_say(&c, D_UP, span_of(piece, k));
		n -= k;
	}
}

static void said_is(const char *text)
{
	assert_string_equal(heard(), text);
}

static void test_pieces(void **state)
{
	(void)state;
	begin(ON
	      " print('begin', dir, flow.dstport, getmetatable(iter)) for s in iter:foreach_available() do print(dir, s:asstring()) end\n"
	      " print('end', dir, iter.iseof, iter.meter, iter:wait(), iter:sub(3), #iter:sub(0)) end}");
	up("one");
	down("answer");
	up("two");
	said_is("begin\tup\t9000\tvbuffer_iterator_blocking\nup\tone\nbegin\tdown\t9000\tvbuffer_iterator_blocking\ndown\tanswer\nup\ttwo\n");
	gt_conn_fin(&c, D_UP);
	said_is("end\tup\ttrue\t6\tfalse\tnil\t0\n");
	/* a connection of its own has coroutines of its own */
	gt_conn_open(&c, &t, 1001, 9000);
	up("three");
	said_is("begin\tup\t9000\tvbuffer_iterator_blocking\nup\tthree\n");
	assert_int_equal(gate_counters(t.g)->held, 0);
}

/* Data that a rule wants in one piece is held until it is complete. */
static void test_held(void **state)
{
	(void)state;
	begin(ON
	      " if dir == 'down' then return end while iter:wait() do local s = iter:sub(6) print(s:asstring(), iter.meter) end end}");
	up("abcd");
	arrived(D_UP, "");
	said_is("");
	up("efgh");
	arrived(D_UP, "abcdef");
	said_is("abcdef\t6\n");
	down("not held");
	arrived(D_DOWN, "not held");
	/* the end ends the waiting, and takes all along */
	gt_conn_fin(&c, D_UP);
	arrived(D_UP, "abcdefgh");
	said_is("gh\t8\n");
	assert_true(c.fin[D_UP]);
}

static void test_waiting(void **state)
{
	(void)state;
	begin(ON
	      " if dir == 'down' then return end print(iter:check_available(3, true)) print(iter:check_available(3)) print(iter:advance(2))\n"
	      " print(iter:advance('available'), iter:available()) print(iter:wait()) print(iter:advance(4)) print(iter:sub('all'):asstring())\n"
	      " print(iter:advance('all'), iter:advance(1), iter.meter) end}");
	up("ab");
	said_is("false\t2\n");
	arrived(D_UP, "");
	up("cd");
	said_is("true\t4\n2\n2\t0\n");
	arrived(D_UP, "abcd");
	up("e");
	said_is("true\n");
	/* data that is only skipped is not held */
	arrived(D_UP, "abcde");
	up("fghi");
	said_is("4\n");
	/* all: to the end */
	arrived(D_UP, "abcdefgh");
	up("j");
	arrived(D_UP, "abcdefgh");
	gt_conn_fin(&c, D_UP);
	said_is("ij\n0\t0\t10\n");
	arrived(D_UP, "abcdefghij");
}

static void test_marks(void **state)
{
	(void)state;
	begin(ON
	      " if dir == 'down' then return end iter:advance(1) iter:mark() local from = iter:copy() iter:advance(5) print('have', iter.meter)\n"
	      " from:sub(2):setstring('<held>') iter:advance(1) iter:unmark() iter:wait() print(pcall(function() from:available() end)) end}");
	up("abc");
	arrived(D_UP, "a");
	up("de");
	arrived(D_UP, "a");
	up("f");
	said_is("have\t6\n");
	arrived(D_UP, "a");
	up("g");
	said_is("");
	arrived(D_UP, "a<held>defg");
	up("h");
	assert_non_null(strstr(heard(), "available: invalid buffer iterator: its octets are gone"));
}

/* Changes over the border of two segments, and both are retransmitted: cut otherwise, edited
 * alike. */
static void test_edits(void **state)
{
	uint32_t seq;

	(void)state;
	begin(ON
	      " if dir == 'down' then return end local s = iter:sub(8) s:sub(2, 4):setstring('<elephant>') print(s:asstring())\n"
	      " iter:insert(haka.vbuffer_from('!')) for p in iter:foreach_available() do if p[1] == 120 then p:erase() else p[1] = 46 end end end}");
	seq = c.next[D_UP];
	up("abcd");
	arrived(D_UP, "");
	up("efgh");
	arrived(D_UP, "ab<elephant>gh!");
	said_is("ab<elephant>gh\n");
	gt_conn_segment(&c, D_UP, TCP_ACK, seq, span_str("abcdefgh"));
	gt_conn_segment(&c, D_UP, TCP_ACK, seq + 3, span_str("def"));
	arrived(D_UP, "ab<elephant>gh!");
	up("xyz");
	up("more");
	arrived(D_UP, "ab<elephant>gh!.ore");
	gt_conn_fin(&c, D_UP);
	assert_true(c.fin[D_UP]);
	/* the other side's numbers agree: it acknowledges the octets that it got, and the sender
	 * sees its own numbers */
	down("thanks");
	arrived(D_DOWN, "thanks");
	assert_int_equal(gate_counters(t.g)->held, 0);
}

/* A match over the border of packets: held back if it is wanted as a sub, else it is only found. */
static void test_regexps(void **state)
{
	(void)state;
	begin(ON
	      " if dir == 'down' then return end local re = require('regexp/pcre').re local r = re:compile('e+vil')\n"
	      " local s = r:match(iter, true) print(s:asstring(), iter.meter) s:setstring('nice') print(iter:sub(2):asstring())\n"
	      " print(re:match('b.d', iter), iter.meter, iter:available()) print(r:match(iter, true), r:match(iter), iter.iseof) end}");
	up("no e");
	/* it may have begun */
	arrived(D_UP, "no ");
	up("e");
	arrived(D_UP, "no ");
	up("x ev");
	arrived(D_UP, "no eex ");
	up("i");
	up("l!?ba");
	said_is("evil\t11\n!?\n");
	arrived(D_UP, "no eex nice!?ba");
	up("d.");
	said_is("true\t16\t1\n");
	up("ee");
	arrived(D_UP, "no eex nice!?bad.");
	gt_conn_fin(&c, D_UP);
	said_is("nil\tfalse\ttrue\n");
	arrived(D_UP, "no eex nice!?bad.ee");
	/* changes of another rule to held data are matched, too */
	again((struct open_opts){0});
	begin(ON
	      " if dir == 'up' then local s = iter:sub(4) s:sub(0, 2):setstring('evi') end end}\n" ON
	      " if dir == 'up' then local s = require('regexp/pcre').re:match('evil+s', iter, nil, true) print(s:asstring(), iter.meter) s:erase() end end}");
	up("ev");
	up("ll");
	arrived(D_UP, "");
	up("s.");
	said_is("evills\t6\n");
	arrived(D_UP, ".");
	/* and there is a bound */
	again((struct open_opts){0});
	begin(ON
	      " if dir == 'up' then require('regexp/pcre').re:match('x+y', iter, nil, true) end end}");
	fill(64000);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

/* A segment before the others is lost on the way to the gate: order is kept, each octet is seen
 * once. */
static void test_order(void **state)
{
	uint32_t seq;

	(void)state;
	begin(ON
	      " if dir == 'down' then return end while true do local s = iter:sub(3) if not s then break end print(s:asstring()) end print('end') end}");
	seq = c.next[D_UP];
	gt_conn_segment(&c, D_UP, TCP_ACK, seq + 4, span_str("ef"));
	gt_conn_segment(&c, D_UP, TCP_ACK, seq + 2, span_str("cd"));
	said_is("");
	gt_conn_segment(&c, D_UP, TCP_ACK, seq, span_str("ab"));
	said_is("abc\ndef\n");
	gt_conn_segment(&c, D_UP, TCP_ACK, seq, span_str("abcd"));
	gt_conn_segment(&c, D_UP, TCP_ACK, seq + 5, span_str("fgh"));
	arrived(D_UP, "abcdef");
	gt_conn_segment(&c, D_UP, TCP_ACK | TCP_FIN, seq + 8, SPAN_NULL);
	said_is("gh\nend\n");
	arrived(D_UP, "abcdefgh");
}

/* However a connection ends, its coroutines see it: unless a rule dropped it. */
static void test_ends(void **state)
{
	static const char rule[] = ON
		" print('begin', dir) print('got', iter:sub(9):asstring()) print('end', dir, iter:wait(), iter.iseof) end}\n"
		"haka.rule{on = haka.dissectors.tcp_connection.events.end_connection, eval = function() print('over') end}";

	(void)state;
	begin(rule);
	up("ab");
	down("cd");
	gt_conn_segment(&c, D_UP, TCP_RST, c.next[D_UP], SPAN_NULL);
	said_is("begin\tup\nbegin\tdown\n");
	gate_tick(t.g, 100 * NS_PER_S);
	said_is("got\tab\nend\tup\tfalse\ttrue\ngot\tcd\nend\tdown\tfalse\ttrue\nover\n");
	/* at the end of a capture */
	again((struct open_opts){0});
	begin(rule);
	up("ab");
	gate_release_held(t.g);
	said_is("begin\tup\ngot\tab\nend\tup\tfalse\ttrue\n");
	assert_int_equal(gate_counters(t.g)->held, 0);
	/* dropped by a rule while the coroutine waits: it hears nothing more */
	again((struct open_opts){0});
	begin(ON
	      " flow.seen = true print(iter:sub(9)) end}\n"
	      "haka.rule{on = haka.dissectors.tcp_connection.events.receive_data, eval = function(flow, sub) if sub[1] == 120 then flow:drop() end end}");
	up("ab");
	up("x");
	up("yz");
	said_is("");
	assert_int_equal(gt_drops(&t, GATE_DROP_FLOW_DROPPED), 1);
	gate_tick(t.g, 100000 * NS_PER_S);
	said_is("");
	assert_int_equal(gate_counters(t.g)->held, 0);
}

static void test_dropping(void **state)
{
	(void)state;
	begin(ON
	      " local s = iter:sub(4) if s:asstring() == 'evil' then flow:drop() end print('waits') iter:wait() print('never') end}");
	up("ev");
	arrived(D_UP, "");
	up("il");
	said_is("waits\n");
	up("more");
	said_is("");
	arrived(D_UP, "");
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE), 1);
	assert_int_equal(gt_drops(&t, GATE_DROP_FLOW_DROPPED), 1);
	assert_int_equal(gate_counters(t.g)->held, 0);
	again((struct open_opts){0});
	begin(ON " iter:sub(4) haka.abort() end}");
	up("ev");
	up("il");
	arrived(D_UP, "");
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE), 1);
}

/* A coroutine that fails: its packet and its connection are dropped, or forwarded unexamined. */
static void test_failing(void **state)
{
	static const char *const bad[] = {
		" iter:wait() iter:sub(2) local x = nil + 1",
		" while true do pcall(function() while true do end end) end",
		" local t = {} while true do t[#t + 1] = ('x'):rep(1e6) end",
		" iter:sub('some')",
		" iter:advance(-1)",
	};
	static char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		for (int open = 0; open < 2; open++) {
			again((struct open_opts){.fail_open = open, .instructions = 200000});
			(void)snprintf(text, sizeof(text), ON "%s end}", bad[i]);
			begin(text);
			up("a");
			up("b");
			if (open) {
				arrived(D_UP, "ab");
				assert_true(gate_counters(t.g)->failed_open > 0);
				up("more");
				arrived(D_UP, "abmore");
			} else {
				assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
				up("more");
				assert_int_equal(c.n[D_UP] < 2, true);
			}
			assert_int_equal(gate_counters(t.g)->held, 0);
		}
	}
}

/* Each time it resumes a coroutine has the whole budget. */
static void test_budget(void **state)
{
	(void)state;
	again((struct open_opts){.instructions = 100000});
	begin(ON
	      " while iter:wait() do iter:advance(1) for i = 1, 15000 do end end print('done') end}");
	for (int i = 0; i < 20; i++)
		up("x");
	gt_conn_fin(&c, D_UP);
	said_is("done\n");
	assert_int_equal(c.n[D_UP], 20);
}

/* Held data has a bound, and a rule that holds more is reported. */
static void test_bound(void **state)
{
	(void)state;
	begin(ON " if dir == 'up' then print(iter:sub('all')) end end}");
	fill(63000);
	assert_int_equal(c.n[D_UP], 0);
	fill(1000);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
	assert_int_equal(gate_counters(t.g)->held, 0);
	said_is("");
	/* under fail-open held data is forwarded, and further data, too */
	again((struct open_opts){.fail_open = true});
	begin(ON
	      " if dir == 'up' then print(pcall(function() iter:sub('all') end)) print(iter:wait(), iter.meter) end end}");
	fill(63000);
	assert_int_equal(c.n[D_UP], 0);
	fill(1000);
	assert_int_equal(c.n[D_UP], 64000);
	assert_non_null(
		strstr(heard(),
		       "more octets of a stream would be held back than there is room for"));
	again((struct open_opts){.fail_open = true});
	begin(ON " if dir == 'up' then iter:sub('all') end end}");
	fill(64000);
	assert_int_equal(c.n[D_UP], 64000);
	assert_int_equal(gate_counters(t.g)->failed_open, 1);
	/* a mark that nobody takes away */
	again((struct open_opts){0});
	begin(ON " if dir == 'up' then iter:mark() end end}");
	fill(63000);
	assert_int_equal(c.n[D_UP], 0);
	fill(1000);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
	/* a coroutine that only waits holds nothing */
	again((struct open_opts){0});
	begin(ON " local n = 0 for s in iter:foreach_available() do n = n + #s end print(n) end}");
	fill(40000);
	gt_conn_segment(&c, D_DOWN, TCP_ACK, c.next[D_DOWN], SPAN_NULL);
	fill(30000);
	gt_conn_fin(&c, D_UP);
	said_is("70000\n");
	assert_int_equal(c.n[D_UP], 70000);
}

/* Two streamed rules and one that is not: each sees all data, the others see the first one's
 * changes, and the last to release data releases it. */
static void test_together(void **state)
{
	(void)state;
	begin(ON
	      " if dir == 'down' then return end while true do local s = iter:sub(4) if not s then break end s:setstring('(' .. s:asstring() .. ')') end end}\n" ON
	      " if dir == 'down' then return end local s = iter:sub(10) print(s:asstring(), iter.meter) end}\n"
	      "haka.rule{on = haka.dissectors.tcp_connection.events.receive_data, eval = function(flow, sub, dir)\n"
	      " if dir == 'up' then print('new', sub:asstring()) end end}");
	up("ab");
	said_is("new\tab\n");
	up("cde");
	/* changed data together with new data is new */
	said_is("new\t(abcd)e\n");
	arrived(D_UP, "");
	up("fgh");
	/* the first has changed the data that the second waited for */
	said_is("(abcd)(efg\t10\nnew\t(efgh)\n");
	arrived(D_UP, "(abcd)(efgh)");
}

/* The conditions of `when` decide where a coroutine begins, not where it resumes. */
static void test_when(void **state)
{
	(void)state;
	begin("haka.rule{on = haka.dissectors.tcp_connection.events.receive_data, options = {streamed = true}, when = {len = 57, direction = 'up'},\n"
	      " eval = function(flow, iter) for s in iter:foreach_available() do print(s:asstring()) end print('end') end}");
	up("no");
	up("yes");
	up("goes on");
	down("yes");
	gt_conn_fin(&c, D_UP);
	said_is("yes\ngoes on\nend\n");
	assert_int_equal(c.n[D_UP], 12);
}

/* The application's dissector sees data after listeners release it. */
static void test_before_http(void **state)
{
	(void)state;
	rules(ON
	      " if dir == 'up' then local s = iter:sub(40) s:sub(0, 3):setstring('HEAD') end end}\n"
	      "haka.rule{on = haka.dissectors.http.events.request, eval = function(flow) print('request') end}");
	gt_conn_open(&c, &t, 1000, 80);
	up("GET / HTTP/1.1\r\nHost: a\r\n");
	up("X: 1\r\n\r\n");
	said_is("");
	gt_conn_fin(&c, D_UP);
	said_is("request\n");
	arrived(D_UP, "HEAD / HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n");
}

static void test_looking_on(void **state)
{
	(void)state;
	again((struct open_opts){.pass_through = true});
	begin(ON
	      " if dir == 'up' then local s = iter:sub(4) print(s:asstring(), pcall(function() s:erase() end)) end end}");
	up("ab");
	arrived(D_UP, "ab");
	up("cd");
	arrived(D_UP, "abcd");
	assert_non_null(strstr(heard(), "abcd\tfalse"));
}

#define BODY(what, code)                                   \
	"haka.rule{on = haka.dissectors.http.events." what \
	", options = {streamed = true}, eval = function(http, iter)\n" code " end}\n"

static void ask(const char *head)
{
	up(head);
	(void)heard();
}

/* Bodies of HTTP: one coroutine each, with any pieces and chunks. */
static void test_bodies(void **state)
{
	(void)state;
	rules(BODY(
		"response_data",
		" local s = iter:sub(5) print(s:asstring(), iter.meter) for p in iter:foreach_available() do print('+', p:asstring()) end\n"
		" print('end', iter.meter, iter.iseof)"));
	gt_conn_open(&c, &t, 1000, 80);
	ask("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n");
	down("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
	/* it is remembered, not held back */
	arrived(D_DOWN, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
	said_is("");
	down("de");
	said_is("abcde\t5\n");
	down("fghiHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n1\r\nt\r\n2\r\nwo\r\n");
	said_is("+\tfghi\nend\t9\ttrue\nonetw\t5\n+\to\n");
	down("0\r\n\r\n");
	said_is("end\t6\ttrue\n");
	/* one that ends with the connection, before the awaited data has arrived */
	down("HTTP/1.1 200 OK\r\n\r\nx");
	gt_conn_fin(&c, D_DOWN);
	said_is("x\t1\nend\t1\ttrue\n");
	assert_true(c.fin[D_DOWN]);
}

static void test_bodies_written(void **state)
{
	(void)state;
	rules(BODY(
		"request_data",
		" local re = require('regexp/pcre').re local s = re:match('bad', iter, nil, true) print(s:asstring())\n"
		" print(pcall(s.setstring, s, 'goo')) s:sub(1):setstring('**') iter:wait() iter:sub(1):setstring('!')\n"
		" print(pcall(function() iter:copy():insert('more') end))"));
	gt_conn_open(&c, &t, 1000, 80);
	up("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nnot b");
	up("ad.");
	assert_non_null(strstr(said, "bad\nfalse"));
	assert_non_null(strstr(said, "read only buffer: these octets of the body were forwarded"));
	assert_non_null(strstr(said, "the length of these octets may not change"));
	up("?");
	arrived(D_UP, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nnot b**!?");
	/* and dropped, in the middle or at the end */
	again((struct open_opts){0});
	rules(BODY(
		"request_data",
		" local n = 0 for s in iter:foreach_available() do n = n + #s end if n == 4 then http:drop() end"));
	gt_conn_open(&c, &t, 1000, 80);
	up("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
	up("cd");
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE), 1);
	up("GET / HTTP/1.1\r\n\r\n");
	assert_int_equal(gt_drops(&t, GATE_DROP_FLOW_DROPPED), 1);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

/* Remembered data has a bound, too; a coroutine that fails has its connection dropped; a connection
 * that ends ends its bodies. */
static void test_bodies_fail(void **state)
{
	(void)state;
	rules(BODY("request_data", " iter:sub('all')"));
	gt_conn_open(&c, &t, 1000, 80);
	up("POST / HTTP/1.1\r\nContent-Length: 90000\r\n\r\n");
	fill(30000);
	gt_conn_segment(&c, D_DOWN, TCP_ACK, c.next[D_DOWN], SPAN_NULL);
	fill(30000);
	gt_conn_segment(&c, D_DOWN, TCP_ACK, c.next[D_DOWN], SPAN_NULL);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 0);
	fill(6000);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
	for (int at_end = 0; at_end < 2; at_end++) {
		again((struct open_opts){0});
		rules(at_end ? BODY("request_data", " iter:sub('all') error('oops')")
			     : BODY("request_data", " error('oops')"));
		gt_conn_open(&c, &t, 1000, 80);
		up("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na");
		up("b");
		assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
		assert_true(c.n[D_UP] == 0 || at_end);
	}
	again((struct open_opts){0});
	rules(BODY(
		"request_data",
		" print(iter:sub('all'):asstring(), iter.iseof) kept = iter") "haka.rule{on = haka.dissectors.tcp_connection.events.end_connection, eval = function() print(pcall(function() kept:sub(1) end)) end}");
	gt_conn_open(&c, &t, 1000, 80);
	up("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nab");
	up("cd");
	gt_conn_segment(&c, D_UP, TCP_RST, c.next[D_UP], SPAN_NULL);
	gate_tick(t.g, 1000 * NS_PER_S);
	gate_end_flows(t.g);
	assert_non_null(strstr(said, "abcd\ttrue\n"));
}

/* Forwarded data, and data of a closed connection, cannot be read; and only coroutines wait. */
static void test_too_late(void **state)
{
	(void)state;
	begin(ON
	      " if dir == 'down' then return end local a, p = iter:sub(2), iter:copy() iter:advance(1) iter:wait() iter:advance(1) iter:wait()\n"
	      " print(pcall(function() a:asstring() end)) print(pcall(function() p:sub(1) end)) kept = iter end}\n"
	      "haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function() print(pcall(function() kept:sub(9) end)) end}");
	up("abc");
	up("d");
	up("e");
	assert_non_null(strstr(said, "asstring: the octets are not there any more"));
	assert_non_null(strstr(said, "sub: invalid buffer iterator: its octets are gone"));
}

/* Held data of one direction can be read and changed by a rule of the other. */
static void test_other_direction(void **state)
{
	(void)state;
	begin(ON
	      " if dir == 'up' then flow.held = iter:copy() iter:sub(4) iter:wait() return end\n"
	      " for s in iter:foreach_available() do local h = flow.held print(h:available(), h:copy():sub('all'):asstring())\n"
	      "  h:copy():sub(1):setstring('<' .. s:asstring() .. '>') end end}\n");
	down("early");
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1); /* there is nothing yet */
	gt_conn_open(&c, &t, 1001, 9000);
	up("abc");
	(void)heard();
	down("x");
	said_is("3\tabc\n");
	arrived(D_DOWN, "x");
	/* it continues with the next segment */
	arrived(D_UP, "");
	up("d");
	arrived(D_UP, "<x>bcd");
	gt_conn_fin(&c, D_UP);
	assert_true(c.fin[D_UP]);
}

/* A sender that gets no answer only retransmits: held data is forwarded then, and remembered. It
 * can be read, and its connection be dropped; it cannot be changed any more. */
static void test_stuck(void **state)
{
	uint32_t seq;

	(void)state;
	begin(ON
	      " if dir == 'down' then return end local s = iter:sub(6) print(s:asstring(), iter.meter, pcall(s.setstring, s, 'new'))\n"
	      " iter:sub(1):setstring('*') local w = require('regexp/pcre').re:match('e+vil', iter, nil, true) print(w:asstring()) flow:drop() end}");
	seq = c.next[D_UP];
	up("abc");
	arrived(D_UP, "");
	/* the gate takes it over, and waits for more */
	gt_conn_segment(&c, D_UP, TCP_ACK, seq, span_str("abc"));
	arrived(D_UP, "");
	gate_tick(t.g, 2 * NS_PER_S);
	gt_conn_run(&c);
	arrived(D_UP, "");
	gate_tick(t.g, 4 * NS_PER_S);
	gt_conn_run(&c);
	arrived(D_UP, "abc");
	up("de");
	/* from now on nothing of it is held */
	arrived(D_UP, "abcde");
	said_is("");
	up("fgh");
	assert_non_null(strstr(said, "abcdef\t6\tfalse"));
	assert_non_null(strstr(heard(), "these octets were forwarded"));
	arrived(D_UP, "abcdef*h");
	/* another that waits holds again, until that is stuck, too */
	up(" ev");
	arrived(D_UP, "abcdef*h ");
	gt_conn_segment(&c, D_UP, TCP_ACK, c.next[D_UP] - 3, span_str(" ev"));
	arrived(D_UP, "abcdef*h ");
	gate_tick(t.g, 8 * NS_PER_S);
	gt_conn_run(&c);
	arrived(D_UP, "abcdef*h ev");
	up("il");
	said_is("evil\n");
	arrived(D_UP, "abcdef*h ev");
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE), 1);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

/* A retransmission that begins with forwarded octets and ends with held ones: its beginning may
 * have been lost behind the gate, and is forwarded once more; its end stays held, and can be
 * changed. */
static void test_retransmission_half_held(void **state)
{
	uint32_t seq;

	(void)state;
	begin(ON
	      " if dir == 'down' then return end iter:advance(3) local s = iter:sub(4) s:setstring('new') iter:wait() end}");
	seq = c.next[D_UP];
	up("abcde");
	arrived(D_UP, "abc");
	gate_tick(t.g, NS_PER_S);
	gt_conn_segment(&c, D_UP, TCP_ACK, seq, span_str("abcde"));
	arrived(D_UP, "abc");
	gate_tick(t.g, 2 * NS_PER_S);
	gt_conn_run(&c);
	up("fg");
	arrived(D_UP, "abcnew");
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 0);
	gt_conn_fin(&c, D_UP);
	arrived(D_UP, "abcnew");
	assert_int_equal(gate_counters(t.g)->held, 0);
}

/* Data released between packets: the application sees it as if it had just arrived, whichever
 * verdict the last packet got. */
static void test_stuck_before_http(void **state)
{
	static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
					    "GET /\1 HTTP/1.1\r\n\r\n"};
	static struct gt_conn other;

	(void)state;
	rules(ON
	      " if dir == 'up' then iter:sub(4000) end end}\n"
	      "haka.rule{on = haka.dissectors.http.events.request, eval = function(http) print('request', http:parent().name, http:parent(2)) end}\n"
	      "haka.rule{on = haka.dissectors.tcp.events.receive_packet, eval = function(pkt) if pkt.srcport == 2000 then pkt:drop() end end}");
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		uint32_t seq;

		gt_conn_open(&c, &t, (uint16_t)(1000 + i), 80);
		seq = c.next[D_UP];
		up(texts[i]);
		gt_conn_segment(&c, D_UP, TCP_ACK, seq, span_str(texts[i]));
		arrived(D_UP, "");
		other = c;
		other.sport = 2000;
		gt_conn_segment(&other, D_UP, TCP_SYN, 1, SPAN_NULL);
		assert_int_equal(gt_drops(&t, GATE_DROP_RULE), i + 1);
		gate_tick(t.g, (1 + i) * 4 * NS_PER_S);
		gt_conn_run(&c);
		arrived(D_UP, i ? "" : texts[i]);
		said_is(i ? "" : "request\ttcp_connection\tnil\n");
		/* or it would be sent once more */
		gt_conn_segment(&c, D_DOWN, TCP_ACK, c.next[D_DOWN], SPAN_NULL);
	}
	assert_int_equal(gate_counters(t.g)->held, 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_ENDED), 1);
}

/* No room to hold data that was shown: it is retransmitted, and the coroutine that waits for more
 * sees no difference. */
static void test_no_room(void **state)
{
	uint32_t seq;

	(void)state;
	rules(ON
	      " if dir == 'up' then print(iter:advance(2), iter:sub(4):asstring(), iter.meter) end end}\n");
	/* as many as there can be streams that wait */
	for (unsigned i = 0; i < 8; i++) {
		gt_conn_open(&c, &t, (uint16_t)(1000 + i), 9000);
		up("abc");
	}
	gt_conn_open(&c, &t, 2000, 9000);
	seq = c.next[D_UP];
	up("abc");
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_LIMIT), 1);
	gate_tick(t.g, 40 * NS_PER_S);
	gt_conn_segment(&c, D_UP, TCP_ACK, seq, span_str("abc"));
	assert_int_equal(gt_drops(&t, GATE_DROP_TCP_LIMIT), 2);
	gt_conn_segment(&c, D_UP, TCP_ACK, seq, span_str("abcdefg"));
	said_is("2\tcdef\t6\n");
	arrived(D_UP, "abcdefg");
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 0);
}

enum { TEXT_MAX = 4000 };

/* A text in which there are cats, and the same with elephants. */
static uint32_t write_cats(struct rng *rng, char *text, char *want)
{
	static const char *const words[] = {"cat", "ca", "cacat", " at", "\n", "t"};
	uint32_t n = 0;
	char *to = want;

	while (n < TEXT_MAX - 10)
		n += (uint32_t)snprintf(text + n, TEXT_MAX - n, "%s",
					words[rng_below(rng, ARRAY_LEN(words))]);
	for (const char *at = text; *at;) {
		bool cat = strncmp(at, "cat", 3) == 0;

		to += snprintf(to, 9, "%.*s", cat ? 8 : 1, cat ? "elephant" : at);
		at += cat ? 3 : 1;
	}
	return n;
}

/* A rule that looks for a word in a stream and changes it, while segments are cut, lost and
 * repeated as they like: the receiver has each word changed, and nothing twice. */
static void test_any_cut(void **state)
{
	static char text[TEXT_MAX], want[4 * TEXT_MAX];
	static bool sent[TEXT_MAX];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 42);
	rules("local cat = require('regexp/pcre').re:compile('cat')\n" ON
	      " if dir == 'up' then repeat local s = cat:match(iter, true) if s then s:setstring('elephant') end until not s end end}\n" ON
	      " if dir == 'up' then repeat local s = iter:sub(20) until not s end end}");
	for (uint16_t round = 0; round < 30; round++) {
		uint32_t n = write_cats(&rng, text, want), at = 0, acked = 0, first;

		memset(sent, 0, sizeof(sent));
		gt_conn_open(&c, &t, (uint16_t)(3000 + round), 9000);
		first = c.next[D_UP];
		while (at < n) {
			/* it may begin within the sent octets, or a little ahead */
			uint32_t back = rng_below(&rng, 4) == 0 ? rng_below(&rng, at - acked + 1)
								: 0;
			uint32_t ahead = rng_below(&rng, 6) == 0 ? rng_below(&rng, 30) : 0,
				 from = at - back + ahead;
			uint32_t len = 1 + rng_below(&rng, 80);

			if (from >= n)
				from = at;
			len = len < n - from ? len : n - from;
			c.next[D_UP] = first + n;
			gt_conn_segment(&c, D_UP, TCP_ACK, first + from,
					span_of((const uint8_t *)text + from, len));
			memset(sent + from, true, len);
			while (at < n && sent[at])
				at++;
			if (rng_below(&rng, 8) != 0)
				continue;
			gt_conn_segment(&c, D_DOWN, TCP_ACK, c.next[D_DOWN], SPAN_NULL);
			acked = at; /* at most: no host retransmits acknowledged octets */
		}
		gt_conn_fin(&c, D_UP);
		arrived(D_UP, want);
		assert_true(c.fin[D_UP]);
		/* the changes may be forgotten */
		gt_conn_segment(&c, D_DOWN, TCP_ACK, c.next[D_DOWN], SPAN_NULL);
	}
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 0);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

/* Thousands of connections, each with coroutines that wait, through a table of 64: closed ones are
 * freed. */
static void test_many(void **state)
{
	struct script_stats st;

	(void)state;
	again((struct open_opts){.max_streams = 64});
	rules(ON " local p = iter:sub(9) ENDED = (ENDED or 0) + 1 end}\n");
	for (unsigned i = 0; i < 4000; i++) {
		gt_conn_open(&c, &t, (uint16_t)(2000 + i), 9000);
		up("abc");
	}
	gate_end_flows(t.g);
	rules("assert(ENDED == 4000, ENDED)");
	script_stats(gate_bind_script(bind), &st);
	assert_true(st.memory_peak < 8 << 20);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_pieces),
		T(test_held),
		T(test_waiting),
		T(test_marks),
		T(test_edits),
		T(test_regexps),
		T(test_order),
		T(test_ends),
		T(test_dropping),
		T(test_failing),
		T(test_budget),
		T(test_bound),
		T(test_together),
		T(test_when),
		T(test_before_http),
		T(test_looking_on),
		T(test_too_late),
		T(test_other_direction),
		T(test_stuck),
		T(test_stuck_before_http),
		T(test_retransmission_half_held),
		T(test_no_room),
		T(test_any_cut),
		T(test_many),
		T(test_bodies),
		T(test_bodies_written),
		T(test_bodies_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
