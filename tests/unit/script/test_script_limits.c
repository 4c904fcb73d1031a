/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A Lua state and its limits: functions that a script cannot reach, that no script runs for ever or
 * eats all memory however it tries, and that the state is usable afterwards.
 */
#include "script/script_open.h"

#include "base/error.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char printed[4096];

static void print_line(void *ctx, struct span line)
{
	(void)ctx;
	(void)snprintf(printed + strlen(printed), sizeof(printed) - strlen(printed), "%.*s\n",
		       (int)line.n, (const char *)line.p);
}

static struct script *fresh(struct script_opts o)
{
	struct script *s = NULL;

	printed[0] = '\0';
	o.print = print_line;
	assert_int_equal(script_new(&o, &s), 0);
	return s;
}

static struct script_error err;

static int run(struct script *s, const char *text)
{
	err = (struct script_error){0};
	return script_run_text(s, "@t.lua", span_str(text), &err);
}

static void ok(struct script *s, const char *text)
{
	if (run(s, text) != 0) {
		print_error("%s\n%s: %s\n", text, script_fault_name(err.fault), err.text);
		fail();
	}
}

static void fails(struct script *s, const char *text, enum script_fault fault, const char *what)
{
	int r = run(s, text);

	if (r != -USHER_E_SCRIPT || err.fault != fault || !strstr(err.text, what)) {
		print_error("%s\n%d %s: %s\n", text, r, script_fault_name(err.fault), err.text);
		fail();
	}
	/* usable afterwards */
	ok(s, "local t = {} for i = 1, 100 do t[i] = tostring(i) .. 'x' end "
	      "assert(table.concat(t):len() == 292)");
}

static void test_faults_name_file_and_line(void **state)
{
	struct script *s = fresh((struct script_opts){0});

	(void)state;
	fails(s, "\n\nerror('boom')", SCRIPT_E_RUNTIME, "t.lua:3: boom");
	fails(s, "\nerror('boom', 0)", SCRIPT_E_RUNTIME, "t.lua:2: boom");
	fails(s, "\nerror({})", SCRIPT_E_RUNTIME, "t.lua:2: (the error is a table)");
	fails(s, "error()", SCRIPT_E_RUNTIME, "t.lua:1: (the error is a nil)");
	fails(s, "local x = nil + 1", SCRIPT_E_RUNTIME,
	      "t.lua:1: attempt to perform arithmetic on a nil value");
	fails(s, "x = = 1", SCRIPT_E_SYNTAX, "t.lua:1: unexpected symbol");
	fails(s, "\n string.rep()", SCRIPT_E_RUNTIME, "t.lua:2: bad argument #1 to 'rep'");
	fails(s, "\033LJ\002\n", SCRIPT_E_SYNTAX, "attempt to load chunk with wrong mode");
	script_free(s);
}

static void test_what_is_not_there(void **state)
{
	static const char text[] =
		"for _, n in "
		"ipairs{'ffi','jit','package','io','os','collectgarbage','newproxy','"
		"getfenv',"
		" 'setfenv','dofile','loadfile','module','gcinfo'} do assert(rawget(_G, n) == nil, "
		"n) end\n"
		"assert(string.dump == nil) local t = {} for k in pairs(debug) do t[#t + 1] = k "
		"end table.sort(t)\n"
		"assert(table.concat(t, ' ') == 'hide_function hide_underscore pprint')\n"
		"for _, n in ipairs{'ffi','jit','io','os','string','jit.opt','table.new'} do\n"
		"  local ok, e = pcall(require, n) assert(not ok and e:find('not found'), n) end\n"
		"assert(getmetatable('') == false)\n"
		"assert(not pcall(setmetatable, '', {}))\n"
		"assert(not load('\\27LJ\\2'))\n"
		"local left = true assert(not load(function() if left then left = false return "
		"'\\27LJ' end end))\n"
		"assert(load('return ...', 'n', 'b', {})(7) == 7)\n"
		"x = 1 assert(load('return x', 'n', 't', {x = 5})() == 5)";
	struct script *s = fresh((struct script_opts){0});

	(void)state;
	ok(s, text);
	script_free(s);
}

/* Each of these would run for years, or for ever. */
static const char *const runaways[] = {
	"while true do end",
	"while true do pcall(function() while true do end end) end",
	"while true do pcall(error) end",
	"xpcall(function() while true do end end, function() while true do end end)",
	"while true do xpcall(error, function() while true do end end) end",
	"local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end",
	"while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
	"local co = coroutine.create(function() while true do coroutine.yield() end end)"
	" while true do coroutine.resume(co) end",
	"(('a'):rep(5000)):find(('.-'):rep(20) .. 'c')",
	"while true do (('a'):rep(5000)):find(('.-'):rep(20) .. 'c') end",
	"local s = ('a'):rep(100000) while true do s:find('x', 1, true) end",
	"local s = ('a'):rep(100000) for _ in s:gmatch(('a*'):rep(30) .. 'b') do end",
	"local s = ('a'):rep(100000) s:gsub(('a?'):rep(50) .. ('a*'):rep(30) .. 'b', 'x')",
	"('x'):rep(1000):gsub('x', function() while true do end end)",
	"load(function() while true do end end)",
	"while true do load(function() while true do end end) end",
	"local t = {} for i = 1, 100000 do t[i] = (i * 7919) % 100003 end while true do "
	"table.sort(t) end",
	"local t = {} for i = 1, 300000 do t[i] = 'a' end while true do table.concat(t) end",
	"local s = ('a'):rep(1000000) while true do s:upper() end",
	"local s = ('a'):rep(4000000) local t = {} while true do t = s .. 'b' .. s end",
	"setmetatable(_G, {__index = function() while true do end end}) return nothing",
	"local function f() return pcall(f) end while true do f() end",
	"table.sort({3, 2, 1}, function() while true do end end)",
	"for _ in pairs(setmetatable({}, {__pairs = function() return function() return 1 end "
	"end})) do end",
	"print(setmetatable({}, {__tostring = function() while true do end end}))",
};

static void test_no_script_runs_on(void **state)
{
	struct script *s = fresh((struct script_opts){.instructions = 1000000});
	struct script_stats st;

	(void)state;
	for (size_t i = 0; i < sizeof(runaways) / sizeof(runaways[0]); i++) {
		struct timespec a, b;

		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		fails(s, runaways[i], SCRIPT_E_BUDGET, "");
		(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		/* 1 s is the net's; the sanitizers make everything slower */
		if (b.tv_sec - a.tv_sec > 5) {
			print_error("%ld s: %s\n", (long)(b.tv_sec - a.tv_sec), runaways[i]);
			fail();
		}
		ok(s, "setmetatable(_G, nil)");
	}
	script_stats(s, &st);
	assert_int_equal(st.faults[SCRIPT_E_BUDGET], sizeof(runaways) / sizeof(runaways[0]));
	assert_int_equal(st.faults[SCRIPT_E_RUNTIME], 0);
	script_free(s);
}

static void test_budget_is_per_call(void **state)
{
	struct script *s = fresh((struct script_opts){.instructions = 100000});

	(void)state;
	for (int i = 0; i < 100; i++)
		ok(s, "for i = 1, 20000 do local x = i end");
	fails(s, "\nfor i = 1, 200000 do local x = i end", SCRIPT_E_BUDGET,
	      "t.lua:2: more than 100000 instructions in one call");
	script_free(s);
}

static void test_time_is_the_net(void **state)
{
	struct script *s = fresh((struct script_opts){.instructions = 1ULL << 50, .call_ms = 50});

	(void)state;
	fails(s, "while true do end", SCRIPT_E_BUDGET, "t.lua:1: more than 50 ms in one call");
	fails(s, "while true do pcall(function() while true do end end) end", SCRIPT_E_BUDGET,
	      "ms in one call");
	script_free(s);
}

static int sleep_100_ms(lua_State *L)
{
	(void)L;
	(void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	return 0;
}

/* A script does not fail because other programs have the processor. */
static void test_time_is_the_processors(void **state)
{
	struct script *s = fresh((struct script_opts){.instructions = 1ULL << 50, .call_ms = 50});
	lua_State *L = script_lua(s);

	(void)state;
	lua_pushcfunction(L, sleep_100_ms);
	lua_setglobal(L, "pause");
	ok(s, "local n = 0; for k = 1, 3 do pause(); for i = 1, 100000 do n = n + i end end");
	fails(s, "pause() while true do pause() for i = 1, 1000000 do end end", SCRIPT_E_BUDGET,
	      "t.lua:1: more than 50 ms in one call");
	script_free(s);
}

/* Wherever in a resume the limit strikes, the state knows which coroutine runs. */
static void test_limits_strike_anywhere(void **state)
{
	(void)state;
	/* enough for the scripts that run afterwards, should the table of strings have to double
	 * just then */
	for (uint64_t n = 3000; n < 3200; n++) {
		struct script *s = fresh((struct script_opts){.instructions = n});

		fails(s,
		      "local co = coroutine.create(print) while true do coroutine.resume(co) end",
		      SCRIPT_E_BUDGET, "");
		fails(s, "while true do coroutine.wrap(pcall)(coroutine.wrap, nil) end",
		      SCRIPT_E_BUDGET, "");
		assert_int_equal(lua_gettop(script_lua(s)), 0);
		script_free(s);
	}
}

static const char *const eaters[] = {
	"local t = {} while true do t[#t + 1] = {1, 2, 3} end",
	"local s = 'x' while true do s = s .. s end",
	"('x'):rep(1e9)",
	"('x'):rep(1e9, 'y')",
	"while true do pcall(string.rep, 'x', 1e9) end",
	"local t = {} while true do t[#t + 1] = tostring(#t) .. ('k'):rep(1000) end",
	"local function f(...) return f(1, ...) end f()",
	"local t = {} while true do pcall(function() while true do t[#t + 1] = {} end end) end",
	"local t = {} for i = 1, 1e7 do t[i] = coroutine.create(function() end) end",
	"table.concat({('x'):rep(3e6), ('x'):rep(3e6), ('x'):rep(3e6)})",
	"local t = {} for i = 1, 100 do t[i] = ('x'):rep(1e5) .. i end local s = ('%s'):rep(100) "
	"s:format(unpack(t))",
};

static void test_memory_has_a_cap(void **state)
{
	struct script *s = fresh((struct script_opts){.instructions = 1ULL << 50,
						      .call_ms = 60000,
						      .memory = 8 << 20});
	struct script_stats st;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(eaters) / sizeof(eaters[0]); i++) {
			int r = run(s, eaters[i]);

			/* some run into a bound of LuaJIT's own: the stack's */
			if (r != -USHER_E_SCRIPT ||
			    (err.fault != SCRIPT_E_MEMORY && !strstr(err.text, "stack"))) {
				print_error("%s: %d %s\n", eaters[i], r, err.text);
				fail();
			}
			script_stats(s, &st);
			assert_true(st.memory_peak <= 9 << 20);
			if (st.memory > 1 << 20)
				print_error("%zu after %s\n", st.memory, eaters[i]);
			assert_true(st.memory < 1 << 20);
			ok(s, "local t = {} for i = 1, 1000 do t[i] = {i} end");
		}
	}
	script_free(s);
}

/* A state that stays full fails each time, and never worse. */
static void test_memory_that_stays_full(void **state)
{
	struct script *s = fresh((struct script_opts){.memory = 4 << 20});

	(void)state;
	assert_int_equal(run(s, "keep = {} while true do keep[#keep + 1] = {1} end"),
			 -USHER_E_SCRIPT);
	assert_int_equal(err.fault, SCRIPT_E_MEMORY);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(run(s, "for i = 1, 1e5 do keep[#keep + 1] = {1} end"),
				 -USHER_E_SCRIPT);
		assert_int_equal(err.fault, SCRIPT_E_MEMORY);
		assert_non_null(strstr(err.text, "t.lua"));
	}
	ok(s, "keep = nil");
	(void)run(s, "local t = {} for i = 1, 10000 do t[i] = {i} end"); /* at worst this one finds
									    no room yet */
	ok(s, "local t = {} for i = 1, 10000 do t[i] = {i} end");
	script_free(s);
}

/* Much garbage, little kept: LuaJIT alone would wait until twice as much is in use. */
static void test_garbage_is_not_a_full_memory(void **state)
{
	struct script *s = fresh((struct script_opts){.memory = 8 << 20,
						      .instructions = 1ULL << 40,
						      .call_ms = 60000});

	(void)state;
	ok(s, "keep = {} for i = 1, 60000 do keep[i] = {i} end"); /* about 5 MiB */
	ok(s, "for i = 1, 300000 do local x = {i, i} end");
	ok(s, "for i = 1, 2000 do local x = ('x'):rep(10000) .. i end");
	script_free(s);
}

static void test_nothing_nests_too_deeply(void **state)
{
	static const char *const deep[] = {
		"local function f() return coroutine.wrap(f)() end f()",
		"local function f(x) return (('x'):gsub('x', f)) end f()",
		"local function f() table.sort({2, 1}, f) end f()",
		"local t = setmetatable({}, {}) getmetatable(t).__tostring = function() return "
		"tostring(t) end tostring(t)",
		"local t = setmetatable({}, {}) getmetatable(t).__tostring = function() return "
		"('%s'):format(t) end tostring(t)",
		"local function f() load(f) end f()",
		"local t = setmetatable({}, {}) getmetatable(t).__pairs = function() return "
		"pairs(t) end pairs(t)",
		"local function f() f() end f()",
		"local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return "
		"t[k] end local x = t.a",
		"load(('('):rep(100000) .. ')')() ",
		"load(('{'):rep(100000))()",
		"local t = {} for i = 1, 100000 do t[i] = 'a = function() ' end "
		"load(table.concat(t))()",
	};
	struct script *s = fresh((struct script_opts){0});

	(void)state;
	for (size_t i = 0; i < sizeof(deep) / sizeof(deep[0]); i++) {
		assert_int_equal(run(s, deep[i]), -USHER_E_SCRIPT);
		ok(s, "assert(1 + 1 == 2)");
	}
	script_free(s);
}

static int reenter(lua_State *L)
{
	struct script *s = script_of(L);
	struct script_error e = {0};
	lua_State *now = script_lua(s);
	int top = lua_gettop(now);
	int r;

	assert_ptr_equal(now, L);
	lua_pushvalue(L, 1);
	r = script_pcall(s, 0, 1, &e);
	assert_int_equal(lua_gettop(L), r ? top : top + 1);
	if (r < 0) {
		lua_pushfstring(L, "inner: %s", e.text);
		return lua_error(L);
	}
	return 1;
}

static void test_host_functions_enter_again(void **state)
{
	struct script *s = fresh((struct script_opts){.instructions = 1000000});

	(void)state;
	assert_int_equal(script_haka_function(s, "reenter", reenter, NULL), 0);
	ok(s, "assert(haka.reenter(function() return haka.reenter(function() return 5 end) end) == "
	      "5)");
	ok(s, "local co = coroutine.wrap(function() coroutine.yield(haka.reenter(function() return "
	      "6 end)) "
	      "coroutine.yield(haka.reenter(function() return 7 end)) end) assert(co() == 6) "
	      "assert(haka.reenter(function() return 5 end) == 5) assert(co() == 7)");
	ok(s, "local ok, e = pcall(haka.reenter, function() error('x') end) assert(e:find('inner: "
	      "t.lua:1: x'), e)");
	fails(s, "pcall(haka.reenter, function() while true do end end) while true do end",
	      SCRIPT_E_BUDGET, "");
	assert_int_equal(lua_gettop(script_lua(s)), 0);
	script_free(s);
}

static void test_abort_is_no_fault(void **state)
{
	struct script *s = fresh((struct script_opts){0});
	struct script_stats st;

	(void)state;
	assert_int_equal(run(s, "haka.abort()"), SCRIPT_ABORTED);
	assert_int_equal(run(s, "pcall(haka.abort) error('not reached')"), SCRIPT_ABORTED);
	assert_int_equal(run(s, "coroutine.wrap(function() haka.abort() end)()"), SCRIPT_ABORTED);
	assert_int_equal(run(s, "xpcall(haka.abort, print) print('not reached')"), SCRIPT_ABORTED);
	script_stats(s, &st);
	assert_int_equal(st.aborts, 4);
	assert_int_equal(st.faults[SCRIPT_E_RUNTIME], 0);
	assert_string_equal(printed, "");
	script_free(s);
}

static void test_errors_can_be_caught(void **state)
{
	struct script *s = fresh((struct script_opts){0});

	(void)state;
	ok(s, "local ok, e = pcall(error, 'x', 0) assert(not ok and e == 'x')");
	ok(s, "local ok, a, b = pcall(function(...) return ... end, 1, 2) assert(ok and a == 1 and "
	      "b == 2)");
	ok(s, "local ok, e = xpcall(function() error({code = 7}) end, function(e) return e.code "
	      "end) assert(not ok and e == 7)");
	ok(s, "local ok, a = xpcall(function(a) return a end, error, 9) assert(ok and a == 9)");
	ok(s, "local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) "
	      "pcall(coroutine.yield, b) error('z', 0) end)"
	      "local _, v = coroutine.resume(co, 1) assert(v == 2) _, v = coroutine.resume(co, 3) "
	      "assert(v == 3)"
	      "local ok, e = coroutine.resume(co) assert(ok == false and e == 'z') "
	      "assert(coroutine.status(co) == 'dead')");
	script_free(s);
}

static void test_what_lua_51_lacks(void **state)
{
	struct script *s = fresh((struct script_opts){0});

	(void)state;
	ok(s, "local n = 0 for k, v in pairs(setmetatable({}, {__pairs = function(t) return next, "
	      "{a = 1, b = 2}, nil end}))"
	      " do n = n + v end assert(n == 3)");
	ok(s, "local n = 0 for k, v in pairs({1, 2, x = 3}) do n = n + v end assert(n == 6)");
	ok(s, "local t = table.pack(1, nil, 3) assert(t.n == 3 and t[3] == 3) assert(select('#', "
	      "table.unpack(t, 1, 3)) == 3)");
	ok(s, "print(1, nil, 'x', true) print()");
	assert_string_equal(printed, "1\tnil\tx\ttrue\n\n");
	fails(s, "pairs(nil)", SCRIPT_E_RUNTIME,
	      "bad argument #1 to 'pairs' (table expected, got nil)");
	script_free(s);
}

/* A folder with files, removed at the end. */
static char dir[] = "/tmp/usher-script-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wbe");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void away(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)remove(path);
}

static int host_module(lua_State *L)
{
	lua_newtable(L);
	lua_pushvalue(L, 1);
	lua_setfield(L, -2, "name");
	return 1;
}

static void test_require(void **state)
{
	static const char *const files[] = {"main.lua", "a.lua",    "sub/b.lua", "pkg/init.lua",
					    "pkg",	"loop.lua", "bad.lua",	 "byte.lua",
					    "none.lua", "sub",	    ""};
	struct script *s;
	char path[256];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sub", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/pkg", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put("a.lua", "count = (count or 0) + 1 return {name = ...}");
	put("sub/b.lua", "return require('a')");
	put("pkg/init.lua", "return 'pkg'");
	put("loop.lua", "return require('loop')");
	put("bad.lua", "\nx = = 1");
	put("byte.lua", "\033LJ\002");
	put("none.lua", "none = true");
	put("main.lua",
	    "#!/usr/bin/usher-gate\nassert(require('a') == require('sub/b')) assert(require('a') "
	    "== require('sub.b'))\n"
	    "assert(require('a').name == 'a' and count == 1)\nassert(require('pkg') == 'pkg')\n"
	    "assert(require('none') == true)\nassert(require('protocol/x').name == 'protocol/x')\n"
	    "assert(require('text/y') == 42)");
	s = fresh((struct script_opts){0});
	assert_int_equal(script_module(s, "protocol/x", host_module), 0);
	assert_int_equal(script_module_text(s, "text/y", span_str("return 42")), 0);
	(void)snprintf(path, sizeof(path), "%s/main.lua", dir);
	if (script_run_file(s, path, &err) != 0)
		print_error("%s\n", err.text), fail();
	for (int i = 0; i < 2; i++) {
		fails(s, "require('bad')", SCRIPT_E_RUNTIME, "bad.lua:2: unexpected symbol");
		fails(s, "require('loop')", SCRIPT_E_RUNTIME, "requires itself");
		fails(s, "require('byte')", SCRIPT_E_RUNTIME, "wrong mode");
		fails(s, "\nrequire('nowhere')", SCRIPT_E_RUNTIME,
		      "t.lua:2: module 'nowhere' not found");
	}
	fails(s, "require('../a')", SCRIPT_E_RUNTIME, "is no module name");
	fails(s, "require('sub/../a')", SCRIPT_E_RUNTIME, "is no module name");
	fails(s, "require('/etc/passwd')", SCRIPT_E_RUNTIME, "is no module name");
	fails(s, "require('')", SCRIPT_E_RUNTIME, "is no module name");
	fails(s, "require('a\\0b')", SCRIPT_E_RUNTIME, "is no module name");
	fails(s, "require('core/sandbox')", SCRIPT_E_RUNTIME, "not found");
	assert_int_equal(script_run_file(s, "/nowhere/x.lua", &err), -USHER_E_SCRIPT);
	assert_non_null(strstr(err.text, "/nowhere/x.lua:0: No such file"));
	script_free(s);
	/* through the search path */
	s = fresh((struct script_opts){.paths = (const char *const[]){"/nowhere", dir},
				       .n_paths = 2});
	ok(s, "assert(require('a').name == 'a')");
	script_free(s);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		away(files[i]);
}

static void test_trusted(void **state)
{
	struct script *s = fresh(
		(struct script_opts){.profile = SCRIPT_TRUSTED, .memory = 32 << 20});

	(void)state;
	ok(s, "assert(require('ffi').sizeof('int') == 4 and io.write and os.time() > 0 and jit)");
	ok(s, "local n = 0 for i = 1, 3e7 do n = n + i end");
	ok(s, "local s = 0 for k, v in pairs({1, 2, 3}) do s = s + v end assert(s == 6)");
	fails(s, "('x'):rep(1e9)", SCRIPT_E_MEMORY, "t.lua: more than");
	ok(s, "for i = 1, 3000 do local x = ('x'):rep(100000) .. i end");
	assert_int_equal(run(s, "pcall(haka.abort) print('not reached')"), SCRIPT_ABORTED);
	fails(s, "error('boom')", SCRIPT_E_RUNTIME, "t.lua:1: boom");
	script_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults_name_file_and_line),
		cmocka_unit_test(test_what_is_not_there),
		cmocka_unit_test(test_no_script_runs_on),
		cmocka_unit_test(test_budget_is_per_call),
		cmocka_unit_test(test_limits_strike_anywhere),
		cmocka_unit_test(test_time_is_the_net),
		cmocka_unit_test(test_time_is_the_processors),
		cmocka_unit_test(test_memory_has_a_cap),
		cmocka_unit_test(test_memory_that_stays_full),
		cmocka_unit_test(test_garbage_is_not_a_full_memory),
		cmocka_unit_test(test_nothing_nests_too_deeply),
		cmocka_unit_test(test_host_functions_enter_again),
		cmocka_unit_test(test_abort_is_no_fault),
		cmocka_unit_test(test_errors_can_be_caught),
		cmocka_unit_test(test_what_lua_51_lacks),
		cmocka_unit_test(test_require),
		cmocka_unit_test(test_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
