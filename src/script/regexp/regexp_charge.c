/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The cost of a match: how many steps PCRE2 may take, and how many instructions are charged.
 */
#include "script/regexp/regexp.h"
#include "script/state/script_impl.h"

#include "base/error.h"

#include <errno.h>
#include <lauxlib.h>

uint32_t script_regexp_steps(lua_State *L)
{
	const struct script *s = script_of(L);

	if (s->profile == SCRIPT_TRUSTED || s->limits.depth == 0 || s->limits.left > REGEXP_STEPS)
		return REGEXP_STEPS;
	return s->limits.left > 1 ? (uint32_t)s->limits.left : 1;
}

void script_regexp_charge(lua_State *L, size_t n, int result)
{
	script_charge(L, 16 + n / 4);
	if (result == -USHER_E_LIMIT) {
		uint32_t steps = script_regexp_steps(L);

		script_charge(L, steps);
		luaL_error(L, "regexp: more than %d steps in one match", (int)steps);
	}
	if (result == -ENOMEM)
		luaL_error(L, "regexp: not enough memory");
	if (result < 0)
		luaL_error(L, "regexp: cannot be matched");
}
