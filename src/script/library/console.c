/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Text is tried as an expression first. At the prompt of an run_prompt rule a person thinks: the
 * limits of a call begin anew with every line, and the rule continues at the end of input or with
 * `continue`.
 */
#include "script/library/console.h"

#include "script/state/class.h"
#include "script/library/library_impl.h"

#include "base/buf.h"
#include "base/error.h"

#include <lauxlib.h>
#include <stdio.h>

enum { PROMPT_LEN = 80 };

#define CHUNK "=typed"

/* Pushes the text as a function: as an expression if it is one. A lua_load status. */
static int load_typed(lua_State *L, struct span text)
{
	int status;

	lua_pushliteral(L, "return ");
	lua_pushlstring(L, text.n ? (const char *)text.p : "", text.n);
	lua_concat(L, 2);
	status = script_load(L, span_str(lua_tostring(L, -1)), CHUNK);
	lua_remove(L, -2);
	if (status == 0)
		return 0;
	lua_pop(L, 1);
	return script_load(L, text, CHUNK);
}

/* Prints the values above `base`, as print() does. */
static void print_values(lua_State *L, int base)
{
	int n = lua_gettop(L) - base;

	if (n == 0)
		return;
	lua_getglobal(L, "print");
	lua_insert(L, base + 1);
	lua_call(L, n, 0);
}

/* Runs a typed line, in a protected call. Argument 1: struct span. */
static int run_typed(lua_State *L)
{
	const struct span *text = lua_touserdata(L, 1);

	lua_settop(L, 0);
	if (load_typed(L, *text) != 0)
		return lua_error(L);
	lua_call(L, 0, LUA_MULTRET);
	print_values(L, 0);
	return 0;
}

int script_eval(struct script *s, struct span text, struct buf *out, struct script_error *err)
{
	const char *where = s->where;
	int r;

	s->where = "typed:1";
	s->library->captured = out;
	r = script_protect(s, run_typed, &text, err);
	s->library->captured = NULL;
	s->where = where;
	return r;
}

/* --- Interactive rules ------------------------------------------------------------------------ */

/* Pushes a table that has `inputs` and, for other names, the values of _G. */
static void push_environment(lua_State *L, int n_args)
{
	lua_createtable(L, 0, 1);
	lua_createtable(L, n_args, 0);
	for (int i = 1; i <= n_args; i++) {
		lua_pushvalue(L, i);
		lua_rawseti(L, -2, i);
	}
	lua_setfield(L, -2, "inputs");
	lua_createtable(L, 0, 2);
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	lua_setfield(L, -2, "__index");
	lua_pushvalue(L, LUA_GLOBALSINDEX);
	lua_setfield(L, -2, "__newindex");
	(void)lua_setmetatable(L, -2);
}

/* Runs a line in the environment at idx; its error is printed, an exceeded limit is raised. */
static void run_line(lua_State *L, struct span line, int env)
{
	int base = lua_gettop(L);
	int status = load_typed(L, line);

	if (status == 0) {
		lua_pushvalue(L, env);
		(void)lua_setfenv(L, -2);
		status = lua_pcall(L, 0, LUA_MULTRET, 0);
	}
	if (status != 0)
		script_rethrow(L, lua_gettop(L));
	print_values(L, base);
	lua_settop(L, base);
}

static int run_prompt(lua_State *L)
{
	struct script *s = script_of(L);
	int n = lua_gettop(L);
	char prompt[PROMPT_LEN];

	if (!s->library->prompt)
		return luaL_error(L,
				  "haka.interactive_rule: nobody can be asked here (only with -r)");
	(void)snprintf(prompt, sizeof(prompt), "%s> ", lua_tostring(L, lua_upvalueindex(1)));
	push_environment(L, n);
	for (;;) {
		bool more;

		buf_reset(&s->library->line);
		more = s->library->prompt(s->library->ctx, prompt, &s->library->line);
		/* the time in which a person thinks is not charged */
		script_arm_again(s);
		if (!more || (s->library->line.len && strcmp(s->library->line.p, "continue") == 0))
			break;
		run_line(L, span_of(s->library->line.p, s->library->line.len), n + 1);
	}
	return 0;
}

static int interactive_rule(lua_State *L)
{
	struct span name = script_check_span(L, 1, "haka.interactive_rule: name");

	lua_pushlstring(L, name.n ? (const char *)name.p : "", name.n);
	lua_pushcclosure(L, run_prompt, 1);
	return 1;
}

int script_open_console(struct script *s)
{
	return script_haka_function(s, "interactive_rule", interactive_rule, NULL);
}
