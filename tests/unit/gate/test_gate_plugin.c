/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Dissectors that are registered at run time: the example of HACKING.md, definitions that
 * are refused, streams over TCP, packets, and that policies find them.
 */
#include "unit/unit.h"

#include "gate_tcp_util.h"

#include "example_daytime.h"
#include "gate/tcp/tcp_conn.h"
#include "gate/engine/app.h"
#include "gate/lua/bind.h"
#include "gate/engine/plugin.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <stdio.h>

enum { CLIENT = GT_CLIENT, SERVER = GT_SERVER };

static struct gt t;
static uint8_t buf[GT_CAP];

static void open_gate(bool fail_open)
{
	struct gate_opts o;

	gt_opts(&o);
	o.fail_open = fail_open;
	gt_open(&t, &o, DISSECT_RAW);
}

/* Does a datagram come out? */
static bool passes(uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport, const char *text)
{
	gt_push(&t, buf, gt_udp(buf, src, sport, dst, dport, text), 1);
	gt_run(&t);
	return gt_pop(&t) > 0;
}

static void example(void **state)
{
	struct daytime d = {0};

	(void)state;
	open_gate(false);
	assert_true(daytime_register(&d, t.g) > DISSECT_N);
	assert_true(passes(CLIENT, 1000, SERVER, 13, "what time is it?"));
	assert_true(passes(SERVER, 13, CLIENT, 1000, "Monday, 30 November\r\n"));
	assert_false(passes(SERVER, 13, CLIENT, 1000, "Monday again\r\n")); /* nobody asked */
	assert_true(passes(CLIENT, 1000, SERVER, 13, "?"));
	assert_false(passes(SERVER, 13, CLIENT, 1000, "no\x01line"));
	assert_true(passes(CLIENT, 1000, SERVER, 14, "no\x01line")); /* is another port */
	assert_int_equal(d.asked, 2);
	assert_int_equal(d.answered, 1);
	assert_int_equal(d.refused, 2);
	assert_int_equal(gt_drops(&t, GATE_DROP_SCRIPT_PARSE), 2);
	gt_close(&t);
}

static void example_fails_open(void **state)
{
	struct daytime d = {0};

	(void)state;
	open_gate(true);
	assert_true(daytime_register(&d, t.g) > 0);
	assert_true(passes(CLIENT, 1000, SERVER, 13, "?"));
	assert_true(passes(SERVER, 13, CLIENT, 1000, "no\x01line"));
	assert_int_equal(gate_counters(t.g)->failed_open, 1);
	gt_close(&t);
}

/* --- Registration ----------------------------------------------------------------------------- */

static int nothing(void *ctx, struct gate_walk *w)
{
	(void)ctx, (void)w;
	return GATE_ACCEPT;
}

static uint32_t all(void *ctx, struct gate_view *v)
{
	(void)ctx;
	return v->n;
}

static void registers(void **state)
{
	struct gate_plugin x = {.name = "x",
				.proto = IPV4_PROTO_UDP,
				.receive = nothing,
				.ctx = &t},
			   y = x;
	int first, number;

	(void)state;
	open_gate(false);
	first = gate_plugin_add(t.g, &x);
	assert_true(first >= GATE_FIRST_PLUGIN);
	assert_true(gate_loaded(t.g, DISSECT_UDP_CONNECTION));
	assert_string_equal(gate_plugin(t.g, first)->name, "x");
	assert_int_equal(gate_plugin_add(t.g, &x), -EEXIST);
	(void)snprintf(y.name, sizeof(y.name), "dns");
	assert_int_equal(gate_plugin_add(t.g, &y), -EEXIST);
	y.name[0] = '\0';
	assert_int_equal(gate_plugin_add(t.g, &y), -EINVAL);
	(void)snprintf(y.name, sizeof(y.name), "y");
	y.proto = IPV4_PROTO_TCP; /* without data */
	assert_int_equal(gate_plugin_add(t.g, &y), -EINVAL);
	y.proto = IPV4_PROTO_ICMP;
	y.data = all;
	assert_int_equal(gate_plugin_add(t.g, &y), -EINVAL);
	y.proto = 0;
	y.port = 7; /* packets have none */
	assert_int_equal(gate_plugin_add(t.g, &y), -EINVAL);
	y.port = 0;
	for (int i = 1; i < GATE_MAX_PLUGINS; i++) {
		(void)snprintf(y.name, sizeof(y.name), "y%d", i);
		assert_true(gate_plugin_add(t.g, &y) > 0);
	}
	(void)snprintf(y.name, sizeof(y.name), "one more");
	assert_int_equal(gate_plugin_add(t.g, &y), -ENOSPC);
	gate_plugin_remove(t.g, &t);
	assert_null(gate_plugin(t.g, first));
	assert_null(gate_plugin(t.g, -1));
	assert_null(gate_plugin(t.g, DISSECT_N));
	number = gate_plugin_add(t.g, &x);
	assert_int_equal(number, first);
	gt_close(&t);
}

/* --- Over TCP --------------------------------------------------------------------------------- */

struct counting {
	unsigned begun, ended;
	char up[64];
};

static void tcp_begin(void *ctx, struct gate_walk *w, struct flow *f)
{
	(void)w, (void)f;
	((struct counting *)ctx)->begun++;
}

static void tcp_end(void *ctx, struct gate_walk *w, struct flow *f)
{
	(void)w, (void)f;
	((struct counting *)ctx)->ended++;
}

/* Lets whole lines go, makes the first octet of each an X, ends at "quit". */
static uint32_t tcp_data(void *ctx, struct gate_view *v)
{
	struct counting *c = ctx;
	uint32_t n = v->n;

	while (n && v->octets[n - 1] != '\n')
		n--;
	if (n == 0 || v->direction == GATE_DOWN)
		return v->direction == GATE_DOWN ? v->n : 0;
	(void)snprintf(c->up + strlen(c->up), sizeof(c->up) - strlen(c->up), "%.*s", (int)n,
		       (const char *)v->octets);
	if (n >= 4 && memcmp(v->octets, "quit", 4) == 0) {
		v->flow->dropped = true;
		gate_drop(v->walk->p, GATE_DROP_SCRIPT_DISSECTOR);
		return 0;
	}
	assert_int_equal(gate_stream_edit(v, 0, 1, span_str("X")), 0);
	return n;
}

static void streams(void **state)
{
	struct counting n = {0};
	struct gate_plugin x = {.name = "lines",
				.proto = IPV4_PROTO_TCP,
				.port = 77,
				.begin = tcp_begin,
				.end = tcp_end,
				.data = tcp_data,
				.ctx = &n};
	static struct gt_conn c;

	(void)state;
	open_gate(false);
	assert_true(gate_plugin_add(t.g, &x) > 0);
	gt_conn_open(&c, &t, 1000, 77);
	gt_conn_say(&c, GATE_UP, span_str("one\ntw"));
	assert_string_equal(gt_conn_text(&c, GATE_UP), "Xne\n");
	gt_conn_say(&c, GATE_UP, span_str("o\n"));
	assert_string_equal(gt_conn_text(&c, GATE_UP), "Xne\nXwo\n");
	gt_conn_say(&c, GATE_DOWN, span_str("as it is"));
	assert_string_equal(gt_conn_text(&c, GATE_DOWN), "as it is");
	assert_int_equal(n.begun, 1);
	assert_int_equal(n.ended, 0);
	gt_conn_say(&c, GATE_UP, span_str("quit\n"));
	assert_string_equal(gt_conn_text(&c, GATE_UP), "Xne\nXwo\n");
	assert_int_equal(n.ended, 1);
	assert_int_equal(gt_drops(&t, GATE_DROP_SCRIPT_DISSECTOR), 1);
	assert_string_equal(n.up, "one\ntwo\nquit\n");
	gt_close(&t);
	assert_int_equal(n.ended, 1);
}

/* --- Of packets, and chosen by others --------------------------------------------------------- */

static int seen_packet(void *ctx, struct gate_walk *w)
{
	++*(unsigned *)ctx;
	return w->p->p.app_len == 3 ? GATE_DROP : GATE_ACCEPT;
}

static bool stops_z(void *ctx, struct gate_walk *w, int number)
{
	const struct gate_packet *p = w->p;

	(void)ctx, (void)number;
	return p->p.data[p->p.app] != 'z';
}

static int to_packet_plugin(void *ctx, struct gate_walk *w, enum gate_dissector from, int next)
{
	(void)ctx;
	return from == DISSECT_UDP && w->p->p.dport == 99 ? GATE_FIRST_PLUGIN : next;
}

static void packets(void **state)
{
	unsigned n = 0;
	struct gate_plugin x = {.name = "p", .receive = seen_packet, .send = stops_z, .ctx = &n};

	(void)state;
	open_gate(false);
	gate_load(t.g, DISSECT_UDP);
	assert_int_equal(gate_plugin_add(t.g, &x), GATE_FIRST_PLUGIN);
	t.g->on_next = to_packet_plugin;
	assert_true(passes(CLIENT, 1, SERVER, 99, "abcd"));
	assert_false(passes(CLIENT, 1, SERVER, 99, "abc"));
	assert_false(passes(CLIENT, 1, SERVER, 99, "zabc"));
	assert_true(passes(CLIENT, 1, SERVER, 98, "abc"));
	assert_int_equal(n, 3);
	assert_int_equal(gate_plugin(t.g, GATE_FIRST_PLUGIN)->seen, 3);
	gt_close(&t);
}

static bool choose_daytime(void *ctx, struct gate_walk *w, struct flow *f)
{
	return gate_app_choose(w, f, *(const enum gate_dissector *)ctx) == 0;
}

static void chosen_by_a_listener(void **state)
{
	struct daytime d = {0};
	enum gate_dissector number;

	(void)state;
	open_gate(false);
	number = (enum gate_dissector)daytime_register(&d, t.g);
	assert_int_equal(gate_listen(t.g, EVENT_UDP_CONNECTION_new_connection, choose_daytime,
				     &number),
			 0);
	assert_true(passes(CLIENT, 1, SERVER, 5000, "?"));
	assert_false(passes(SERVER, 5000, CLIENT, 1, "\x02"));
	assert_int_equal(d.refused, 1);
	gt_close(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(example),   cmocka_unit_test(example_fails_open),
		cmocka_unit_test(registers), cmocka_unit_test(streams),
		cmocka_unit_test(packets),   cmocka_unit_test(chosen_by_a_listener),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
