/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Decisions by a host's policy: entries are compared in C, and Lua is entered only for an entry
 * that has an action in Lua.
 */
#include "script/rules/rules_impl.h"
#include "script/values/addr.h"

#include "base/log.h"

#include <lauxlib.h>

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
	const struct policy_entry *entry;
	const struct script_decision *d;
};

/* Called in a protected call. Argument 1: struct deciding. */
static int run_actions(lua_State *L)
{
	const struct deciding *w = lua_touserdata(L, 1);
	const void *ctx = w->d->filter_ctx ? w->d->filter_ctx : w->d->ctx;

	lua_settop(L, 0);
	policy_push(L, w->id);
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
		const struct policy_action *a = &w->entry->actions[i];

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

static unsigned decide_in_lua(struct script *s, struct deciding *w)
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
	const struct policy_entry *e = p->entries;

	while (e && !script_filter_match(e->filter, ctx))
		e = e->next;
	if (!e)
		return 0;
	if (!e->all_c)
		return decide_in_lua(s, &(struct deciding){id, p, e, d});
	for (unsigned i = 0; i < e->n; i++) {
		if (e->actions[i].kind == ACTION_HOST)
			e->actions[i].host->run(d->ctx, e->actions[i].host->data);
		else if (e->actions[i].kind == ACTION_DROP && d->drop)
			d->drop(d->ctx);
	}
	return SCRIPT_POLICY_MATCHED;
}

void policy_open_decisions(lua_State *L)
{
	lua_pushcfunction(L, run_actions);
	script_of(L)->rules->policies.run_actions = luaL_ref(L, LUA_REGISTRYINDEX);
}
