/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.policy{on=, action=, <criterion>=}: one more entry of a policy. A host's entry has a
 * compiled filter; an entry of a script's own policy has its criteria in a table.
 */
#include "script/rules/rules_impl.h"
#include "script/state/class.h"

#include <lauxlib.h>
#include <stdio.h>

enum { ACTIONS_MAX = 16 };

static bool has_actions(lua_State *L, int idx)
{
	return lua_type(L, idx) == LUA_TTABLE;
}

/* Pushes a new entry with its actions. The table of arguments is at 2. */
static struct policy_entry *new_entry(lua_State *L)
{
	struct policy_entry *e;
	size_t n;

	lua_getfield(L, 2, "action");
	if (lua_isnil(L, -1))
		script_expected(L, -1, "haka.policy: 'action'", "function or action");
	n = has_actions(L, -1) ? lua_objlen(L, -1) : 1;
	if (n == 0 || n > ACTIONS_MAX)
		luaL_error(L, "haka.policy: 'action': %d actions (1 to %d)", (int)n, ACTIONS_MAX);
	e = lua_newuserdata(L, sizeof(*e) + n * sizeof(e->actions[0]));
	*e = (struct policy_entry){.criteria = LUA_NOREF, .all_c = true};
	lua_insert(L, -2);
	for (; e->n < n; e->n++) {
		if (has_actions(L, -1))
			lua_rawgeti(L, -1, (int)e->n + 1);
		else
			lua_pushvalue(L, -1);
		e->actions[e->n] = policy_take_action(L);
		e->all_c = e->all_c && e->actions[e->n].kind != ACTION_LUA;
	}
	lua_pop(L, 1);
	event_find_place(L, e->where);
	return e;
}

/* Returns a reference to a new table of criteria, for a script's own policy. */
static int take_criteria(lua_State *L)
{
	char what[2 * SCRIPT_NAME_LEN];
	int out;

	lua_newtable(L);
	out = lua_gettop(L);
	lua_pushnil(L);
	while (lua_next(L, 2)) {
		const char *key = event_key_text(L, -2);

		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_error(L, "haka.policy: a name expected as key, got %s", key);
		if (strcmp(key, "on") != 0 && strcmp(key, "name") != 0 &&
		    strcmp(key, "action") != 0) {
			(void)snprintf(what, sizeof(what), "haka.policy: %s", key);
			script_push_criterion(L, -1, what);
			lua_setfield(L, out, key);
		}
		lua_pop(L, 1);
	}
	return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void check_name(lua_State *L)
{
	lua_getfield(L, 2, "name");
	if (!lua_isnil(L, -1))
		(void)script_check_span(L, -1, "haka.policy: 'name'");
	lua_pop(L, 1);
}

/* Called for haka.policy{on=, action=, ...}: the table `haka.policy` itself comes first. */
static int policy_call(lua_State *L)
{
	struct script *s = script_of(L);
	struct policy *p;
	struct policy_entry *e;
	unsigned id = 0;
	char what[4 * SCRIPT_NAME_LEN];

	if (lua_type(L, 2) != LUA_TTABLE)
		script_expected(L, 2, "haka.policy", "table");
	lua_settop(L, 2);
	lua_getfield(L, 2, "on");
	p = policy_at(L, -1, &id);
	if (!p)
		script_expected(L, -1, "haka.policy",
				"policy (haka.dissectors.x.policies.y) as 'on'");
	check_name(L);
	e = new_entry(L);
	if (p->fields) {
		(void)snprintf(what, sizeof(what), "haka.policy: %s.%s", p->dissector, p->name);
		script_filter_compile(L, 2, p->fields, what, " on name action ");
		e->filter = lua_touserdata(L, -1);
		(void)luaL_ref(L, LUA_REGISTRYINDEX);
	} else {
		e->criteria = take_criteria(L);
	}
	(void)luaL_ref(L, LUA_REGISTRYINDEX); /* the entry */
	e->next = p->entries;
	p->entries = e;
	if (s->head.policies[id] < UINT16_MAX)
		s->head.policies[id]++;
	return 0;
}

void policy_open_entries(lua_State *L)
{
	lua_newtable(L);
	lua_pushcfunction(L, policy_call);
	lua_setfield(L, -2, "__call");
	(void)lua_setmetatable(L, -2);
}
