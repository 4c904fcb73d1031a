/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Rules in Lua through the whole engine: their reads, their changes, the output, and the handling
 * of those that fail.
 */
#include "unit/unit.h"

#include "gate_dhcp_util.h"

#include "gate/app/dissect_dhcp.h"
#include "gate/lua/bind.h"

#include <stdio.h>

enum { CLIENT = 0x0a000001, SERVER = 0x0a000002 };

static struct gt t;
static struct gate_bind *bind;
static struct script_error err;
static uint8_t buf[GT_CAP];
static char said[4096];

static void say(void *ctx, struct span line)
{
	size_t at = strlen(said);

	(void)ctx;
	(void)snprintf(said + at, sizeof(said) - at, "%.*s\n", (int)line.n, (const char *)line.p);
}

static void open_with(bool pass_through, bool fail_open, uint64_t instructions)
{
	struct script_opts so = {.print = say, .instructions = instructions};
	struct gate_opts o;

	gt_opts(&o);
	o.pass_through = pass_through;
	o.fail_open = fail_open;
	gt_open(&t, &o, DISSECT_RAW);
	assert_int_equal(gate_bind_new(t.g, &so, &bind, &err), 0);
	said[0] = '\0';
}

static int setup(void **state)
{
	(void)state;
	open_with(false, false, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gate_bind_free(bind);
	gt_close(&t);
	return 0;
}

static void again(bool pass_through, bool fail_open, uint64_t instructions)
{
	(void)teardown(NULL);
	open_with(pass_through, fail_open, instructions);
}

static void rules(const char *text)
{
	int r = gate_bind_run_text(bind, span_str(text), &err);

	if (r < 0)
		print_error("%s\n", err.text);
	assert_int_equal(r, 0);
}

static void refused(const char *text, const char *why)
{
	assert_true(gate_bind_run_text(bind, span_str(text), &err) < 0);
	if (!strstr(err.text, why))
		print_error("%s\n", err.text);
	assert_non_null(strstr(err.text, why));
}

/* Sends a question in; returns the length of the output. */
static size_t ask(const char *text)
{
	size_t len = gt_udp(buf, CLIENT, 1000, SERVER, 53, text);

	gt_push(&t, buf, len, NS_PER_S);
	gt_run(&t);
	return gt_pop(&t);
}

static void test_fields_read(void **state)
{
	(void)state;
	rules("haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p)\n"
	      " print(p.src, p.dst, p.srcport, p.dstport, p.length, p.ttl, p.proto, p.len, p.id, p.version, p.hdr_len)\n"
	      " print(p.flags.df, p.flags.mf, p.flags.all, p.frag_offset, p.tos, p.src_mac, p.dst_mac, p.type, p.iface)\n"
	      " print(p.name, p.payload:asstring(), #p.payload, p.payload[1], p:verify_checksum(), p.timestamp.seconds)\n"
	      "end}");
	assert_int_equal(ask("hello"), GT_PAYLOAD + 5);
	assert_string_equal(
		said, "10.0.0.1\t10.0.0.2\t1000\t53\t13\t64\t17\t33\t0\t4\t20\n"
		      "false\tfalse\t0\t0\t0\t02:00:00:00:00:01\t02:00:00:00:00:02\t2048\tmemory0\n"
		      "udp\thello\t5\t104\ttrue\t1\n");
}

static void test_fields_written(void **state)
{
	struct rd r;
	struct ipv4_hdr ip;

	(void)state;
	rules("local ipv4 = require('protocol/ipv4')\n"
	      "haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p)\n"
	      " p.src = ipv4.addr('192.0.2.7'); p.dstport = 5353; p.ttl = 9; p.flags.df = true; p.tos = 255\n"
	      " p.payload:setstring('a longer text'); p.payload[1] = 65; p.src_mac = '02:aa:bb:cc:dd:ee'\n"
	      "end}");
	assert_int_equal(ask("hello"), GT_PAYLOAD + 13);
	r = rd_init(span_of(t.out + GT_IP, t.last.len - GT_IP));
	assert_int_equal(ipv4_read(&r, &ip), 0);
	assert_true(ip.csum_ok);
	assert_int_equal(ip.src, 0xc0000207);
	assert_int_equal(ip.ttl, 9);
	assert_int_equal(ip.tos, 255);
	assert_int_equal(ip.frag, IPV4_DF);
	assert_int_equal(ip.total_len, 28 + 13);
	assert_memory_equal(t.out + GT_PAYLOAD, "A longer text", 13);
	assert_memory_equal(t.out + 6, "\x02\xaa\xbb\xcc\xdd\xee", 6);
	assert_true(udp_csum_ok(ip.src, ip.dst, span_of(t.out + GT_UDP, 21)));
	assert_int_equal(t.out[GT_UDP + 2] << 8 | t.out[GT_UDP + 3], 5353);
}

static void test_bad_writes(void **state)
{
	static const char *const bad[][2] = {
		{"p.ttl = 256", "ttl"},
		{"p.ttl = -1", "ttl"},
		{"p.srcport = 70000", "srcport"},
		{"p.hdr_len = 3", "hdr_len"},
		{"p.nonsense = 1", "nonsense"},
		{"p.flags.df = 3", "flags.df"},
		{"p.frag_offset = 7", "frag_offset"},
		{"p.src = 'x.y'", "src"},
		{"p.src_mac = 'zz'", "src"},
		{"p.payload[99] = 1", "index"},
		{"p.payload:sub(-1)", "offset"},
		{"p.payload:sub(0,2):setnumber(70000)", "setnumber"},
		{"p.payload:asbits(0, 65)", "bits"},
		{"local x = p.payload:sub(1,2):setfixedstring('abc')", "fit"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		again(false, false, 0);
		(void)snprintf(
			text, sizeof(text),
			"haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p)\n"
			" local ok, e = pcall(function() %s end) print(ok, e) end}",
			bad[i][0]);
		rules(text);
		assert_int_equal(ask("hello"), GT_PAYLOAD + 5);
		if (strncmp(said, "false", 5) != 0 || !strstr(said, bad[i][1]))
			print_error("%s: %s", bad[i][0], said);
		assert_int_equal(strncmp(said, "false", 5), 0);
		assert_non_null(strstr(said, bad[i][1]));
		assert_memory_equal(t.out, buf, GT_PAYLOAD + 5); /* and nothing was written */
	}
}

static void test_octets(void **state)
{
	(void)state;
	rules("haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p)\n"
	      " local b = p.payload\n"
	      " print(b:sub(1, 2):asstring(), b:sub(3):asstring(), b:sub(0, 4):asnumber(), b:sub(0, 2):asnumber('little'))\n"
	      " print(b:asbits(0, 4), b:asbits(4, 12), b:size(), b[0], b[6])\n"
	      " b:sub(0, 2):setnumber(0x4142); b:setbits(16, 8, 67); b:pos(3):insert('<>'); b:sub(6, 1):erase()\n"
	      "end}");
	assert_int_equal(ask("hello"), GT_PAYLOAD + 6);
	assert_memory_equal(t.out + GT_PAYLOAD, "ABC<>l", 6);
	assert_string_equal(said, "el\tlo\t1751477356\t25960\n6\t2149\t5\tnil\tnil\n");
}

static void test_verdicts(void **state)
{
	(void)state;
	rules("haka.rule{on = haka.dissectors.ipv4.events.receive_packet, eval = function(p)\n"
	      " if p.len == 33 then p:drop() print('dropped') end end}\n"
	      "haka.rule{on = haka.dissectors.ipv4.events.receive_packet, eval = function(p) print('second') end}\n"
	      "haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p) print('udp') end}\n"
	      "haka.rule{on = haka.dissectors.udp.events.send_packet, eval = function(p) print('send') end}");
	assert_int_equal(ask("hello"), 0);
	assert_string_equal(said, "dropped\n");
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE), 1);
	assert_int_equal(ask("hallo!"), GT_PAYLOAD + 6);
	assert_string_equal(said, "dropped\nsecond\nudp\nsend\n");
}

static void test_when(void **state)
{
	(void)state;
	rules("local ipv4 = require('protocol/ipv4')\n"
	      "local ev = haka.dissectors.udp.events.receive_packet\n"
	      "haka.rule{on = ev, when = {dstport = 53}, eval = function() print('port') end}\n"
	      "haka.rule{on = ev, when = {dstport = {67, 68}}, eval = function() print('wrong') end}\n"
	      "haka.rule{on = ev, when = {src = ipv4.network('10.0.0.0/8'), srcport = haka.range(900, 1000)},\n"
	      " eval = function() print('net') end}");
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_string_equal(said, "port\nnet\n");
	refused("haka.rule{on = haka.dissectors.udp.events.receive_packet, when = {colour = 1}, eval = print}",
		"colour");
	refused("haka.rule{on = haka.dissectors.udp.events.nonsense, eval = print}", "nonsense");
}

static void test_failing_rule(void **state)
{
	static const char rule[] =
		"haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p)\n"
		" local x = nil + 1 end}";

	(void)state;
	rules(rule);
	assert_int_equal(ask("x"), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
	again(false, true, 0);
	rules(rule);
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_int_equal(gate_counters(t.g)->failed_open, 1);
}

/* A rule that loops for ever costs its packet, not the gate. */
static void test_endless_rule(void **state)
{
	(void)state;
	again(false, false, 100000);
	rules("haka.rule{on = haka.dissectors.udp.events.receive_packet, when = {len = 29}, eval = function(p)\n"
	      " while true do pcall(function() while true do end end) end end}");
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	rules("haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p)\n"
	      " if #p.payload == 2 then while true do pcall(function() while true do end end) end end end}");
	assert_int_equal(ask("xy"), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE_FAILED), 1);
	assert_int_equal(ask("xyz"), GT_PAYLOAD + 3);
}

static void test_kept_packet(void **state)
{
	(void)state;
	rules("haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p)\n"
	      " if kept then print(pcall(function() return kept.src end)) end kept = p end}");
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_non_null(strstr(said, "destroyed"));
}

static void test_pass_through(void **state)
{
	(void)state;
	again(true, false, 0);
	rules("haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p)\n"
	      " print(pcall(function() p.ttl = 3 end)) p:drop() end}");
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_memory_equal(t.out, buf, GT_PAYLOAD + 1);
	assert_non_null(strstr(said, "read only"));
}

static void test_flows(void **state)
{
	size_t len;

	(void)state;
	rules("local ev = haka.dissectors.udp_connection.events\n"
	      "haka.rule{on = ev.new_connection, eval = function(f, p) print('new', f.srcip, f.dstport) f.seen = 0 end}\n"
	      "haka.rule{on = ev.receive_data, eval = function(f, p, d) f.seen = f.seen + 1\n"
	      " print(d, f.seen, p.payload:asstring(), f.in_pkts, f.out_pkts, f.state) end}\n"
	      "haka.rule{on = ev.end_connection, eval = function(f) print('end', f.seen, f.id) end}");
	assert_int_equal(ask("ping"), GT_PAYLOAD + 4);
	len = gt_udp(buf, SERVER, 53, CLIENT, 1000, "pong");
	gt_push(&t, buf, len, 2 * NS_PER_S);
	gt_run(&t);
	gate_tick(t.g, 100 * NS_PER_S);
	assert_string_equal(
		said,
		"new\t10.0.0.1\t53\nup\t1\tping\t1\t0\testablished\ndown\t2\tpong\t1\t1\testablished\n"
		"end\t2\t1\n");
}

static void test_flow_drop(void **state)
{
	(void)state;
	rules("haka.rule{on = haka.dissectors.udp_connection.events.new_connection, eval = function(f, p) f:drop() end}");
	assert_int_equal(ask("ping"), 0);
	assert_int_equal(ask("ping"), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_FLOW_DROPPED), 1);
}

/* Rules see the end of connections that are open when the gate ends; nothing is left allocated. */
static void test_end(void **state)
{
	(void)state;
	rules("haka.rule{on = haka.dissectors.udp_connection.events.new_connection, eval = function(f) f.mark = 'm' end}\n"
	      "haka.rule{on = haka.dissectors.udp_connection.events.end_connection, eval = function(f) print('end', f.mark) end}\n"
	      "haka.rule{on = haka.events.exiting, eval = function() print('exiting') end}");
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	gate_bind_free(bind);
	bind = NULL;
	assert_string_equal(said, "end\tm\nexiting\n");
	/* the engine continues without rules */
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
}

static void test_policies(void **state)
{
	(void)state;
	/* the last entry that matches wins; without one the dissectors decide */
	rules("haka.policy{on = haka.dissectors.ipv4.policies.next_dissector, proto = 17, action = haka.policy.drop}\n"
	      "haka.policy{on = haka.dissectors.ipv4.policies.next_dissector, proto = 17,\n"
	      " dst = require('protocol/ipv4').addr('10.0.0.2'), action = haka.policy.accept}\n"
	      "haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p) print('udp') end}");
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_string_equal(said, "");
	gt_push(&t, buf, gt_udp(buf, CLIENT, 1000, 0x0a000003, 53, "x"), 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_POLICY), 1);
	again(false, false, 0);
	rules("local called = 0\n"
	      "haka.policy{on = haka.dissectors.udp.policies.next_dissector, dstport = haka.policy.range(50, 60),\n"
	      " action = {function(policy, ctx, values) print(values.dstport, ctx.srcport) end,\n"
	      "           haka.dissectors.udp_connection.install}}");
	assert_int_equal(ask("x"), GT_PAYLOAD + 1);
	assert_string_equal(said, "53\t1000\n");
	assert_int_equal(gate_counters(t.g)->seen[DISSECT_UDP_CONNECTION], 1);
}

static void test_dhcp(void **state)
{
	static const struct gd q = {.type = DHCP4_REQUEST,
				    .mac = {2, 0, 0, 0, 0, 9},
				    .xid = 7,
				    .ciaddr = CLIENT};
	size_t len = gd_frame(buf, &q);

	(void)state;
	rules("haka.rule{on = haka.dissectors.dhcp.events.pkt4_receive, when = {type = 'request', srcport = 68}, eval = function(m, p)\n"
	      " print(m.type, m.type_name, m.op, m.xid, m.ciaddr, m.chaddr, m.options[53], m.options[82], p.srcport)\n"
	      " print(pcall(function() return m.options[256] end))\n"
	      " if m.type_name == 'REQUEST' then m:drop() end end}");
	gt_push(&t, buf, len, 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE), 1);
	assert_non_null(
		strstr(said, "3\tREQUEST\t1\t7\t10.0.0.1\t02:00:00:00:00:09\t3\tnil\t68\n"));
	assert_non_null(strstr(said, "false\t"));
}

/* Written messages are encoded anew, with right lengths; a kept message is refused; others'
 * conditions do not hold. */
static void test_dhcp_written(void **state)
{
	static const struct gd q = {.type = DHCP4_DISCOVER, .mac = {2, 0, 0, 0, 0, 9}, .xid = 7};
	size_t len = gd_frame(buf, &q);
	struct dhcp4_msg m;
	uint8_t memory[8192];
	struct arena a;

	(void)state;
	rules("local dhcp, kept = haka.dissectors.dhcp.events, nil\n"
	      "haka.rule{on = dhcp.pkt4_receive, when = {chaddr = '02:00:00:00:00:08'}, eval = function(m) m:drop() end}\n"
	      "haka.rule{on = dhcp.pkt4_receive, when = {chaddr = '02:00:00:00:00:09'}, eval = function(m)\n"
	      " m.giaddr = '192.0.2.1' m.hops = 3 m.options['host-name'] = 'named' m.options[60] = nil m.options:raw(224, 'raw')\n"
	      " kept = m end}\n"
	      "haka.rule{on = dhcp.pkt4_send, eval = function(m) print(pcall(function() return kept.op end))\n"
	      " m.options.host_name = m.options.host_name .. ' again' end}");
	gt_push(&t, buf, len, 1);
	gt_run(&t);
	len = gt_pop(&t);
	assert_true(len > 0);
	assert_non_null(strstr(said, "false\t"));
	arena_init_fixed(&a, memory, sizeof(memory));
	assert_int_equal(dhcp4_decode(span_of(t.out + GT_PAYLOAD, len - GT_PAYLOAD), DHCP4_LENIENT,
				      &a, &m),
			 0);
	assert_int_equal(m.giaddr, 0xc0000201);
	assert_int_equal(m.hops, 3);
	assert_true(span_eq(dhcp4_opt_data(&m, 12), span_str("named again")));
	assert_true(span_eq(dhcp4_opt_data(&m, 224), span_str("raw")));
	/* looking on only */
	again(true, false, 0);
	rules("haka.rule{on = haka.dissectors.dhcp.events.pkt4_receive, eval = function(m)\n"
	      " for _, f in ipairs{function() m.hops = 1 end, function() m.options[12] = 'x' end, function() m.options:raw(12, 'x') end,\n"
	      "  function() m.type = 3 end, function() m.chaddr = '02:00:00:00:00:01' end, function() m.sname = 'x' end,\n"
	      "  function() m.ciaddr = '192.0.2.1' end} do print(pcall(f)) end end}");
	gt_push(&t, buf, gd_frame(buf, &q), 1);
	gt_run(&t);
	assert_true(gt_pop(&t) > 0);
	for (const char *at = said; *at; at = strchr(at, '\n') + 1)
		assert_memory_equal(at, "false\t", 6);
	assert_non_null(strstr(said, "it cannot be changed here"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_fields_read),  T(test_fields_written), T(test_bad_writes),
		T(test_octets),	      T(test_verdicts),	      T(test_when),
		T(test_failing_rule), T(test_endless_rule),   T(test_kept_packet),
		T(test_pass_through), T(test_flows),	      T(test_flow_drop),
		T(test_end),	      T(test_policies),	      T(test_dhcp),
		T(test_dhcp_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
