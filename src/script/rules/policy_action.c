/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Actions of policies as values of scripts: accept, drop, and the host's.
 */
#include "script/rules/rules_impl.h"
#include "script/state/class.h"

#include <lauxlib.h>

#define ACTION_MAGIC 0x1d86f4a3b05ce972ULL

struct action_object {
	uint64_t magic;
	const struct script_action *action;
	uint64_t spare; /* its size is no other's */
};

static const char key_action_meta;
static const struct script_action accept_action = {.name = "accept"};
static const struct script_action drop_action = {.name = "drop"};

void script_push_action(lua_State *L, const struct script_action *action)
{
	struct action_object *o = lua_newuserdata(L, sizeof(*o));

	*o = (struct action_object){.magic = ACTION_MAGIC, .action = action};
	script_push_key(L, &key_action_meta);
	(void)lua_setmetatable(L, -2);
}

static const struct script_action *to_action(lua_State *L, int idx)
{
	const struct action_object *o = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx)
									  : NULL;

	return o && lua_objlen(L, idx) == sizeof(*o) && o->magic == ACTION_MAGIC ? o->action : NULL;
}

/* Called when a script calls an action: action(policy, ctx, values, desc). */
static int call_action(lua_State *L)
{
	const struct script_action *a = to_action(L, 1);

	if (!a)
		script_expected(L, 1, "action", "action of a policy");
	lua_remove(L, 1);
	if (a == &accept_action)
		return 0;
	if (a == &drop_action) {
		lua_getfield(L, 2, "drop");
		lua_pushvalue(L, 2);
		lua_call(L, 1, 0);
		return 0;
	}
	if (!a->call)
		return luaL_error(L, "%s: an action can only be given to haka.policy", a->name);
	lua_pushlightuserdata(L, a->data);
	return a->call(L);
}

static int push_action_text(lua_State *L)
{
	const struct script_action *a = to_action(L, 1);

	if (!a)
		script_expected(L, 1, "tostring", "action of a policy");
	lua_pushfstring(L, "action %s", a->name);
	return 1;
}

struct policy_action policy_take_action(lua_State *L)
{
	struct policy_action a = {.kind = ACTION_LUA};

	a.host = to_action(L, -1);
	if (a.host) {
		a.kind = a.host == &accept_action ? ACTION_ACCEPT
			 : a.host == &drop_action ? ACTION_DROP
						  : ACTION_HOST;
		a.ref = luaL_ref(L, LUA_REGISTRYINDEX);
		return a;
	}
	if (!lua_isfunction(L, -1))
		script_expected(L, -1, "haka.policy: 'action'", "function or action");
	a.ref = luaL_ref(L, LUA_REGISTRYINDEX);
	return a;
}

void policy_open_actions(lua_State *L)
{
	static const luaL_Reg meta[] = {{"__call", call_action},
					{"__tostring", push_action_text},
					{NULL, NULL}};

	policy_new_meta(L, &key_action_meta, "action", meta);
	script_push_action(L, &accept_action);
	lua_setfield(L, -2, "accept");
	script_push_action(L, &drop_action);
	lua_setfield(L, -2, "drop");
}
