/* SPDX-License-Identifier: MPL-2.0 */
/*
 * DNS through the whole engine: which messages pass, which do not and why, and the changes of
 * rules.
 */
#include "unit/unit.h"

#include "base/error.h"
#include "gate/engine/app.h"
#include "gate/app/dissect_dns.h"
#include "gate_util.h"

#include <errno.h>

enum { CLIENT = 0x0a000001, SERVER = 0x0a000002 };

static struct gt t;
static uint8_t frame[GT_CAP], message[2000];

static int setup(void **state)
{
	struct gate_opts o;

	(void)state;
	gt_opts(&o);
	gt_open(&t, &o, DISSECT_DNS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gt_close(&t);
	return 0;
}

static struct dns_name name_of(const char *text)
{
	struct dns_name n;

	assert_int_equal(dns_name_parse(span_str(text), &n), 0);
	return n;
}

/* A question, or its answer with a CNAME, its address and an AAAA. */
static struct span make(uint16_t id, bool answer, bool edns)
{
	struct dns_name host = name_of("www.example."), real = name_of("real.example."),
			root = name_of(".");
	struct dns_new_rr rr = {.owner = &host,
				.type = DNS_TYPE_CNAME,
				.cls = DNS_CLASS_IN,
				.ttl = 60,
				.rdata = span_of(real.octets, real.len)};
	struct dns_writer w;
	size_t n = 0;

	dns_write_begin(&w, message, sizeof(message), id,
			answer ? DNS_QR | DNS_RD | DNS_RA : DNS_RD);
	dns_write_question(&w, &host, DNS_TYPE_A, DNS_CLASS_IN);
	if (answer) {
		dns_write_rr(&w, DNS_ANSWER, &rr);
		rr = (struct dns_new_rr){&real, DNS_TYPE_A, DNS_CLASS_IN, 30,
					 span_of("\300\0\2\1", 4)};
		dns_write_rr(&w, DNS_ANSWER, &rr);
		rr = (struct dns_new_rr){&real, DNS_TYPE_AAAA, DNS_CLASS_IN, 30,
					 span_of("0123456789abcdef", 16)};
		dns_write_rr(&w, DNS_ANSWER, &rr);
	}
	rr = (struct dns_new_rr){.owner = &root, .type = DNS_TYPE_OPT, .cls = 1232};
	if (edns)
		dns_write_rr(&w, DNS_ADDITIONAL, &rr);
	assert_int_equal(dns_write_end(&w, &n), 0);
	return span_of(message, n);
}

/* Sends it: did it come out? In t.out, then. */
static bool passes(bool up, struct span payload, uint16_t client_port)
{
	size_t len = up ? gt_udp_span(frame, CLIENT, client_port, SERVER, 53, payload)
			: gt_udp_span(frame, SERVER, 53, CLIENT, client_port, payload);

	gt_push(&t, frame, len, 1);
	gt_run(&t);
	return gt_pop(&t) != 0;
}

static struct dns_msg came_out(void)
{
	struct rd r = rd_init(span_of(t.out + GT_IP, t.last.len - GT_IP));
	struct ipv4_hdr ip;
	struct dns_msg m;

	assert_int_equal(ipv4_read(&r, &ip), 0);
	assert_true(ip.csum_ok);
	assert_int_equal(ip.total_len, t.last.len - GT_IP);
	assert_int_equal(t.out[GT_UDP + 4] << 8 | t.out[GT_UDP + 5], ip.total_len - 20);
	assert_true(udp_csum_ok(ip.src, ip.dst, span_of(t.out + GT_UDP, t.last.len - GT_UDP)));
	assert_int_equal(dns_decode(span_of(t.out + GT_PAYLOAD, t.last.len - GT_PAYLOAD), &m), 0);
	return m;
}

static void test_question_and_answer(void **state)
{
	(void)state;
	assert_true(passes(true, make(7, false, true), 1000));
	assert_memory_equal(t.out, frame, t.last.len);
	assert_true(passes(false, make(7, true, false), 1000));
	assert_memory_equal(t.out, frame, t.last.len);
	/* it was answered */
	assert_false(passes(false, make(7, true, false), 1000));
	assert_int_equal(gt_drops(&t, GATE_DROP_DNS_UNASKED), 1);
	/* another id, another flow */
	assert_true(passes(true, make(8, false, false), 1000));
	assert_false(passes(false, make(9, true, false), 1000));
	assert_false(passes(false, make(8, true, false), 1001));
	assert_true(passes(false, make(8, true, false), 1000));
	assert_int_equal(gt_drops(&t, GATE_DROP_DNS_UNASKED), 3);
	assert_int_equal(gate_counters(t.g)->seen[DISSECT_DNS], 7);
	/* asked twice, answered twice */
	for (int i = 0; i < 2; i++)
		assert_true(passes(true, make(10, false, false), 1000));
	for (int i = 0; i < 2; i++)
		assert_true(passes(false, make(10, true, false), 1000));
}

static void test_many_questions(void **state)
{
	(void)state;
	for (uint16_t id = 0; id < 40; id++)
		assert_true(passes(true, make(id, false, false), 1000));
	/* the oldest were forgotten */
	for (uint16_t id = 0; id < 8; id++)
		assert_false(passes(false, make(id, true, false), 1000));
	for (uint16_t id = 39; id >= 8; id--)
		assert_true(passes(false, make(id, true, false), 1000));
	assert_int_equal(gt_drops(&t, GATE_DROP_DNS_UNASKED), 8);
}

static void test_malformed(void **state)
{
	struct span m = make(1, false, false);

	(void)state;
	assert_false(passes(true, span_sub(m, 0, m.n - 1), 1000));
	assert_false(passes(true, SPAN_NULL, 1000));
	message[12] = 0xc0;
	assert_false(passes(true, m, 1000));
	assert_int_equal(gt_drops(&t, GATE_DROP_DNS_MESSAGE), 3);
	/* on another port it is anything */
	assert_int_equal(gt_udp(frame, CLIENT, 5, SERVER, 54, "anything") > 0, 1);
	gt_push(&t, frame, gt_udp(frame, CLIENT, 5, SERVER, 54, "anything"), 1);
	gt_run(&t);
	assert_int_not_equal(gt_pop(&t), 0);
	/* which can be said to be one of DNS, too */
	assert_int_equal(gate_app_port(t.g, DISSECT_DNS, 55), 0);
	assert_int_equal(gate_app_port(t.g, DISSECT_UDP, 55), -EINVAL);
	gt_push(&t, frame, gt_udp(frame, CLIENT, 5, SERVER, 55, "anything"), 1);
	gt_run(&t);
	assert_int_equal(gt_pop(&t), 0);
	assert_int_equal(gt_drops(&t, GATE_DROP_DNS_MESSAGE), 4);
}

static void test_fail_open(void **state)
{
	struct gate_opts o;

	(void)state;
	gt_close(&t);
	gt_opts(&o);
	o.fail_open = true;
	gt_open(&t, &o, DISSECT_DNS);
	assert_true(passes(true, span_str("nonsense"), 1000));
	assert_true(passes(false, make(1, true, false), 1000));
	assert_int_equal(gate_counters(t.g)->failed_open, 2);
	assert_int_equal(gt_drops(&t, GATE_DROP_DNS_MESSAGE), 1);
	assert_int_equal(gt_drops(&t, GATE_DROP_DNS_UNASKED), 1);
}

static bool drop_it(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;

	(void)f;
	(void)ctx;
	assert_non_null(gate_dns_msg(g));
	gate_drop(p, GATE_DROP_RULE);
	return false;
}

static void test_dropped_by_a_rule(void **state)
{
	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_DNS_query, drop_it, NULL), 0);
	assert_false(passes(true, make(1, false, false), 1000));
	assert_int_equal(gt_drops(&t, GATE_DROP_RULE), 1);
	/* a host that did not get the question cannot answer it */
	assert_false(passes(false, make(1, true, false), 1000));
	assert_int_equal(gt_drops(&t, GATE_DROP_DNS_UNASKED), 1);
	assert_null(gate_dns_msg(t.g));
	assert_int_equal(gate_dns_set_flags(t.g, 0), -EINVAL);
}

static bool change_it(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	const struct dns_msg *m = gate_dns_msg(g);
	struct dns_rr rr;

	(void)f;
	(void)ctx;
	assert_true(dns_at(m, DNS_ANSWER, 1, &rr));
	assert_int_equal(gate_dns_set_ipv4(g, &rr, 0x7f000001), 0);
	assert_int_equal(gate_dns_set_ttl(g, &rr, 86400), 0);
	assert_int_equal(gate_dns_set_ipv6(g, &rr, (const uint8_t *)"fedcba9876543210"), -EINVAL);
	assert_true(dns_at(m, DNS_ANSWER, 2, &rr));
	assert_int_equal(gate_dns_set_ipv6(g, &rr, (const uint8_t *)"fedcba9876543210"), 0);
	assert_int_equal(gate_dns_set_flags(g, (uint16_t)(m->flags | DNS_AD)), 0);
	assert_int_equal(gate_dns_set_flags(g, 0), -EPERM);
	assert_int_equal(gate_dns_set_rcode(g, 3), 0);
	assert_int_equal(gate_dns_set_rcode(g, 16), m->opt ? 0 : -ERANGE);
	assert_true(dns_at(m, DNS_QUESTION, 0, &rr));
	assert_int_equal(gate_dns_set_ttl(g, &rr, 1), -EINVAL);
	return true;
}

static void test_changed_in_place(void **state)
{
	struct dns_msg m;
	struct dns_rr rr;

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_DNS_response, change_it, NULL), 0);
	for (int edns = 0; edns < 2; edns++) {
		assert_true(passes(true, make(1, false, false), 1000));
		assert_true(passes(false, make(1, true, edns), 1000));
		m = came_out();
		assert_int_equal(m.id, 1);
		assert_int_equal(dns_rcode(&m), edns ? 16 : 3);
		assert_true(m.flags & DNS_AD && m.flags & DNS_QR);
		assert_true(dns_at(&m, DNS_ANSWER, 1, &rr));
		assert_int_equal(dns_ipv4(&m, &rr), 0x7f000001);
		assert_int_equal(rr.ttl, 86400);
		assert_true(dns_at(&m, DNS_ANSWER, 2, &rr));
		assert_memory_equal(dns_ipv6(&m, &rr).p, "fedcba9876543210", 16);
	}
}

static bool rename_it(void *ctx, struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct dns_name other = name_of("a.much.longer.name.than.there.was.elsewhere.test.");
	struct dns_change c = {.rdata = {&other}};
	struct dns_rr rr;

	(void)f;
	(void)ctx;
	assert_true(dns_at(gate_dns_msg(g), DNS_ANSWER, 0, &rr));
	assert_int_equal(gate_dns_change(g, &rr, &c), 0);
	assert_true(dns_at(gate_dns_msg(g), DNS_ANSWER, 1, &rr));
	c = (struct dns_change){.owner = &other};
	assert_int_equal(gate_dns_change(g, &rr, &c), 0);
	return true;
}

static void test_other_names(void **state)
{
	char text[DNS_TEXT_MAX];
	struct dns_name n;
	struct dns_msg m;
	struct dns_rr rr;

	(void)state;
	assert_int_equal(gate_listen(t.g, EVENT_DNS_response, rename_it, NULL), 0);
	assert_true(passes(true, make(1, false, false), 1000));
	assert_true(passes(false, make(1, true, true), 1000));
	m = came_out();
	assert_true(dns_at(&m, DNS_ANSWER, 0, &rr));
	assert_true(dns_owner(&m, &rr, &n));
	(void)dns_name_text(&n, text);
	assert_string_equal(text, "www.example.");
	assert_true(dns_rdata_name(&m, &rr, 0, &n));
	(void)dns_name_text(&n, text);
	assert_string_equal(text, "a.much.longer.name.than.there.was.elsewhere.test.");
	assert_true(dns_at(&m, DNS_ANSWER, 1, &rr));
	assert_true(dns_owner(&m, &rr, &n));
	(void)dns_name_text(&n, text);
	assert_string_equal(text, "a.much.longer.name.than.there.was.elsewhere.test.");
	assert_int_equal(dns_ipv4(&m, &rr), 0xc0000201);
	assert_true(m.opt);
}

static void test_pass_through(void **state)
{
	struct gate_opts o;

	(void)state;
	gt_close(&t);
	gt_opts(&o);
	o.pass_through = true;
	gt_open(&t, &o, DISSECT_DNS);
	assert_int_equal(gate_listen(t.g, EVENT_DNS_query, drop_it, NULL), 0);
	assert_true(passes(true, make(1, false, false), 1000));
	assert_true(passes(false, make(2, true, false), 1000));
	assert_memory_equal(t.out, frame, t.last.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_question_and_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_questions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fail_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dropped_by_a_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_in_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pass_through, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
