/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Buffers in memory: the cases that hold for all buffers, operations of whole buffers only, memory
 * and its bounds, iterators that wait.
 */
#include "unit/unit.h"

#include "buffer_cases.h"

#include "script/buffer/buffer.h"
#include "script/script_open.h"

#include <stdio.h>
#include <string.h>

static struct script *s;

static int setup(void **state)
{
	struct script_error err;

	(void)state;
	assert_int_equal(script_new(&(struct script_opts){.memory = 8 << 20, .call_ms = 10000}, &s),
			 0);
	return script_run_text(s, "@prelude", span_str(buffer_prelude), &err);
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
		print_error("%s\n%.700s\n", err.text, text);
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

static void set_global(const char *name, const char *text)
{
	lua_State *L = script_lua(s);

	lua_pushstring(L, text);
	lua_setglobal(L, name);
}

static void test_cases(void **state)
{
	char text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(buffer_cases) / sizeof(buffer_cases[0]); i++) {
		const struct buffer_case *c = &buffer_cases[i];

		set_global("BEFORE", c->before);
		/* a C string ends where an octet is zero: cases have that only at their end */
		set_global("AFTER", c->after);
		(void)snprintf(
			text, sizeof(text),
			"local b = haka.vbuffer_from(BEFORE)\n%s\nlocal got = b:sub():asstring():gsub('%%z+$', '') if got ~= AFTER then"
			" error([[%s: ]] .. got) end is(b.modified, true == b.modified)",
			c->lua, c->name);
		ok(text);
	}
}

static void test_whole(void **state)
{
	(void)state;
	ok("local b = haka.vbuffer_from('abc') is(b.modified, false) is(tostring(b), 'vbuffer: 3') is(tostring(b:sub(1)), 'vbuffer_sub: 2')\n"
	   "local c = haka.vbuffer_from('def') b:append(c) is(#b, 6) is(#c, 0) is(b.modified, true) is(c.modified, true)\n"
	   "c:append(haka.vbuffer_from('x')) is(c:sub():asstring(), 'x')\n"
	   "fails(function() b:append(b) end, 'circular buffer insertion') fails(function() b:pos(1):insert(b) end, 'circular buffer insertion')\n"
	   "fails(function() b:sub(0, 1):replace(b) end, 'circular') fails(function() b:append(5) end, 'vbuffer expected, got number')\n"
	   "fails(function() b:append(b:sub()) end, 'vbuffer expected') is(getmetatable(b), 'vbuffer')");
	ok("local b = haka.vbuffer_allocate(5) is(b:sub():asstring(), '\\0\\0\\0\\0\\0') is(#haka.vbuffer_allocate(0), 0)\n"
	   "is(haka.vbuffer_allocate(3, false):sub():asstring(), '\\0\\0\\0') fails(function() haka.vbuffer_allocate(-1) end, 'haka.vbuffer_allocate')\n"
	   "fails(function() haka.vbuffer_from(5) end, 'haka.vbuffer_from: string expected, got number')");
	ok("local b = haka.vbuffer_from('abc') local c = b:clone() c[1] = 65 is(b:sub():asstring(), 'abc') is(c:sub():asstring(), 'Abc')\n"
	   "is(b:clone('copy'):sub():asstring(), 'abc') local ro = b:clone('ro clone')\n"
	   "fails(function() ro[1] = 1 end, 'read only buffer') fails(function() ro:append(c) end, 'read only buffer') b[1] = 97\n"
	   "fails(function() c:append(ro) end, 'read only buffer') is(#c, 3)\n"
	   "c = b:clone('ro orig') fails(function() b:sub():erase() end, 'erase: read only buffer') c[1] = 1\n"
	   "fails(function() b:clone('nonsense') end, 'nonsense')");
	/* iterators: at the end of all data, and wait() there */
	ok("local b = haka.vbuffer_from('abc') local p = b:pos(1) is(p.iseof, false) is(p:wait(), false) p:advance('all') is(p.iseof, true)\n"
	   "is(p:wait(), true) fails(function() p.iseof = 1 end, 'read-only') fails(function() p.x = 1 end, \"no field 'x'\")");
	/* a handle keeps its buffer alive */
	ok("local p, q do local b = haka.vbuffer_from(('x'):rep(100)) p, q = b:pos(0), b:sub(1) end for i = 1, 50 do haka.vbuffer_allocate(100000) end\n"
	   "is(p:sub('all'):asstring(), ('x'):rep(100)) is(#q, 99)");
}

static void test_bounds(void **state)
{
	struct script_stats st;

	(void)state;
	fails("haka.vbuffer_allocate(1e9)", SCRIPT_E_MEMORY, "");
	fails("haka.vbuffer_allocate(2e9)", SCRIPT_E_RUNTIME,
	      "2000000000 is no whole number from 0 to 1073741824");
	fails("local b = haka.vbuffer_from('x') while true do b:append(b:clone()) end",
	      SCRIPT_E_MEMORY, "");
	fails("local b = haka.vbuffer_from(('x'):rep(1e6)) while true do b:pos(0):insert('x') b:sub(0, 1):erase() end",
	      SCRIPT_E_BUDGET, "");
	fails("local b = haka.vbuffer_from('x') while true do b:sub():zero() end", SCRIPT_E_BUDGET,
	      "");
	/* unreferenced buffers are freed */
	ok("for i = 1, 1000 do haka.vbuffer_allocate(50000):pos(0):insert('x') end");
	/* a handle that slept through more changes than are kept says so; one that is used stays
	 * valid */
	ok("local b = haka.vbuffer_from('0123456789') local old, used = b:pos(9), b:pos(9)\n"
	   "for i = 1, 5000 do b:sub(0, 1):setstring('ab') b:sub(0, 2):setstring('a') used:available() end\n"
	   "is(used:sub(1):asstring(), '9') fails(function() old:available() end, 'invalid buffer iterator')");
	ok("local b = haka.vbuffer_from('x') for i = 1, 1024 do b:pos(0):mark() end fails(function() b:pos(0):mark() end, 'more than 1024 marks')");
	script_stats(s, &st);
	assert_true(st.memory_peak <= 9 << 20);
}

/* Without a stream no more data comes: a waiting iterator takes the existing data. */
static void test_blocking(void **state)
{
	(void)state;
	ok("local b = haka.vbuffer_from('0123456789') local p = haka.vbuffer_iterator_blocking(b:pos(1)) is(getmetatable(p), 'vbuffer_iterator_blocking')\n"
	   "is(p:wait(), true) is(p:sub(2):asstring(), '12') is(p:advance(2), 2) is(p.meter, 4) is(p:check_available(9), false)\n"
	   "is(#p:sub(0), 0) is(p:sub(99):asstring(), '56789') is(p:sub(1), nil) is(p:sub('all'), nil) is(p:wait(), false) is(p:advance('all'), 0)\n"
	   "is(p.iseof, true) is(getmetatable(p:copy()), 'vbuffer_iterator') is(haka.vbuffer_sub(b:pos(0), p):asstring(), '0123456789')\n"
	   "fails(function() p:advance('x') end, \"t.lua:5: advance: number, 'all' or 'available' expected, got 'x'\")\n"
	   "fails(function() haka.vbuffer_iterator_blocking(b) end, 'iterator expected, got')");
}

static void test_streams(void **state)
{
	(void)state;
	ok("local s = haka.vbuffer_stream() is(s:pop(), nil) is(s.isfinished, false) local one = haka.vbuffer_from('one') local p = s:push(one) is(#one, 0)\n"
	   "is(p:available(), 3) local q = s:push(haka.vbuffer_from('two')) is(p:available(), 6) is(q:sub(1):asstring(), 't') is(p:copy():sub('all'):asstring(), 'onetwo')\n"
	   "is(s.data:sub():asstring(), 'onetwo') is(#s.data, 6) is(p.iseof, false) p:sub(2):setstring('<on>') is(s:pop():sub():asstring(), '<on>e')\n"
	   "is(s.data:sub():asstring(), 'two') is(q:sub(2):asstring(), 'wo') p = s.data:pos(0) p:mark()\n"
	   "is(s:pop(), nil) p:unmark() s:push('three') is(s:pop():sub():asstring(), 'two') s:push(haka.vbuffer_from('four'))\n"
	   "s.data:sub(4, 2):erase() is(s:pop():sub():asstring(), 'thre') is(s:pop():sub():asstring(), 'our') is(s:pop(), nil)\n"
	   "s:finish() is(s.isfinished, true) is(s.data:pos('end').iseof, true) fails(function() s:push('x') end, 'the stream is finished')\n"
	   "fails(function() q:sub(1) end, 'invalid buffer iterator') fails(function() s:push(5) end, 'vbuffer expected') fails(function() s.data = 1 end, 'read-only')");
	/* iterators that wait, in coroutines of the script's own */
	ok("local out, s = {}, haka.vbuffer_stream()\n"
	   "local co = coroutine.wrap(function(iter) iter = haka.vbuffer_iterator_blocking(iter) while true do local x = iter:sub(10) if not x then break end\n"
	   " out[#out + 1] = x:asstring() end out[#out + 1] = 'end' end)\n"
	   "for i = 1, 9 do local at = s:push(haka.vbuffer_from('Haka')) if i == 9 then s:finish() end co(at) end\n"
	   "is(table.concat(out, ' '), 'HakaHakaHa kaHakaHaka HakaHakaHa kaHaka end')\n"
	   "fails(function() haka.vbuffer_iterator_blocking(haka.vbuffer_stream().data:pos(0)):wait() end, 'only a coroutine')");
	ok("local re, s, found = require('regexp/pcre').re, haka.vbuffer_stream()\n"
	   "local co = coroutine.wrap(function(iter) found = re:match('a+b', haka.vbuffer_iterator_blocking(iter), nil, true):asstring() end)\n"
	   "co(s:push('xxa')) is(s:pop(), nil) co(s:push('aa')) co(s:push('abx')) is(found, 'aaaab') is(s:pop():sub():asstring(), 'xxa')");
	/* of octets that lie elsewhere */
	ok("local b, s = haka.vbuffer_from('headBODYtail'), haka.vbuffer_sub_stream() local p = s:push(b:sub(4, 2)) is(b:sub():asstring(), 'headDYtail')\n"
	   "local q = s:push(b:sub(4, 2)) is(s.data:sub():asstring(), 'BODY') is(p:sub('all'):asstring(), 'BODY') s.data:sub(1, 1):setstring('ooo')\n"
	   "local x = s:pop() is(x:asstring(), 'Booo') is(s:pop():asstring(), 'DY') is(b:sub():asstring(), 'headBoooDYtail') is(s:pop(), nil)\n"
	   "is(s.isfinished, false) s:finish() is(s.isfinished, true)");
	ok("local m, s, got = haka.vbuffer_stream_comanager:new(), haka.vbuffer_stream(), {} is(m:has('a'), false)\n"
	   "local function follow(name) return function(iter) for x in iter:foreach_available() do got[#got + 1] = name .. x:asstring() end got[#got + 1] = name end end\n"
	   "m:start('a', follow('a')) m:process_all(s:push('1')) m:start('b', follow('b')) m:process('a', s:push('2')) m:process('b', s.data:pos(1)) is(m:has('a'), true)\n"
	   "s:finish() m:process_all(s.data:pos('end')) m:process_all(s.data:pos('end')) table.sort(got) is(table.concat(got, ' '), 'a a1 a2 b b2')\n"
	   "fails(function() m:process('c', s.data:pos(0)) end, 'nothing was started') fails(function() m:start('d') end, 'a function expected')\n"
	   "m:start('e', function() error('oops') end) fails(function() m:process('e', s.data:pos('end')) end, 'oops') is(m:has('e'), true)");
	fails("local m, s = haka.vbuffer_stream_comanager:new(), haka.vbuffer_stream() m:start(1, function() while true do end end) m:process(1, s:push('x'))",
	      SCRIPT_E_BUDGET, "");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {T(test_cases), T(test_whole), T(test_bounds),
					   T(test_blocking), T(test_streams)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
