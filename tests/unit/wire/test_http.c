/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP/1 messages, in one piece and octet by octet: their events, and those that are refused by
 * name.
 */
#include "unit/unit.h"

#include "wire/http.h"

#include <stdio.h>
#include <stdlib.h>

enum { LENIENT = HTTP_ALLOW_LF | HTTP_ALLOW_FOLD, SAID_MAX = 4096 };

static struct http_head head;
static char said[SAID_MAX];

static void say(const char *what, struct span octets)
{
	size_t n = strlen(said);

	/* data that came in pieces is one */
	if (octets.p && n && said[n - 1] == '>' && strcmp(what, "<") == 0)
		said[--n] = '\0';
	else
		n += (size_t)snprintf(said + n, SAID_MAX - n, "%s", what);
	for (size_t i = 0; octets.p && i < octets.n; i++)
		n += (size_t)snprintf(said + n, SAID_MAX - n, "%c", octets.p[i]);
	if (octets.p)
		(void)snprintf(said + n, SAID_MAX - n, ">");
}

static void say_head(struct span in)
{
	char line[64];

	if (head.response)
		(void)snprintf(line, sizeof(line), "%u ", head.status);
	else
		(void)snprintf(line, sizeof(line), "%.*s ", head.part[HTTP_METHOD].len, in.p);
	say(line, SPAN_NULL);
}

static bool say_step(struct http_step s, struct span in)
{
	switch (s.event) {
	case HTTP_HEAD:
		say_head(in);
		break;
	case HTTP_DATA:
		say("<", span_sub(in, 0, s.n));
		break;
	case HTTP_END:
		say("end ", SPAN_NULL);
		break;
	case HTTP_TUNNEL:
		say(said[strlen(said) - 1] == '!' ? "" : "tunnel!", SPAN_NULL);
		break;
	case HTTP_BAD:
		say("bad: ", SPAN_NULL);
		say(http_fault_text(s.fault), SPAN_NULL);
		return false;
	case HTTP_MORE:
	case HTTP_FRAMING:
		break;
	}
	return true;
}

struct talk {
	bool responses, closed;
	uint8_t flags, answers;
};

static const char *run(const char *text, size_t n, struct talk t, size_t piece)
{
	/* of just this size, so that a sanitizer sees a read behind it */
	uint8_t *in = malloc(n ? n : 1);
	size_t there = 0, done = 0;
	struct http_parser p;
	struct http_step s;

	assert_non_null(in);
	memcpy(in, text, n);
	said[0] = '\0';
	http_init(&p, t.responses, t.flags);
	p.answers = t.answers;
	do {
		struct span now = span_of(in + done, there - done);

		s = http_next(&p, now, t.closed && there == n, &head);
		if (!say_step(s, now))
			break;
		done += s.n;
		if (s.event == HTTP_MORE && there == n)
			break;
		if (s.event == HTTP_MORE)
			there += n - there < piece ? n - there : piece;
	} while (true);
	free(in);
	return said;
}

static void check(const char *text, size_t n, struct talk t, const char *want)
{
	assert_string_equal(run(text, n, t, n ? n : 1), want);
	assert_string_equal(run(text, n, t, 1), want);
	assert_string_equal(run(text, n, t, 3), want);
}

#define REQUESTS(text, want) \
	check((text), sizeof(text) - 1, (struct talk){.flags = LENIENT}, (want))
#define STRICT(text, want) check((text), sizeof(text) - 1, (struct talk){0}, (want))
#define RESPONSES(text, want) \
	check((text), sizeof(text) - 1, (struct talk){.responses = true, .flags = LENIENT}, (want))
#define ANSWERS(method, text, want)     \
	check((text), sizeof(text) - 1, \
	      (struct talk){.responses = true, .answers = HTTP_METHOD_##method}, (want))

static void test_requests(void **state)
{
	(void)state;
	REQUESTS("", "");
	REQUESTS("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET end ");
	REQUESTS("GET /\303\244 HTTP/1.0\r\n\r\n", "GET end ");
	/* pipelined, with empty lines before */
	REQUESTS("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\n\r\n",
		 "GET end HEAD end ");
	REQUESTS("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
		 "POST <hello>end GET end ");
	REQUESTS("POST / HTTP/1.1\r\ncontent-length:5, 5\r\nContent-Length:  5 \r\n\r\nhello",
		 "POST <hello>end ");
	REQUESTS("PUT / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "PUT end ");
	REQUESTS("PUT / HTTP/1.1\r\nContent-Length: 7\r\n\r\nhello", "PUT <hello>");
}

static void test_responses(void **state)
{
	(void)state;
	RESPONSES(
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
		"200 <hi>end 404 end ");
	RESPONSES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx",
		  "100 end 200 <x>end ");
	RESPONSES(
		"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
		"204 end 304 end ");
	ANSWERS(HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"200 end 200 end ");
	/* RFC 9112 6.3: neither length nor chunks: until the connection ends */
	RESPONSES("HTTP/1.0 200 OK\r\nServer: x\r\n\r\nall of it", "200 <all of it>");
	check("HTTP/1.0 200 OK\r\n\r\nall", 22, (struct talk){.responses = true, .closed = true},
	      "200 <all>end ");
	check("HTTP/1.0 200 OK\r\n\r\n", 19, (struct talk){.responses = true, .closed = true},
	      "200 end ");
	RESPONSES("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxyz", "200 <xyz>");
}

static void test_tunnels(void **state)
{
	(void)state;
	ANSWERS(OTHER, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nwhatever",
		"101 tunnel!");
	ANSWERS(CONNECT, "HTTP/1.1 200 Established\r\nContent-Length: 5\r\n\r\nwhatever",
		"200 tunnel!");
	ANSWERS(CONNECT, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", "403 <no>end ");
	REQUESTS("CONNECT a:443 HTTP/1.1\r\n\r\n", "CONNECT end ");
	REQUESTS("CONNECT a:443 HTTP/1.1\r\n\r\nx",
		 "CONNECT end bad: octets behind CONNECT before its answer");
}

static void test_after_connect(void **state)
{
	struct span in = span_str("CONNECT a:1 HTTP/1.1\r\n\r\n");
	struct http_parser p;

	(void)state;
	for (int agreed = 0; agreed < 2; agreed++) {
		http_init(&p, false, 0);
		assert_int_equal(http_next(&p, in, false, &head).event, HTTP_HEAD);
		assert_int_equal(head.method, HTTP_METHOD_CONNECT);
		assert_int_equal(http_next(&p, SPAN_NULL, false, &head).event, HTTP_END);
		assert_int_equal(http_next(&p, SPAN_NULL, false, &head).event, HTTP_MORE);
		if (agreed)
			http_to_tunnel(&p);
		else
			http_no_tunnel(&p);
		assert_int_equal(http_next(&p, in, false, &head).event,
				 agreed ? HTTP_TUNNEL : HTTP_HEAD);
	}
}

static void test_chunks(void **state)
{
	(void)state;
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	RESPONSES(CHUNKED
		  "5\r\nhello\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
		  "200 <hello0123456789>end 204 end ");
	RESPONSES(CHUNKED "1 \r\nx\r\n0\r\nDate: now\r\nX: y\r\n\r\n", "200 <x>end ");
	REQUESTS("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		 "POST <x>end ");
#define NO_CHUNK "bad: a malformed HTTP chunk"
	RESPONSES(CHUNKED "\r\n", "200 " NO_CHUNK);
	RESPONSES(CHUNKED "g\r\n", "200 " NO_CHUNK);
	RESPONSES(CHUNKED "-1\r\n", "200 " NO_CHUNK);
	RESPONSES(CHUNKED "0x5\r\n", "200 " NO_CHUNK);
	RESPONSES(CHUNKED "5\nhello", "200 " NO_CHUNK);
	RESPONSES(CHUNKED "5;a\nhello", "200 " NO_CHUNK);
	RESPONSES(CHUNKED "5\r\nhelloworld", "200 <hello>" NO_CHUNK);
	RESPONSES(CHUNKED "1000000000000000\r\n", "200 " NO_CHUNK);
	RESPONSES(CHUNKED "0\r\n \r\n", "200 " NO_CHUNK);
	RESPONSES(CHUNKED "0\r\nX: y\n\r\n", "200 " NO_CHUNK);
}

/* Input that two readers could take for different messages. */
static void test_smuggling(void **state)
{
	(void)state;
#define POST "POST / HTTP/1.1\r\n"
	REQUESTS(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		 "bad: both Content-Length and Transfer-Encoding");
	RESPONSES("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		  "bad: both Content-Length and Transfer-Encoding");
#define NO_LENGTH "bad: a Content-Length that is no number, or two that differ"
	REQUESTS(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", NO_LENGTH);
	REQUESTS(POST "Content-Length: 5, 6\r\n\r\n", NO_LENGTH);
	REQUESTS(POST "Content-Length: 5,\r\n\r\n", NO_LENGTH);
	REQUESTS(POST "Content-Length: +5\r\n\r\n", NO_LENGTH);
	REQUESTS(POST "Content-Length: -5\r\n\r\n", NO_LENGTH);
	REQUESTS(POST "Content-Length: 5 5\r\n\r\n", NO_LENGTH);
	REQUESTS(POST "Content-Length: 0x5\r\n\r\n", NO_LENGTH);
	REQUESTS(POST "Content-Length:\r\n\r\n", NO_LENGTH);
	REQUESTS(POST "Content-Length: 9999999999999999999\r\n\r\n", NO_LENGTH);
#define NO_ENCODING "bad: a Transfer-Encoding that does not tell where the message ends"
	REQUESTS(POST "Transfer-Encoding: gzip\r\n\r\n", NO_ENCODING);
	REQUESTS(POST "Transfer-Encoding: xchunked\r\n\r\n", NO_ENCODING);
	REQUESTS(POST "Transfer-Encoding: chunked, gzip\r\n\r\n", NO_ENCODING);
	REQUESTS(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
		 NO_ENCODING);
	REQUESTS(POST "Transfer-Encoding: chunked, chunked\r\n\r\n", NO_ENCODING);
	REQUESTS(POST "Transfer-Encoding: \vchunked\r\n\r\n", NO_ENCODING);
	REQUESTS("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", NO_ENCODING);
	REQUESTS(POST "Transfer-Encoding : chunked\r\n\r\n",
		 "bad: space before the colon of an HTTP header field");
#define NO_FOLD "bad: an HTTP header field folded over lines"
	REQUESTS(POST "Transfer-Encoding:\r\n chunked\r\n\r\n", NO_FOLD);
	REQUESTS(POST "Transfer-Encoding: gzip,\r\n chunked\r\n\r\n", NO_FOLD);
	REQUESTS(POST "Content-Length: 1\r\n\t0\r\n\r\n", NO_FOLD);
	REQUESTS(POST "Host: a\r\nHOST: b\r\n\r\n", "bad: more than one Host header field");
}

static void test_malformed(void **state)
{
	(void)state;
#define NO_START "bad: neither a request nor a status line of HTTP"
#define NO_FIELD \
	"bad: an HTTP header field without name or colon, or with octets that none may have"
	REQUESTS("\026\003\001\002", NO_START);
	REQUESTS("SSH-2.0-x\r\n", NO_START);
	REQUESTS("AVERYLONGMETHODNAMETHATNOBODYHASEVERSEEN", NO_START);
	REQUESTS("GET /\r\n", NO_START);
	REQUESTS("GET / x HTTP/1.1\r\n", NO_START);
	REQUESTS("GET  / HTTP/1.1\r\n", NO_START);
	REQUESTS("GET / http/1.1\r\n", NO_START);
	REQUESTS("GET / HTTP/2.0\r\n", "bad: a version of HTTP other than 1.x");
	REQUESTS("HTTP/1.1 200 OK\r\n", NO_START);
	RESPONSES("GET / HTTP/1.1\r\n", NO_START);
	RESPONSES("HTTP/1.1 20 OK\r\n", NO_START);
	RESPONSES("HTTP/1.1 2000 OK\r\n", NO_START);
	RESPONSES("HTTP/1.1  200 OK\r\n", NO_START);
	RESPONSES("HTTP/3.0 200 OK\r\n", "bad: a version of HTTP other than 1.x");
	REQUESTS("GET / HTTP/1.1\r\nno colon\r\n\r\n", NO_FIELD);
	REQUESTS("GET / HTTP/1.1\r\n: x\r\n\r\n", NO_FIELD);
	REQUESTS("GET / HTTP/1.1\r\na b: x\r\n\r\n", NO_FIELD);
	REQUESTS("GET / HTTP/1.1\r\na: x\ry\r\n\r\n", NO_FIELD);
	REQUESTS("GET / HTTP/1.1\r\na: x\0y\r\n\r\n", NO_FIELD);
	REQUESTS("GET / HTTP/1.1\r\n b: x\r\n\r\n", NO_FIELD);
	check("GET / HTTP/1.1\r\nHo", 18, (struct talk){.closed = true},
	      "bad: an HTTP head that the connection ended in");
}

static void test_flags(void **state)
{
	(void)state;
	REQUESTS("\nGET / HTTP/1.0\nA: b\n\n", "GET end ");
	STRICT("GET / HTTP/1.0\n\n", "bad: an HTTP line that ends without CR");
	STRICT("GET / HTTP/1.0\r\nA: b\n\r\n", "bad: an HTTP line that ends without CR");
	STRICT("GET / HTTP/1.0\r\nA: b\r\n\n", "bad: an HTTP line that ends without CR");
	REQUESTS("GET / HTTP/1.0\r\nA: b\r\n c\r\n\r\n", "GET end ");
	STRICT("GET / HTTP/1.0\r\nA: b\r\n c\r\n\r\n",
	       "bad: an HTTP header field folded over lines");
}

static void test_limits(void **state)
{
	static char text[HTTP_HEAD_MAX + 100];
	size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nA: ");

	(void)state;
	memset(text + n, 'x', sizeof(text) - n);
	memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
	assert_string_equal(run(text, HTTP_HEAD_MAX, (struct talk){0}, 999), "GET end ");
	memset(text + HTTP_HEAD_MAX - 4, 'x', 4);
	memcpy(text + HTTP_HEAD_MAX - 3, "\r\n\r\n", 4);
	assert_string_equal(run(text, HTTP_HEAD_MAX + 1, (struct talk){0}, 999),
			    "bad: an HTTP head longer than 60 KiB");
	assert_string_equal(run(text, HTTP_HEAD_MAX + 1, (struct talk){0}, sizeof(text)),
			    "bad: an HTTP head longer than 60 KiB");
	for (int fields = HTTP_MAX_FIELDS; fields <= HTTP_MAX_FIELDS + 1; fields++) {
		n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
		for (int i = 0; i < fields; i++)
			n += (size_t)sprintf(text + n, "A%d: b\r\n", i);
		n += (size_t)sprintf(text + n, "\r\n");
		check(text, n, (struct talk){0},
		      fields == HTTP_MAX_FIELDS ? "GET end " : "bad: more than 128 header fields");
	}
}

static void test_head(void **state)
{
	struct span in = span_str(
		"GET /a?b HTTP/1.1\r\nHost: x.y\r\nEmpty:\r\nFolded: a\r\n  b \r\nhost2:  z\t\r\n\r\nrest");
	uint16_t i;

	(void)state;
	assert_int_equal(http_head_read(in, false, HTTP_ALLOW_FOLD, &head), HTTP_FAULT_NONE);
	assert_int_equal(head.len, in.n - 4);
	assert_int_equal(head.fields_end, in.n - 6);
	assert_true(span_eq(http_text(in, head.part[HTTP_URI]), span_str("/a?b")));
	assert_true(span_eq(http_text(in, head.part[HTTP_VERSION]), span_str("HTTP/1.1")));
	assert_int_equal(head.n_fields, 4);
	assert_false(head.close);
	i = http_find(&head, in, span_str("hOST2"), 0);
	assert_int_equal(i, 3);
	assert_true(span_eq(http_text(in, head.field[i].value), span_str("z")));
	i = http_find(&head, in, span_str("folded"), 0);
	assert_true(span_eq(http_text(in, head.field[i].value), span_str("a\r\n  b")));
	assert_int_equal(http_find(&head, in, span_str("empty"), 0), 1);
	assert_int_equal(http_find(&head, in, span_str("Host"), 1), 4);
	in = span_str("HTTP/1.0 200 All is well\r\nConnection: x, Keep-Alive\r\n\r\n");
	assert_int_equal(http_head_read(in, true, 0, &head), HTTP_FAULT_NONE);
	assert_true(span_eq(http_text(in, head.part[HTTP_REASON]), span_str("All is well")));
	assert_false(head.close);
	in = span_str("HTTP/1.1 200\r\nConnection: close\r\n\r\n");
	assert_int_equal(http_head_read(in, true, 0, &head), HTTP_FAULT_NONE);
	assert_int_equal(head.part[HTTP_REASON].len, 0);
	assert_true(head.close);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),  cmocka_unit_test(test_responses),
		cmocka_unit_test(test_tunnels),	  cmocka_unit_test(test_after_connect),
		cmocka_unit_test(test_chunks),	  cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_flags),
		cmocka_unit_test(test_limits),	  cmocka_unit_test(test_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
