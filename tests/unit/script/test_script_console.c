/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A person at a state: input between two events, and at the prompt of an interactive rule.
 */
#include "unit/unit.h"

#include "base/buf.h"
#include "base/error.h"
#include "script/script_open.h"
#include "script/library/console.h"
#include "script/rules/event.h"

#include <stdio.h>

static struct script *s;
static struct script_error err;
static struct buf out;
static char said[4096];
static const char *const *lines;

static void say(void *ctx, struct span line)
{
	size_t at = strlen(said);

	(void)ctx;
	(void)snprintf(said + at, sizeof(said) - at, "%.*s\n", (int)line.n, (const char *)line.p);
}

static bool ask(void *ctx, const char *prompt, struct buf *line)
{
	(void)ctx;
	assert_string_equal(prompt, "here> ");
	if (!*lines)
		return false;
	buf_str(line, *lines++);
	return true;
}

static void open_with(bool person)
{
	struct script_opts so = {.print = say,
				 .prompt = person ? ask : NULL,
				 .instructions = 200000};

	assert_int_equal(script_new(&so, &s), 0);
	said[0] = '\0';
}

static int setup(void **state)
{
	(void)state;
	open_with(true);
	buf_init(&out);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	script_free(s);
	buf_fini(&out);
	return 0;
}

static int typed(const char *text)
{
	buf_reset(&out);
	return script_eval(s, span_str(text), &out, &err);
}

static void shows(const char *text, const char *expected)
{
	assert_int_equal(typed(text), 0);
	assert_string_equal(out.p ? out.p : "", expected);
}

static void fails(const char *text, const char *why)
{
	assert_int_equal(typed(text), -USHER_E_SCRIPT);
	if (!strstr(err.text, why))
		print_error("%s\n", err.text);
	assert_non_null(strstr(err.text, why));
}

static void test_eval(void **state)
{
	(void)state;
	shows("1 + 1, 'two', nil", "2\ttwo\tnil\n");
	shows("x = 7", "");
	shows("print(x) return x * 2", "7\n14\n");
	shows("for i = 1, 3 do print(i) end", "1\n2\n3\n");
	fails("x +", "typed:1");
	fails("error('no')", "no");
	fails("while true do end", "instructions");
	fails("string.dump(print)", "nil value");
	/* the next one has all of its budget, and print() is the host's again */
	shows("x", "7\n");
	assert_int_equal(script_run_text(s, "=t", span_str("print('host')"), &err), 0);
	assert_string_equal(said, "host\n");
	assert_int_equal(typed("haka.abort()"), SCRIPT_ABORTED);
	fails("local t = ('x'):rep(1000000) for i = 1, 10 do print(t) end", "octets");
}

static void raise_started(const char *const *what)
{
	lines = what;
	(void)script_started(s);
}

static void test_interactive(void **state)
{
	static const char *const talk[] = {"#inputs",	  "y = 3",    "nonsense +",
					   "error('no')", "y + 1",    "",
					   "continue",	  "not read", NULL};
	static const char *const loop[] = {"y", "while true do end", "y", NULL};
	static const char *const nothing[] = {NULL};

	(void)state;
	assert_int_equal(
		script_run_text(
			s, "=t",
			span_str(
				"haka.rule{on = haka.events.started, eval = haka.interactive_rule('here')}"),
			&err),
		0);
	raise_started(talk);
	assert_non_null(strstr(said, "0\n"));
	assert_non_null(strstr(said, "typed:1"));
	assert_non_null(strstr(said, "no\n4\n"));
	assert_null(strstr(said, "not read"));
	assert_string_equal(*lines, "not read");
	said[0] = '\0';
	raise_started(nothing);
	assert_string_equal(said, "");
	/* beyond all bounds the rule ends, not the state */
	raise_started(loop);
	assert_string_equal(said, "3\n");
	assert_string_equal(*lines, "y");
}

static void test_long_thought(void **state)
{
	/* each line may use all of it again */
	static const char *const talk[] = {"for i = 1, 30000 do end",
					   "for i = 1, 30000 do end",
					   "for i = 1, 30000 do end",
					   "for i = 1, 30000 do end",
					   "for i = 1, 30000 do end",
					   "'done'",
					   NULL};

	(void)state;
	assert_int_equal(
		script_run_text(
			s, "=t",
			span_str(
				"haka.rule{on = haka.events.started, eval = haka.interactive_rule('here')}"),
			&err),
		0);
	raise_started(talk);
	assert_string_equal(said, "done\n");
}

static void test_nobody(void **state)
{
	(void)state;
	script_free(s);
	open_with(false);
	assert_int_equal(script_run_text(s, "=t", span_str("f = haka.interactive_rule('here')"),
					 &err),
			 0);
	assert_true(script_run_text(s, "=t", span_str("f()"), &err) < 0);
	assert_non_null(strstr(err.text, "nobody can be asked here"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {T(test_eval), T(test_interactive),
						  T(test_long_thought), T(test_nobody)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
