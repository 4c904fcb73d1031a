/* SPDX-License-Identifier: MPL-2.0 */
/*
 * No single call of a script costs more than its instructions pay for. The functions in C that a
 * script can reach are found by a walk over globals, modules, metatables and objects, and are
 * called with large texts, tables, buffers and numbers; calls whose cost depends on more than a
 * size are in a list. The processor time is compared with the instructions that were charged, in
 * units of a plain loop on the same machine.
 */
#include "script/script_open.h"
#include "script/state/script_impl.h"

#include "base/error.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/*
 * Calls may cost PLAIN_MAX times the cost of a plain loop of as many instructions, and GRACE_NS
 * besides. Sanitizers slow functions in C down, and the loop not at all: there the calls are made,
 * their costs say nothing.
 */
#ifdef __SANITIZE_ADDRESS__
enum { COSTS_COUNT = false };
#else
enum { COSTS_COUNT = true };
#endif
enum { PLAIN_MAX = 250, GRACE_NS = 60000000, FUNCTIONS_MAX = 1000 };

static struct script *s;
static struct script_error err;
static double plain_ns;
static unsigned n_functions;
static char paths[FUNCTIONS_MAX][160];

static void quiet(void *ctx, struct span line)
{
	(void)ctx, (void)line;
}

static int64_t cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Processor time of a text, and the instructions that were charged. */
static int64_t measure(const char *text, double *ret_charged)
{
	int64_t began = cpu_ns();
	int r;

	err = (struct script_error){0};
	r = script_run_text(s, "@cost.lua", span_str(text), &err);
	(void)r; /* a limit, or an argument that is refused: both are fine */
	began = cpu_ns() - began;
	*ret_charged = (double)s->limits.budget + s->limits.slice_max -
		       (double)(s->limits.left > 0 ? s->limits.left : 0);
	return began;
}

static bool is_cheap(const char *text, const char *what)
{
	double charged;
	int64_t ns = measure(text, &charged);

	if (!COSTS_COUNT || (double)ns <= charged * plain_ns * PLAIN_MAX + GRACE_NS)
		return true;
	print_error("%s: %s: %.1f ms, %.0f instructions charged (%s)\n", what, text,
		    (double)ns / 1e6, charged, err.text);
	return false;
}

static void prepare(const char *text)
{
	double charged;

	(void)measure(text, &charged);
	if (err.text[0])
		fail_msg("%s: %s", text, err.text);
}

/* --- The walk --------------------------------------------------------------------------------- */

static const char key_seen, key_functions;

static void push_list(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_rawget(L, LUA_REGISTRYINDEX);
}

static bool is_new(lua_State *L)
{
	bool known;

	push_list(L, &key_seen);
	lua_pushvalue(L, -2);
	lua_rawget(L, -2);
	known = !lua_isnil(L, -1);
	lua_pop(L, 1);
	lua_pushvalue(L, -2);
	lua_pushboolean(L, true);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	return !known;
}

static void walk(lua_State *L, const char *path, unsigned depth);

/* The value at the top, which is taken. */
static void walk_part(lua_State *L, const char *path, const char *name, unsigned depth)
{
	char longer[160];

	(void)snprintf(longer, sizeof(longer), "%.110s.%.40s", path, name);
	walk(L, longer, depth - 1);
	lua_pop(L, 1);
}

static void walk(lua_State *L, const char *path, unsigned depth)
{
	int type = lua_type(L, -1);

	if (depth == 0 || (type != LUA_TTABLE && type != LUA_TFUNCTION && type != LUA_TUSERDATA) ||
	    !lua_checkstack(L, 20) || !is_new(L))
		return;
	if (type == LUA_TFUNCTION && lua_iscfunction(L, -1) && n_functions < FUNCTIONS_MAX) {
		(void)snprintf(paths[n_functions++], sizeof(paths[0]), "%s", path);
		push_list(L, &key_functions);
		lua_pushvalue(L, -2);
		lua_rawseti(L, -2, (int)n_functions);
		lua_pop(L, 1);
	}
	if (type == LUA_TTABLE) {
		lua_pushnil(L);
		while (lua_next(L, -2))
			walk_part(L, path,
				  lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
								 : luaL_typename(L, -2),
				  depth);
	}
	if (lua_getmetatable(L, -1))
		walk_part(L, path, "meta", depth);
}

static int find_functions(lua_State *L)
{
	static const char *const keys[] = {&key_seen, &key_functions};
	char root[20];
	int n = lua_gettop(L);

	for (unsigned i = 0; i < 2; i++) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)keys[i]);
		lua_newtable(L);
		lua_rawset(L, LUA_REGISTRYINDEX);
	}
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	walk_part(L, "", "G", 9);
	for (int i = 1; i <= n; i++) {
		(void)snprintf(root, sizeof(root), "%d", i);
		lua_pushvalue(L, i);
		walk_part(L, root, "", 9);
	}
	return 0;
}

/* function(i): the function of that number */
static int get_function(lua_State *L)
{
	push_list(L, &key_functions);
	lua_rawgeti(L, -1, (int)luaL_checkinteger(L, 1));
	return 1;
}

/* --- Tests ------------------------------------------------------------------------------------ */

#define OBJECTS                                                                                                               \
	"S = ('a'):rep(4000000) D = ('1'):rep(4000000) B = haka.vbuffer_from(S) re = require('regexp/pcre').re\n"             \
	"O = {B, B:sub(0, 3999999), B:pos('begin'), haka.vbuffer_iterator_blocking(B:pos('begin')), re:compile('a+b'),\n"     \
	" re:compile('a+b'):create_sink(), re:set{'a+b', 'c'}, re:set{'a+b', 'c'}:create_sink(), require('protocol/ipv4'),\n" \
	" require('protocol/ipv4').addr('192.0.2.1'), require('protocol/ipv4').network('192.0.2.0/24'), haka.time(1),\n"      \
	" haka.vbuffer_stream(), haka.shared('cost'), require('class'), require('regexp/pcre')}\n"

static int setup(void **state)
{
	/* time is not to interfere */
	struct script_opts o = {.print = quiet, .instructions = 10000000, .call_ms = 600000};
	double charged;
	int64_t ns;

	(void)state;
	assert_int_equal(script_new(&o, &s), 0);
	assert_int_equal(script_haka_function(s, "find_functions", find_functions, NULL), 0);
	assert_int_equal(script_haka_function(s, "get_function", get_function, NULL), 0);
	ns = measure("local n = 0 for i = 1, 1e9 do n = n + i end", &charged);
	plain_ns = (double)ns / charged;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	script_free(s);
	return 0;
}

static void test_every_function(void **state)
{
	static const char *const arguments[] = {"S",
						"T",
						"T, 1, 0",
						"S, S",
						"S, 1e9",
						"'', 1e9",
						"1e9",
						"S, S, S",
						"T, -1e7, 0",
						"T, '', -1e9, 1e9",
						"T, -1e9, 1e9",
						"o",
						"o, S",
						"o, T",
						"o, 1e6",
						"o, 1e9",
						"o, B",
						"o, 0, 1e6",
						"o, S, S",
						"o, 'a', S"};
	char text[512], what[200];
	bool good = true;

	(void)state;
	prepare("T = {} for i = 1, 100000 do T[i] = i end");
	prepare(OBJECTS "haka.find_functions(unpack(O))");
	assert_true(n_functions > 200 && n_functions < FUNCTIONS_MAX);
	s->limits.budget = 100000;
	for (unsigned i = 0; i < n_functions; i++) {
		unsigned object = (unsigned)strtoul(paths[i], NULL, 10);

		if (strstr(paths[i], "find_functions") || strstr(paths[i], "get_function"))
			continue;
		s->limits.budget = 10000000;
		prepare(OBJECTS);
		s->limits.budget = 100000;
		for (size_t k = 0; k < sizeof(arguments) / sizeof(arguments[0]); k++) {
			if (!object && arguments[k][0] == 'o')
				break;
			(void)snprintf(
				text, sizeof(text),
				"local f, o = haka.get_function(%u), O[%u] for i = 1, 50 do pcall(f, %s) end",
				i + 1, object ? object : 1, arguments[k]);
			(void)snprintf(what, sizeof(what), "%s(%s)", paths[i], arguments[k]);
			good &= is_cheap(text, what);
		}
	}
	assert_true(good);
}

/* Costs that depend on more than a size, and operators. */
static void test_calls(void **state)
{
	static const char *const calls[] = {
		"for i = 1, 100 do local x = tonumber(D) end",
		"for i = 1, 100 do local x = tonumber(D, 10) end",
		"return S:gsub('', '')",
		"return S:gsub('a', '%0%0')",
		"return S:match('.-.-.-b')",
		"return S:find(('a'):rep(2000000) .. 'b', 1, true)",
		"for i = 1, 1000 do table.insert(T, 1, 0) end",
		"for i = 1, 10 do table.insert({}, -1e7, 0) end",
		"return table.insert({}, -2147483648, 0)",
		"return table.insert({}, 1e300, 0)",
		"return table.insert({}, 0 / 0, 0)",
		"for i = 1, 1000 do table.remove(T, 1) end",
		"for i = 1, 10 do table.remove(T, -2147483648) end",
		"local t = {} for i = 1, 10000 do t[-i] = '' end for i = 1, 1000 do table.concat(t, '', -10000, -1) end",
		"return table.sort(T, function (a, b) return false end)",
		"return table.concat(T, ('x'):rep(40))",
		"return string.format('%s%s%s', S, S, S)",
		"return re:compile(('a'):rep(60000))",
		"return re:compile('((((a{1,100}){1,100}){1,100}){1,20})')",
		"return re:compile(('('):rep(200) .. 'a' .. (')+'):rep(200))",
		"for i = 1, 100 do local r = re:compile('((a{1,100}){1,100})') end",
		"return re:match('(a|aa)+$', S .. 'b')",
		"local t = {} for i = 1, 100 do t[i] = '.*' .. i .. '.*[abc]{1,200}.{100}z' end return re:set(t)",
		"local t = {} for i = 1, 300 do t[i] = '(a|b|c){1,' .. i .. '}x.*y.*z' end return re:set(t)",
		"local t = {} for i = 1, 400 do t[i] = '.*' .. i .. '.*[abc]{1,30}.{20}z' end return re:set(t)",
		"local t = {} for i = 1, 10 do t[i] = '((a{1,100}){1,100})' .. i end return re:set(t)",
		"return load('x = ' .. ('1 + '):rep(200000) .. '1')",
		"return load('return {' .. ('1,'):rep(400000) .. '}')",
		"debug.pprint(T)",
	};
	bool good = true;

	(void)state;
	prepare("T = {} for i = 1, 100000 do T[i] = i end");
	prepare(OBJECTS);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		good &= is_cheap(calls[i], "call");
	assert_true(good);
}

/* Instructions that compare, convert or join all of a text: the time limit notices soon as long as
 * there are large ones. */
static void test_time_with_large_texts(void **state)
{
	static const char *const endless[] = {
		"while true do local x = A < B end",
		"while true do local x = D + 0 end",
		"while true do local x = A .. 'x' end",
		"while true do local x = bit.bnot(D) end",
	};
	double charged;
	int64_t ns;

	(void)state;
	prepare("A = ('a'):rep(8000000) .. 'b'");
	prepare("B = ('a'):rep(8000000) .. 'c'");
	prepare("D = ('1'):rep(8000000)");
	assert_true(s->limits.slice < s->limits.slice_max / 8);
	s->limits.call_ms = 20;
	for (size_t i = 0; i < sizeof(endless) / sizeof(endless[0]); i++) {
		ns = measure(endless[i], &charged);
		assert_non_null(strstr(err.text, " in one call"));
		assert_true(ns < INT64_C(600000000) + (int64_t)(100000000 * plain_ns));
	}
	s->limits.call_ms = 600000;
	prepare("A, B, D = nil");
	for (int i = 0; i < 3; i++)
		(void)lua_gc(s->main, LUA_GCCOLLECT, 0);
	assert_true(s->limits.slice >=
		    s->limits.slice_max / 8); /* LuaJIT keeps its buffer for joined strings */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_function, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time_with_large_texts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
