/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Buffers in memory: the cases that hold for all buffers, what only whole buffers can, memory and its bounds, iterators that wait.
 */
#include "unit.h"

#include "buffer_cases.h"

#include "script/buffer.h"

#include <stdio.h>
#include <string.h>

static struct script *s;

static int setup(void **state)
{
	struct script_error err;

	(void)state;
	assert_int_equal(script_new(&(struct script_opts){.memory = 8 << 20}, &s), 0);
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
		print_error("%s\n%s\n", text, err.text);
		fail();
	}
}

static void fails(const char *text, enum script_fault fault, const char *with)
{
	struct script_error err = {0};

	if (script_run_text(s, "@t.lua", span_str(text), &err) >= 0 || err.fault != fault || !strstr(err.text, with)) {
		print_error("%s\ngives: %s %s\nnot:   %s\n", text, script_fault_name(err.fault), err.text, with);
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
		(void)snprintf(text, sizeof(text),
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
	/* iterators: at the end of all, and what there is to wait for */
	ok("local b = haka.vbuffer_from('abc') local p = b:pos(1) is(p.iseof, false) is(p:wait(), false) p:advance('all') is(p.iseof, true)\n"
	   "is(p:wait(), true) fails(function() p.iseof = 1 end, 'read-only') fails(function() p.x = 1 end, \"no field 'x'\")");
	/* a handle keeps what it is of */
	ok("local p, q do local b = haka.vbuffer_from(('x'):rep(100)) p, q = b:pos(0), b:sub(1) end for i = 1, 50 do haka.vbuffer_allocate(100000) end\n"
	   "is(p:sub('all'):asstring(), ('x'):rep(100)) is(#q, 99)");
}

static void test_bounds(void **state)
{
	struct script_stats st;

	(void)state;
	fails("haka.vbuffer_allocate(1e9)", SCRIPT_E_MEMORY, "");
	fails("haka.vbuffer_allocate(2e9)", SCRIPT_E_RUNTIME, "2000000000 is no whole number from 0 to 1073741824");
	fails("local b = haka.vbuffer_from('x') while true do b:append(b:clone()) end", SCRIPT_E_MEMORY, "");
	fails("local b = haka.vbuffer_from(('x'):rep(1e6)) while true do b:pos(0):insert('x') b:sub(0, 1):erase() end", SCRIPT_E_BUDGET, "");
	fails("local b = haka.vbuffer_from('x') while true do b:sub():zero() end", SCRIPT_E_BUDGET, "");
	/* what is forgotten is let go of */
	ok("for i = 1, 1000 do haka.vbuffer_allocate(50000):pos(0):insert('x') end");
	/* a handle that slept through more changes than are kept says so; one that is used goes on */
	ok("local b = haka.vbuffer_from('0123456789') local old, used = b:pos(9), b:pos(9)\n"
	   "for i = 1, 5000 do b:sub(0, 1):setstring('ab') b:sub(0, 2):setstring('a') used:available() end\n"
	   "is(used:sub(1):asstring(), '9') fails(function() old:available() end, 'invalid buffer iterator')");
	ok("local b = haka.vbuffer_from('x') for i = 1, 256 do b:pos(0):mark() end fails(function() b:pos(0):mark() end, 'more than 256 marks')");
	script_stats(s, &st);
	assert_true(st.memory_peak <= 9 << 20);
}

/* Without a stream nothing more comes: what waits takes what there is. */
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {T(test_cases), T(test_whole), T(test_bounds), T(test_blocking)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
