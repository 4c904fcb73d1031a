/* SPDX-License-Identifier: MPL-2.0 */
/*
 * HTTP through the whole engine, between two ends that check the octets that reach them: cut
 * anywhere, out of order, changed, refused by name.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "gate/engine/app.h"
#include "gate/app/dissect_http.h"
#include "gate_tcp_util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define GET "GET /a?b=c HTTP/1.1\r\nHost: one.test\r\nUser-Agent: tests\r\nAccept: */*\r\n\r\n"
#define OK  "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 5\r\n\r\nhello"

static struct gt t;
static struct gt_conn c;
static char told[4000];

static void open_gate(bool pass_through, bool fail_open)
{
	struct gate_opts o;

	gt_opts(&o);
	o.pass_through = pass_through;
	o.fail_open = fail_open;
	o.max_streams = 64; /* both directions of each flow may have octets on their way */
	gt_open(&t, &o, DISSECT_HTTP);
	told[0] = '\0';
}

static int setup(void **state)
{
	(void)state;
	open_gate(false, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gt_close(&t);
	return 0;
}

static void reopen(bool pass_through, bool fail_open)
{
	gt_close(&t);
	open_gate(pass_through, fail_open);
}

static void add(const char *what, struct span s)
{
	size_t n = strlen(told);

	(void)snprintf(told + n, sizeof(told) - n, "%s%.*s ", what, (int)s.n, (const char *)s.p);
}

/* Records each event. */
static bool tell(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	enum gate_event e = *(const enum gate_event *)ctx;
	struct http_head asked;
	struct span octets;
	size_t n = strlen(told);

	assert_ptr_equal(p->flow, f);
	switch ((unsigned)e) {
	case EVENT_HTTP_request:
		assert_non_null(gate_http_head(g, &octets));
		add("", gate_http_part(g, HTTP_METHOD));
		add("", gate_http_part(g, HTTP_URI));
		assert_null(gate_http_part(g, HTTP_STATUS).p);
		break;
	case EVENT_HTTP_response:
		if (gate_http_request(g, f, &asked, &octets))
			add("to ", http_text(octets, asked.part[HTTP_URI]));
		add("", gate_http_part(g, HTTP_STATUS));
		assert_null(gate_http_part(g, HTTP_URI).p);
		break;
	default:
		assert_null(gate_http_head(g, &octets));
		assert_non_null(gate_http_body(g));
		/* data in pieces is one */
		if (n > 1 && told[n - 2] == '>')
			told[n - 2] = '\0';
		else
			(void)snprintf(told + n, sizeof(told) - n, "<");
		n = strlen(told);
		(void)snprintf(told + n, sizeof(told) - n, "%.*s> ", (int)gate_http_body(g)->n,
			       (const char *)gate_http_body(g)->octets);
	}
	return true;
}

static void listen_to_all(void)
{
	static enum gate_event events[] = {EVENT_HTTP_request, EVENT_HTTP_response,
					   EVENT_HTTP_request_data, EVENT_HTTP_response_data};

	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		assert_int_equal(gate_listen(t.g, events[i], tell, &events[i]), 0);
}

static void say(unsigned d, const char *text)
{
	gt_conn_say(&c, d, span_str(text));
}

static void assert_arrived(unsigned d, const char *text)
{
	assert_string_equal(gt_conn_text(&c, d), text);
}

static void assert_over(enum gate_drop why)
{
	unsigned up = c.frames[GATE_UP], down = c.frames[GATE_DOWN];

	assert_int_equal(gt_drops(&t, why), 1);
	say(GATE_UP, "x");
	say(GATE_DOWN, "x");
	assert_int_equal(c.frames[GATE_UP], up);
	assert_int_equal(c.frames[GATE_DOWN], down);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

static void test_passes(void **state)
{
	(void)state;
	listen_to_all();
	gt_conn_open(&c, &t, 1000, 80);
	for (int i = 0; i < 3; i++) {
		say(GATE_UP, GET);
		say(GATE_DOWN, OK);
	}
	assert_arrived(GATE_UP, GET GET GET);
	assert_arrived(GATE_DOWN, OK OK OK);
#define ONCE "GET /a?b=c to /a?b=c 200 <hello> "
	assert_string_equal(told, ONCE ONCE ONCE);
	gt_conn_fin(&c, GATE_UP);
	gt_conn_fin(&c, GATE_DOWN);
	assert_true(c.fin[GATE_UP] && c.fin[GATE_DOWN]);
	assert_int_equal(gate_counters(t.g)->dropped, 0);
	assert_int_equal(gate_counters(t.g)->held, 0);
	assert_int_equal(gate_counters(t.g)->packets, gate_counters(t.g)->accepted);
}

#define POST_CHUNKED \
	"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
#define TO_CLOSE "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end"

/* In two parts, the first of n octets; 0: octet by octet. */
static void say_cut(unsigned d, struct span text, size_t n)
{
	size_t piece = n ? n : 1;

	for (size_t at = 0; at < text.n; at += piece, piece = n ? text.n : 1)
		gt_conn_say(&c, d, span_sub(text, at, piece));
}

/* Every cut into two, and into single octets. */
static void test_cut_everywhere(void **state)
{
	static const char up[] = GET POST_CHUNKED, down[] = OK TO_CLOSE;

	(void)state;
	listen_to_all();
	for (size_t cut = 0; cut < sizeof(up); cut++) {
		told[0] = '\0';
		gt_conn_open(&c, &t, (uint16_t)(2000 + cut), 80);
		say_cut(GATE_UP, span_str(up), cut);
		say_cut(GATE_DOWN, span_str(down), cut);
		gt_conn_fin(&c, GATE_DOWN);
		gt_conn_fin(&c, GATE_UP);
		assert_arrived(GATE_UP, up);
		assert_arrived(GATE_DOWN, down);
		assert_string_equal(
			told,
			"GET /a?b=c POST /p <body> to /a?b=c 200 <hello> to /p 200 <until the end> ");
	}
	assert_int_equal(gate_counters(t.g)->dropped, 0);
	assert_int_equal(gate_counters(t.g)->held, 0);
}

static void test_out_of_order(void **state)
{
	size_t n = strlen(GET);

	(void)state;
	listen_to_all();
	gt_conn_open(&c, &t, 1000, 80);
	gt_conn_segment(&c, GATE_UP, TCP_ACK, c.next[GATE_UP] + 20, span_of(GET + 20, n - 20));
	assert_string_equal(told, "");
	gt_conn_segment(&c, GATE_UP, TCP_ACK, c.next[GATE_UP] + 10, span_of(GET + 10, 15));
	c.next[GATE_UP] += (uint32_t)n;
	gt_conn_segment(&c, GATE_UP, TCP_ACK, c.isn[GATE_UP] + 1, span_of(GET, 10));
	assert_string_equal(told, "GET /a?b=c ");
	assert_arrived(GATE_UP, GET);
	/* once more, as it was */
	gt_conn_segment(&c, GATE_UP, TCP_ACK, c.isn[GATE_UP] + 1, span_str(GET));
	assert_string_equal(told, "GET /a?b=c ");
	say(GATE_DOWN, OK);
	assert_arrived(GATE_DOWN, OK);
}

/* --- Changes ---------------------------------------------------------------------------------- */

static void set(struct gate *g, const char *name, const char *value)
{
	assert_int_equal(gate_http_set_field(g, span_str(name), span_str(value)), 0);
}

static bool change_request(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;

	(void)ctx;
	(void)f;
	assert_int_equal(gate_http_set_part(g, HTTP_URI, span_str("/another/and/longer/uri")), 0);
	assert_int_equal(gate_http_set_part(g, HTTP_METHOD, span_str("PUT")), 0);
	assert_int_equal(gate_http_set_part(g, HTTP_URI, span_str("has space")), -EINVAL);
	assert_int_equal(gate_http_set_part(g, HTTP_STATUS, span_str("200")), -EINVAL);
	assert_int_equal(gate_http_set_part(g, HTTP_METHOD, span_str("CONNECT")), -EPERM);
	set(g, "host", "two.test");
	set(g, "X-Added", "by the gate");
	assert_int_equal(gate_http_remove_field(g, span_str("User-Agent")), 1);
	assert_int_equal(gate_http_remove_field(g, span_str("User-Agent")), 0);
	assert_int_equal(gate_http_set_field(g, span_str("A"), span_str("b\r\nC: d")), -EINVAL);
	assert_int_equal(gate_http_set_field(g, span_str("A b"), span_str("c")), -EINVAL);
	assert_int_equal(gate_http_set_field(g, span_str("Content-Length"), span_str("3")), -EPERM);
	assert_int_equal(gate_http_remove_field(g, span_str("transfer-encoding")), -EPERM);
	assert_true(span_eq(gate_http_field(g, span_str("HOST")), span_str("two.test")));
	assert_null(gate_http_field(g, span_str("User-Agent")).p);
	return true;
}

static bool change_response(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;

	(void)ctx;
	(void)f;
	assert_int_equal(gate_http_set_part(g, HTTP_STATUS, span_str("404")), 0);
	assert_int_equal(gate_http_set_part(g, HTTP_STATUS, span_str("304")), -EPERM);
	assert_int_equal(gate_http_set_part(g, HTTP_REASON, span_str("Not at all")), 0);
	set(g, "Empty", "full");
	set(g, "Twice", "once");
	return true;
}

#define CHANGED \
	"PUT /another/and/longer/uri HTTP/1.1\r\nHost: two.test\r\nAccept: */*\r\nX-Added: by the gate\r\n\r\n"
#define PLAIN \
	"HTTP/1.1 200\r\nEmpty:\r\nTwice: 1\r\nContent-Length: 2\r\ntwice: 2\r\nTwice: 3\r\n\r\nok"
#define RICH "HTTP/1.1 404 Not at all\r\nEmpty:full\r\nTwice: once\r\nContent-Length: 2\r\n\r\nok"

static void test_changed(void **state)
{
	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_HTTP_request, change_request, NULL), 0);
	assert_int_equal(gate_listen(t.g, EVENT_HTTP_response, change_response, NULL), 0);
	gt_conn_open(&c, &t, 1000, 80);
	for (int i = 0; i < 2; i++) {
		say(GATE_UP, GET);
		say(GATE_DOWN, PLAIN);
	}
	assert_arrived(GATE_UP, CHANGED CHANGED);
	assert_arrived(GATE_DOWN, RICH RICH);
	/* cut anywhere, the same */
	for (size_t cut = 1; cut < strlen(GET); cut += 7) {
		gt_conn_open(&c, &t, (uint16_t)(3000 + cut), 80);
		gt_conn_say(&c, GATE_UP, span_of(GET, cut));
		gt_conn_say(&c, GATE_UP, span_of(GET + cut, strlen(GET) - cut));
		assert_arrived(GATE_UP, CHANGED);
		/* the sender did not hear of it: it is changed in the same way */
		gt_conn_segment(&c, GATE_UP, TCP_ACK, c.isn[GATE_UP] + 1, span_of(GET, cut));
		say(GATE_UP, GET);
		assert_arrived(GATE_UP, CHANGED CHANGED);
		say(GATE_DOWN, PLAIN PLAIN);
		assert_arrived(GATE_DOWN, RICH RICH);
		gt_conn_fin(&c, GATE_UP);
		gt_conn_fin(&c, GATE_DOWN);
		assert_true(c.fin[GATE_UP] && c.fin[GATE_DOWN]);
	}
	assert_int_equal(gate_counters(t.g)->held, 0);
}

static bool shout(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_view *v = gate_http_body(g);

	(void)ctx;
	(void)f;
	assert_int_equal(gate_stream_edit(v, 0, 1, span_str("J")), 0);
	assert_int_equal(v->octets[0], 'J');
	assert_int_equal(gate_stream_edit(v, 0, 1, span_str("JJ")), -EPERM);
	assert_int_equal(gate_stream_edit(v, v->n, 1, span_str("J")), -ERANGE);
	return true;
}

static void test_body_changed(void **state)
{
	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_HTTP_response_data, shout, NULL), 0);
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, GET GET);
	say(GATE_DOWN, OK OK);
	assert_arrived(GATE_DOWN, "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 5\r\n\r\nJello"
				  "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 5\r\n\r\nJello");
}

static bool note_data(void *ctx, struct gate_walk *w, struct flow *f)
{
	const struct gate_view *v = w->view;

	(void)f;
	(void)ctx;
	add("", span_of(v->octets, v->n));
	return true;
}

/* A listener of the stream below sees each octet once, although the HTTP parser sees an incomplete
 * head many times. */
static void test_stream_below(void **state)
{
	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_TCP_CONNECTION_receive_data, note_data, NULL), 0);
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, "GET / HT");
	say(GATE_UP, "TP/1.1\r\nA: b");
	say(GATE_UP, "\r\n\r\n");
	assert_string_equal(told, "GET / HT TP/1.1\r\nA: b \r\n\r\n ");
	assert_arrived(GATE_UP, "GET / HTTP/1.1\r\nA: b\r\n\r\n");
}

/* --- Refused ---------------------------------------------------------------------------------- */

static bool drop_it(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate_packet *p = w->p;

	(void)ctx;
	(void)f;
	gate_drop(p, GATE_DROP_RULE);
	return false;
}

static void test_dropped_by_rules(void **state)
{
	static const enum gate_event events[] = {EVENT_HTTP_request, EVENT_HTTP_response,
						 EVENT_HTTP_response_data};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		reopen(false, false);
		assert_int_equal(gate_listen(t.g, events[i], drop_it, NULL), 0);
		gt_conn_open(&c, &t, 1000, 80);
		say(GATE_UP, "GET / HTTP/1.1\r\n");
		assert_arrived(GATE_UP, "");
		say(GATE_UP, "\r\n");
		if (i) {
			assert_arrived(GATE_UP, "GET / HTTP/1.1\r\n\r\n");
			say(GATE_DOWN, OK);
		}
		assert_arrived(GATE_DOWN, "");
		assert_over(GATE_DROP_RULE);
	}
}

static void refused(const char *up, const char *down, enum gate_drop why)
{
	reopen(false, false);
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, up);
	if (down)
		say(GATE_DOWN, down);
	assert_over(why);
}

static void test_refused_by_name(void **state)
{
	(void)state;
	refused("SSH-2.0-x\r\n", NULL, GATE_DROP_HTTP_START_LINE);
	refused("\026\003\001", NULL, GATE_DROP_HTTP_START_LINE);
	refused("GET / HTTP/2.0\r\n", NULL, GATE_DROP_HTTP_VERSION);
	refused("GET / HTTP/1.1\r\nbad\r\n\r\n", NULL, GATE_DROP_HTTP_FIELD);
	refused("GET / HTTP/1.1\r\na : b\r\n\r\n", NULL, GATE_DROP_HTTP_SPACE);
	refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", NULL, GATE_DROP_HTTP_HOST);
	refused("GET / HTTP/1.1\r\nContent-Length: a\r\n\r\n", NULL, GATE_DROP_HTTP_LENGTH);
	refused("GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", NULL,
		GATE_DROP_HTTP_BOTH);
	refused("GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", NULL, GATE_DROP_HTTP_ENCODING);
	refused("GET / HTTP/1.1\r\nContent-Length: 1\r\n 2\r\n\r\n", NULL, GATE_DROP_HTTP_FOLD);
	refused("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", NULL,
		GATE_DROP_HTTP_CHUNK);
	refused("CONNECT a:1 HTTP/1.1\r\n\r\nx", NULL, GATE_DROP_HTTP_EARLY);
	refused(GET, "220 mail.test\r\n", GATE_DROP_HTTP_START_LINE);
	refused(GET, OK OK, GATE_DROP_HTTP_UNASKED);
	refused("", "HTTP/1.1 200 OK\r\n\r\n", GATE_DROP_HTTP_UNASKED);
}

static void test_head_limit(void **state)
{
	static char text[HTTP_HEAD_MAX + 2000];

	(void)state;
	memset(text, 'x', sizeof(text));
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, "GET / HTTP/1.1\r\nA: ");
	for (size_t at = 0; at + 1000 < sizeof(text) && !gt_drops(&t, GATE_DROP_HTTP_HEAD_LIMIT);
	     at += 1000)
		gt_conn_say(&c, GATE_UP, span_of(text + at, 1000));
	say(GATE_UP, "\r\n\r\n");
	assert_arrived(GATE_UP, "");
	gt_conn_say(&c, GATE_UP, span_of(text, 1000));
	assert_over(GATE_DROP_HTTP_HEAD_LIMIT);
}

static void test_too_many_requests(void **state)
{
	(void)state;
	gt_conn_open(&c, &t, 1000, 80);
	for (int i = 0; i < 64; i++)
		say(GATE_UP, "GET / HTTP/1.1\r\n\r\n");
	assert_int_equal(c.n[GATE_UP], 64 * 18);
	say(GATE_UP, "GET / HTTP/1.1\r\n\r\n");
	assert_int_equal(c.n[GATE_UP], 64 * 18);
	assert_over(GATE_DROP_HTTP_PIPELINE);
}

static void test_cut_off(void **state)
{
	(void)state;
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, "GET / HT");
	gt_conn_fin(&c, GATE_UP);
	assert_arrived(GATE_UP, "");
	assert_over(GATE_DROP_HTTP_CUT);
}

static void test_fail_open(void **state)
{
	(void)state;
	reopen(false, true);
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, "GE");
	say(GATE_UP, "T /\r\nwhatever");
	say(GATE_DOWN, "220 mail.test\r\n");
	say(GATE_UP, "QUIT\r\n");
	assert_arrived(GATE_UP, "GET /\r\nwhateverQUIT\r\n");
	assert_arrived(GATE_DOWN, "220 mail.test\r\n");
	assert_int_equal(gate_counters(t.g)->failed_open, 1);
	assert_int_equal(gt_drops(&t, GATE_DROP_HTTP_START_LINE), 1);
}

static void test_pass_through(void **state)
{
	(void)state;
	reopen(true, false);
	listen_to_all();
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, "GET / HTTP");
	assert_arrived(GATE_UP, "GET / HTTP"); /* it waits for nothing */
	say(GATE_UP, "/1.1\r\n\r\n");
	say(GATE_DOWN, OK);
	assert_string_equal(told, "GET / to / 200 <hello> ");
	say(GATE_DOWN, "nonsense");
	assert_arrived(GATE_DOWN, OK "nonsense");
}

/* --- Not HTTP any more ------------------------------------------------------------------------ */

/* An answer must not switch the inspection off by itself. */
static void test_tunnel_unasked(void **state)
{
	(void)state;
	listen_to_all();
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 101 Switching Protocols\r\n\r\nnobody reads this");
	assert_arrived(GATE_DOWN, "");
	assert_int_equal(gt_drops(&t, GATE_DROP_HTTP_UNASKED), 1);
}

static void test_tunnels(void **state)
{
	(void)state;
	listen_to_all();
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 101 Switching Protocols\r\n\r\n\201\002hi");
	say(GATE_UP, "\201\003all");
	say(GATE_DOWN, "\201\001x");
	assert_arrived(GATE_UP, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\201\003all");
	assert_string_equal(told, "GET /ws to /ws 101 ");
	told[0] = '\0';
	gt_conn_open(&c, &t, 1001, 80);
	say(GATE_UP, "CONNECT a:443 HTTP/1.1\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n");
	say(GATE_UP, "CONNECT a:443 HTTP/1.1\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 200 Yes\r\n\r\n");
	say(GATE_UP, "\026\003\001");
	say(GATE_DOWN, "\026\003\003");
	assert_int_equal(c.n[GATE_UP], 2 * 26 + 3);
	assert_string_equal(told, "CONNECT a:443 to a:443 407 CONNECT a:443 to a:443 200 ");
	assert_int_equal(gate_counters(t.g)->dropped, 0);
}

static void test_bodies(void **state)
{
	(void)state;
	listen_to_all();
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP,
	    "HEAD /h HTTP/1.1\r\n\r\nPOST /p HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	say(GATE_DOWN, "HTTP/1.1 100 Continue\r\n\r\n");
	say(GATE_UP, "abc");
	say(GATE_DOWN, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_string_equal(told, "HEAD /h POST /p to /h 200 to /p 100 <abc> to /p 204 ");
	/* one that waited in vain, and says so */
	say(GATE_DOWN,
	    "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_int_equal(gate_counters(t.g)->dropped, 0);
}

/* A connection of another port is none of HTTP, unless a listener says so. */
static bool choose(void *ctx, struct gate_walk *w, struct flow *f)
{
	(void)ctx;
	assert_int_equal(gate_app_choose(w, f, DISSECT_DNS), -EINVAL);
	assert_int_equal(gate_app_choose(w, f, DISSECT_HTTP), 0);
	return true;
}

static void test_other_ports(void **state)
{
	(void)state;
	gt_conn_open(&c, &t, 1000, 8080);
	say(GATE_UP, "anything");
	assert_arrived(GATE_UP, "anything");
	assert_int_equal(gate_listen(t.g, EVENT_TCP_CONNECTION_new_connection, choose, NULL), 0);
	gt_conn_open(&c, &t, 1001, 8080);
	say(GATE_UP, "\001anything");
	assert_arrived(GATE_UP, "");
	assert_over(GATE_DROP_HTTP_START_LINE);
}

static int policy(void *ctx, struct gate_walk *w, enum gate_dissector from, int next)
{
	struct gate_packet *p = w->p;

	if (from == DISSECT_UDP)
		return DISSECT_DNS;
	if (from != DISSECT_TCP_CONNECTION)
		return next;
	++*(unsigned *)ctx;
	assert_int_equal(next, p->flow->key.dport == 80 ? (int)DISSECT_HTTP : (int)GATE_ACCEPT);
	if (p->flow->key.dport == 80)
		return GATE_ACCEPT;
	if (p->flow->key.dport == 8080)
		return DISSECT_HTTP;
	gate_drop(p, GATE_DROP_POLICY);
	return GATE_DROP;
}

/* The policy for a flow's protocol is asked once. */
static void test_policies(void **state)
{
	static uint8_t buf[GT_CAP];
	unsigned asked = 0;

	(void)state;
	t.g->on_next = policy;
	t.g->policy_ctx = &asked;
	gt_conn_open(&c, &t, 1000, 80);
	say(GATE_UP, "\001anything");
	assert_arrived(GATE_UP, "\001anything");
	gt_conn_open(&c, &t, 1001, 8080);
	assert_int_equal(asked, 2);
	say(GATE_UP, "\001anything");
	assert_arrived(GATE_UP, "");
	assert_over(GATE_DROP_HTTP_START_LINE);
	c.dport = 99;
	c.sport = 1002;
	gt_conn_segment(&c, GATE_UP, TCP_SYN, 1, SPAN_NULL);
	gt_conn_segment(&c, GATE_UP, TCP_SYN, 1, SPAN_NULL);
	assert_int_equal(gt_drops(&t, GATE_DROP_POLICY), 1);
	assert_int_equal(asked, 3);
	/* no flow, no DNS */
	gate_load(t.g, DISSECT_UDP);
	gt_push(&t, buf, gt_udp(buf, GT_CLIENT, 5, GT_SERVER, 53, "x"), 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
}

/* As many connections as there is room for, again and again. */
static void test_many_connections(void **state)
{
	(void)state;
	listen_to_all();
	for (uint16_t i = 0; i < 300; i++) {
		told[0] = '\0';
		gt_conn_open(&c, &t, (uint16_t)(1000 + i), 80);
		say(GATE_UP, GET);
		if (i % 3)
			say(GATE_DOWN, OK);
		if (i % 3 == 2)
			say(GATE_UP, i % 2 ? "\001" : "GET / HT");
	}
	assert_arrived(GATE_DOWN, OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_body_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stream_below, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropped_by_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_head_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fail_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pass_through, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tunnels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tunnel_unasked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_policies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_connections, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
