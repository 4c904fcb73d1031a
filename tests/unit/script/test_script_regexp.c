/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Regular expressions: matches, streams cut at every place, sets on either engine, and patterns
 * that would run for years. A stream must find the matches of one piece, however it is cut.
 */
#include "script/regexp/regexp.h"
#include "script/script_open.h"

#include "base/error.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct script *s;

static int setup(void **state)
{
	struct script_opts o = {.instructions = 20000000, .memory = 32 << 20};

	(void)state;
	return script_new(&o, &s);
}

static int teardown(void **state)
{
	(void)state;
	script_free(s);
	return 0;
}

static void ok(const char *text)
{
	struct script_error err = {0};

	if (script_run_text(s, "@t.lua", span_str(text), &err) != 0) {
		print_error("%s\n%s\n", text, err.text);
		fail();
	}
}

static void fails(const char *text, enum script_fault fault, const char *with)
{
	struct script_error err = {0};

	if (script_run_text(s, "@t.lua", span_str(text), &err) >= 0 || err.fault != fault ||
	    !strstr(err.text, with)) {
		print_error("%s\ngives: %s %s\nnot:   %s\n", text, script_fault_name(err.fault),
			    err.text, with);
		fail();
	}
}

static void test_match(void **state)
{
	(void)state;
	ok("re = require('regexp/pcre').re local t, a, b = re:match('bar', 'foo bar foo') assert(t "
	   "== 'bar' and a == 4 and b == 7)"
	   "assert(re:match('abc', 'aaa') == nil and re:match('.*', '') == '' and re:match('%d', "
	   "'x6') == '6')"
	   "assert(re:match('^%s%%%w+$', ' %ab') and re:match('\\\\d\\\\%', '5%') == '5%')"
	   "assert(not re:match('camel', 'CaMeL') and re:match('camel', 'CaMeL', 'i') and "
	   "re:match('camel', 'CaMeL', re.CASE_INSENSITIVE))"
	   "assert(re:match('a b # c', 'ab', re.EXTENDED) and re:match('A b', 'ab', 3))"
	   "local r = re:compile('(?<=x)y+') assert(r:match('yxyy') == 'yy')"
	   "t, a, b = re:match('a\\0b', 'xa\\0b') assert(a == 1 and b == 4 and #t == 3)");
	fails("re:compile('?')", SCRIPT_E_RUNTIME,
	      "t.lua:1: regexp: '?': quantifier does not follow a repeatable item at octet 0");
	fails("re:compile(5)", SCRIPT_E_RUNTIME,
	      "t.lua:1: re:compile: string expected, got number");
	fails("re:compile('a', 'q')", SCRIPT_E_RUNTIME,
	      "t.lua:1: re:compile: options: no option 'q' (i, x)");
	fails("re:compile('a', 8)", SCRIPT_E_RUNTIME, "8 is no whole number from 0 to 3");
	fails("re:compile('a'):match({})", SCRIPT_E_RUNTIME,
	      "t.lua:1: regexp:match: string, sub or iterator expected, got table");
	fails("re.compile('a').match('a')", SCRIPT_E_RUNTIME,
	      "re:compile: string expected, got nothing");
	fails("re:compile('a').match('a', 'b')", SCRIPT_E_RUNTIME,
	      "regexp:match: regexp expected, got string");
	fails("re:compile(('a'):rep(100000))", SCRIPT_E_RUNTIME,
	      "pattern string is longer than the limit");
}

static void test_sinks(void **state)
{
	(void)state;
	ok("re = require('regexp/pcre').re local k = re:compile('ab'):create_sink() assert(not "
	   "k:feed('aaa') and k:ispartial())"
	   "local ok, r = k:feed('bbb', true) assert(ok and r.first == 2 and r.last == 4)"
	   "k = re:compile('abc'):create_sink() assert(not k:feed('aaa', true) and k:ispartial())"
	   "k = re:compile('abc'):create_sink() assert(not k:feed('xyz') and not k:ispartial())"
	   "r = haka.regexp_result() k = re:compile('b+'):create_sink() assert(not k:feed('abb', "
	   "false, r) and r.first == nil)"
	   "ok = k:feed('bc', false, r) assert(ok and r.first == 1 and r.last == 4) assert(not "
	   "k:feed('', true))"
	   "k = re:compile('%d+x'):create_sink() local n = 0 for _, p in ipairs{'1', '2x3', 'x', "
	   "'45', 'x'} do"
	   " if k:feed(p) then n = n + 1 end end assert(n == 3, n)");
	fails("re:compile('a'):create_sink():feed(5)", SCRIPT_E_RUNTIME,
	      "t.lua:1: sink:feed: string or sub expected, got number");
	/* a match that has begun is kept for so long */
	ok("local k = re:compile('a.*z'):create_sink() local p = ('x'):rep(10000) k:feed('a') for "
	   "i = 1, 50 do k:feed(p) end"
	   " assert(k:truncated())");
}

/* The matches of a stream, as text, with its pieces cut at random. */
static void stream_matches(const struct regexp *re, struct span text, struct rng *rng, char *out,
			   size_t n)
{
	struct regexp_sink k;
	struct regexp_result where;
	size_t at = 0;
	size_t len = 0;

	regexp_sink_init(&k, re);
	for (;;) {
		size_t piece = rng ? rng_below(rng, 4) : text.n;
		bool eof;
		int r;

		piece = piece < text.n - at ? piece : text.n - at;
		eof = at + piece == text.n;
		r = regexp_feed(&k, span_of(text.p + at, piece), eof, 0, &where);
		at += piece;
		while (r == 1) {
			len += (size_t)snprintf(out + len, n - len, "%u-%u ", (unsigned)where.first,
						(unsigned)where.last);
			assert_true(len < n);
			r = regexp_feed(&k, SPAN_NULL, eof, 0, &where);
		}
		assert_int_equal(r, 0);
		if (eof)
			break;
	}
	regexp_sink_fini(&k);
}

static void test_streams_cut_anywhere(void **state)
{
	static const char *const patterns[] = {"ab",	 "a+b",	      "(?<=b)a", "\\bab\\b",
					       "a.c",	 "^ab",	      "b$",	 "(a|bc)+?c",
					       "a{3}",	 "a*",	      "[ab]c|a", "(?<!a)b",
					       "c(?=a)", "(?<=abc)a", "\\Aab",	 "(a)\\1"};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 4711);
	for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) {
		struct regexp *re;
		struct regexp_error err;

		assert_int_equal(regexp_compile(regexp_lib_of(s), span_str(patterns[p]), 0, &re,
						&err),
				 0);
		for (int i = 0; i < 300; i++) {
			char text[24], whole[1024] = "", cut[1024] = "";
			size_t n = rng_below(&rng, sizeof(text));

			for (size_t k = 0; k < n; k++)
				text[k] = "abc "[rng_below(&rng, 4)];
			stream_matches(re, span_of(text, n), NULL, whole, sizeof(whole));
			stream_matches(re, span_of(text, n), &rng, cut, sizeof(cut));
			if (strcmp(whole, cut) != 0) {
				print_error("%s on '%.*s': whole %s, cut %s\n", patterns[p], (int)n,
					    text, whole, cut);
				fail();
			}
		}
		regexp_free(re);
	}
}

/* Both engines, whole and cut, against PCRE2 one by one. */
static void test_sets(void **state)
{
	static const char *const patterns[] = {"ab",	  "a+c",   "^abc", "(a)\\1b", "c$",
					       "(?<=b)c", "b{2,}", "x",	   "[^ab]c",  "a.b"};
	enum { N = sizeof(patterns) / sizeof(patterns[0]) };
	struct span spans[N];
	struct rng rng;

	(void)state;
	rng_seed(&rng, 815);
	for (size_t i = 0; i < N; i++)
		spans[i] = span_str(patterns[i]);
	for (int loop = 0; loop < 2; loop++) {
		struct regexp_set *set;
		struct regexp_error err;
		struct regexp *one[N];
		size_t which;

		assert_int_equal(regexp_set_new(regexp_lib_of(s), spans, N, 0, loop, &set, &err,
						&which),
				 0);
		if (loop)
			assert_string_equal(regexp_set_engine(set), "pcre2");
		for (size_t i = 0; i < N; i++)
			assert_int_equal(regexp_compile(regexp_lib_of(s), spans[i], 0, &one[i],
							&err),
					 0);
		for (int round = 0; round < 2000; round++) {
			bool hits[N] = {0}, streamed[N] = {0}, fresh[N] = {0};
			struct regexp_set_sink *k;
			char text[20];
			size_t n = rng_below(&rng, sizeof(text));
			int found, found_streamed = 0;

			for (size_t j = 0; j < n; j++)
				text[j] = "abc"[rng_below(&rng, 3)];
			found = regexp_set_match(set, span_of(text, n), 0, hits);
			assert_int_equal(regexp_set_sink_new(set, &k), 0);
			for (size_t at = 0, piece; at < n || !n; at += piece) {
				piece = 1 + rng_below(&rng, 4);
				piece = piece < n - at ? piece : n - at;
				found_streamed += regexp_set_feed(k, span_of(text + at, piece),
								  at + piece == n, 0, fresh);
				for (size_t i = 0; i < N; i++)
					streamed[i] |= fresh[i];
				if (!n)
					break;
			}
			regexp_set_sink_free(k);
			for (size_t i = 0; i < N; i++) {
				struct regexp_result where;
				bool want = regexp_match(one[i], span_of(text, n), 0, 0, &where) ==
					    1;

				if (hits[i] != want || streamed[i] != want) {
					print_error("%s on '%.*s': alone %d, set %d, stream %d\n",
						    patterns[i], (int)n, text, want, hits[i],
						    streamed[i]);
					fail();
				}
				found -= want;
				found_streamed -= want;
			}
			assert_int_equal(found, 0);
			assert_int_equal(found_streamed, 0);
		}
		for (size_t i = 0; i < N; i++)
			regexp_free(one[i]);
		regexp_set_free(set);
	}
}

static void test_sets_in_lua(void **state)
{
	(void)state;
	ok("re = require('regexp/pcre').re set = re:set({'evil', 'b%d+', '(x)%1'}, 'i') "
	   "assert(set:match('nothing') == nil)"
	   "local t = set:match('EVIL b12 xx') assert(#t == 3 and t[1] == 1 and t[3] == 3) t = "
	   "set:match('b1') assert(#t == 1 and t[1] == 2)"
	   "local k = set:create_sink()\nassert(k:feed('ev') == nil and k:feed('il')[1] == 1 and "
	   "k:feed('evil') == nil)"
	   "\nt = k:feed(' b1 x') assert(#t == 1 and t[1] == 2)\nt = k:feed('x', true) assert(#t "
	   "== 1 and t[1] == 3)"
	   "assert(set:engine() == 'vectorscan' or set:engine() == 'pcre2')");
	fails("re:set({'a', '('})", SCRIPT_E_RUNTIME,
	      "t.lua:1: regexp: '(': missing closing parenthesis at octet 1");
	fails("re:set({})", SCRIPT_E_RUNTIME, "re:set: 0 patterns (1 to 20000)");
	fails("re:set('a')", SCRIPT_E_RUNTIME, "re:set: list of patterns expected, got string");
	fails("re:set({1})", SCRIPT_E_RUNTIME, "re:set: pattern: string expected, got number");
}

static void test_bounds(void **state)
{
	struct script_stats st;

	(void)state;
	ok("re = require('regexp/pcre').re");
	fails("re:match('(a+)+$', ('a'):rep(40) .. 'b')", SCRIPT_E_RUNTIME,
	      "t.lua:1: regexp: more than 1000000 steps in one match");
	fails("while true do pcall(re.match, re, '(a+)+$', ('a'):rep(40) .. 'b') end",
	      SCRIPT_E_BUDGET, "");
	fails("local t = {} for i = 1, 1e6 do t[i] = re:compile('a' .. i) end", SCRIPT_E_BUDGET,
	      "");
	fails("local k = re:compile('a(?=.*b)'):create_sink() while true do k:feed(('a'):rep(100)) "
	      "end",
	      SCRIPT_E_BUDGET, "");
	/* forgotten patterns are let go of, in the state's own memory */
	for (int i = 0; i < 20; i++)
		ok("for i = 1, 500 do re:compile('(a|b)*' .. "
		   "i):create_sink():feed(('a'):rep(1000)) end");
	script_stats(s, &st);
	assert_true(st.memory_peak < 33 << 20);
	teardown(state);
	assert_int_equal(script_new(&(struct script_opts){.instructions = 1ULL << 40,
							  .call_ms = 60000,
							  .memory = 4 << 20},
				    &s),
			 0);
	ok("re = require('regexp/pcre').re");
	fails("local t = {} for i = 1, 1e6 do t[i] = re:compile('(a|b)*' .. i) end",
	      SCRIPT_E_MEMORY, "t.lua");
	ok("assert(re:match('(a|b)*', 'ab') == 'ab')");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_match, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sinks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_streams_cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sets_in_lua, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
