/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP as rules in Lua see and change it, between two ends that check the octets that reach them.
 */
#include "unit/unit.h"

#include "gate_tcp_util.h"

#include "gate_bind_util.h"

#include <stdlib.h>

#define GET \
	"GET /a/../b?x=1&y=2#f HTTP/1.1\r\nHost: One.Test\r\nCookie: a=1; b=\"two\"\r\nAccept: */*\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 5\r\n\r\nhello"

static struct gb b;
static struct gt_conn c;

static int setup(void **state)
{
	(void)state;
	gb_open(&b, false, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gb_close(&b);
	return 0;
}

static void again(const char *rules)
{
	gb_close(&b);
	gb_open(&b, false, false);
	gb_rules(&b, rules);
	gt_conn_open(&c, &b.t, 1000, 80);
}

static void say(unsigned d, const char *text)
{
	gt_conn_say(&c, d, span_str(text));
}

static void assert_arrived(unsigned d, const char *text)
{
	assert_string_equal(gt_conn_text(&c, d), text);
}

#define REQUEST(body)                                                                              \
	"haka.rule{on = haka.dissectors.http.events.request, eval = function(http, request) " body \
	" end}\n"
#define RESPONSE(body)                                                                               \
	"haka.rule{on = haka.dissectors.http.events.response, eval = function(http, response) " body \
	" end}\n"
#define DATA(body)                                                                                   \
	"haka.rule{on = haka.dissectors.http.events.response_data, eval = function(http, sub) " body \
	" end}\n"

static void test_read(void **state)
{
	(void)state;
	again(REQUEST(
		"print(request.method, request.uri, request.version, request.headers.host, request.headers['HOST'],\n"
		" request.headers.nothing, http.srcip, http.dstport, http.name, http.response)\n"
		" for k, v in pairs(request.headers) do print(k, v) end\n"
		" for k, v in pairs(request) do print(k, type(v) == 'string' and v or type(v)) end\n")
		      RESPONSE(
			      "print(response.status, response.reason, response.version, response.headers.server, http.request.uri, response.nothing)"));
	say(GATE_UP, GET);
	gb_said(&b,
		"GET\t/a/../b?x=1&y=2#f\t1.1\tOne.Test\tOne.Test\tnil\t10.0.0.1\t80\thttp\tnil\n"
		"Host\tOne.Test\nCookie\ta=1; b=\"two\"\nAccept\t*/*\n"
		"method\tGET\nuri\t/a/../b?x=1&y=2#f\nversion\t1.1\nheaders\tuserdata\nsplit_uri\ttable\nsplit_cookies\ttable\n");
	say(GATE_DOWN, OK);
	gb_said(&b, "200\tOK\t1.1\ts\t/a/../b?x=1&y=2#f\tnil\n");
	assert_arrived(GATE_UP, GET);
	assert_arrived(GATE_DOWN, OK);
}

static void test_written(void **state)
{
	(void)state;
	again(REQUEST(
		"request.method = 'PUT' request.uri = '/new' request.headers['x-new'] = 'n' request.headers.accept = nil\n"
		" request.headers.Host = 'two' print(request.method, request.headers['X-New'], request.headers.accept)")
		      RESPONSE(
			      "response.status = 404 response.reason = 'Gone Away' response.headers.Server = 7"));
	say(GATE_UP, GET);
	say(GATE_DOWN, OK);
	gb_said(&b, "PUT\tn\tnil\n");
	assert_arrived(
		GATE_UP,
		"PUT /new HTTP/1.1\r\nHost: two\r\nCookie: a=1; b=\"two\"\r\nx-new: n\r\n\r\n");
	assert_arrived(GATE_DOWN,
		       "HTTP/1.1 404 Gone Away\r\nServer: 7\r\nContent-Length: 5\r\n\r\nhello");
}

static void test_refused(void **state)
{
	static const char *const bad[][2] = {
		{"request.uri = 'a b'", "cannot stand"},
		{"request.uri = true", "string expected"},
		{"request.headers['a b'] = 'x'", "cannot stand"},
		{"request.headers.x = 'a\\r\\nb'", "cannot stand"},
		{"request.headers[1] = 'a'", "string expected"},
		{"request.headers['Content-Length'] = '7'", "where the body ends"},
		{"request.method = 'CONNECT'", "where the body ends"},
		{"request.nothing = 1", "nothing"},
		{"http.request = 1", "read-only"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(text, sizeof(text), REQUEST("print(pcall(function() %s end))"),
			       bad[i][0]);
		again(text);
		say(GATE_UP, GET);
		assert_int_equal(strncmp(b.said, "false", 5), 0);
		gb_said_with(&b, bad[i][1]);
		assert_arrived(GATE_UP, GET);
	}
}

/* Forwarded messages can be read, but not written; those of a closed connection can neither. */
static void test_gone(void **state)
{
	(void)state;
	again("local kept\n" REQUEST("kept = request http.mine = 'm'") RESPONSE(
		"print(http.mine, pcall(function() http.request.uri = '/x' end))\n"
		" print(pcall(function() http.request.headers.a = 'b' end))\n"
		" print(pcall(function() return kept.uri end))")
		      DATA("print(http.request.uri, http.response.status, sub:asstring(), http.mine)\n"
			   " print(pcall(function() http.response.reason = 'x' end))\n"
			   " print(pcall(http.enable_data_modification, http))") "haka.rule{on = haka.dissectors.tcp_connection.events.end_connection, eval = function(f) print('end', f.mine, f.request) end}");
	say(GATE_UP, GET);
	say(GATE_DOWN, OK);
	assert_non_null(strstr(b.said, "m\tfalse"));
	assert_non_null(strstr(b.said, "request.uri: read-only: the head was forwarded"));
	assert_non_null(strstr(b.said, "headers: read-only"));
	assert_non_null(strstr(b.said, "destroyed"));
	assert_non_null(strstr(b.said, "/a/../b?x=1&y=2#f\t200\thello\tm\n"));
	assert_non_null(strstr(b.said, "response.reason: read-only"));
	assert_non_null(strstr(b.said, "only in a rule on request or response"));
	assert_arrived(GATE_DOWN, OK);
	b.said[0] = '\0';
	gt_conn_fin(&c, GATE_UP);
	gt_conn_fin(&c, GATE_DOWN);
	gate_tick(b.t.g, 100000 * NS_PER_S);
	gb_said(&b, "end\tm\tnil\n");
}

static void test_split(void **state)
{
	(void)state;
	again(REQUEST(
		"local u = request.split_uri print(u.path, u.query, u.args.x, u.args.y, u.fragment, u.host)\n"
		" print(request.split_cookies.a, request.split_cookies.b)\n"
		" request.split_uri.path = '/z' request.uri = tostring(request.split_uri) print(request.split_uri.path)\n"
		" print(request.split_uri == u)") RESPONSE("print(next(response.split_cookies))"));
	say(GATE_UP, GET);
	gb_said(&b, "/a/../b\tx=1&y=2\t1\t2\tf\tnil\n1\ttwo\n/z\nfalse\n");
	say(GATE_DOWN, OK);
	gb_said(&b, "nil\n");
	/* the same text in another exchange is another object */
	say(GATE_UP, GET);
	gb_said_with(&b, "/a/../b\tx=1");
}

static void test_module(void **state)
{
	static const struct {
		const char *uri, *says;
	} cases[] = {
		{"http://u:p@Host.test:8080/a?b#c",
		 "http u:p@Host.test:8080 u:p u p Host.test 8080 /a b c"},
		{"/a/b", "nil nil nil nil nil nil nil /a/b nil nil"},
		{"a.test:443", "nil a.test:443 nil nil nil a.test 443 nil nil nil"},
		{"http://[::1]:80", "http [::1]:80 nil nil nil [::1] 80 nil nil nil"},
		{"*", "nil nil nil nil nil nil nil * nil nil"},
		{"", "nil nil nil nil nil nil nil nil nil nil"},
	};
	static const char *const normal[][2] = {
		{"HTTP://Host.Test:80", "http://host.test/"},
		{"http://h/a/./b/../c/%7euser%2f", "http://h/a/c/~user%2F"},
		{"http://h/../..", "http://h/"},
		{"/a/b/..", "/a/"},
		{"http://h:8080/?q=%41", "http://h:8080/?q=A"},
		{"a.test:443", "a.test:443"},
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(
			text, sizeof(text),
			"local u = require('protocol/http').uri.split('%s')\n"
			"local t = {} for _, k in ipairs{'scheme', 'authority', 'userinfo', 'user', 'pass', 'host', 'port', 'path',\n"
			" 'query', 'fragment'} do t[#t + 1] = tostring(u[k]) end print(table.concat(t, ' '))\n"
			"assert(tostring(u) == '%s', tostring(u))",
			cases[i].uri, cases[i].uri);
		gb_rules(&b, text);
		b.said[strlen(b.said) - 1] = '\0';
		gb_said(&b, cases[i].says);
	}
	for (size_t i = 0; i < ARRAY_LEN(normal); i++) {
		(void)snprintf(
			text, sizeof(text),
			"local http = require('protocol/http') print(http.uri.normalize('%s'),\n"
			" tostring(http.uri.split('%s'):normalize()) == http.uri.normalize('%s'))",
			normal[i][0], normal[i][0], normal[i][0]);
		gb_rules(&b, text);
		(void)snprintf(text, sizeof(text), "%s\ttrue\n", normal[i][1]);
		gb_said(&b, text);
	}
	gb_rules(
		&b,
		"local c = require('protocol/http').cookies.split('a=1;b = 2 ; c=\"x y\";d;=e;f=')\n"
		"print(c.a, c.b, c.c, c.d, c.f) print(pcall(require('uri').split))");
	gb_said_with(&b, "1\t2\tx y\tnil\t\nfalse\t");
}

/* --- Bodies that change their length ---------------------------------------------------------- */

#define CHANGE "local s = sub:asstring() sub:setstring(s:gsub('l', 'LLL'))"

static void test_body(void **state)
{
	(void)state;
	again(RESPONSE("print(http:enable_data_modification())") DATA(CHANGE));
	say(GATE_UP, GET);
	say(GATE_DOWN, OK);
	gb_said(&b, "true\n");
	assert_arrived(
		GATE_DOWN,
		"HTTP/1.1 200 OK\r\nServer: s\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nheLLLLLLo\r\n0\r\n\r\n");
	/* and the connection continues */
	say(GATE_UP, GET);
	say(GATE_DOWN, "HTTP/1.1 204 No\r\n\r\n");
	gb_said(&b, "false\n");
	assert_int_equal(gate_counters(b.t.g)->dropped, 0);
}

/* Every cut of a body into two, and into single octets. The receiver gets one body, with any
 * chunks. */
static void assert_body(const char *head, const char *body, const char *trailer)
{
	const char *text = gt_conn_text(&c, GATE_DOWN), *at = text + strlen(head);
	char got[256];
	size_t n = 0;
	unsigned long size;

	assert_int_equal(strncmp(text, head, strlen(head)), 0);
	while ((size = strtoul(at, (char **)(uintptr_t)&at, 16)) != 0) {
		assert_int_equal(strncmp(at, "\r\n", 2), 0);
		memcpy(got + n, at + 2, size);
		n += size;
		at += 2 + size;
		assert_int_equal(strncmp(at, "\r\n", 2), 0);
		at += 2;
	}
	got[n] = '\0';
	assert_string_equal(got, body);
	assert_string_equal(at, trailer);
}

static void cut_everywhere(const char *rules, const char *answer, const char *head,
			   const char *body, const char *trailer)
{
	size_t len = strlen(answer);

	for (size_t cut = 0; cut < len; cut++) {
		again(rules);
		say(GATE_UP, "GET / HTTP/1.1\r\n\r\n");
		for (size_t at = 0, n = cut ? cut : 1; at < len; at += n, n = cut ? len : 1)
			gt_conn_say(&c, GATE_DOWN, span_sub(span_str(answer), at, n));
		assert_body(head, body, trailer);
		assert_int_equal(gate_counters(b.t.g)->dropped, 0);
		assert_int_equal(gate_counters(b.t.g)->held, 0);
	}
}

static void test_body_cut(void **state)
{
	static const char rules[] = RESPONSE("http:enable_data_modification()") DATA(CHANGE);

	(void)state;
	cut_everywhere(
		rules,
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: s\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nServer: s\r\n\r\n", "heLLLLLLo",
		"\r\n\r\n");
	cut_everywhere(
		rules,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\nT: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "heLLLLLLo",
		"\r\nT: 1\r\n\r\n");
}

/* All of it goes, or some. */
static void test_body_erased(void **state)
{
	(void)state;
	cut_everywhere(RESPONSE("http:enable_data_modification()") DATA("sub:erase()"), OK,
		       "HTTP/1.1 200 OK\r\nServer: s\r\nTransfer-Encoding: chunked\r\n\r\n", "",
		       "\r\n\r\n");
	cut_everywhere(
		RESPONSE("http:enable_data_modification()")
			DATA("if sub:asstring():find('l') then sub:erase() end"),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nll\r\n2\r\nll\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "", "\r\n\r\n");
}

static void test_body_of_request(void **state)
{
	(void)state;
	again(REQUEST(
		"http:enable_data_modification()") "haka.rule{on = haka.dissectors.http.events.request_data, eval = function(http, sub)\n"
						   " print(http.request.method, http.response) sub:setstring('longer: ' .. sub:asstring()) end}");
	say(GATE_UP, "POST /p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n");
	gb_said(&b, "POST\tnil\n");
	assert_arrived(
		GATE_UP,
		"POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nlonger: abc\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n");
}

/* HTTP/1.0 has no chunks: where the connection closes the length is left out, else it stays as it
 * is. */
static void test_body_old(void **state)
{
	static const char rules[] = RESPONSE("print(http:enable_data_modification())")
		DATA("print(pcall(sub.setstring, sub, 'another'))");

	(void)state;
	again(rules);
	say(GATE_UP, "GET / HTTP/1.0\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
	gt_conn_fin(&c, GATE_DOWN);
	assert_arrived(GATE_DOWN, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nanother");
	assert_true(c.fin[GATE_DOWN]);
	again(rules);
	say(GATE_UP, "GET / HTTP/1.0\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	assert_arrived(GATE_DOWN, "HTTP/1.1 200 OK\r\n\r\nanother");
	again(rules);
	say(GATE_UP, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	gb_said_with(&b, "false\nfalse\t");
	assert_arrived(GATE_DOWN, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	again(rules);
	say(GATE_UP, "GET / HTTP/1.1\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 200 OK\r\n\r\nuntil the end");
	gt_conn_fin(&c, GATE_DOWN);
	assert_arrived(GATE_DOWN, "HTTP/1.1 200 OK\r\n\r\nanother");
	/* the answer to HEAD has none, even with Content-Length */
	again(rules);
	say(GATE_UP, "HEAD / HTTP/1.1\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	gb_said(&b, "false\n");
	assert_arrived(GATE_DOWN, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
}

/* A retransmitted segment is changed like the first. */
static void test_body_again(void **state)
{
	uint32_t seq;

	(void)state;
	again(RESPONSE("http:enable_data_modification()") DATA(CHANGE));
	say(GATE_UP, "GET / HTTP/1.1\r\n\r\n");
	seq = c.next[GATE_DOWN];
	gt_conn_segment(&c, GATE_DOWN, TCP_ACK, seq,
			span_str(OK)); /* the ends compare repeated octets */
	gt_conn_segment(&c, GATE_DOWN, TCP_ACK, seq, span_str(OK));
	c.next[GATE_DOWN] = seq + (uint32_t)strlen(OK);
	assert_body("HTTP/1.1 200 OK\r\nServer: s\r\nTransfer-Encoding: chunked\r\n\r\n",
		    "heLLLLLLo", "\r\n\r\n");
	assert_int_equal(c.frames[GATE_DOWN], 3);
}

static void test_verdicts(void **state)
{
	(void)state;
	again(REQUEST(
		"if request.uri == '/bad' then http:drop() elseif request.uri == '/rst' then http:reset() end"));
	say(GATE_UP, "GET /good HTTP/1.1\r\n\r\n");
	say(GATE_DOWN, OK);
	say(GATE_UP, "GET /bad HTTP/1.1\r\n\r\n");
	assert_arrived(GATE_UP, "GET /good HTTP/1.1\r\n\r\n");
	assert_int_equal(gt_drops(&b.t, GATE_DROP_RULE), 1);
	gt_conn_open(&c, &b.t, 1001, 80);
	say(GATE_UP, "GET /rst HTTP/1.1\r\n\r\n");
	assert_true(c.rst[GATE_UP] && c.rst[GATE_DOWN]);
}

static void test_ports(void **state)
{
	(void)state;
	gb_rules(
		&b,
		"local http = require('protocol/http') http.install_tcp_rule(8080)\n"
		"print(pcall(http.install_tcp_rule, 70000))\n"
		"haka.rule{hook = http.events.request, eval = function(http, request) print(http.dstport, request.uri) end}");
	gb_said_with(&b, "false\t");
	gt_conn_open(&c, &b.t, 1000, 8080);
	say(GATE_UP, GET);
	gb_said_with(&b, "8080\t/a/../b");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_read),	     T(test_written),	      T(test_refused),	T(test_gone),
		T(test_split),	     T(test_module),	      T(test_body),	T(test_body_cut),
		T(test_body_erased), T(test_body_of_request), T(test_body_old), T(test_body_again),
		T(test_verdicts),    T(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
