/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Packets that rules make: their octets when they leave, their port, and their path through the
 * rules when they are injected. Besides: the stack of a packet, checksums, errors of protocols,
 * refusing flows.
 */
#include "unit/unit.h"

#include "gate_tcp_util.h"

#include "gate_bind_util.h"

#include "gate/net/created.h"

enum { CLIENT = 0x0a000001, SERVER = 0x0a000002 };

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

static void again(bool pass_through)
{
	gb_close(&b);
	gb_open(&b, pass_through, false);
}

/* A datagram comes in; the length of the first frame that comes out. */
static size_t ask(const char *text)
{
	gt_push(&b.t, b.buf, gt_udp(b.buf, CLIENT, 1000, SERVER, 53, text), NS_PER_S);
	gt_run(&b.t);
	return gt_pop(&b.t);
}

#define ON_UDP(body)                                                                         \
	"haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p) " body \
	" end}\n"
#define D "local d = haka.dissectors\n"

/* Asserts that the output is an IPv4 datagram of that protocol and length; its header, and the
 * cursor behind it. */
static struct ipv4_hdr came_out(uint8_t proto, uint16_t total_len, struct rd *r)
{
	struct ipv4_hdr ip;

	*r = rd_init(span_of(b.t.out + GT_IP, b.t.last.len - GT_IP));
	assert_int_equal(b.t.last.len, GT_IP + total_len);
	assert_int_equal(b.t.out[12] << 8 | b.t.out[13], 0x0800);
	assert_int_equal(ipv4_read(r, &ip), 0);
	assert_true(ip.csum_ok);
	assert_int_equal(ip.proto, proto);
	assert_int_equal(ip.total_len, total_len);
	return ip;
}

/* It leaves by the port of the current packet, and before it. */
static void test_udp(void **state)
{
	struct ipv4_hdr ip;
	struct rd r;

	(void)state;
	gb_rules(
		&b,
		D ON_UDP(
			"local raw = d.raw.create()\n"
			" local ip = d.ipv4.create(raw, {src = '192.0.2.1', dst = p.dst, ttl = 9})\n"
			" local u = d.udp.create(ip, {srcport = 7, dstport = 8})\n"
			" u.payload:setstring('forged text')\n"
			" print(u.src, u.dst, u.ttl, u.srcport, u.name, u.state, p.state, #u.payload, u.payload:sub(0, 3):asstring(), u.len)\n"
			" u:send() print(pcall(function() return u.src end)) print(pcall(function() raw:send() end))"));
	assert_int_equal(ask("x"), GT_PAYLOAD + 11);
	ip = came_out(IPV4_PROTO_UDP, 28 + 11, &r);
	assert_int_equal(ip.src, 0xc0000201);
	assert_int_equal(ip.dst, SERVER);
	assert_int_equal(ip.ttl, 9);
	assert_true(udp_csum_ok(ip.src, ip.dst, span_of(r.p, rd_left(&r))));
	assert_int_equal(r.p[0] << 8 | r.p[1], 7);
	assert_int_equal(r.p[2] << 8 | r.p[3], 8);
	assert_int_equal(r.p[4] << 8 | r.p[5], 19);
	assert_memory_equal(r.p + 8, "forged text", 11);
	assert_int_equal(b.t.last.port, 0); /* as if it had come by the same port */
	assert_memory_equal(b.t.out, b.buf, 12);
	assert_non_null(
		strstr(b.said,
		       "192.0.2.1\t10.0.0.2\t9\t7\tudp\tforged\tnormal\t11\tfor\t20\nfalse\t"));
	assert_non_null(strstr(b.said, "destroyed"));
	assert_int_equal(gt_pop(&b.t), GT_PAYLOAD + 1);
	assert_int_equal(gate_counters(b.t.g)->created, 1);
}

/* An answer leaves by the port by which the current packet came in, to its sender. */
static void test_back(void **state)
{
	struct rd r;
	struct tcp_hdr h;
	struct ipv4_hdr ip;

	(void)state;
	gb_rules(
		&b,
		D ON_UDP(
			"local t = d.tcp.create(d.ipv4.create(d.packet.create{iface = p.iface}, {src = p.dst, dst = p.src}),\n"
			"  {srcport = p.dstport, dstport = p.srcport, seq = 1, ack_seq = 2, flags = {rst = true, ack = true}})\n"
			" print(t.flags.all, t.hdr_len, t.iface) t:send() p:drop()"));
	assert_int_equal(ask("x"), GT_IP + 40);
	gb_said(&b, "20\t20\tmemory0\n");
	ip = came_out(IPV4_PROTO_TCP, 40, &r);
	assert_true(tcp_csum_ok(ip.src, ip.dst, span_of(r.p, rd_left(&r))));
	assert_int_equal(tcp_read(&r, &h), 0);
	assert_int_equal(h.flags, TCP_RST | TCP_ACK);
	assert_int_equal(h.ack, 2);
	assert_int_equal(b.t.last.port, FRAME_BACK | 0);
	assert_memory_equal(b.t.out, b.buf + 6, 6);
	assert_memory_equal(b.t.out + 6, b.buf, 6);
	assert_int_equal(gt_pop(&b.t), 0);
}

/* Every header is set by the rule, when there is no current packet. */
static void test_headers(void **state)
{
	static const uint8_t arp[] =
		"\xff\xff\xff\xff\xff\xff\2\0\0\0\0\7\x81\0\x60\x2a\x08\6\0\1\x08\0\6\4\0\1\2\0\0\0\0\7\x0a\0\0\1\0\0\0\0\0\0\x0a\0\0\2";
	struct rd r;

	(void)state;
	gb_rules(
		&b, D
		"haka.rule{on = haka.events.started, eval = function()\n"
		" local v = d.vlan.create(d.ethernet.create(d.raw.create(), {src = '02:00:00:00:00:07', dst = 'ff:ff:ff:ff:ff:ff'}),\n"
		"  {vid = 42, pcp = 3})\n"
		" d.arp.create(v, {op = 1, sha = '02:00:00:00:00:07', spa = '10.0.0.1', tpa = '10.0.0.2'}):send()\n"
		" local e = d.ethernet.create(d.raw.create(4), {type = 0x88b5})\n"
		" local ip = d.ipv4.create(d.ethernet.create(d.raw.create(3)), {src = '10.0.0.9', tos = 8, flags = {df = true}})\n"
		" local i = d.icmp.create(ip, {type = 8, code = 1}) i.payload:setstring('\\0\\1\\0\\2ping')\n"
		" print(e.len, e.type, ip.hdr_len, i:verify_checksum(), pcall(d.ipv4.create, d.raw.create()))\n"
		" i:send() e:send()\n"
		"end}");
	assert_non_null(strstr(b.said, "18\t34997\t20\tfalse\tfalse\t"));
	assert_non_null(strstr(b.said, "there is no packet with a link header"));
	assert_int_equal(gt_pop(&b.t), 46);
	assert_memory_equal(b.t.out, arp, 46);
	assert_int_equal(gt_pop(&b.t), GT_IP + 20 + 4 + 8);
	assert_int_equal(came_out(IPV4_PROTO_ICMP, 32, &r).frag, IPV4_DF);
	assert_int_equal(checksum_fold(checksum_add(0, span_of(r.p, rd_left(&r)))), 0);
	assert_memory_equal(r.p, "\x08\1", 2);
	assert_memory_equal(r.p + 4, "\0\1\0\2ping", 8);
	assert_int_equal(gt_pop(&b.t), 18);
	assert_memory_equal(b.t.out + 12, "\x88\xb5\0\0\0", 6);
}

static void test_refused(void **state)
{
	static const char *const bad[][2] = {
		{"d.udp.create(d.raw.create())", "udp.create: cannot stand on raw"},
		{"d.tcp.create(p)", "tcp.create: the parent is no packet that was made"},
		{"d.udp.create()", "packet expected"},
		{"d.udp.create(d.ipv4.create(d.raw.create()), 7)", "table of fields"},
		{"d.udp.create(d.ipv4.create(d.raw.create()), {srcport = 70000})", "srcport"},
		{"d.udp.create(d.ipv4.create(d.raw.create()), {nothing = 1})", "nothing"},
		{"d.raw.create(1000000)", "packet.create: size"},
		{"d.udp.create(d.ipv4.create(d.raw.create(65510)))",
		 "udp.create: Message too long"},
		{"d.ipv4.create(d.raw.create(65530))", "ipv4.create: Message too long"},
		{"d.udp.create(d.ipv4.create(d.raw.create(65500))).payload:setstring(('x'):rep(65508))",
		 "Message too long"},
		{"d.raw.create{iface = 'none'}", "there is no interface 'none'"},
		{"p.iface = 'memory1'", "read-only"},
		{"p:inject()", "only a packet that was made"},
		{"for i = 1, 17 do d.raw.create() end", "there are 16 already"},
		{"p.state = 1", "read-only"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		again(false);
		(void)snprintf(text, sizeof(text), D ON_UDP("print(pcall(function() %s end))"),
			       bad[i][0]);
		gb_rules(&b, text);
		assert_int_equal(ask("x"), GT_PAYLOAD + 1);
		assert_int_equal(strncmp(b.said, "false", 5), 0);
		gb_said_with(&b, bad[i][1]);
		/* nothing is left of them: there is room again */
		assert_int_equal(ask("x"), GT_PAYLOAD + 1);
		gb_said_with(&b, bad[i][1]);
	}
}

static void test_kept(void **state)
{
	(void)state;
	gb_rules(
		&b,
		D ON_UDP(
			"if kept then print(pcall(function() kept:send() end)) end kept = d.raw.create(20)"));
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	gb_said_with(&b, "destroyed");
	assert_int_equal(gate_counters(b.t.g)->created, 0);
}

#define COPY \
	"local u = d.udp.create(d.ipv4.create(d.raw.create(), {src = p.src, dst = p.dst}), {srcport = p.srcport, dstport = p.dstport})\n"

/* Injected packets are examined like captured ones, behind the current packet. */
static void test_inject(void **state)
{
	(void)state;
	gb_rules(
		&b,
		D ON_UDP(
			"print('seen', p.payload:asstring(), p.state, p.src_mac)\n"
			"if p.payload:asstring() == 'first' then " COPY
			" u.payload:setstring('second') u:inject()\n"
			" print(pcall(function() return u.src end)) end") "haka.rule{on = haka.dissectors.udp_connection.events.receive_data, eval = function(f, p) print(f.in_pkts) end}");
	assert_int_equal(ask("first"), GT_PAYLOAD + 5);
	assert_int_equal(gt_pop(&b.t), GT_PAYLOAD + 6);
	assert_memory_equal(b.t.out + GT_PAYLOAD, "second", 6);
	assert_int_equal(gt_pop(&b.t), 0);
	gb_said(&b,
		"seen\tfirst\tnormal\t02:00:00:00:00:01\nfalse\t[string \"rules\"]:5: udp: object has been destroyed\n1\n"
		"seen\tsecond\tnormal\t02:00:00:00:00:01\n2\n");
	assert_int_equal(gate_counters(b.t.g)->injected, 1);
	assert_int_equal(gate_counters(b.t.g)->packets, 2);
	assert_int_equal(gate_counters(b.t.g)->accepted, 2);
}

/* A rule that answers itself comes to an end. */
static void test_inject_for_ever(void **state)
{
	(void)state;
	gb_rules(&b, D ON_UDP(COPY "u:inject()"));
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_int_equal(gate_counters(b.t.g)->injected, CREATED_DEPTH + 1);
	assert_int_equal(gt_drops(&b.t, GATE_DROP_INJECTED), 1);
	for (int i = 0; i < CREATED_DEPTH; i++)
		assert_int_equal(gt_pop(&b.t), GT_PAYLOAD);
	assert_int_equal(gt_pop(&b.t), 0);
	/* and one that answers itself often, too */
	again(false);
	gb_rules(&b, D ON_UDP("for i = 1, 8 do " COPY "u:inject() end"));
	(void)ask("x");
	while (gt_pop(&b.t))
		;
	assert_true(gt_drops(&b.t, GATE_DROP_INJECTED) > 100);
	assert_true(gate_counters(b.t.g)->injected < 8 * CREATED_RUN + 8);
	assert_int_equal(gate_counters(b.t.g)->packets,
			 gate_counters(b.t.g)->accepted + gate_counters(b.t.g)->dropped);
	assert_int_equal(gate_counters(b.t.g)->held, 0);
}

/* An injected fragment waits for the others like any. */
static void test_inject_fragment(void **state)
{
	(void)state;
	gb_rules(
		&b,
		D ON_UDP(
			"if p.srcport == 1000 then local ip = d.ipv4.create(d.raw.create(8), {src = p.src, dst = p.dst, proto = 17,\n"
			" flags = {mf = true}}) ip:inject() end"));
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_int_equal(gate_counters(b.t.g)->held, 1);
	gate_tick(b.t.g, 100 * NS_PER_S);
	assert_int_equal(gate_counters(b.t.g)->held, 0);
	assert_int_equal(gt_drops(&b.t, GATE_DROP_FRAGMENT_TIMEOUT), 1);
	assert_int_equal(gt_pop(&b.t), 0);
}

/* A captured packet goes now: rules behind do not see it, rules on its way out do. */
static void test_send_now(void **state)
{
	(void)state;
	gb_rules(
		&b,
		"haka.rule{on = haka.dissectors.ipv4.events.receive_packet, eval = function(p) p.ttl = 3 p:send()\n"
		" print(pcall(function() return p.ttl end)) end}\n" ON_UDP(
			"print('udp')") "haka.rule{on = haka.dissectors.ipv4.events.send_packet, eval = function(p) print(p.state, pcall(p.send, p)) end}");
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_int_equal(b.t.out[GT_IP + 8], 3);
	assert_int_equal(gt_pop(&b.t), 0);
	assert_non_null(strstr(b.said, "sent\tfalse\t"));
	assert_non_null(strstr(b.said, "on its way already"));
	assert_non_null(strstr(b.said, "destroyed"));
	assert_null(strstr(b.said, "udp\n"));
	assert_int_equal(gate_counters(b.t.g)->accepted, 1);
	assert_int_equal(gate_counters(b.t.g)->modified, 1);
	/* flow:send is the same, and does not refuse the flow */
	again(false);
	gb_rules(
		&b,
		"haka.rule{on = haka.dissectors.udp_connection.events.new_connection, eval = function(f, p) f:send(p) end}");
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_int_equal(ask("y"), GT_PAYLOAD + 1);
	assert_int_equal(gate_counters(b.t.g)->dropped, 0);
}

static void test_pass_through(void **state)
{
	(void)state;
	again(true);
	gb_rules(&b,
		 D ON_UDP(
			 COPY
			 "print(pcall(u.inject, u)) print(haka.capture_mode(), pcall(u.send, u))"));
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_int_equal(gt_pop(&b.t), 0);
	assert_non_null(strstr(b.said, "passthrough\tfalse\t"));
	assert_non_null(strstr(b.said, "inject: read only"));
	gb_said_with(&b, "read only");
	again(false);
	gb_rules(&b, "print(haka.capture_mode())");
	gb_said(&b, "normal\n");
}

static void test_parent(void **state)
{
	(void)state;
	gb_rules(
		&b,
		"haka.rule{on = haka.dissectors.icmp.events.receive_packet, eval = function(p) print(p:verify_checksum()) end}\n" ON_UDP(
			"print(p:parent().hdr_len, p:parent().type, p:parent(0).srcport, p:parent(2).src, p:parent('ethernet').dst,\n"
			" p:parent('packet').name, p:parent(3).len, p:parent(4), p:parent('tcp'))") "haka.rule{on = haka.dissectors.dns.events.query, eval = function(dns, q)\n"
												    " print(dns:parent().name, dns:parent(2).srcport, dns:parent('ipv4').ttl, dns:parent('dns') == dns,\n"
												    " dns:parent(1):parent().dstport, dns:parent('udp_connection').in_pkts, q:parent().name, dns:parent(8)) end}");
	gt_push(&b.t, b.buf,
		gt_udp_span(b.buf, CLIENT, 1000, SERVER, 53,
			    span_of("\0\7\1\0\0\0\0\0\0\0\0\0", 12)),
		NS_PER_S);
	gt_run(&b.t);
	gb_said(&b, "20\t2048\t1000\t02:00:00:00:00:01\t02:00:00:00:00:02\tpacket\t54\tnil\tnil\n"
		    "udp_connection\t1000\t64\ttrue\t53\t1\tipv4\tnil\n");
	memcpy(b.buf + GT_UDP, "\x08\0\xf7\xff", 4);
	b.buf[GT_IP + 9] = 1;
	gt_ip_checksum(b.buf);
	gt_push(&b.t, b.buf, GT_UDP + 4, NS_PER_S);
	b.buf[GT_UDP + 3] = 0;
	gt_push(&b.t, b.buf, GT_UDP + 4, NS_PER_S);
	gt_run(&b.t);
}

static void test_checksum(void **state)
{
	(void)state;
	gb_rules(
		&b,
		"local ipv4 = require('protocol/ipv4')\n"
		"local s = ipv4.inet_checksum() for _, t in ipairs{'a', 'bcd', '', 'e'} do s:process(t) end\n"
		"print(ipv4.inet_checksum_compute('abcde') == s:reduce(), ipv4.inet_checksum_compute('\\1\\2'), ipv4.inet_checksum():reduce())\n"
		"print(pcall(ipv4.inet_checksum_compute, {})) print(pcall(s.process, 'x', 'y'))\n"
		"print(ipv4.events == haka.dissectors.ipv4.events, ipv4.create == haka.dissectors.ipv4.create)\n" ON_UDP(
			"print(ipv4.inet_checksum_compute(p.payload))"));
	assert_int_equal(ask("\1\2"), GT_PAYLOAD + 2);
	assert_non_null(strstr(b.said, "true\t65277\t65535\n"));
	assert_non_null(strstr(b.said, "string expected"));
	assert_non_null(strstr(b.said, "object of ipv4.inet_checksum()"));
	gb_said_with(&b, "true\ttrue\n65277\n");
}

/* Haka's names for the lowest dissector, and malformed packets. */
static void test_protocol_error(void **state)
{
	size_t len;

	(void)state;
	gb_rules(
		&b,
		"local e = haka.dissectors\n"
		"haka.rule{on = e.packet.events.receive_packet, eval = function(p) print('packet', p.name) end}\n"
		"haka.rule{on = e.udp.events.protocol_error, eval = function(p, err) print(p.src, err.description, err.name) end}\n"
		"haka.rule{on = e.ipv4.events.protocol_error, eval = function(p, err) print(p.len, err.description) end}\n"
		"require('protocol/udp_connection')");
	len = gt_udp(b.buf, CLIENT, 1000, SERVER, 53, "x");
	b.buf[len - 1] ^= 1;
	gt_push(&b.t, b.buf, len, 1);
	b.buf[GT_IP] = 0x44;
	gt_push(&b.t, b.buf, len, 2);
	gt_run(&b.t);
	gb_said(&b, "packet\tpacket\n10.0.0.1\tUDP checksum is wrong\tdrop-udp-checksum\n"
		    "packet\tpacket\n29\tIPv4 header is malformed\n");
	assert_int_equal(gt_drops(&b.t, GATE_DROP_UDP_CHECKSUM), 1);
	assert_int_equal(gt_drops(&b.t, GATE_DROP_IPV4_HEADER), 1);
}

static void test_new_connection_policy(void **state)
{
	(void)state;
	gb_rules(
		&b,
		"local ipv4 = require('protocol/ipv4')\n"
		"local udp, tcp = haka.dissectors.udp_connection.policies, haka.dissectors.tcp_connection.policies\n"
		"haka.policy{on = udp.new_connection, dstport = 53, action = {function(policy, ctx, values)\n"
		" print(policy.name, ctx.dstport, values.dstip, ctx.mine) end, haka.policy.drop}}\n"
		"haka.policy{on = tcp.new_connection, srcip = haka.policy.set{ipv4.addr('10.0.0.1'), ipv4.addr('10.0.0.7')},\n"
		" action = haka.policy.drop}\n");
	assert_int_equal(ask("x"), 0);
	assert_int_equal(gt_drops(&b.t, GATE_DROP_POLICY), 1);
	gb_said_with(&b, "\t53\t10.0.0.2\tnil\n");
	assert_int_equal(ask("x"), 0);
	assert_int_equal(gt_drops(&b.t, GATE_DROP_FLOW_DROPPED), 1);
	c = (struct gt_conn){.t = &b.t, .sport = 1000, .dport = 80, .isn = {1, 1}, .next = {1, 1}};
	gt_conn_segment(&c, GATE_UP, TCP_SYN, 1, SPAN_NULL);
	assert_int_equal(c.frames[GATE_UP], 0);
	assert_int_equal(gt_drops(&b.t, GATE_DROP_POLICY), 2);
}

static void test_flow_verbs(void **state)
{
	(void)state;
	gb_rules(
		&b,
		"haka.rule{on = haka.dissectors.udp_connection.events.receive_data, eval = function(f, p)\n"
		" if p.payload:asstring() == 'bad' then f:drop(p) end print(pcall(f.halfreset, f)) end}\n"
		"haka.rule{on = haka.dissectors.tcp_connection.events.receive_data, eval = function(f, s)\n"
		" print(pcall(f.halfreset, f, 'left')) f:halfreset(s:asstring()) end}");
	assert_int_equal(ask("bad"), 0);
	assert_int_equal(ask("good"), GT_PAYLOAD + 4);
	gb_said_with(&b, "only a TCP connection");
	for (unsigned d = GATE_UP; d <= GATE_DOWN; d++) {
		gt_conn_open(&c, &b.t, (uint16_t)(1000 + d), 7);
		gt_conn_say(&c, GATE_UP, span_str(d == GATE_UP ? "up" : "down"));
		assert_true(c.rst[d] && !c.rst[!d]);
		gb_said_with(&b, "'up' or 'down' expected");
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_udp),
		T(test_back),
		T(test_headers),
		T(test_refused),
		T(test_kept),
		T(test_inject),
		T(test_inject_for_ever),
		T(test_inject_fragment),
		T(test_send_now),
		T(test_pass_through),
		T(test_parent),
		T(test_checksum),
		T(test_protocol_error),
		T(test_new_connection_policy),
		T(test_flow_verbs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
