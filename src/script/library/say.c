/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Messages of rules beside alerts: haka.log(fmt, ...), haka.log.<level>, haka.log_section(name),
 * haka.setloglevel(); and the small rest of `haka`. A message is formatted only when its level is
 * on, in the section and in the log.
 */
#include "script/state/class.h"
#include "script/state/lua_sources.h"
#include "script/library/library_impl.h"

#include "base/log.h"

#include <lauxlib.h>
#include <stdio.h>

static const struct level {
	const char *name;
	const char *other; /* as it is called on Haka's command line */
	enum log_id id;
} levels[] = {
	{"debug", "trace", LOG_USHER_SCRIPT_DEBUG}, {"info", "", LOG_USHER_SCRIPT_INFO},
	{"warning", "warn", LOG_USHER_SCRIPT_WARN}, {"error", "", LOG_USHER_SCRIPT_ERROR},
	{"fatal", "", LOG_USHER_SCRIPT_FATAL},
};

/* Section to least level; [""] is everybody's. */
static const char key_thresholds;

static lua_Integer find_threshold(lua_State *L, const char *section)
{
	int top = lua_gettop(L);
	lua_Integer least;

	script_push_key(L, &key_thresholds);
	lua_getfield(L, -1, section);
	if (lua_isnil(L, -1))
		lua_getfield(L, -2, "");
	least = lua_tointeger(L, -1);
	lua_settop(L, top);
	return least;
}

/* Logs the arguments from `first` on: a format and its values. */
static int write_message(lua_State *L, const char *section, size_t level, int first)
{
	const struct script *s = script_of(L);
	int top = lua_gettop(L);

	if (lua_type(L, first) != LUA_TSTRING)
		script_expected(L, first, "haka.log", "format string");
	if (!log_on(s->log, levels[level].id) || find_threshold(L, section) > (lua_Integer)level)
		return 0;
	lua_getglobal(L, "string");
	lua_getfield(L, -1, "format");
	for (int i = first; i <= top; i++)
		lua_pushvalue(L, i);
	lua_call(L, top - first + 1, 1);
	if (!lua_isstring(L, -1))
		return luaL_error(L, "haka.log: string.format gave no text");
	log_msg(s->log, levels[level].id, "%s: %s", section, script_visible(L));
	return 0;
}

/* Called for the log functions of one level. Upvalues: section, level. */
static int log_at(lua_State *L)
{
	return write_message(L, lua_tostring(L, lua_upvalueindex(1)),
			     (size_t)lua_tointeger(L, lua_upvalueindex(2)), 1);
}

/* Called for log(fmt, ...): the table itself comes first. Upvalue: the section. */
static int log_call(lua_State *L)
{
	return write_message(L, lua_tostring(L, lua_upvalueindex(1)), 1, 2);
}

static void push_section(lua_State *L, const char *section)
{
	lua_createtable(L, 0, ARRAY_LEN(levels));
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		lua_pushstring(L, section);
		lua_pushinteger(L, (lua_Integer)i);
		lua_pushcclosure(L, log_at, 2);
		lua_setfield(L, -2, levels[i].name);
	}
	lua_createtable(L, 0, 2);
	lua_pushstring(L, section);
	lua_pushcclosure(L, log_call, 1);
	lua_setfield(L, -2, "__call");
	lua_pushliteral(L, "log");
	lua_setfield(L, -2, "__metatable");
	(void)lua_setmetatable(L, -2);
}

static int haka_log_section(lua_State *L)
{
	(void)script_check_span(L, 1, "haka.log_section");
	push_section(L, lua_tostring(L, 1));
	return 1;
}

/* Called for setloglevel(level [, section]). */
static int haka_setloglevel(lua_State *L)
{
	const struct script *s = script_of(L);
	const char *name = (const char *)script_check_span(L, 1, "haka.setloglevel").p;
	const char *section = lua_isnoneornil(L, 2)
				      ? NULL
				      : (const char *)script_check_span(L, 2, "haka.setloglevel").p;
	size_t i;

	for (i = 0; i < ARRAY_LEN(levels); i++)
		if (strcmp(levels[i].name, name) == 0 || strcmp(levels[i].other, name) == 0)
			break;
	if (i == ARRAY_LEN(levels) || !name[0])
		return luaL_error(
			L,
			"haka.setloglevel: '%s' is no level (debug, info, warning, error, fatal)",
			name);
	script_push_key(L, &key_thresholds);
	lua_pushinteger(L, (lua_Integer)i);
	lua_setfield(L, -2, section ? section : "");
	if (s->library->log_level)
		s->library->log_level(s->library->ctx, levels[i].name, section);
	return 0;
}

static int haka_current_thread(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)script_of(L)->thread);
	return 1;
}

static int haka_exit(lua_State *L)
{
	const struct script *s = script_of(L);

	if (!s->library->exit)
		return luaL_error(L, "haka.exit: this program does not end for a rule");
	s->library->exit(s->library->ctx);
	return 0;
}

/* Opens the module color: escape sequences, or empty texts where the output shows no colours. */
int script_open_color(lua_State *L)
{
	static const char *const names[] = {"black", "red",	"green", "yellow",
					    "blue",  "magenta", "cyan",	 "white"};
	bool on = script_of(L)->library->color;
	char text[8];

	lua_newtable(L);
	lua_pushstring(L, on ? "\033[0m" : "");
	lua_setfield(L, -2, "clear");
	lua_pushstring(L, on ? "\033[1m" : "");
	lua_setfield(L, -2, "bold");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(text, sizeof(text), "\033[3%cm", (char)('0' + i));
		lua_pushstring(L, on ? text : "");
		lua_setfield(L, -2, names[i]);
	}
	return 1;
}

void script_open_say(lua_State *L)
{
	static const luaL_Reg functions[] = {{"log_section", haka_log_section},
					     {"setloglevel", haka_setloglevel},
					     {"current_thread", haka_current_thread},
					     {"exit", haka_exit},
					     {NULL, NULL}};

	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_thresholds);
	lua_newtable(L);
	lua_pushinteger(L, 0);
	lua_setfield(L, -2, "");
	lua_rawset(L, LUA_REGISTRYINDEX);
	script_push_haka(L);
	luaL_setfuncs(L, functions, 0);
	push_section(L, "external");
	lua_setfield(L, -2, "log");
	lua_pop(L, 1);
	if (script_load(L, lua_source_find("core/util")->text, "=[usher]") != 0)
		(void)lua_error(L);
	lua_call(L, 0, 0);
}
