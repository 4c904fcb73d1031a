/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Values for setters and arguments: converted to the wanted type, or an error that names the
 * expectation.
 */
#include "script/state/class.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <stdio.h>

void script_expected(lua_State *L, int idx, const char *what, const char *expected)
{
	luaL_error(L, "%s: %s expected, got %s", what, expected,
		   lua_isnoneornil(L, idx) ? "nothing" : luaL_typename(L, idx));
	__builtin_unreachable();
}

double script_check_number(lua_State *L, int idx, const char *what)
{
	if (lua_type(L, idx) != LUA_TNUMBER)
		script_expected(L, idx, what, "number");
	return lua_tonumber(L, idx);
}

uint64_t script_check_uint(lua_State *L, int idx, uint64_t max, const char *what)
{
	double n = script_check_number(L, idx, what);
	char text[160];

	/* not a number fails each comparison */
	if (n >= 0 && n < 18446744073709551616.0 && (uint64_t)n <= max && (double)(uint64_t)n == n)
		return (uint64_t)n;
	(void)snprintf(text, sizeof(text), "%s: %.14g is no whole number from 0 to %" PRIu64, what,
		       n, max);
	return (uint64_t)luaL_error(L, "%s", text);
}

bool script_check_bool(lua_State *L, int idx, const char *what)
{
	if (lua_type(L, idx) != LUA_TBOOLEAN)
		script_expected(L, idx, what, "boolean");
	return lua_toboolean(L, idx);
}

struct span script_check_span(lua_State *L, int idx, const char *what)
{
	size_t n;
	const char *s;

	if (lua_type(L, idx) != LUA_TSTRING)
		script_expected(L, idx, what, "string");
	s = lua_tolstring(L, idx, &n);
	return span_of(s, n);
}
