/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.command: refusals of registrations, which name file and line; arguments and answers between
 * JSON and Lua; commands that fail.
 */
#include "unit/unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "config/json/json.h"
#include "script/library/command.h"
#include "script/script_open.h"

#include <stdio.h>

static struct script *s;
static struct arena arena;

static bool refuse_get(void *ctx, const char *name, const char *args, char *why, size_t n)
{
	(void)ctx;
	(void)snprintf(why, n, "command '%s' is taken (%s)", name, args);
	return strcmp(name, "get") == 0;
}

static int setup(void **state)
{
	struct script_opts o = {.profile = SCRIPT_RESTRICTED, .refuse_command = refuse_get};

	(void)state;
	arena_init(&arena);
	return script_new(&o, &s);
}

static int teardown(void **state)
{
	(void)state;
	script_free(s);
	arena_fini(&arena);
	return 0;
}

static void run(const char *text)
{
	struct script_error err = {0};

	if (script_run_text(s, "=r.lua", span_str(text), &err) != 0)
		fail_msg("%s", err.text);
}

static void refused(const char *text, const char *why)
{
	struct script_error err = {0};

	assert_true(script_run_text(s, "=r.lua", span_str(text), &err) < 0);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not hold \"%s\"", err.text, why);
}

#define EVAL "eval = function() end"

static void test_registrations(void **state)
{
	const struct script_command *c;

	(void)state;
	refused("\nhaka.command{name = 'get', args = 'a:text', " EVAL "}",
		"r.lua:2: haka.command: command 'get' is taken (a:text)");
	refused("haka.command{" EVAL "}", "haka.command: 'name': string expected, got nothing");
	refused("haka.command{name = 'Two Words', " EVAL "}", "got 'Two Words'");
	refused("haka.command{name = ('x'):rep(64), " EVAL "}", "1 to 63 of a-z");
	refused("haka.command{name = 'a'}", "haka.command: 'eval': function expected, got nothing");
	refused("haka.command{name = 'a', access = 'all', " EVAL "}",
		"'read' or 'write' expected, got 'all'");
	refused("haka.command{name = 'a', evl = 1, " EVAL "}", "unknown key 'evl'");
	refused("haka.command{'a', " EVAL "}", "unknown key 'number'");
	refused("haka.command('a')", "haka.command: table expected, got string");
	refused("haka.command{name = 'a', help = 'x\\0', " EVAL "}", "without an octet of value 0");
	run("haka.command{name = 'one', " EVAL "}\n"
	    "haka.command{name = 'two', args = '[n:int]', help = 'Two.', access = 'read', " EVAL
	    "}");
	refused("haka.command{name = 'one', " EVAL "}",
		"command 'one' is registered at r.lua:1 already");
	c = script_command_at(s, 0);
	assert_string_equal(c->name, "one");
	assert_string_equal(c->args, "");
	assert_true(c->writes);
	c = script_command_at(s, 1);
	assert_string_equal(c->args, "[n:int]");
	assert_string_equal(c->help, "Two.");
	assert_string_equal(c->where, "r.lua:2");
	assert_false(c->writes);
	assert_null(script_command_at(s, 2));
	refused("haka.command{name = 'three', " EVAL "}", "it is too late");
}

static void test_too_many(void **state)
{
	(void)state;
	refused("for i = 1, 65 do haka.command{name = 'c' .. i, " EVAL "} end",
		"haka.command: at most 64 commands");
	assert_non_null(script_command_at(s, 63));
}

/* Calls the only command with arguments, and asserts the text of its answer or of its error. */
static void assert_answer(const char *args, const char *want)
{
	struct json_opts o = {.file = ""};
	struct script_error err = {0};
	struct config_error bad;
	struct json *in = NULL, *out;
	struct buf b = {0};

	if (args)
		assert_int_equal(json_parse(span_str(args), &o, &arena, &in, &bad), 0);
	out = script_command_run(s, script_command_at(s, 0), in, "uid 0", &arena, &err);
	if (out)
		json_write(out, false, &b);
	else
		buf_str(&b, err.text);
	if (strstr(b.p, want) != b.p)
		fail_msg("\"%s\" does not begin with \"%s\"", b.p, want);
	buf_fini(&b);
}

static void test_arguments(void **state)
{
	(void)state;
	run("haka.command{name = 'c', eval = function (args, from)\n"
	    " assert(from == 'uid 0')\n"
	    " if not next(args) then return 'none' end\n"
	    " assert(args.text == 'a' and args.n == -7 and args.real == 2.5 and args.yes == true)\n"
	    " assert(args.list[1] == 1 and args.list[2][1] == 'x' and #args.list == 2)\n"
	    " assert(args.map.k == 'v' and args.null == nil)\n"
	    " return args\n"
	    "end}");
	assert_answer(NULL, "{\"result\":0,\"text\":\"none\"}");
	assert_answer("{}", "{\"result\":0,\"text\":\"none\"}");
	assert_answer("{\"text\": \"a\", \"n\": -7, \"real\": 2.5, \"yes\": true, \"null\": null, "
		      "\"list\": [1, [\"x\"]], \"map\": {\"k\": \"v\"}}",
		      "{\"result\":0,\"arguments\":{");
	assert_answer("{\"text\": 1}", "r.lua:4: assertion failed!");
}

static void test_answers(void **state)
{
	static const char *const rows[][2] = {
		{"return 'yes'", "{\"result\":0,\"text\":\"yes\"}"},
		{"", "{\"result\":0}"},
		{"return nil, 'there is none'", "{\"result\":1,\"text\":\"there is none\"}"},
		{"return {}", "{\"result\":0,\"arguments\":{}}"},
		{"return {1, 2, {3}}", "{\"result\":0,\"arguments\":[1,2,[3]]}"},
		{"return {a = 1.5}, 'one'",
		 "{\"result\":0,\"text\":\"one\",\"arguments\":{\"a\":1.5}}"},
		{"return {a = require('protocol/ipv4').addr('192.0.2.1')}",
		 "{\"result\":0,\"arguments\":{\"a\":\"192.0.2.1\"}}"},
		{"return {a = 2 ^ 53}", "{\"result\":0,\"arguments\":{\"a\":9007199254740992}}"},
		{"return {a = 0 / 0}", "r.lua:1: the number"},
		{"return {1, 2, x = 3}", "r.lua:1: a table with keys of type"},
		{"return {a = print}", "r.lua:1: a value of type function has no form in JSON"},
		{"return {a = 'x\\0'}", "r.lua:1: a text with an octet of value 0"},
		{"return {['x\\0'] = 1}", "r.lua:1: a key with an octet of value 0"},
		{"return true", "r.lua:1: the answer: table or string expected, got boolean"},
		{"return {}, {}", "r.lua:1: the text of the answer: string expected, got table"},
		{"local t = {} t.t = t return t", "r.lua:1: the answer is nested too deeply"},
		{"error('no such thing')", "r.lua:1: no such thing"},
		{"while true do end", "r.lua:1: more than 10000000 instructions in one call"},
		{"haka.abort()", "r.lua:1: haka.abort() ended the command"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)teardown(NULL);
		assert_int_equal(setup(NULL), 0);
		(void)snprintf(text, sizeof(text),
			       "haka.command{name = 'c', eval = function () %s end}", rows[i][0]);
		run(text);
		assert_answer(NULL, rows[i][1]);
		/* the state is as good as before */
		assert_answer(NULL, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_registrations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
