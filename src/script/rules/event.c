/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The events of a state: their definition, where scripts find them, their listeners, and the
 * statistics of rules.
 */
#include "script/rules/rules_impl.h"

#include "base/error.h"

#include <lauxlib.h>
#include <stdio.h>

#define EVENT_MAGIC 0x2e6bd91c38fa7045ULL

struct event_object {
	uint64_t magic;
	unsigned id;
};

static const char key_dissectors;
static const char key_events; /* of each dissector, where scripts cannot put anything else */
static const char key_event_meta;

static void make_key_table(lua_State *L, const char *key)
{
	lua_pushlightuserdata(L, (void *)(uintptr_t)key);
	lua_newtable(L);
	lua_rawset(L, LUA_REGISTRYINDEX);
}

const char *event_text(const struct event *e, char out[2 * SCRIPT_NAME_LEN])
{
	(void)snprintf(out, 2 * SCRIPT_NAME_LEN, "%s.%s", e->dissector[0] ? e->dissector : "haka",
		       e->name);
	return out;
}

struct event *event_at(lua_State *L, int idx, unsigned *ret_id)
{
	const struct event_object *o = lua_type(L, idx) == LUA_TUSERDATA ? lua_touserdata(L, idx)
									 : NULL;

	if (!o || lua_objlen(L, idx) != sizeof(*o) || o->magic != EVENT_MAGIC)
		return NULL;
	*ret_id = o->id;
	return &script_of(L)->rules->events.list[o->id];
}

static int push_event_text(lua_State *L)
{
	char text[2 * SCRIPT_NAME_LEN];
	unsigned id;
	const struct event *e = event_at(L, 1, &id);

	lua_pushstring(L, e ? event_text(e, text) : "event");
	return 1;
}

const char *event_key_text(lua_State *L, int idx)
{
	return lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : luaL_typename(L, idx);
}

void event_find_place(lua_State *L, char out[SCRIPT_WHERE_LEN])
{
	if (!script_find_line(L, false, out, SCRIPT_WHERE_LEN))
		(void)snprintf(out, SCRIPT_WHERE_LEN, "?:0");
}

/* Raises the error for an unknown event. Upvalue 1: the dissector's name, or nil for haka.events.
 */
static int refuse_event(lua_State *L)
{
	const char *name = event_key_text(L, 2);
	const char *dissector = lua_tostring(L, lua_upvalueindex(1));

	if (dissector)
		return luaL_error(L, "dissector '%s' has no event '%s'", dissector, name);
	return luaL_error(L, "haka.events: no event '%s'", name);
}

static int refuse_dissector(lua_State *L)
{
	return luaL_error(L, "unknown dissector '%s' (is a require missing?)",
			  event_key_text(L, 2));
}

/* Gives the table at the top a metatable whose __index is fn with the string (or nil) as
 * upvalue. */
static void set_index_function(lua_State *L, lua_CFunction fn, const char *upvalue)
{
	lua_createtable(L, 0, 2);
	if (upvalue)
		lua_pushstring(L, upvalue);
	else
		lua_pushnil(L);
	lua_pushcclosure(L, fn, 1);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	(void)lua_setmetatable(L, -2);
}

/* Pushes the table of a dissector's events; "": that of haka.events. */
static void push_events(lua_State *L, const char *dissector)
{
	script_push_key(L, &key_events);
	lua_pushstring(L, dissector);
	lua_rawget(L, -2);
	if (lua_isnil(L, -1)) {
		lua_pop(L, 1);
		lua_newtable(L);
		set_index_function(L, refuse_event, dissector[0] ? dissector : NULL);
		lua_pushstring(L, dissector);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	lua_remove(L, -2);
}

void script_push_dissector(lua_State *L, const char *name)
{
	char path[SCRIPT_NAME_LEN + 20];

	script_push_key(L, &key_dissectors);
	lua_pushstring(L, name);
	lua_rawget(L, -2);
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		lua_createtable(L, 0, 4);
		lua_pushstring(L, name);
		lua_setfield(L, -2, "name");
		push_events(L, name);
		lua_setfield(L, -2, "events");
		(void)snprintf(path, sizeof(path), "haka.dissectors.%s", name);
		script_watch_table(L, path);
		lua_pushstring(L, name);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	lua_remove(L, -2);
}

/* Makes the event's object and puts it where scripts find it. */
static int publish_event(lua_State *L)
{
	const struct event *e = lua_touserdata(L, 1);
	struct event_object *o;

	if (e->dissector[0])
		script_push_dissector(L, e->dissector);
	push_events(L, e->dissector);
	lua_pushstring(L, e->name);
	o = lua_newuserdata(L, sizeof(*o));
	*o = (struct event_object){EVENT_MAGIC, (unsigned)(e - script_of(L)->rules->events.list)};
	script_push_key(L, &key_event_meta);
	(void)lua_setmetatable(L, -2);
	lua_rawset(L, -3);
	return 0;
}

int script_event_define(struct script *s, const char *dissector, const char *name, unsigned flags,
			unsigned *ret_id)
{
	struct event_table *t = &s->rules->events;
	struct script_error err uninit;
	struct event *e = &t->list[t->n];
	int r;

	if (t->n == SCRIPT_EVENTS || strlen(name) >= sizeof(e->name) ||
	    (dissector && strlen(dissector) >= sizeof(e->dissector)))
		return -USHER_E_LIMIT;
	for (unsigned i = 0; i < t->n; i++)
		if (strcmp(t->list[i].name, name) == 0 &&
		    strcmp(t->list[i].dissector, dissector ? dissector : "") == 0)
			return -USHER_E_EXISTS;
	*e = (struct event){.flags = flags, .end = &e->first};
	(void)snprintf(e->name, sizeof(e->name), "%s", name);
	(void)snprintf(e->dissector, sizeof(e->dissector), "%s", dissector ? dissector : "");
	r = script_protect(s, publish_event, e, &err);
	if (r < 0)
		return r;
	*ret_id = t->n++;
	return 0;
}

void script_event_fields(struct script *s, unsigned id, const struct script_filter_field *fields)
{
	s->rules->events.list[id].fields = fields;
}

void event_count_rule(struct script *s, unsigned id, struct rule_stats *stats)
{
	stats->event = id;
	*s->rules->events.stats_end = stats;
	s->rules->events.stats_end = &stats->next;
}

void event_attach(struct script *s, unsigned id, struct listener *l)
{
	struct event *e = &s->rules->events.list[id];

	*e->end = l;
	e->end = &l->next;
	e->streamed = e->streamed || l->streamed;
	if (s->head.listeners[id] < UINT16_MAX)
		s->head.listeners[id]++;
	if (l->kind == LISTENER_RULE)
		event_count_rule(s, id, &l->stats);
}

struct listening {
	script_event_fn fn;
	void *ctx;
	unsigned id;
};

static int attach_c(lua_State *L)
{
	const struct listening *w = lua_touserdata(L, 1);
	struct listener *l = lua_newuserdata(L, sizeof(*l));

	*l = (struct listener){.kind = LISTENER_C, .fn = w->fn, .ctx = w->ctx};
	l->self = luaL_ref(L, LUA_REGISTRYINDEX);
	event_attach(script_of(L), w->id, l);
	return 0;
}

int script_event_listen_c(struct script *s, unsigned id, script_event_fn fn, void *ctx)
{
	struct script_error err uninit;

	return script_protect(s, attach_c, &(struct listening){fn, ctx, id}, &err);
}

bool script_event_known(const struct script *s, unsigned id)
{
	return id < s->rules->events.n;
}

bool script_event_streamed(const struct script *s, unsigned id)
{
	return s->rules->events.list[id].streamed;
}

size_t script_rules(const struct script *s, struct script_rule *ret, size_t n)
{
	size_t i = 0;

	for (const struct rule_stats *r = s->rules->events.stats; r; r = r->next, i++) {
		if (i >= n)
			continue;
		(void)event_text(&s->rules->events.list[r->event], ret[i].event);
		memcpy(ret[i].name, r->name, sizeof(r->name));
		memcpy(ret[i].where, r->where, sizeof(r->where));
		ret[i].calls = atomic_load_explicit(&r->calls, memory_order_relaxed);
		ret[i].faults = atomic_load_explicit(&r->faults, memory_order_relaxed);
		ret[i].skipped = atomic_load_explicit(&r->skipped, memory_order_relaxed);
		ret[i].ns = atomic_load_explicit(&r->ns, memory_order_relaxed);
	}
	return i;
}

void script_rules_timing(struct script *s, bool on)
{
	s->rules->events.timing = on;
}

/* Makes the tables, before any event; haka.events' own come once the state is made. */
void script_open_events(lua_State *L)
{
	struct event_table *t = &script_of(L)->rules->events;

	t->stats_end = &t->stats;
	make_key_table(L, &key_dissectors);
	make_key_table(L, &key_events);
	event_streams_open(L);
	make_key_table(L, &key_event_meta);
	script_push_key(L, &key_event_meta);
	lua_pushcfunction(L, push_event_text);
	lua_setfield(L, -2, "__tostring");
	lua_pushliteral(L, "event");
	lua_setfield(L, -2, "__metatable");
	script_push_haka(L);
	script_push_key(L, &key_dissectors);
	set_index_function(L, refuse_dissector, NULL);
	lua_setfield(L, -2, "dissectors");
	push_events(L, "");
	lua_setfield(L, -2, "events");
	lua_settop(L, 0);
}
