/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS as rules in Lua see and change it: messages in, and the output is decoded again.
 */
#include "unit/unit.h"

#include "gate_bind_util.h"

#include "wire/dns.h"

enum { CLIENT = 0x0a000001, SERVER = 0x0a000002 };

static struct gb b;
static uint8_t message[4000];

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

static struct dns_name name_of(const char *text)
{
	struct dns_name n;

	assert_int_equal(dns_name_parse(span_str(text), &n), 0);
	return n;
}

static void add(struct dns_writer *w, const char *owner, uint16_t type, struct span rdata)
{
	struct dns_name name = name_of(owner);

	dns_write_rr(w, DNS_ANSWER, &(struct dns_new_rr){&name, type, DNS_CLASS_IN, 60, rdata});
}

/* Names without compression, as octets of a string. */
#define REAL "\4real\7example\0"
#define SOA             \
	REAL "\4root\0" \
	     "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"

static struct span make(uint16_t id, bool answer)
{
	struct dns_name host = name_of("www.example."), root = name_of(".");
	struct dns_new_rr opt = {.owner = &root, .type = DNS_TYPE_OPT, .cls = 1232};
	struct dns_writer w;
	size_t n = 0;

	dns_write_begin(&w, message, sizeof(message), id,
			answer ? DNS_QR | DNS_RD | DNS_RA : DNS_RD);
	dns_write_question(&w, &host, DNS_TYPE_A, DNS_CLASS_IN);
	if (answer) {
		add(&w, "www.example.", DNS_TYPE_CNAME, span_of(REAL, sizeof(REAL) - 1));
		add(&w, "real.example.", DNS_TYPE_A, span_of("\300\0\2\1", 4));
		add(&w, "real.example.", DNS_TYPE_AAAA,
		    span_of("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16));
		add(&w, "example.", DNS_TYPE_MX, span_of("\0\12" REAL, sizeof(REAL) + 1));
		add(&w, "example.", DNS_TYPE_TXT, span_of("\3one\0\3two", 9));
		add(&w, "example.", DNS_TYPE_SOA, span_of(SOA, sizeof(SOA) - 1));
		add(&w, "example.", DNS_TYPE_SRV, span_of("\0\1\0\2\0\3" REAL, sizeof(REAL) + 5));
		add(&w, "example.", 4711, span_of("xyz", 3));
	}
	dns_write_rr(&w, DNS_ADDITIONAL, &opt);
	assert_int_equal(dns_write_end(&w, &n), 0);
	return span_of(message, n);
}

/* Sends it: did it come out? In b.t.out, then. */
static bool passes(bool up, struct span payload)
{
	size_t len = up ? gt_udp_span(b.buf, CLIENT, 1000, SERVER, 53, payload)
			: gt_udp_span(b.buf, SERVER, 53, CLIENT, 1000, payload);

	gt_push(&b.t, b.buf, len, 1);
	gt_run(&b.t);
	return gt_pop(&b.t) != 0;
}

static struct dns_msg came_out(void)
{
	struct span all = span_of(b.t.out, b.t.last.len);
	struct dns_msg m;

	/* the checksum is the same both ways */
	assert_true(udp_csum_ok(SERVER, CLIENT, span_sub(all, GT_UDP, all.n)));
	assert_int_equal(dns_decode(span_sub(all, GT_PAYLOAD, all.n), &m), 0);
	return m;
}

#define QUERY(body) \
	"haka.rule{on = haka.dissectors.dns.events.query, eval = function(dns, q) " body " end}\n"
#define RESPONSE(body)                                                                         \
	"haka.rule{on = haka.dissectors.dns.events.response, eval = function(dns, r, q) " body \
	" end}\n"

static void test_read(void **state)
{
	(void)state;
	gb_rules(
		&b,
		QUERY("dns.mine = 'm' print(q.id, q.opcode, q.rcode, q.qr, q.aa, q.tc, q.rd, q.ra, q.qdcount, q.ancount, q.nscount, q.arcount)\n"
		      " print(q.question.name, q.question.type, q.question.class, #q.answer, q.answer[1], q.additional[1].type)\n"
		      " print(dns.srcip, dns.dstport, q.srcport, q.dst, dns.name, dns.state)")
			RESPONSE(
				"print(r.id, r.qr, r.ra, #r.answer, q.question.name, q.rd, q.id, dns.mine, q.srcport)\n"
				" for i, a in ipairs(r.answer) do print(i, a.name, a.type, a.class, a.ttl, a.length, a.ip, a.rdata_name) end\n"
				" local n = 0 for i, a in pairs(r.answer) do n = n + i end print(n)\n"
				" print(r.answer[4].pref, table.concat(r.answer[5].strings, ','), r.answer[8].data, r.answer[9], r.answer[0])\n"
				" local s = r.answer[6] print(s.mname, s.rname, s.serial, s.refresh, s.retry, s.expire, s.minimum, s.pref)\n"
				" s = r.answer[7] print(s.priority, s.weight, s.port, s.rdata_name, r.answer[1].ip)"));
	assert_true(passes(true, make(7, false)));
	gb_said(&b,
		"7\t0\t0\tfalse\tfalse\tfalse\ttrue\tfalse\t1\t0\t0\t1\n"
		"www.example.\tA\tIN\t0\tnil\tOPT\n10.0.0.1\t53\t1000\t10.0.0.2\tdns\testablished\n");
	assert_true(passes(false, make(7, true)));
	gb_said(&b, "7\ttrue\ttrue\t8\twww.example.\ttrue\t7\tm\tnil\n"
		    "1\twww.example.\tCNAME\tIN\t60\t14\tnil\treal.example.\n"
		    "2\treal.example.\tA\tIN\t60\t4\t192.0.2.1\tnil\n"
		    "3\treal.example.\tAAAA\tIN\t60\t16\t2001:db8::1\tnil\n"
		    "4\texample.\tMX\tIN\t60\t16\tnil\treal.example.\n"
		    "5\texample.\tTXT\tIN\t60\t9\tnil\tnil\n"
		    "6\texample.\tSOA\tIN\t60\t40\tnil\treal.example.\n"
		    "7\texample.\tSRV\tIN\t60\t20\tnil\treal.example.\n"
		    "8\texample.\t4711\tIN\t60\t3\tnil\tnil\n36\n"
		    "10\tone,,two\txyz\tnil\tnil\n"
		    "real.example.\troot.\t1\t2\t3\t4\t5\tnil\n1\t2\t3\treal.example.\tnil\n");
}

static void test_written(void **state)
{
	struct dns_msg m;
	struct dns_name n;
	struct dns_rr rr;

	(void)state;
	gb_rules(
		&b,
		QUERY("q.id = q.id + 1 q.rd = false q.question.name = 'a.longer.name.example' q.question.type = 'AAAA' print(q.question.name)")
			RESPONSE(
				"r.id = r.id - 1 r.aa = true r.rcode = 3 r.answer[2].ip = '198.51.100.7' r.answer[3].ip = '2001:db8::2'\n"
				" r.answer[1].rdata_name = 'x.example.' r.answer[1].ttl = 5 r.answer[2].name = 'x.example.'\n"
				" r.answer[6].rname = 'admin.' print(r.answer[1].rdata_name, r.answer[2].ip, r.rcode)"));
	assert_true(passes(true, make(7, false)));
	gb_said(&b, "a.longer.name.example.\n");
	m = came_out();
	assert_int_equal(m.id, 8);
	assert_int_equal(m.flags, 0);
	assert_true(dns_at(&m, DNS_QUESTION, 0, &rr) && dns_owner(&m, &rr, &n));
	assert_true(dns_name_eq(&n, &(struct dns_name[]){name_of("a.longer.name.example.")}[0]));
	assert_int_equal(rr.type, DNS_TYPE_AAAA);
	assert_true(passes(false, make(8, true)));
	gb_said(&b, "x.example.\t198.51.100.7\t3\n");
	m = came_out();
	assert_int_equal(m.id, 7);
	assert_int_equal(m.flags, DNS_QR | DNS_AA | DNS_RD | DNS_RA | 3);
	assert_true(dns_at(&m, DNS_ANSWER, 1, &rr) && dns_owner(&m, &rr, &n));
	assert_int_equal(dns_ipv4(&m, &rr), 0xc6336407);
	assert_true(dns_name_eq(&n, &(struct dns_name[]){name_of("x.example.")}[0]));
	assert_true(dns_at(&m, DNS_ANSWER, 0, &rr) && dns_rdata_name(&m, &rr, 0, &n));
	assert_int_equal(rr.ttl, 5);
	assert_true(dns_name_eq(&n, &(struct dns_name[]){name_of("x.example.")}[0]));
	assert_true(dns_at(&m, DNS_ANSWER, 2, &rr));
	assert_int_equal(dns_ipv6(&m, &rr).p[15], 2);
	assert_true(dns_at(&m, DNS_ANSWER, 5, &rr) && dns_rdata_name(&m, &rr, 1, &n));
	assert_true(dns_name_eq(&n, &(struct dns_name[]){name_of("admin.")}[0]));
}

static void test_refused(void **state)
{
	static const char *const bad[][2] = {
		{"r.id = 65536", "dns.id"},
		{"r.qr = false", "read-only"},
		{"r.rcode = 4096", "dns.rcode"},
		{"r.opcode = 16", "dns.opcode"},
		{"r.tc = 1", "dns.tc"},
		{"r.ancount = 1", "read-only"},
		{"r.answer[1].type = 'A'", "read-only"},
		{"r.answer[1].name = 'a..b'", "a name of DNS"},
		{"r.answer[1].name = 7", "dns.name"},
		{"r.answer[1].ip = '1.2.3.4'", "dns.ip: a record of type 5 has none"},
		{"r.answer[2].ip = 'x'", "dns.ip"},
		{"r.answer[3].ip = '1.2.3.4'", "dns.ip: an IPv6 address"},
		{"r.answer[2].rdata_name = 'a.'", "dns.rdata_name: a record of type 1 has none"},
		{"r.answer[1].mname = 'a.'", "dns.mname"},
		{"r.answer[1] = 1", "dns_records"},
		{"r.question.class = 'XX'", "a class such as IN"},
		{"r.question.type = 'XX'", "a type of DNS"},
		{"r.nothing = 1", "nothing"},
		{"q.id = 3", "dns.id: read-only: the query has been sent"},
		{"q.rd = false", "read-only"},
		{"q.question.name = 'a.'", "dns.name: read-only: the query has been sent"},
		{"q:drop()", "the query has been sent"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		gb_close(&b);
		gb_open(&b, false, false);
		(void)snprintf(text, sizeof(text), RESPONSE("print(pcall(function() %s end))"),
			       bad[i][0]);
		gb_rules(&b, text);
		assert_true(passes(true, make(7, false)));
		assert_true(passes(false, make(7, true)));
		assert_memory_equal(b.t.out, b.buf, b.t.last.len);
		assert_int_equal(strncmp(b.said, "false", 5), 0);
		gb_said_with(&b, bad[i][1]);
	}
}

static void test_verdicts(void **state)
{
	(void)state;
	gb_rules(&b, QUERY("if q.question.name == 'www.example.' then q:drop() end"));
	assert_false(passes(true, make(7, false)));
	assert_int_equal(gt_drops(&b.t, GATE_DROP_RULE), 1);
	/* it was not asked */
	assert_false(passes(false, make(7, true)));
	assert_int_equal(gt_drops(&b.t, GATE_DROP_DNS_UNASKED), 1);
}

/* Handles end with their event; a message that a rule spoils as payload is not read any more. */
static void test_gone(void **state)
{
	(void)state;
	gb_rules(
		&b,
		QUERY("kept, list, question = q, q.additional, q.question q.payload:setstring('short')\n"
		      " print(pcall(function() return q.id end))") "haka.rule{on = haka.dissectors.udp.events.send_packet, eval = function(p)\n"
								   " for _, o in ipairs{kept, list, question} do print(pcall(function() return o.name end)) end end}");
	assert_true(passes(true, make(7, false)));
	gb_said(&b,
		"false\t[string \"rules\"]:2: dns: there is no message any more\n"
		"false\t[string \"rules\"]:4: dns_message: object has been destroyed\nfalse\t[string \"rules\"]:4: dns_records: object has been destroyed\n"
		"false\t[string \"rules\"]:4: dns_question: object has been destroyed\n");
}

/* Nobody knows a query that was asked before somebody listened, or that was too long to keep. */
static void test_query_not_kept(void **state)
{
	struct span m;

	(void)state;
	gb_rules(&b, RESPONSE("print(q)"));
	m = make(7, false);
	/* an option of 600 octets behind the last record */
	message[m.n - 2] = 0x02;
	message[m.n - 1] = 0x5c;
	message[m.n] = 0xff;
	message[m.n + 1] = 0;
	message[m.n + 2] = 0x02;
	message[m.n + 3] = 0x58;
	assert_true(passes(true, span_of(message, m.n + 604)));
	assert_true(passes(false, make(7, true)));
	gb_said(&b, "nil\n");
}

static void test_pass_through(void **state)
{
	(void)state;
	gb_close(&b);
	gb_open(&b, true, false);
	gb_rules(&b, QUERY("print(pcall(function() q.id = 9 end)) print(q.id) q:drop()"));
	assert_true(passes(true, make(7, false)));
	assert_memory_equal(b.t.out, b.buf, b.t.last.len);
	gb_said_with(&b, "read only: the gate only looks on");
}

static void test_port(void **state)
{
	size_t len;

	(void)state;
	gb_rules(&b,
		 "require('protocol/dns').install_udp_rule(5353)\n" QUERY("print(dns.dstport)"));
	len = gt_udp_span(b.buf, CLIENT, 1000, SERVER, 5353, make(7, false));
	gt_push(&b.t, b.buf, len, 1);
	gt_run(&b.t);
	gb_said(&b, "5353\n");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_read), T(test_written),	      T(test_refused),	    T(test_verdicts),
		T(test_gone), T(test_query_not_kept), T(test_pass_through), T(test_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
