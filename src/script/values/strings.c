/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The functions of `string` and `table` whose work one call cannot be seen from: in a RESTRICTED
 * state they are replaced by these, which charge for it. find, match, gmatch and gsub use our own
 * matcher (pattern.h); the others charge and call LuaJIT's.
 */
#include "script/values/pattern.h"
#include "script/state/script_impl.h"
#include "script/values/values_impl.h"

#include <lauxlib.h>

/* Octets or elements that count as an instruction. */
enum { COPIED = 16, CONVERTED = 4, MOVED = 2 };

static struct span check_span(lua_State *L, int idx)
{
	size_t n;
	const char *s = luaL_checklstring(L, idx, &n);

	return span_of(s, n);
}

/* A search under way: the compiled pattern, the captures. Sizes matter: it lives on the C stack. */
struct search {
	struct pattern pattern;
	struct pattern_match m;
};

static void begin_search(lua_State *L, struct search *s, int subject, struct span pattern,
			 bool anchor)
{
	const char *wrong = pattern_compile(&s->pattern, pattern, anchor);

	if (wrong)
		luaL_error(L, "%s", wrong);
	s->m.subject = check_span(L, subject);
	script_charge(L, pattern.n / 4 + 1);
}

static bool find_next(lua_State *L, struct search *s, size_t from, size_t *ret_start,
		      size_t *ret_end)
{
	const struct script *script = script_of(L);
	uint64_t steps = !script->limits.depth	   ? UINT64_MAX / 2
			 : script->limits.left > 0 ? (uint64_t)script->limits.left
						   : 1;
	bool found;

	s->m.steps = steps;
	found = pattern_search(&s->pattern, &s->m, from, ret_start, ret_end);
	/* an aborted match costs all instructions that are left: this raises */
	script_charge(L, s->m.steps == 0 ? UINT64_MAX : steps - s->m.steps);
	return found;
}

static void push_capture(lua_State *L, const struct search *s, unsigned i)
{
	if (s->m.captures[i].n == PATTERN_POSITION)
		lua_pushinteger(L, s->m.captures[i].p - s->m.subject.p + 1);
	else
		lua_pushlstring(L, (const char *)s->m.captures[i].p, (size_t)s->m.captures[i].n);
}

/* Pushes all captures, or the whole match if there are none. Returns how many. */
static int push_captures(lua_State *L, const struct search *s, size_t start, size_t end, bool whole)
{
	unsigned n = s->pattern.n_captures;

	luaL_checkstack(L, (int)n + 1, "too many captures");
	if (n == 0 && whole) {
		lua_pushlstring(L, (const char *)s->m.subject.p + start, end - start);
		return 1;
	}
	for (unsigned i = 0; i < n; i++)
		push_capture(L, s, i);
	return (int)n;
}

/* Returns the place that "init" names: negative from the end, clipped. */
static size_t check_start(lua_State *L, int idx, size_t n)
{
	lua_Integer i = luaL_optinteger(L, idx, 1);

	size_t back = 0 - (size_t)i; /* also of the smallest number */

	if (i > 0)
		return (size_t)i - 1;
	return i < 0 && back <= n ? n - back : 0;
}

static int find_plain(lua_State *L, struct span subject, struct span what, size_t from)
{
	const uint8_t *hit = subject.p + from;

	script_charge(L, (subject.n - from) / COPIED);
	if (what.n)
		hit = memmem(subject.p + from, subject.n - from, what.p, what.n);
	if (!hit) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, hit - subject.p + 1);
	lua_pushinteger(L, hit - subject.p + (ptrdiff_t)what.n);
	return 2;
}

static bool is_plain(struct span pattern)
{
	for (size_t i = 0; i < pattern.n; i++)
		if (pattern.p[i] && strchr("^$*+?.([%-)", pattern.p[i]))
			return false;
	return true;
}

static int find_or_match(lua_State *L, bool find)
{
	struct span subject = check_span(L, 1);
	struct span pattern = check_span(L, 2);
	size_t from = check_start(L, 3, subject.n);
	struct search s uninit;
	size_t start = 0;
	size_t end = 0;

	if (from > subject.n) {
		/* as LuaJIT, unlike Lua 5.2, which gives nil */
		from = subject.n;
	}
	if (find && (lua_toboolean(L, 4) || is_plain(pattern)))
		return find_plain(L, subject, pattern, from);
	begin_search(L, &s, 1, pattern, true);
	if (!find_next(L, &s, from, &start, &end)) {
		lua_pushnil(L);
		return 1;
	}
	if (!find)
		return push_captures(L, &s, start, end, true);
	lua_pushinteger(L, (lua_Integer)start + 1);
	lua_pushinteger(L, (lua_Integer)end);
	return 2 + push_captures(L, &s, start, end, false);
}

static int string_find(lua_State *L)
{
	return find_or_match(L, true);
}

static int string_match(lua_State *L)
{
	return find_or_match(L, false);
}

/* Finds the next match. Upvalues: subject, pattern, next position. */
static int gmatch_next(lua_State *L)
{
	struct search s uninit;
	size_t from = (size_t)lua_tointeger(L, lua_upvalueindex(3));
	size_t start = 0;
	size_t end = 0;

	begin_search(L, &s, lua_upvalueindex(1), check_span(L, lua_upvalueindex(2)), false);
	if (from > s.m.subject.n || !find_next(L, &s, from, &start, &end))
		return 0;
	lua_pushinteger(L, (lua_Integer)(end == start ? end + 1 : end));
	lua_replace(L, lua_upvalueindex(3));
	return push_captures(L, &s, start, end, true);
}

static int string_gmatch(lua_State *L)
{
	(void)check_span(L, 1);
	(void)check_span(L, 2);
	lua_settop(L, 2);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, gmatch_next, 3);
	return 1;
}

/* Adds the text of a replacement: "%0" to "%9" and "%%". */
static void add_text(lua_State *L, luaL_Buffer *b, const struct search *s, size_t start, size_t end)
{
	size_t n;
	const char *text = lua_tolstring(L, 3, &n);

	for (size_t i = 0; i < n; i++) {
		if (text[i] != '%') {
			luaL_addchar(b, text[i]);
			continue;
		}
		if (++i == n)
			luaL_error(L, "replacement string ends with '%%'");
		if (text[i] < '0' || text[i] > '9') {
			luaL_addchar(b, text[i]);
		} else if (text[i] == '0' || (text[i] == '1' && s->pattern.n_captures == 0)) {
			luaL_addlstring(b, (const char *)s->m.subject.p + start, end - start);
		} else {
			if ((unsigned)(text[i] - '1') >= s->pattern.n_captures)
				luaL_error(L, "invalid capture index");
			push_capture(L, s, (unsigned)(text[i] - '1'));
			luaL_addvalue(b);
		}
	}
}

/* Adds the value of a table or function; false and nil keep the match. */
static void add_value(lua_State *L, luaL_Buffer *b, const struct search *s, size_t start,
		      size_t end)
{
	int n;

	if (lua_type(L, 3) == LUA_TTABLE) {
		n = push_captures(L, s, start, end, true);
		lua_pop(L, n - 1);
		lua_gettable(L, 3);
	} else {
		lua_pushvalue(L, 3);
		n = push_captures(L, s, start, end, true);
		lua_call(L, n, 1);
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(b, (const char *)s->m.subject.p + start, end - start);
		return;
	}
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	luaL_addvalue(b);
}

static void add_replacement(lua_State *L, luaL_Buffer *b, const struct search *s, size_t start,
			    size_t end)
{
	if (lua_isstring(L, 3))
		add_text(L, b, s, start, end);
	else
		add_value(L, b, s, start, end);
}

/* Called for gsub(subject, pattern, replacement [, most]). */
static int string_gsub(lua_State *L)
{
	struct span subject = check_span(L, 1);
	lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)subject.n + 1);
	int type = lua_type(L, 3);
	struct search s uninit;
	luaL_Buffer b uninit;
	lua_Integer n = 0;
	size_t at = 0;
	size_t start = 0;
	size_t end = 0;

	luaL_argcheck(L,
		      type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TTABLE ||
			      type == LUA_TFUNCTION,
		      3, "string, function or table expected");
	script_check_stack(L, "gsub");
	begin_search(L, &s, 1, check_span(L, 2), true);
	lua_settop(L, 4);
	luaL_buffinit(L, &b);
	while (n < most && at <= subject.n && find_next(L, &s, at, &start, &end)) {
		luaL_addlstring(&b, (const char *)subject.p + at, start - at);
		n++;
		script_charge(L, 2);
		add_replacement(L, &b, &s, start, end);
		at = end;
		if (end == start) { /* an empty match: one octet on */
			if (at < subject.n)
				luaL_addchar(&b, (char)subject.p[at]);
			at++;
		}
		if (s.pattern.anchored)
			break;
	}
	if (at < subject.n)
		luaL_addlstring(&b, (const char *)subject.p + at, subject.n - at);
	luaL_pushresult(&b);
	lua_pushinteger(L, n);
	return 2;
}

/* Calls LuaJIT's function, upvalue 1, with all arguments. */
static int call_original(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	if (lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0) != 0) {
		if (lua_type(L, -1) == LUA_TSTRING)
			script_name_function(L, lua_tostring(L, lua_upvalueindex(2)));
		return lua_error(L);
	}
	return lua_gettop(L);
}

/* Charges functions that work through their arguments that are strings. */
static int charge_text(lua_State *L)
{
	for (int i = lua_gettop(L); i > 0; i--)
		if (lua_type(L, i) == LUA_TSTRING)
			script_charge(L, lua_objlen(L, i) / COPIED);
	script_check_stack(L, "string");
	return call_original(L);
}

static int charge_rep(lua_State *L)
{
	size_t n = check_span(L, 1).n + (lua_isstring(L, 3) ? check_span(L, 3).n : 0);
	lua_Number times = luaL_checknumber(L, 2);

	if (times > 0)
		script_charge(L, times * (double)n / COPIED < 1e18
					 ? (uint64_t)(times * (double)n / COPIED)
					 : UINT64_MAX);
	return call_original(L);
}

/* Returns how many integers there are from one number to another, both included. */
static uint64_t count_integers(lua_Number from, lua_Number to)
{
	lua_Number n = to - from + 1;

	return n > 0 ? n < 1e18 ? (uint64_t)n : UINT64_MAX : 0; /* not a number: 0 */
}

/* Charges concat(table, separator, from, to), which reads elements that the length of the table
 * does not count, too. */
static int charge_concat(lua_State *L)
{
	size_t len;
	int n;

	luaL_checktype(L, 1, LUA_TTABLE);
	len = lua_objlen(L, 1);
	script_charge(L, len);
	if (lua_isnumber(L, 3))
		script_charge(L, count_integers(lua_tonumber(L, 3), lua_isnumber(L, 4)
									    ? lua_tonumber(L, 4)
									    : (lua_Number)len));
	n = call_original(L);
	if (lua_type(L, -1) == LUA_TSTRING)
		script_charge(L, lua_objlen(L, -1) / COPIED);
	return n;
}

/* Charges tonumber(text [, base]), which reads all of a text. */
static int charge_tonumber(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TSTRING)
		script_charge(L, lua_objlen(L, 1) / CONVERTED);
	return call_original(L);
}

/* Charges maxn(), which walks through all elements. */
static int charge_elements(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TTABLE)
		script_charge(L, lua_objlen(L, 1) / MOVED);
	return call_original(L);
}

/* Charges insert(table, position, value), which moves the elements behind, from the end down to a
 * position that may be far before the first. */
static int charge_insert(lua_State *L)
{
	if (lua_gettop(L) > 2 && lua_type(L, 1) == LUA_TTABLE && lua_isnumber(L, 2)) {
		lua_Number at = lua_tonumber(L, 2);

		/* LuaJIT converts numbers beyond 32 bits, and NaN, to the least integer */
		if (!(at >= INT32_MIN && at <= INT32_MAX))
			at = INT32_MIN;
		script_charge(L, count_integers(at, (lua_Number)lua_objlen(L, 1)) / MOVED);
	}
	return call_original(L);
}

static int charge_sort(lua_State *L)
{
	uint64_t n;
	uint64_t log = 1;

	luaL_checktype(L, 1, LUA_TTABLE);
	n = lua_objlen(L, 1);
	for (uint64_t k = n; k; k >>= 1)
		log++;
	script_charge(L, n * log);
	script_check_stack(L, "sort");
	return call_original(L);
}

static void wrap_function(lua_State *L, const char *name, lua_CFunction fn)
{
	lua_getfield(L, -1, name);
	lua_pushstring(L, name);
	lua_pushcclosure(L, fn, 2);
	lua_setfield(L, -2, name);
}

void script_open_strings(lua_State *L)
{
	static const luaL_Reg own[] = {{"find", string_find},
				       {"match", string_match},
				       {"gmatch", string_gmatch},
				       {"gsub", string_gsub},
				       {NULL, NULL}};

	lua_getglobal(L, "string");
	luaL_setfuncs(L, own, 0);
	wrap_function(L, "format", charge_text);
	wrap_function(L, "lower", charge_text);
	wrap_function(L, "upper", charge_text);
	wrap_function(L, "reverse", charge_text);
	wrap_function(L, "rep", charge_rep);
	lua_getglobal(L, "table");
	wrap_function(L, "concat", charge_concat);
	wrap_function(L, "sort", charge_sort);
	wrap_function(L, "insert", charge_insert);
	wrap_function(L, "maxn", charge_elements);
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	wrap_function(L, "tonumber", charge_tonumber);
	lua_pop(L, 3);
}
