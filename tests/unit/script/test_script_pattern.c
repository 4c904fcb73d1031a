/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Our pattern matcher against LuaJIT's: the same cases run in a RESTRICTED state (ours) and a
 * TRUSTED one (LuaJIT's) and must print the same; first cases that were thought of, then random
 * ones.
 */
#include "script/script_open.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void print_line(void *ctx, struct span line)
{
	struct buf *b = ctx;

	for (size_t i = 0; i < line.n; i++)
		buf_char(b, line.p[i] ? (char)line.p[i] : '@');
	buf_char(b, '\n');
}

static void run(enum script_profile profile, const char *text, struct buf *out)
{
	struct script_opts o = {.profile = profile,
				.print = print_line,
				.ctx = out,
				.instructions = 1ULL << 40,
				.call_ms = 60000};
	struct script_error err;
	struct script *s = NULL;

	assert_int_equal(script_new(&o, &s), 0);
	if (script_run_text(s, "@t.lua", span_str(text), &err) != 0) {
		print_error("%s\n", err.text);
		fail();
	}
	script_free(s);
}

static const char *next_line(const char *p)
{
	const char *end = strchr(p, '\n');

	return end ? end + 1 : p + strlen(p);
}

/*
 * Line by line. A pattern is checked whole by ours, and by LuaJIT only as far as it gets: so ours
 * may fail more often, if `strict` is false. Returns how many lines failed.
 */
static size_t same(const char *text, bool strict, size_t *ret_lines)
{
	struct buf a = {0};
	struct buf b = {0};
	size_t failed = 0;
	const char *p;
	const char *q;

	run(SCRIPT_RESTRICTED, text, &a);
	run(SCRIPT_TRUSTED, text, &b);
	assert_true(a.len > 100);
	*ret_lines = 0;
	for (p = a.p, q = b.p; *p && *q; p = next_line(p), q = next_line(q)) {
		size_t n = (size_t)(next_line(p) - p);

		++*ret_lines;
		if (n > 7 && memcmp(p + n - 7, "failed\n", 7) == 0)
			failed++;
		if (strncmp(p, q, n) != 0 && (strict || memcmp(p + n - 7, "failed\n", 7) != 0)) {
			print_error("ours:    %.200s\nLuaJIT's: %.200s\n", p, q);
			fail();
		}
	}
	assert_true(!*p && !*q);
	buf_fini(&a);
	buf_fini(&b);
	return failed;
}

/* show(): a call's results, or its error, without the place */
#define SHOW                                                                                     \
	"local function show(what, ok, ...) local t = {what, tostring(ok)}"                      \
	" for i = 1, select('#', ...) do t[#t + 1] = tostring((select(i, ...))) end"             \
	" if not ok then t[3] = 'failed' end print(table.concat(t, '|')) end\n"                  \
	"local function each(s, p) local t = {} for a, b in string.gmatch(s, p) do t[#t + 1] = " \
	"tostring(a) .. tostring(b)"                                                             \
	" if #t > 50 then break end end return table.concat(t, '|') end\n"                       \
	"local function try(s, p, r, i) show(s .. ' ' .. p, pcall(string.find, s, p, i)) "       \
	"show('match', pcall(string.match, s, p, i))"                                            \
	" show('gsub', pcall(string.gsub, s, p, r)) show('each', pcall(each, s, p)) end\n"

static void test_known_cases(void **state)
{
	size_t lines;

	(void)state;
	(void)same(SHOW
		   "try('hello world', 'o', '0') try('hello world', 'l+', '<%0>') try('hello', "
		   "'(h)(.-)(o)$', '%3%2%1')\n"
		   "try('  trim  ', '^%s*(.-)%s*$', '%1') try('key = value', '(%w+)%s*=%s*(%w+)', "
		   "'%2=%1')\n"
		   "try('f(a(b)c)d', '%b()', '') try('THE (quick) fox', '%f[%a]%a+', 'x') "
		   "try('abab', '(ab)%1', 'z')\n"
		   "try('a.b-c', '[%w-]+', '*') try('a]b', '[]]', '') try('a^b', '[%^]', '') "
		   "try('a^b', '[^^]', '')\n"
		   "try('x', '()', '%1') try('', '', 'e') try('abc', '', '-') try('abc', 'b*', "
		   "'-') try('abc', '$', '$')\n"
		   "try('a\\0b', '%z', 'Z') try('a\\0b', '[%z]', 'Z') try('x^y', 'x^y', '')\n"
		   "try('a$b', 'a$b', '') try('aaa', 'a-', 'x') try('aaa', 'a-$', 'x') try('ab', "
		   "'a?b?c?', '!')\n"
		   "try('abc', '(()b())', '%1%2%3') try('hello', 'l', 'L', 4) try('hello', 'l', "
		   "'L', -2) try('hello', '', '', 10)\n"
		   "try('x', 'x', '%2') try('x', 'x', '%a') try('a-z', '[a-]', '.') try('-', "
		   "'[--/]', '.')\n"
		   "try('0-9', '[0-9-]', '.') try('%', '%%', '%%') try('a\\nb', '.', '.') "
		   "try('abcabc', '(a)(b)(c)', {a = 1})\n"
		   "try('abc', '%w', {a = 'x', b = false, c = 3}) try('abc', '%w', function(c) "
		   "return c ~= 'b' and c:upper() end)\n"
		   "try('abc', '%w', function() return {} end) try('abc', 'b', nil) try('aXbX', "
		   "'X', 'y')\n"
		   "show('n', pcall(string.gsub, 'aaaa', 'a', 'b', 2)) show('n', "
		   "pcall(string.gsub, 'aaaa', 'a', 'b', 0))\n"
		   "show('n', pcall(string.gsub, 'aaaa', '^a', 'b')) show('p', pcall(string.find, "
		   "'a.b', '.', 2, true))\n"
		   "show('p', pcall(string.find, 'abc', '', 10, true)) show('p', "
		   "pcall(string.find, 'abc', 'c', -1, true))\n"
		   "for c = 0, 255 do for _, k in "
		   "ipairs{'a','c','d','l','p','s','u','w','x','A','C','D','L','P','S','U','W','X'}"
		   " do\n"
		   " if string.find(string.char(c), '%' .. k) then print(c .. k) end end end\n",
		   true, &lines);
}

/* Checked whole, even where the subject would never bring the matcher there. */
static void test_malformed(void **state)
{
	struct buf out = {0};

	(void)state;
	run(SCRIPT_RESTRICTED,
	    "for _, p in ipairs{'[a', 'b%', '(x', 'b)', 'b%1', '(x%1)', '%b', 'b%bx', '%f', '%fa', "
	    "'[%', '[]', '[^]', '%0',"
	    " ('()'):rep(33), ('[a]'):rep(25), ('a*'):rep(200)} do\n"
	    " for _, f in ipairs{'find', 'match', 'gsub'} do local ok, e = pcall(string[f], 'x', "
	    "p, f == 'gsub' and '' or 1)\n"
	    " if ok or not e:find('pattern') and not e:find('capture') then error(p .. ' ' .. "
	    "tostring(e)) end end end print('x')",
	    &out);
	assert_string_equal(out.p, "x\n");
	buf_fini(&out);
}

static void test_random_patterns(void **state)
{
	size_t lines;
	size_t failed;

	(void)state;
	failed = same(SHOW "local seed = 4711 local function r(n) seed = (seed * 16807) % "
			   "2147483647 return seed % n end\n"
			   "local bits = "
			   "{'a','b','c','.','%a','%d','[ab]','[^a]','[a-c]','(',')','()','*','+','"
			   "-','?','$','^','%1','%2','%b()',"
			   "'%f[b]','%','[',']','x','%w','%S','%%'}\n"
			   "local chars = {'a','b','c','1','(',')',' ','%','x'}\n"
			   "for i = 1, 20000 do local p, s = {}, {} for k = 1, 1 + r(6) do p[k] = "
			   "bits[1 + r(#bits)] end\n"
			   " for k = 1, r(12) do s[k] = chars[1 + r(#chars)] end "
			   "try(table.concat(s), table.concat(p), '<%0>') end\n",
		      false, &lines);
	assert_true(lines == 80000 && failed < lines / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_cases),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_random_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
