/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Policies: which entry wins, criteria, actions in C and in Lua, policies of a script's own.
 */
#include "script/script_open.h"
#include "script/values/addr.h"
#include "script/rules/alert.h"
#include "script/rules/policy.h"

#include "base/error.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct world {
	struct script *s;
	unsigned id;
	uint32_t srcip;
	uint16_t port;
	bool has_port;
	uint8_t proto;
	unsigned drops, installs, faults, pushes;
	struct script_error err;
	char said[1024];
	char alert[512];
};

static struct world world;

static uint64_t get_srcip(const void *ctx)
{
	return ((const struct world *)ctx)->srcip;
}

static uint64_t get_port(const void *ctx)
{
	return ((const struct world *)ctx)->port;
}

static bool has_port(const void *ctx)
{
	return ((const struct world *)ctx)->has_port;
}

static uint64_t get_proto(const void *ctx)
{
	return ((const struct world *)ctx)->proto;
}

static const char *proto_text(uint64_t v)
{
	return v == 6 ? "tcp" : v == 17 ? "udp" : NULL;
}

static int parse_proto(const char *text, uint64_t *ret)
{
	*ret = strcmp(text, "tcp") == 0 ? 6 : 17;
	return strcmp(text, "tcp") == 0 || strcmp(text, "udp") == 0 ? 0 : -USHER_E_UNKNOWN;
}

static const struct script_filter_field fields[] = {
	{.name = "srcip", .get = get_srcip, .kind = SCRIPT_FIELD_ADDRESS},
	{.name = "port", .get = get_port, .present = has_port},
	{.name = "proto",
	 .get = get_proto,
	 .parse = parse_proto,
	 .kind = SCRIPT_FIELD_TEXT,
	 .text = proto_text},
	{0},
};

static void install(void *ctx, void *data)
{
	((struct world *)ctx)->installs += (unsigned)(uintptr_t)data;
}

static const struct script_action install_action = {.name = "http.install",
						    .run = install,
						    .data = (void *)1};

static int add_action(lua_State *L)
{
	script_push_dissector(L, "http");
	script_push_action(L, &install_action);
	lua_setfield(L, -2, "install");
	return 0;
}

static void print_line(void *ctx, struct span line)
{
	struct world *w = ctx;

	(void)snprintf(w->said + strlen(w->said), sizeof(w->said) - strlen(w->said), "%.*s ",
		       (int)line.n, (const char *)line.p);
}

static void take_alert(void *ctx, const struct script_alert *a)
{
	struct world *w = ctx;
	struct buf b;

	buf_init_over(&b, w->alert, sizeof(w->alert));
	alert_text(a, ALERT_ONELINE, &b);
}

static int setup(void **state)
{
	struct script_opts o = {.print = print_line, .ctx = &world};
	struct script_alert_sink sink = {take_alert, &world};
	struct script_error err;

	memset(&world, 0, sizeof(world));
	world.has_port = true;
	assert_int_equal(script_new(&o, &world.s), 0);
	assert_int_equal(script_policy_define(world.s, "tcp", "new_connection", fields, &world.id),
			 0);
	assert_int_equal(script_policy_define(world.s, "tcp", "new_connection", fields, &world.id),
			 -USHER_E_EXISTS);
	assert_int_equal(script_protect(world.s, add_action, NULL, &err), 0);
	assert_int_equal(script_alert_sink(world.s, &sink), 0);
	*state = &world;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	assert_int_equal(lua_gettop(script_lua(w->s)), 0);
	script_free(w->s);
	return 0;
}

static void ok(struct world *w, const char *text)
{
	struct script_error err = {0};

	if (script_run_text(w->s, "@p.lua", span_str(text), &err) != 0) {
		print_error("%s\n%s\n", text, err.text);
		fail();
	}
}

static void fails(struct world *w, const char *text, const char *with)
{
	struct script_error err = {0};

	if (script_run_text(w->s, "@p.lua", span_str(text), &err) >= 0 ||
	    strcmp(err.text, with) != 0) {
		print_error("%s\ngives: %s\nnot:   %s\n", text, err.text, with);
		fail();
	}
}

static void drop(void *ctx)
{
	((struct world *)ctx)->drops++;
}

static void push_ctx(lua_State *L, void *ctx)
{
	((struct world *)ctx)->pushes++;
	lua_pushliteral(L, "ctx");
}

static void describe(lua_State *L, void *ctx)
{
	(void)ctx;
	lua_pushliteral(L, "low");
	lua_setfield(L, -2, "severity");
}

static void on_fault(void *ctx, const struct script_error *err)
{
	struct world *w = ctx;

	w->faults++;
	w->err = *err;
}

static unsigned apply(struct world *w)
{
	struct script_decision d = {.ctx = w,
				    .drop = drop,
				    .push = push_ctx,
				    .describe = describe,
				    .on_fault = on_fault};

	w->drops = w->installs = w->faults = w->pushes = 0;
	w->said[0] = w->alert[0] = '\0';
	return script_policy_apply(w->s, w->id, &d);
}

#define ON "on = haka.dissectors.tcp.policies.new_connection"

static void test_the_last_that_matches_wins(void **state)
{
	struct world *w = *state;

	assert_false(script_policy_any(w->s, w->id));
	assert_int_equal(apply(w), 0);
	ok(w, "haka.policy{" ON ", action = haka.policy.drop}");
	assert_true(script_policy_any(w->s, w->id));
	assert_int_equal(apply(w), SCRIPT_POLICY_MATCHED);
	assert_int_equal(w->drops, 1);
	ok(w, "haka.policy{" ON ", name = 'web', port = 80, action = {haka.policy.accept, "
	      "haka.dissectors.http.install}}");
	w->port = 80;
	assert_int_equal(apply(w), SCRIPT_POLICY_MATCHED);
	assert_int_equal(w->drops, 0);
	assert_int_equal(w->installs, 1);
	assert_int_equal(w->pushes, 0); /* no Lua */
	w->port = 81;
	assert_int_equal(apply(w), SCRIPT_POLICY_MATCHED);
	assert_int_equal(w->drops, 1);
	ok(w, "haka.policy{" ON ", proto = 'udp', action = haka.policy.accept}");
	w->proto = 17;
	assert_int_equal(apply(w), SCRIPT_POLICY_MATCHED);
	assert_int_equal(w->drops, 0);
}

static void test_criteria(void **state)
{
	/* for ports 52, 53, 54, and none */
	static const struct {
		const char *criteria;
		const char *holds;
	} cases[] = {
		{"", "1111"},
		{"port = 53", "0100"},
		{"port = haka.policy.value(53)", "0100"},
		{"port = haka.policy.range(53, 60)", "0110"},
		{"port = haka.policy.outofrange(53, 60)", "1000"},
		{"port = haka.policy.set{52, 54}", "1010"},
		{"port = haka.policy.present()", "1110"},
		{"port = haka.policy.absent()", "0001"},
		{"srcip = require('protocol/ipv4').addr('10.0.0.1')", "1111"},
		{"srcip = "
		 "haka.policy.ipv4_in_network(require('protocol/ipv4').network('10.0.0.0/8'))",
		 "1111"},
		{"srcip = haka.policy.set{require('protocol/ipv4').addr('10.0.0.2')}", "0000"},
		{"proto = 'tcp', port = haka.policy.range(1, 53)", "1100"},
		{"proto = {'udp', 'tcp'}, port = {53}", "0100"},
		{"proto = 'udp'", "0000"},
	};
	struct world *w = *state;
	char text[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int own = 0; own < 2; own++) {
			assert_int_equal(teardown(state), 0);
			assert_int_equal(setup(state), 0);
			w->srcip = 0x0a000001;
			w->proto = 6;
			(void)snprintf(text, sizeof(text),
				       "p = haka.policy.new('own') haka.policy{on = %s, action = "
				       "function() print('x') end%s%s}",
				       own ? "p" : "haka.dissectors.tcp.policies.new_connection",
				       cases[i].criteria[0] ? ", " : "", cases[i].criteria);
			ok(w, text);
			for (unsigned k = 0; k < 4; k++) {
				w->port = (uint16_t)(52 + k);
				w->has_port = k < 3;
				(void)apply(w);
				(void)snprintf(text, sizeof(text),
					       "p:apply{values = {srcip = "
					       "require('protocol/ipv4').addr('10.0.0.1'), "
					       "proto = 'tcp', port = %s}}",
					       k == 0	? "52"
					       : k == 1 ? "53"
					       : k == 2 ? "54"
							: "nil");
				if (own)
					ok(w, text);
				if ((w->said[0] != '\0') != (cases[i].holds[k] == '1')) {
					print_error("%s (%d): %u\n", cases[i].criteria, own, k);
					fail();
				}
			}
		}
	}
}

static void test_actions_in_lua(void **state)
{
	struct world *w = *state;

	w->srcip = 0x01020304;
	w->port = 80;
	w->proto = 6;
	ok(w,
	   "haka.policy{" ON ", action = {function(policy, ctx, values, desc)"
	   " print(policy.name, ctx, values.srcip, values.port, values.proto, desc.severity) end,"
	   " haka.policy.alert{confidence = 'high'}, haka.policy.drop, "
	   "haka.dissectors.http.install}}");
	assert_int_equal(apply(w), SCRIPT_POLICY_MATCHED);
	assert_string_equal(w->said, "new_connection\tctx\t1.2.3.4\t80\ttcp\tlow ");
	assert_non_null(
		strstr(w->alert,
		       "severity = low, confidence = high, description = new_connection\n"));
	assert_int_equal(w->drops, 1);
	assert_int_equal(w->installs, 1);
	w->has_port = false;
	w->proto = 1;
	(void)apply(w);
	assert_string_equal(w->said, "new_connection\tctx\t1.2.3.4\tnil\tnil\tlow ");
	ok(w,
	   "haka.policy{" ON
	   ", action = haka.policy.log(function(f, ...) print(f:format(...)) end, 'seen %d', 7)}");
	assert_int_equal(apply(w), SCRIPT_POLICY_MATCHED);
	assert_string_equal(w->said, "seen 7 ");
	ok(w, "\nhaka.policy{" ON ", action = function() error('x') end}");
	assert_int_equal(apply(w), SCRIPT_POLICY_MATCHED | SCRIPT_POLICY_FAULT);
	assert_int_equal(w->faults, 1);
	assert_string_equal(w->err.text, "p.lua:2: x");
	ok(w, "haka.policy{" ON ", action = haka.abort}");
	assert_int_equal(apply(w), SCRIPT_POLICY_MATCHED | SCRIPT_POLICY_ABORTED);
	assert_int_equal(w->faults, 0);
}

static void test_of_a_scripts_own(void **state)
{
	struct world *w = *state;

	ok(w,
	   "p = haka.policy.new('mine') assert(p.name == 'mine' and tostring(p) == 'policy mine')"
	   " haka.policy{on = p, who = 'me', action = function(policy, ctx, values, desc) "
	   "print(ctx.x, values.who, desc.d) end}"
	   " p:apply{ctx = {x = 5}, values = {who = 'me'}, desc = {d = 6}} p:apply{values = {who = "
	   "'you'}} p:apply{}");
	assert_string_equal(w->said, "5\tme\t6 ");
	w->said[0] = '\0';
	ok(w, "haka.policy{on = p, action = {haka.policy.drop, haka.policy.accept}}"
	      " p:apply{ctx = {drop = function(self) print('drop', self.x) end, x = 1}}");
	assert_string_equal(w->said, "drop\t1 ");
	fails(w, "haka.policy{on = p, action = haka.dissectors.http.install} p:apply{}",
	      "p.lua:1: http.install: an action can only be given to haka.policy");
}

static void test_refusals(void **state)
{
	struct world *w = *state;

	fails(w, "haka.policy{" ON "}",
	      "p.lua:1: haka.policy: 'action': function or action expected, got nothing");
	fails(w, "haka.policy{" ON ", action = 5}",
	      "p.lua:1: haka.policy: 'action': function or action expected, got number");
	fails(w, "haka.policy{" ON ", action = {}}",
	      "p.lua:1: haka.policy: 'action': 0 actions (1 to 16)");
	fails(w, "haka.policy{action = print}",
	      "p.lua:1: haka.policy: policy (haka.dissectors.x.policies.y) as 'on' expected, got "
	      "nothing");
	fails(w, "haka.policy{on = haka.dissectors.tcp.policies.x, action = print}",
	      "p.lua:1: dissector 'tcp' has no policy 'x'");
	fails(w, "haka.policy{" ON ", action = print, dstport = 80}",
	      "p.lua:1: haka.policy: tcp.new_connection: no field 'dstport' (there are: srcip, "
	      "port, proto)");
	fails(w, "haka.policy{" ON ", action = print, proto = 'icmp'}",
	      "p.lua:1: haka.policy: tcp.new_connection: 'icmp' is no value of 'proto'");
	fails(w, "haka.policy{" ON ", action = print, name = 5}",
	      "p.lua:1: haka.policy: 'name': string expected, got number");
	fails(w, "haka.policy(5)", "p.lua:1: haka.policy: table expected, got number");
	fails(w, "haka.policy.new()", "p.lua:1: haka.policy.new: string expected, got nothing");
	fails(w, "haka.policy.new('x').apply()",
	      "p.lua:1: policy:apply: policy made by haka.policy.new as object expected, got "
	      "nothing");
	fails(w, "haka.policy.ipv4_in_network(5)",
	      "p.lua:1: haka.policy.ipv4_in_network: IPv4 network expected, got number");
	fails(w, "haka.policy.alert(5)", "p.lua:1: haka.policy.alert: table expected, got number");
	assert_int_equal(apply(w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_last_that_matches_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_criteria, setup, teardown),
		cmocka_unit_test_setup_teardown(test_actions_in_lua, setup, teardown),
		cmocka_unit_test_setup_teardown(test_of_a_scripts_own, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
