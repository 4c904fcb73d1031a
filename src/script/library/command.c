/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands are registered while the script is run, by its top level; later registrations are
 * refused, because the host has read them. The host checks names and descriptions of arguments, so
 * that a refusal has the file and line of the script.
 */
#include "script/library/command.h"

#include "base/error.h"
#include "config/json/json.h"
#include "script/library/json_value.h"
#include "script/library/library_impl.h"
#include "script/state/class.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define WHAT "haka.command"

struct calling {
	const struct script_command *command;
	const struct json *args;
	const char *requester;
	struct arena *arena;
	struct json *answer;
};

/* --- Registration ----------------------------------------------------------------------------- */

static void check_keys(lua_State *L)
{
	static const char *const known[] = {"name", "args", "help", "access", "eval"};

	if (!lua_istable(L, 1))
		script_expected(L, 1, WHAT, "table");
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		size_t i = 0;

		lua_pop(L, 1);
		while (i < ARRAY_LEN(known) && (lua_type(L, -1) != LUA_TSTRING ||
						strcmp(lua_tostring(L, -1), known[i]) != 0))
			i++;
		if (i == ARRAY_LEN(known))
			luaL_error(L, WHAT ": unknown key '%s' (known: name args help access eval)",
				   lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
								  : luaL_typename(L, -1));
	}
}

/* Returns a text of the table at argument 1, which stays on the stack; `fallback` if it has none.
 */
static const char *take_text(lua_State *L, const char *key, const char *fallback)
{
	char what[64];

	(void)snprintf(what, sizeof(what), WHAT ": '%s'", key);
	lua_getfield(L, 1, key);
	if (lua_isnil(L, -1) && fallback)
		return fallback;
	(void)script_check_span(L, -1, what);
	if (strlen(lua_tostring(L, -1)) != lua_objlen(L, -1))
		luaL_error(L, "%s: text without an octet of value 0 expected", what);
	return lua_tostring(L, -1);
}

static bool take_access(lua_State *L)
{
	const char *access = take_text(L, "access", "write");

	if (strcmp(access, "read") != 0 && strcmp(access, "write") != 0)
		luaL_error(L, WHAT ": 'access': 'read' or 'write' expected, got '%s'", access);
	return strcmp(access, "write") == 0;
}

static void check_name(lua_State *L, const struct library_state *l, const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (!n || name[n] || n >= SCRIPT_COMMAND_NAME_LEN)
		luaL_error(L, WHAT ": 'name': 1 to %d of a-z, 0-9 and '-' expected, got '%s'",
			   SCRIPT_COMMAND_NAME_LEN - 1, name);
	for (size_t i = 0; i < l->n_commands; i++)
		if (strcmp(l->commands[i]->name, name) == 0)
			luaL_error(L, WHAT ": command '%s' is registered at %s already", name,
				   l->commands[i]->where);
}

/* Makes the record of a command, as a userdata that is anchored in the registry. */
static struct script_command *make_command(lua_State *L, const char *name, const char *args,
					   const char *help)
{
	size_t n = strlen(args) + 1, m = strlen(help) + 1;
	struct script_command *c = lua_newuserdata(L, sizeof(*c) + n + m);

	*c = (struct script_command){.args = (char *)(c + 1), .help = (char *)(c + 1) + n};
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	memcpy(c->args, args, n);
	memcpy(c->help, help, m);
	if (!script_find_line(L, true, c->where, sizeof(c->where)))
		(void)snprintf(c->where, sizeof(c->where), "?:0");
	(void)luaL_ref(L, LUA_REGISTRYINDEX);
	return c;
}

static int haka_command(lua_State *L)
{
	struct library_state *l = script_of(L)->library;
	struct script_command *c;
	const char *name, *args, *help;
	char why[256] = "";

	check_keys(L);
	name = take_text(L, "name", NULL);
	args = take_text(L, "args", "");
	help = take_text(L, "help", "a command of a script");
	check_name(L, l, name);
	if (l->commands_closed)
		return luaL_error(
			L,
			WHAT
			": command '%s': it is too late: only the top level of a script registers commands",
			name);
	if (l->n_commands == SCRIPT_COMMANDS_MAX)
		return luaL_error(L, WHAT ": at most %d commands", SCRIPT_COMMANDS_MAX);
	if (l->refuse_command && l->refuse_command(l->ctx, name, args, why, sizeof(why)))
		return luaL_error(L, WHAT ": %s", why);
	c = make_command(L, name, args, help);
	c->writes = take_access(L);
	lua_getfield(L, 1, "eval");
	if (!lua_isfunction(L, -1))
		script_expected(L, -1, WHAT ": 'eval'", "function");
	c->eval = luaL_ref(L, LUA_REGISTRYINDEX);
	l->commands[l->n_commands++] = c;
	return 0;
}

const struct script_command *script_command_at(const struct script *s, size_t i)
{
	struct library_state *l = s->library;

	l->commands_closed = true;
	return i < l->n_commands ? l->commands[i] : NULL;
}

/* --- Calls ------------------------------------------------------------------------------------ */

/* Makes the answer of the two values at the top: (table or text or nil), (text or nil). */
static struct json *make_answer(lua_State *L, struct arena *a)
{
	struct json *m = json_map(a);
	bool failed = lua_isnil(L, -2) && !lua_isnil(L, -1);
	int text = lua_type(L, -2) == LUA_TSTRING ? -2 : -1;

	if (!lua_isnil(L, text) && lua_type(L, text) != LUA_TSTRING)
		script_expected(L, text, "the text of the answer", "string");
	(void)json_add(a, m, "result", json_int(a, failed));
	if (!lua_isnil(L, text))
		(void)json_add(a, m, "text", script_to_json(L, lua_gettop(L) + 1 + text, a));
	if (lua_istable(L, -2))
		(void)json_add(a, m, "arguments", script_to_json(L, lua_gettop(L) - 1, a));
	else if (!lua_isnil(L, -2) && text != -2)
		script_expected(L, -2, "the answer", "table or string");
	return m;
}

/* Calls eval, in a protected call. Argument 1: struct calling. */
static int call_eval(lua_State *L)
{
	struct calling *q = lua_touserdata(L, 1);

	lua_settop(L, 0);
	lua_rawgeti(L, LUA_REGISTRYINDEX, q->command->eval);
	if (q->args)
		script_push_json(L, q->args);
	else
		lua_newtable(L);
	lua_pushstring(L, q->requester);
	lua_call(L, 2, 2);
	q->answer = make_answer(L, q->arena);
	return 0;
}

struct json *script_command_run(struct script *s, const struct script_command *c,
				const struct json *args, const char *requester, struct arena *arena,
				struct script_error *err)
{
	struct calling q = {c, args, requester, arena, NULL};
	const char *where = s->where;
	int r;

	s->where = c->where; /* of an answer that has no form in JSON */
	lua_rawgeti(s->L, LUA_REGISTRYINDEX, s->library->command_call);
	lua_pushlightuserdata(s->L, &q);
	r = script_pcall(s, 1, 0, err);
	s->where = where;
	if (r == SCRIPT_ABORTED)
		(void)snprintf(err->text, sizeof(err->text), "%s: haka.abort() ended the command",
			       c->where);
	else if (r == 0 && !q.answer)
		(void)snprintf(err->text, sizeof(err->text), "%s: out of memory", c->where);
	return r == 0 ? q.answer : NULL;
}

void script_open_commands(lua_State *L)
{
	lua_pushcfunction(L, call_eval);
	script_of(L)->library->command_call = luaL_ref(L, LUA_REGISTRYINDEX);
	script_push_haka(L);
	lua_pushcfunction(L, haka_command);
	lua_setfield(L, -2, "command");
	lua_pop(L, 1);
}
