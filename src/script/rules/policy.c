/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The policies of a state, and where scripts find them: haka.dissectors.<name>.policies. Entries of
 * a policy are a list, the newest first, so the first that matches wins.
 */
#include "script/rules/rules_impl.h"

#include "base/error.h"

#include <lauxlib.h>
#include <stdio.h>

#define POLICY_MAGIC 0xc75be9230fa1648dULL

struct policy_object {
	uint64_t magic;
	unsigned id;
};

const char policy_key_meta;

void policy_new_meta(lua_State *L, const char *key, const char *name, const luaL_Reg *functions)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
}

struct policy *policy_at(lua_State *L, int idx, unsigned *ret_id)
{
	const struct policy_object *o = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx)
									  : NULL;

	if (!o || lua_objlen(L, idx) != sizeof(*o) || o->magic != POLICY_MAGIC)
		return NULL;
	*ret_id = o->id;
	return &script_of(L)->rules->policies.list[o->id];
}

void policy_push(lua_State *L, unsigned id)
{
	struct policy_object *o = lua_newuserdata(L, sizeof(*o));

	*o = (struct policy_object){POLICY_MAGIC, id};
	script_push_key(L, &policy_key_meta);
	(void)lua_setmetatable(L, -2);
}

/* Raises the error for an unknown policy. Upvalue 1: the dissector's name. */
static int refuse_name(lua_State *L)
{
	return luaL_error(L, "dissector '%s' has no policy '%s'",
			  lua_tostring(L, lua_upvalueindex(1)), event_key_text(L, 2));
}

/* Pushes haka.dissectors.<name>.policies. */
static void push_policies(lua_State *L, const char *dissector)
{
	script_push_dissector(L, dissector);
	lua_getfield(L, -1, "policies");
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_createtable(L, 0, 2);
		lua_pushstring(L, dissector);
		lua_pushcclosure(L, refuse_name, 1);
		lua_setfield(L, -2, "__index");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
		(void)lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, "policies");
	}
	lua_remove(L, -2);
}

static int publish_policy(lua_State *L)
{
	const struct policy *p = lua_touserdata(L, 1);

	push_policies(L, p->dissector);
	lua_pushstring(L, p->name);
	policy_push(L, (unsigned)(p - script_of(L)->rules->policies.list));
	lua_rawset(L, -3);
	return 0;
}

int script_policy_define(struct script *s, const char *dissector, const char *name,
			 const struct script_filter_field *fields, unsigned *ret_id)
{
	struct policy_table *t = &s->rules->policies;
	struct policy *p = &t->list[t->n];
	struct script_error err;
	int r;

	if (t->n == SCRIPT_POLICIES || strlen(name) >= sizeof(p->name) ||
	    strlen(dissector) >= sizeof(p->dissector))
		return -USHER_E_LIMIT;
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->list[i].name, name) == 0 &&
		    strcmp(t->list[i].dissector, dissector) == 0)
			return -USHER_E_EXISTS;
	*p = (struct policy){.fields = fields};
	(void)snprintf(p->name, sizeof(p->name), "%s", name);
	(void)snprintf(p->dissector, sizeof(p->dissector), "%s", dissector);
	r = script_protect(s, publish_policy, p, &err);
	if (r < 0)
		return r;
	*ret_id = t->n++;
	return 0;
}
