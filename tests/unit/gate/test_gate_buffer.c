/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Buffers over a packet and over the data of a stream: the cases that hold for all buffers
 * (buffer_cases.h), that changes leave the gate, and the calls that are refused in passive mode.
 */
#include "unit/unit.h"

#include "unit/script/buffer_cases.h"
#include "gate_rules_util.h"

enum { CODE_LEN = 8192 };

static char code[CODE_LEN];

/* A rule in which `payload` is b. */
static void case_rule(const struct buffer_case *k, const char *event, const char *args,
		      const char *options, const char *payload)
{
	(void)snprintf(
		code, sizeof(code),
		"%shaka.rule{on = haka.dissectors.%s, %s eval = function(%s)\n local b = %s if #b == 0 then return end %s end}",
		buffer_prelude, event, options, args, payload, k->lua);
	rules(code);
}

static void check_case(const struct buffer_case *k, const uint8_t *got, size_t n)
{
	/* a C string ends where an octet is zero: cases have those only at their end */
	while (n && got[n - 1] == 0)
		n--;
	if (n != strlen(k->after) || memcmp(got, k->after, n) != 0)
		fail_msg("%s: %.*s", k->name, (int)n, (const char *)got);
}

static void on_packet(const struct buffer_case *k)
{
	static uint8_t buf[GT_CAP];
	size_t len;

	open_gate((struct open_opts){0});
	case_rule(k, "udp.events.receive_packet", "pkt", "", "pkt.payload");
	len = gt_udp(buf, GT_CLIENT, 1000, GT_SERVER, 9000, k->before);
	gt_push(&t, buf, len, 1);
	gt_run(&t);
	len = gt_pop(&t);
	if (len < GT_PAYLOAD)
		fail_msg("%s: nothing came out of the rule", k->name);
	check_case(k, t.out + GT_PAYLOAD, len - GT_PAYLOAD);
	close_gate();
}

static void on_stream(const struct buffer_case *k, const char *options, const char *payload)
{
	open_gate((struct open_opts){0});
	case_rule(k, "tcp_connection.events.receive_data", "flow, current, direction", options,
		  payload);
	gt_conn_open(&c, &t, 1000, 9000);
	gt_conn_say(&c, GATE_UP, span_str(k->before));
	if (gt_drops(&t, GATE_DROP_RULE_FAILED))
		fail_msg("%s: the rule failed", k->name);
	check_case(k, c.text[GATE_UP], c.n[GATE_UP]);
	gt_conn_fin(&c, GATE_UP);
	assert_true(c.fin[GATE_UP]);
	close_gate();
}

#define EACH(k)                                          \
	for (const struct buffer_case *k = buffer_cases; \
	     k < buffer_cases + ARRAY_LEN(buffer_cases); k++)

static void test_packets(void **state)
{
	(void)state;
	EACH(k)
	on_packet(k);
}

static void test_shown(void **state)
{
	(void)state;
	EACH(k)
	on_stream(k, "", "current");
}

/* The same in a coroutine, on the buffer that lives as long as the stream. */
static void test_followed(void **state)
{
	(void)state;
	EACH(k)
	on_stream(k, "options = {streamed = true},", "current:sub('available')");
}

/* A packet's payload is a whole buffer. */
static void test_whole_payload(void **state)
{
	static uint8_t buf[GT_CAP];
	size_t len;

	(void)state;
	open_gate((struct open_opts){0});
	rules("haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(pkt)\n"
	      " local p = pkt.payload print(getmetatable(p), p.modified, tostring(p)) local more = haka.vbuffer_from(' world') p:append(more)\n"
	      " print(p:sub():asstring(), #more, p.modified, #pkt.payload, pkt.length, p:clone():sub(0, 5):asstring()) kept = p end}\n"
	      "haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(pkt) print(pkt.payload.modified, #kept) end}");
	len = gt_udp(buf, GT_CLIENT, 1000, GT_SERVER, 9000, "hello");
	gt_push(&t, buf, len, 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), GT_PAYLOAD + 11);
	assert_memory_equal(t.out + GT_PAYLOAD, "hello world", 11);
	assert_string_equal(
		heard(),
		"vbuffer\tfalse\tvbuffer: 5\nhello world\t0\ttrue\t11\t13\thello\ntrue\t11\n");
	/* the next packet is a new one; handles that were kept are void */
	rules("haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(pkt) print(pcall(function() return #old end)) old = kept end}\n");
	gt_push(&t, buf, len, 2);
	gt_push(&t, buf, len, 3);
	gt_run(&t);
	assert_non_null(strstr(heard(), "vbuffer: object has been destroyed"));
	close_gate();
}

static void test_looking_on(void **state)
{
	static uint8_t buf[GT_CAP];
	static const char *const writes[] = {"b[1] = 1", "b:sub():erase()", "b:pos(0):insert('x')",
					     "b:sub():setstring('xyz')"};
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
		open_gate((struct open_opts){.pass_through = true});
		(void)snprintf(
			code, sizeof(code),
			"haka.rule{on = haka.dissectors.udp.events.receive_packet, eval = function(p) local b = p.payload\n"
			" print(pcall(function() %s end)) end}\n"
			"haka.rule{on = haka.dissectors.tcp_connection.events.receive_data, eval = function(f, b)\n"
			" print(pcall(function() %s end)) end}",
			writes[i], writes[i]);
		rules(code);
		len = gt_udp(buf, GT_CLIENT, 1000, GT_SERVER, 9000, "hello");
		gt_push(&t, buf, len, 1);
		gt_run(&t);
		assert_int_equal(gt_pop(&t), len);
		assert_memory_equal(t.out, buf, len);
		assert_non_null(strstr(heard(), "read only buffer: the gate only looks on"));
		gt_conn_open(&c, &t, 1000, 9000);
		gt_conn_say(&c, GATE_UP, span_str("hello"));
		assert_string_equal(gt_conn_text(&c, GATE_UP), "hello");
		assert_non_null(strstr(heard(), "read only buffer: the gate only looks on"));
		close_gate();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packets),	   cmocka_unit_test(test_shown),
		cmocka_unit_test(test_followed),   cmocka_unit_test(test_whole_payload),
		cmocka_unit_test(test_looking_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
