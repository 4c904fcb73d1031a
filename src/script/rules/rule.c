/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.rule{on=, eval=, name=, options=, when=}, haka.rule_group{on=, name=, init=, continue=,
 * final=, options=, when=} and group:rule{eval=, name=}. All that a rule says is checked when it is
 * registered; messages carry the rule's file and line.
 */
#include "script/state/class.h"
#include "script/rules/rules_impl.h"

#include "base/log.h"

#include <lauxlib.h>
#include <stdio.h>

#define GROUP_MAGIC 0xe40d7715ac93b862ULL

struct group_object {
	uint64_t magic;
	struct listener *listener;
	unsigned event;
};

static const char key_group_meta;

/* Checks that argument 1 is a table with no keys but these (" on eval "). */
static void check_keys(lua_State *L, const char *what, const char *keys)
{
	char word[SCRIPT_NAME_LEN + 4];

	if (lua_type(L, 1) != LUA_TTABLE)
		script_expected(L, 1, what, "table");
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) == LUA_TNUMBER && strstr(keys, " 1 ") &&
		    lua_tonumber(L, -1) == 1)
			continue;
		if (lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "%s: a name expected as key, got %s", what,
				   luaL_typename(L, -1));
		(void)snprintf(word, sizeof(word), " %s ", lua_tostring(L, -1));
		if (!strstr(keys, word))
			luaL_error(L, "%s: unknown key '%s' (known:%s)", what, lua_tostring(L, -1),
				   keys);
	}
}

/* Returns the event that `on` names, or its old name `hook`. */
static struct event *take_event(lua_State *L, const char *what, unsigned *ret_id)
{
	struct event *e;
	char where[SCRIPT_WHERE_LEN];

	lua_getfield(L, 1, "on");
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_getfield(L, 1, "hook");
		if (!lua_isnil(L, -1)) {
			event_find_place(L, where);
			log_msg(script_of(L)->log, LOG_USHER_SCRIPT_WARN,
				"%s: %s: 'hook' is the old name of 'on'", where, what);
		}
	}
	e = event_at(L, -1, ret_id);
	if (!e)
		script_expected(L, -1, what, "event (haka.dissectors.x.events.y) as 'on'");
	lua_pop(L, 1);
	return e;
}

/* Returns a function of the table at argument 1, as a reference. */
static int take_function(lua_State *L, const char *what, const char *key, bool required)
{
	char text[SCRIPT_NAME_LEN];

	lua_getfield(L, 1, key);
	if (lua_isnil(L, -1) && !required) {
		lua_pop(L, 1);
		return LUA_NOREF;
	}
	(void)snprintf(text, sizeof(text), "%s: '%s'", what, key);
	if (!lua_isfunction(L, -1))
		script_expected(L, -1, text, "function");
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void take_name(lua_State *L, const char *what, char out[SCRIPT_NAME_LEN])
{
	char text[SCRIPT_NAME_LEN];

	out[0] = '\0';
	lua_getfield(L, 1, "name");
	if (!lua_isnil(L, -1)) {
		(void)snprintf(text, sizeof(text), "%s: 'name'", what);
		(void)script_check_span(L, -1, text);
		(void)snprintf(out, SCRIPT_NAME_LEN, "%s", lua_tostring(L, -1));
	}
	lua_pop(L, 1);
}

static bool take_streamed(lua_State *L, const char *what, const struct event *e)
{
	char text[2 * SCRIPT_NAME_LEN];
	char where[SCRIPT_WHERE_LEN];
	bool streamed = false;

	lua_getfield(L, 1, "options");
	if (!lua_isnil(L, -1)) {
		if (!lua_istable(L, -1))
			script_expected(L, -1, what, "table as 'options'");
		lua_getfield(L, -1, "streamed");
		streamed = lua_toboolean(L, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	if (streamed && !(e->flags & SCRIPT_EVENT_STREAMED)) {
		event_find_place(L, where);
		log_msg(script_of(L)->log, LOG_USHER_SCRIPT_WARN,
			"%s: %s: %s is not streamed, the option is ignored", where, what,
			event_text(e, text));
		return false;
	}
	return streamed;
}

static void take_when(lua_State *L, const char *what, const struct event *e, struct listener *l)
{
	char text[4 * SCRIPT_NAME_LEN];
	char event[2 * SCRIPT_NAME_LEN];

	lua_getfield(L, 1, "when");
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		return;
	}
	if (!lua_istable(L, -1))
		script_expected(L, -1, what, "table as 'when'");
	(void)snprintf(text, sizeof(text), "%s: 'when' of %s", what, event_text(e, event));
	script_filter_compile(L, lua_gettop(L), e->fields, text, NULL);
	l->filter = lua_touserdata(L, -1);
	l->filter_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	lua_pop(L, 1);
}

/* Pushes a new listener, anchored as its own `self`; it is attached later, when it is complete. */
static struct listener *new_listener(lua_State *L, enum listener_kind kind)
{
	struct listener *l = lua_newuserdata(L, sizeof(*l));

	*l = (struct listener){.kind = kind,
			       .eval = LUA_NOREF,
			       .init = LUA_NOREF,
			       .proceed = LUA_NOREF,
			       .final = LUA_NOREF};
	l->rules_end = &l->rules;
	lua_pushvalue(L, -1);
	l->self = luaL_ref(L, LUA_REGISTRYINDEX);
	event_find_place(L, l->stats.where);
	return l;
}

static int haka_rule(lua_State *L)
{
	static const char what[] = "haka.rule";
	struct listener *l;
	const struct event *e;
	unsigned id = 0;

	check_keys(L, what, " on hook eval name options when ");
	e = take_event(L, what, &id);
	l = new_listener(L, LISTENER_RULE);
	take_name(L, what, l->stats.name);
	l->streamed = take_streamed(L, what, e);
	take_when(L, what, e, l);
	l->eval = take_function(L, what, "eval", true);
	event_attach(script_of(L), id, l);
	lua_settop(L, 1);
	return 1;
}

/* Called for group:rule{eval}, group:rule{eval=}, group:rule(eval). */
static int group_rule(lua_State *L)
{
	static const char what[] = "group:rule";
	const struct group_object *o = lua_type(L, 1) == LUA_TUSERDATA ? lua_touserdata(L, 1)
								       : NULL;
	struct group_rule *g;

	if (!o || lua_objlen(L, 1) != sizeof(*o) || o->magic != GROUP_MAGIC)
		script_expected(L, 1, what, "group as object");
	lua_remove(L, 1);
	if (lua_isfunction(L, 1)) {
		lua_newtable(L);
		lua_insert(L, 1);
		lua_setfield(L, 1, "eval");
	}
	check_keys(L, what, " 1 eval name ");
	lua_rawgeti(L, 1, 1);
	if (!lua_isnil(L, -1))
		lua_setfield(L, 1, "eval");
	lua_settop(L, 1);
	g = lua_newuserdata(L, sizeof(*g));
	*g = (struct group_rule){.next = NULL};
	(void)luaL_ref(L, LUA_REGISTRYINDEX);
	event_find_place(L, g->stats.where);
	take_name(L, what, g->stats.name);
	if (!g->stats.name[0])
		memcpy(g->stats.name, o->listener->stats.name, sizeof(g->stats.name));
	g->eval = take_function(L, what, "eval", true);
	*o->listener->rules_end = g;
	o->listener->rules_end = &g->next;
	event_count_rule(script_of(L), o->event, &g->stats);
	return 0;
}

static int haka_rule_group(lua_State *L)
{
	static const char what[] = "haka.rule_group";
	struct group_object *o;
	struct listener *l;
	const struct event *e;
	unsigned id = 0;

	check_keys(L, what, " on hook name init continue final options when ");
	e = take_event(L, what, &id);
	l = new_listener(L, LISTENER_GROUP);
	take_name(L, what, l->stats.name);
	if (take_streamed(L, what, e))
		return luaL_error(L, "%s: a group cannot be streamed", what);
	take_when(L, what, e, l);
	l->init = take_function(L, what, "init", false);
	l->proceed = take_function(L, what, "continue", false);
	l->final = take_function(L, what, "final", false);
	o = lua_newuserdata(L, sizeof(*o));
	*o = (struct group_object){GROUP_MAGIC, l, id};
	script_push_key(L, &key_group_meta);
	(void)lua_setmetatable(L, -2);
	event_attach(script_of(L), id, l);
	return 1;
}

void script_open_rules(lua_State *L)
{
	static const luaL_Reg functions[] = {{"rule", haka_rule},
					     {"rule_group", haka_rule_group},
					     {NULL, NULL}};

	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_group_meta);
	lua_createtable(L, 0, 2);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, group_rule);
	lua_setfield(L, -2, "rule");
	lua_setfield(L, -2, "__index");
	lua_pushliteral(L, "rule_group");
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
	script_push_haka(L);
	luaL_setfuncs(L, functions, 0);
	lua_pop(L, 1);
}
