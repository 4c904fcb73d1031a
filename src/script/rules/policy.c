/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Entries of a policy are a list, the newest first, so the first that matches wins. A host's entry
 * has a compiled filter; an entry of a script's own policy has its criteria in a table, compared
 * with Lua values. Actions are C where they can be: accept, drop, the host's.
 */
#include "script/rules/rules_impl.h"

#include "script/values/addr.h"
#include "script/state/class.h"
#include "script/state/lua_sources.h"

#include "base/error.h"
#include "base/log.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#define POLICY_MAGIC 0xc75be9230fa1648dULL
#define ACTION_MAGIC 0x1d86f4a3b05ce972ULL

enum { ACTIONS_MAX = 16 };

struct policy_object {
	uint64_t magic;
	unsigned id;
};

struct action_object {
	uint64_t magic;
	const struct script_action *action;
	uint64_t spare; /* its size is no other's */
};

static const char key_policy_meta;
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

/* action(policy, ctx, values, desc), by a script */
static int action_call(lua_State *L)
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

static int action_tostring(lua_State *L)
{
	const struct script_action *a = to_action(L, 1);

	if (!a)
		script_expected(L, 1, "tostring", "action of a policy");
	lua_pushfstring(L, "action %s", a->name);
	return 1;
}

static struct policy *policy_at(lua_State *L, int idx, unsigned *ret_id)
{
	const struct policy_object *o = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx)
									  : NULL;

	if (!o || lua_objlen(L, idx) != sizeof(*o) || o->magic != POLICY_MAGIC)
		return NULL;
	*ret_id = o->id;
	return &script_of(L)->rules->policies.list[o->id];
}

static void push_policy(lua_State *L, unsigned id)
{
	struct policy_object *o = lua_newuserdata(L, sizeof(*o));

	*o = (struct policy_object){POLICY_MAGIC, id};
	script_push_key(L, &key_policy_meta);
	(void)lua_setmetatable(L, -2);
}

static const char *key_text(lua_State *L, int idx)
{
	return lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : luaL_typename(L, idx);
}

/* Upvalue 1: the dissector's name. */
static int policies_index(lua_State *L)
{
	return luaL_error(L, "dissector '%s' has no policy '%s'",
			  lua_tostring(L, lua_upvalueindex(1)), key_text(L, 2));
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
		lua_pushcclosure(L, policies_index, 1);
		lua_setfield(L, -2, "__index");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
		(void)lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, "policies");
	}
	lua_remove(L, -2);
}

static int publish(lua_State *L)
{
	const struct policy *p = lua_touserdata(L, 1);

	push_policies(L, p->dissector);
	lua_pushstring(L, p->name);
	push_policy(L, (unsigned)(p - script_of(L)->rules->policies.list));
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
	r = script_protect(s, publish, p, &err);
	if (r < 0)
		return r;
	*ret_id = t->n++;
	return 0;
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
	push_policy(L, t->n);
	*p = (struct policy){.entries = NULL};
	(void)snprintf(p->name, sizeof(p->name), "%s", (const char *)name.p);
	t->n++;
	return 1;
}

static void where_is(lua_State *L, char out[SCRIPT_WHERE_LEN])
{
	lua_Debug ar;

	(void)snprintf(out, SCRIPT_WHERE_LEN, "?:0");
	for (int level = 1; lua_getstack(L, level, &ar); level++) {
		if (lua_getinfo(L, "Sl", &ar) && ar.currentline > 0) {
			(void)snprintf(out, SCRIPT_WHERE_LEN, "%s:%d", ar.short_src,
				       ar.currentline);
			return;
		}
	}
}

/* Takes the action at the top. */
static struct action take_action(lua_State *L)
{
	struct action a = {.kind = ACTION_LUA};

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

static bool list_of_actions(lua_State *L, int idx)
{
	return lua_type(L, idx) == LUA_TTABLE;
}

/* The entry, on the stack and anchored, with its actions; the table of arguments is at 2. */
static struct entry *new_entry(lua_State *L)
{
	struct entry *e;
	size_t n;

	lua_getfield(L, 2, "action");
	if (lua_isnil(L, -1))
		script_expected(L, -1, "haka.policy: 'action'", "function or action");
	n = list_of_actions(L, -1) ? lua_objlen(L, -1) : 1;
	if (n == 0 || n > ACTIONS_MAX)
		luaL_error(L, "haka.policy: 'action': %d actions (1 to %d)", (int)n, ACTIONS_MAX);
	e = lua_newuserdata(L, sizeof(*e) + n * sizeof(e->actions[0]));
	*e = (struct entry){.criteria = LUA_NOREF, .all_c = true};
	lua_insert(L, -2);
	for (; e->n < n; e->n++) {
		if (list_of_actions(L, -1))
			lua_rawgeti(L, -1, (int)e->n + 1);
		else
			lua_pushvalue(L, -1);
		e->actions[e->n] = take_action(L);
		e->all_c = e->all_c && e->actions[e->n].kind != ACTION_LUA;
	}
	lua_pop(L, 1);
	where_is(L, e->where);
	return e;
}

/* The criteria of a script's own policy: a table of the registry. */
static int take_criteria(lua_State *L)
{
	char what[2 * SCRIPT_NAME_LEN];
	int out;

	lua_newtable(L);
	out = lua_gettop(L);
	lua_pushnil(L);
	while (lua_next(L, 2)) {
		const char *key = key_text(L, -2);

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

/* haka.policy{on=, action=, ...}: the table `haka.policy` itself comes first. */
static int policy_call(lua_State *L)
{
	struct script *s = script_of(L);
	struct policy *p;
	struct entry *e;
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

static void push_field(lua_State *L, const struct script_filter_field *f, const void *ctx)
{
	uint64_t v;

	if (f->present && !f->present(ctx)) {
		lua_pushnil(L);
		return;
	}
	v = f->get(ctx);
	switch (f->kind) {
	case SCRIPT_FIELD_ADDRESS:
		script_push_addr(L, (uint32_t)v);
		break;
	case SCRIPT_FIELD_BOOLEAN:
		lua_pushboolean(L, v != 0);
		break;
	case SCRIPT_FIELD_TEXT:
		lua_pushstring(L, f->text(v)); /* NULL pushes nil */
		break;
	case SCRIPT_FIELD_NUMBER:
		lua_pushnumber(L, (double)v);
		break;
	}
}

/* A decision whose entry has actions in Lua. */
struct deciding {
	unsigned id;
	const struct policy *policy;
	const struct entry *entry;
	const struct script_decision *d;
};

/* Argument 1: struct deciding. In a protected call. */
static int run_actions(lua_State *L)
{
	const struct deciding *w = lua_touserdata(L, 1);
	const void *ctx = w->d->filter_ctx ? w->d->filter_ctx : w->d->ctx;

	lua_settop(L, 0);
	push_policy(L, w->id);
	if (w->d->push)
		w->d->push(L, w->d->ctx);
	lua_settop(L, 2);
	lua_newtable(L);
	for (const struct script_filter_field *f = w->policy->fields; f->name; f++) {
		push_field(L, f, ctx);
		lua_setfield(L, 3, f->name);
	}
	lua_newtable(L);
	if (w->d->describe)
		w->d->describe(L, w->d->ctx);
	lua_settop(L, 4);
	for (unsigned i = 0; i < w->entry->n; i++) {
		const struct action *a = &w->entry->actions[i];

		if (a->kind == ACTION_HOST) {
			a->host->run(w->d->ctx, a->host->data);
		} else if (a->kind == ACTION_DROP && w->d->drop) {
			w->d->drop(w->d->ctx);
		} else if (a->kind == ACTION_LUA) {
			lua_rawgeti(L, LUA_REGISTRYINDEX, a->ref);
			for (int k = 1; k <= 4; k++)
				lua_pushvalue(L, k);
			lua_call(L, 4, 0);
		}
	}
	return 0;
}

static unsigned in_lua(struct script *s, struct deciding *w)
{
	const char *where = s->where;
	struct script_error err;
	int r;

	s->where = w->entry->where;
	lua_rawgeti(s->L, LUA_REGISTRYINDEX, s->rules->policies.run_actions);
	script_push_pointer(s, w);
	r = script_pcall(s, 1, 0, &err);
	s->where = where;
	if (r == 0)
		return SCRIPT_POLICY_MATCHED;
	if (r == SCRIPT_ABORTED)
		return SCRIPT_POLICY_MATCHED | SCRIPT_POLICY_ABORTED;
	log_msg(s->log, LOG_USHER_SCRIPT_FAULT, "policy %s.%s: %s", w->policy->dissector,
		w->policy->name, err.text);
	if (w->d->on_fault)
		w->d->on_fault(w->d->ctx, &err);
	return SCRIPT_POLICY_MATCHED | SCRIPT_POLICY_FAULT;
}

unsigned script_policy_apply(struct script *s, unsigned id, const struct script_decision *d)
{
	const struct policy *p = &s->rules->policies.list[id];
	const void *ctx = d->filter_ctx ? d->filter_ctx : d->ctx;
	const struct entry *e = p->entries;

	while (e && !script_filter_match(e->filter, ctx))
		e = e->next;
	if (!e)
		return 0;
	if (!e->all_c)
		return in_lua(s, &(struct deciding){id, p, e, d});
	for (unsigned i = 0; i < e->n; i++) {
		if (e->actions[i].kind == ACTION_HOST)
			e->actions[i].host->run(d->ctx, e->actions[i].host->data);
		else if (e->actions[i].kind == ACTION_DROP && d->drop)
			d->drop(d->ctx);
	}
	return SCRIPT_POLICY_MATCHED;
}

/* Do all criteria at `criteria` (a table) hold for the table of values at `values`? */
static bool all_hold(lua_State *L, int criteria, int values)
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

/* Argument fields of policy:apply, each at the top of the stack. */
static void apply_field(lua_State *L, const char *name, bool table)
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

/* policy:apply{ctx=, values=, desc=} */
static int policy_apply(lua_State *L)
{
	unsigned id = 0;
	const struct policy *p = policy_at(L, 1, &id);
	const struct entry *e;

	if (!p || p->fields)
		script_expected(L, 1, "policy:apply", "policy made by haka.policy.new as object");
	if (lua_type(L, 2) != LUA_TTABLE)
		script_expected(L, 2, "policy:apply", "table");
	apply_field(L, "ctx", false);
	apply_field(L, "values", true);
	apply_field(L, "desc", true); /* 3, 4, 5 */
	luaL_checkstack(L, 12, "policy:apply");
	for (e = p->entries; e; e = e->next) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, e->criteria);
		if (all_hold(L, lua_gettop(L), 4))
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

static int policy_index(lua_State *L)
{
	unsigned id;
	const struct policy *p = policy_at(L, 1, &id);
	const char *key = key_text(L, 2);

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

static int policy_tostring(lua_State *L)
{
	unsigned id;
	const struct policy *p = policy_at(L, 1, &id);

	if (!p)
		script_expected(L, 1, "tostring", "policy");
	lua_pushfstring(L, "policy %s%s%s", p->dissector, p->dissector[0] ? "." : "", p->name);
	return 1;
}

static void new_meta(lua_State *L, const char *key, const char *name, const luaL_Reg *functions)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "__metatable");
	lua_rawset(L, LUA_REGISTRYINDEX);
}

void script_open_policy(lua_State *L)
{
	static const luaL_Reg of_policy[] = {{"__index", policy_index},
					     {"__tostring", policy_tostring},
					     {NULL, NULL}};
	static const luaL_Reg of_action[] = {{"__call", action_call},
					     {"__tostring", action_tostring},
					     {NULL, NULL}};

	new_meta(L, &key_policy_meta, "policy", of_policy);
	new_meta(L, &key_action_meta, "action", of_action);
	lua_pushcfunction(L, run_actions);
	script_of(L)->rules->policies.run_actions = luaL_ref(L, LUA_REGISTRYINDEX);
	script_push_haka(L);
	lua_newtable(L);
	script_add_criteria(L);
	lua_pushcfunction(L, policy_new);
	lua_setfield(L, -2, "new");
	script_push_action(L, &accept_action);
	lua_setfield(L, -2, "accept");
	script_push_action(L, &drop_action);
	lua_setfield(L, -2, "drop");
	lua_newtable(L);
	lua_pushcfunction(L, policy_call);
	lua_setfield(L, -2, "__call");
	(void)lua_setmetatable(L, -2);
	lua_setfield(L, -2, "policy");
	lua_pop(L, 1);
	if (script_load(L, lua_source_find("core/policy")->text, "=[usher]") != 0)
		(void)lua_error(L);
	lua_call(L, 0, 0);
}
