/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.policy.new(): policies of a script's own, whose criteria are compared with Lua values; and
 * the methods of all policies.
 */
#include "script/rules/rules_impl.h"
#include "script/state/class.h"

#include <lauxlib.h>
#include <stdio.h>

/* Returns whether all criteria of the table at `criteria` hold for the table at `values`. */
static bool check_criteria(lua_State *L, int criteria, int values)
{
	lua_pushnil(L);
	while (lua_next(L, criteria)) {
		bool holds;

		lua_pushvalue(L, -2);
		lua_gettable(L, values);
		holds = script_criterion_holds(L, lua_gettop(L) - 1, lua_gettop(L));
		lua_pop(L, 2);
		if (!holds) {
			lua_pop(L, 1);
			return false;
		}
	}
	return true;
}

/* Pushes a field of the argument of policy:apply; table: a table is expected, nothing makes an
 * empty one. */
static void push_argument(lua_State *L, const char *name, bool table)
{
	char what[64];

	lua_getfield(L, 2, name);
	(void)snprintf(what, sizeof(what), "policy:apply: '%s'", name);
	if (table && lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
	} else if (table && !lua_istable(L, -1)) {
		script_expected(L, -1, what, "table");
	}
}

/* Called for policy:apply{ctx=, values=, desc=}. */
static int policy_apply(lua_State *L)
{
	unsigned id = 0;
	const struct policy *p = policy_at(L, 1, &id);
	const struct policy_entry *e;

	if (!p || p->fields)
		script_expected(L, 1, "policy:apply", "policy made by haka.policy.new as object");
	if (lua_type(L, 2) != LUA_TTABLE)
		script_expected(L, 2, "policy:apply", "table");
	push_argument(L, "ctx", false);
	push_argument(L, "values", true);
	push_argument(L, "desc", true); /* 3, 4, 5 */
	luaL_checkstack(L, 12, "policy:apply");
	for (e = p->entries; e; e = e->next) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, e->criteria);
		if (check_criteria(L, lua_gettop(L), 4))
			break;
		lua_pop(L, 1);
	}
	for (unsigned i = 0; e && i < e->n; i++) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, e->actions[i].ref);
		lua_pushvalue(L, 1);
		lua_pushvalue(L, 3);
		lua_pushvalue(L, 4);
		lua_pushvalue(L, 5);
		lua_call(L, 4, 0);
	}
	return 0;
}

static int index_policy(lua_State *L)
{
	unsigned id;
	const struct policy *p = policy_at(L, 1, &id);
	const char *key = event_key_text(L, 2);

	if (!p)
		script_expected(L, 1, "index", "policy");
	if (strcmp(key, "name") == 0)
		lua_pushstring(L, p->name);
	else if (strcmp(key, "apply") == 0)
		lua_pushcfunction(L, policy_apply);
	else
		return 0;
	return 1;
}

static int push_policy_text(lua_State *L)
{
	unsigned id;
	const struct policy *p = policy_at(L, 1, &id);

	if (!p)
		script_expected(L, 1, "tostring", "policy");
	lua_pushfstring(L, "policy %s%s%s", p->dissector, p->dissector[0] ? "." : "", p->name);
	return 1;
}

static int policy_new(lua_State *L)
{
	struct policy_table *t = &script_of(L)->rules->policies;
	struct span name = script_check_span(L, 1, "haka.policy.new");
	struct policy *p = &t->list[t->n];

	if (t->n == SCRIPT_POLICIES)
		return luaL_error(L, "haka.policy.new: more than %d policies", SCRIPT_POLICIES);
	if (name.n == 0 || name.n >= sizeof(p->name))
		return luaL_error(L, "haka.policy.new: a name of 1 to %d octets expected",
				  SCRIPT_NAME_LEN - 1);
	policy_push(L, t->n);
	*p = (struct policy){.entries = NULL};
	(void)snprintf(p->name, sizeof(p->name), "%s", (const char *)name.p);
	t->n++;
	return 1;
}

void policy_open_own(lua_State *L)
{
	static const luaL_Reg meta[] = {{"__index", index_policy},
					{"__tostring", push_policy_text},
					{NULL, NULL}};

	policy_new_meta(L, &policy_key_meta, "policy", meta);
	lua_pushcfunction(L, policy_new);
	lua_setfield(L, -2, "new");
}
