/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Places of scripts in messages: "file:line", found by walking up the Lua stack.
 */
#include "script/state/script_impl.h"

#include <stdio.h>
#include <string.h>

bool script_has_place(const char *text)
{
	const char *p = strstr(text, ": ");
	const char *c = p;

	while (c && c > text && c[-1] >= '0' && c[-1] <= '9')
		c--;
	return c && c != p && c > text && c[-1] == ':';
}

bool script_find_line(lua_State *L, bool skip_own, char *out, size_t n)
{
	lua_Debug ar;

	for (int level = 1; lua_getstack(L, level, &ar); level++) {
		if (lua_getinfo(L, "Sl", &ar) == 0 || ar.currentline <= 0 ||
		    (skip_own && strcmp(ar.short_src, "[usher]") == 0))
			continue;
		(void)snprintf(out, n, "%s:%d", ar.short_src, ar.currentline);
		return true;
	}
	return false;
}
