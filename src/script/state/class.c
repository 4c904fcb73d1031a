/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Handles are full userdata {class, object, generation}. A class has a metatable, in the registry;
 * __index and __newindex hold as their first upvalue the flattened map from names to entries (own
 * fields first, then each parent's), an entry being a lightuserdata, a method the function itself.
 * An object that lives in its handle lies behind it. Scripts never see a lightuserdata, and cannot
 * get at a metatable.
 */
#include "script/state/class.h"

#include "script/state/script_impl.h"

#include "base/nearest.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdio.h>
#include <sys/param.h>

#define HANDLE_MAGIC 0x9d1c5a70e5b3f24bULL

/* Of an extensible class: handles by object, weak; and fields that scripts wrote, by object. */
enum { MT_HANDLES = 1, MT_ENTRIES = 2, MT_MAP = 3, MT_OWN = 4 };

static const char key_generation;

struct handle {
	uint64_t magic;
	const struct script_class *cls;
	void *obj;
	const uint32_t *generation;
	uint32_t value;
};

struct entry {
	const struct script_field *field;
	const struct script_class *cls; /* of the map */
	uint32_t up;			/* steps to the parent that has it */
};

static const struct handle *to_handle(lua_State *L, int idx)
{
	const struct handle *h = lua_touserdata(L, idx);

	/* a light userdata has no length */
	return h && lua_objlen(L, idx) >= sizeof(*h) && h->magic == HANDLE_MAGIC ? h : NULL;
}

static void check_alive(lua_State *L, const struct handle *h)
{
	if (h->generation && *h->generation != h->value)
		luaL_error(L, "%s: object has been destroyed", h->cls->name);
}

static void *object_up(const struct handle *h, uint32_t up)
{
	const struct script_class *cls = h->cls;
	void *obj = h->obj;

	for (; up && obj; up--) {
		obj = cls->to_parent(obj);
		cls = cls->parent;
	}
	return obj;
}

/* Where a class is, or would be. (LuaJIT's own hash of addresses is slow: those of constants lie in
 * a row.) */
static unsigned place_of(const struct script *s, const struct script_class *cls)
{
	unsigned i = (unsigned)((uintptr_t)cls >> 3) * 0x9e3779b1U >> 16;

	while (s->classes.table[i % SCRIPT_CLASSES].cls &&
	       s->classes.table[i % SCRIPT_CLASSES].cls != cls)
		i++;
	return i % SCRIPT_CLASSES;
}

/* Nil: it is not registered. */
static void push_metatable(lua_State *L, const struct script_class *cls)
{
	const struct script *s = script_of(L);
	unsigned i = place_of(s, cls);

	if (s->classes.table[i].cls)
		lua_rawgeti(L, LUA_REGISTRYINDEX, s->classes.table[i].ref);
	else
		lua_pushnil(L);
}

/* Returns the extensible class above cls, which holds the script's own fields, and the steps to it;
 * NULL: none. */
static const struct script_class *extensible(const struct script_class *cls, uint32_t *ret_up)
{
	const struct script_class *found = NULL;

	for (uint32_t up = 0; cls; cls = cls->parent, up++) {
		if (!(cls->flags & SCRIPT_CLASS_EXTENSIBLE))
			continue;
		found = cls;
		*ret_up = up;
	}
	return found;
}

/* An object as a key, one to one. Addresses themselves fill LuaJIT's tables with long chains. */
static void push_object(lua_State *L, const void *obj)
{
	uint64_t x = (uintptr_t)obj * UINT64_C(0x9e3779b97f4a7c15) & ((UINT64_C(1) << 48) - 1);

	lua_pushnumber(L, (lua_Number)(x ^ x >> 24));
}

static bool is_of_generation(lua_State *L, const struct handle *h)
{
	bool same;

	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_generation);
	lua_rawget(L, -2);
	same = lua_tonumber(L, -1) == h->value;
	lua_pop(L, 1);
	return same;
}

/* Pushes the table of the fields that scripts wrote; or nil, if there are none and make is not
 * set. */
static void push_own(lua_State *L, const struct handle *h, bool make)
{
	uint32_t up = 0;
	const struct script_class *cls = extensible(h->cls, &up);
	void *obj = object_up(h, up);

	push_metatable(L, cls);
	lua_rawgeti(L, -1, MT_OWN);
	push_object(L, obj);
	lua_rawget(L, -2);
	/* those of an object that was in this place before */
	if (!lua_isnil(L, -1) && is_of_generation(L, h))
		return;
	if (!make) {
		lua_pushnil(L);
		return;
	}
	script_of(L)->classes.n_own += lua_isnil(L, -1);
	lua_pop(L, 1);
	lua_newtable(L);
	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_generation);
	lua_pushnumber(L, h->value);
	lua_rawset(L, -3);
	push_object(L, obj);
	lua_pushvalue(L, -2);
	lua_rawset(L, -4);
}

/* Checks argument 1 of a metamethod of class `cls`: metamethods may be called with anything. */
static void check_class(lua_State *L, const struct handle *h, const struct script_class *cls)
{
	if (!h || h->cls != cls)
		luaL_error(L, "an object of another class");
	check_alive(L, h);
}

/* Returns argument 1 of a metamethod, checked. Upvalue 2: the class. */
static const struct handle *check_self(lua_State *L)
{
	const struct handle *h = to_handle(L, 1);

	check_class(L, h, lua_touserdata(L, lua_upvalueindex(2)));
	return h;
}

/* The field or method of the class or one above it that is meant perhaps; NULL: none is near. */
static const char *nearest_name(const struct script_class *cls, const char *name)
{
	struct nearest near = nearest_init(name);

	for (; cls; cls = cls->parent) {
		for (const struct script_field *f = cls->fields; f && f->name; f++)
			nearest_take(&near, f->name);
		for (const struct script_method *m = cls->methods; m && m->name; m++)
			nearest_take(&near, m->name);
	}
	return near.found;
}

void script_push_missed(lua_State *L, const struct script_class *cls, const char *name)
{
	const char *near = nearest_name(cls, name);

	if (near)
		lua_pushfstring(L, "%s has no field '%s' (did you mean '%s'?)", cls->name, name,
				near);
	else
		lua_pushfstring(L, "%s has no field '%s'", cls->name, name);
}

/* Notes that the name at 2 gives nil: the error of a call can then name the class. */
static void note_missed(lua_State *L, const struct script_class *cls)
{
	struct script *s = script_of(L);

	if (lua_type(L, 2) != LUA_TSTRING)
		return;
	s->missed.cls = cls;
	(void)snprintf(s->missed.name, sizeof(s->missed.name), "%s", lua_tostring(L, 2));
}

static int index_missing(lua_State *L, const struct handle *h)
{
	uint32_t up;

	if (extensible(h->cls, &up)) {
		push_own(L, h, false);
		if (!lua_isnil(L, -1)) {
			lua_pushvalue(L, 2);
			lua_rawget(L, -2);
		}
		if (!lua_isnil(L, -1))
			return 1;
	}
	lua_settop(L, 2);
	if (h->cls->index)
		return h->cls->index(L, h->obj);
	note_missed(L, h->cls);
	return 0;
}

/* Upvalue 1: the map. (A field is the frequent case: its entry knows the class, so that upvalue 2
 * is not read.) */
static int handle_index(lua_State *L)
{
	const struct handle *h = to_handle(L, 1);
	const struct entry *e;
	void *obj;

	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	switch (lua_type(L, -1)) {
	case LUA_TLIGHTUSERDATA:
		e = lua_touserdata(L, -1);
		check_class(L, h, e->cls);
		obj = e->up ? object_up(h, e->up) : h->obj;
		return obj ? e->field->get(L, obj) : 0;
	case LUA_TNIL:
		return index_missing(L, check_self(L));
	default:
		(void)check_self(L);
		return 1;
	}
}

static void set_own(lua_State *L, const struct handle *h)
{
	push_own(L, h, true);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_rawset(L, -3);
}

static const char *key_text(lua_State *L)
{
	return lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
}

static int refuse_name(lua_State *L, const struct script_class *cls)
{
	script_push_missed(L, cls, key_text(L));
	return luaL_error(L, "%s", lua_tostring(L, -1));
}

static int handle_newindex(lua_State *L)
{
	const struct handle *h = check_self(L);
	const struct entry *e;
	uint32_t up;
	void *obj;

	lua_settop(L, 3);
	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	e = lua_islightuserdata(L, -1) ? lua_touserdata(L, -1) : NULL;
	if (!e && !lua_isnil(L, -1))
		return luaL_error(L, "%s.%s is a method and cannot be set", h->cls->name,
				  key_text(L));
	lua_pop(L, 1);
	if (!e) {
		if (h->cls->newindex && h->cls->newindex(L, h->obj))
			return 0;
		if (!extensible(h->cls, &up) || lua_isnil(L, 2))
			return refuse_name(L, h->cls);
		set_own(L, h);
		return 0;
	}
	obj = object_up(h, e->up);
	if (!e->field->set)
		return luaL_error(L, "%s.%s is read-only", h->cls->name, key_text(L));
	if (!obj)
		return luaL_error(L, "%s.%s: there is no such part", h->cls->name, key_text(L));
	e->field->set(L, obj, 3);
	return 0;
}

static int handle_tostring(lua_State *L)
{
	const struct handle *h = check_self(L);

	if (h->cls->tostring)
		return h->cls->tostring(L, h->obj);
	lua_pushfstring(L, "<%s>", h->cls->name);
	return 1;
}

static int handle_eq(lua_State *L)
{
	const struct handle *a = to_handle(L, 1);
	const struct handle *b = to_handle(L, 2);

	lua_pushboolean(L, a && b && a->cls == b->cls && a->obj == b->obj &&
				   a->generation == b->generation && a->value == b->value);
	return 1;
}

/* Upvalues: the number of the next field; the handle, used in place of the caller's argument. */
static int next_field(lua_State *L)
{
	const struct handle *h = lua_touserdata(L, lua_upvalueindex(2));
	lua_Integer i = lua_tointeger(L, lua_upvalueindex(1));
	const struct script_field *f = h->cls->fields ? &h->cls->fields[i] : NULL;
	int n = 0;

	check_alive(L, h);
	lua_settop(L, 0);
	lua_pushvalue(L, lua_upvalueindex(2));
	for (; n == 0 && f && f->name; f++, i++) {
		lua_settop(L, 1);
		lua_pushstring(L, f->name);
		/* absent fields are left out */
		n = f->get(L, h->obj);
		if (n && lua_isnil(L, -1))
			n = 0;
	}
	if (n)
		lua_insert(L, 3);
	lua_settop(L, n ? 3 : 1);
	lua_pushinteger(L, i);
	lua_replace(L, lua_upvalueindex(1));
	return n ? 2 : 0;
}

int script_pairs_fields(lua_State *L)
{
	if (!to_handle(L, 1))
		return luaL_error(L, "pairs: an object expected, got %s", luaL_typename(L, 1));
	lua_pushinteger(L, 0);
	lua_pushvalue(L, 1);
	lua_pushcclosure(L, next_field, 2);
	lua_pushvalue(L, 1);
	return 2;
}

static size_t n_fields(const struct script_class *cls)
{
	size_t n = 0;

	for (; cls; cls = cls->parent)
		for (const struct script_field *f = cls->fields; f && f->name; f++)
			n++;
	return n;
}

/* Is the name free in the map at the top, and may a class `up` steps above give it? */
static bool map_takes(lua_State *L, const char *name, uint32_t up)
{
	bool free;

	lua_getfield(L, -1, name);
	free = lua_isnil(L, -1) && (up == 0 || name[0] != '_');
	lua_pop(L, 1);
	return free;
}

/* Pushes the map; the entries it points to are in the userdata below. */
static void push_map(lua_State *L, const struct script_class *cls, struct entry *entries)
{
	const struct script_class *own = cls;
	uint32_t up = 0;

	lua_newtable(L);
	for (; cls; cls = cls->parent, up++) {
		for (const struct script_field *f = cls->fields; f && f->name; f++) {
			if (!map_takes(L, f->name, up))
				continue;
			*entries = (struct entry){f, own, up};
			lua_pushlightuserdata(L, entries++);
			lua_setfield(L, -2, f->name);
		}
		for (const struct script_method *m = cls->methods; m && m->name; m++) {
			if (!map_takes(L, m->name, up))
				continue;
			lua_pushcfunction(L, m->fn);
			lua_setfield(L, -2, m->name);
		}
	}
}

static void set_closure(lua_State *L, int mt, int map, const char *name, lua_CFunction fn)
{
	lua_pushvalue(L, map);
	lua_pushvalue(L, 1); /* the class */
	lua_pushcclosure(L, fn, 2);
	lua_setfield(L, mt, name);
}

static int register_class(lua_State *L)
{
	const struct script_class *cls = lua_touserdata(L, 1);
	struct script *s = script_of(L);
	unsigned place = place_of(s, cls);
	int mt = 2;
	int map = 4;

	if (s->classes.table[place].cls)
		return 0;
	if (s->classes.n >= SCRIPT_CLASSES / 4 * 3)
		return luaL_error(L, "more than %d classes", SCRIPT_CLASSES / 4 * 3);
	lua_settop(L, 1);
	lua_newtable(L);
	push_map(L, cls, lua_newuserdata(L, (n_fields(cls) + 1) * sizeof(struct entry)));
	lua_pushvalue(L, 3);
	lua_rawseti(L, mt, MT_ENTRIES);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	(void)lua_setmetatable(L, -2);
	lua_rawseti(L, mt, MT_HANDLES);
	lua_newtable(L);
	lua_rawseti(L, mt, MT_OWN);
	lua_pushvalue(L, map);
	lua_rawseti(L, mt, MT_MAP);
	set_closure(L, mt, map, "__index", handle_index);
	set_closure(L, mt, map, "__newindex", handle_newindex);
	set_closure(L, mt, map, "__tostring", handle_tostring);
	lua_pushcfunction(L, handle_eq);
	lua_setfield(L, mt, "__eq");
	lua_pushstring(L, cls->name);
	lua_setfield(L, mt,
		     "__metatable"); /* the result of getmetatable(); setmetatable() is refused */
	if (cls->fields && !cls->tostring) { /* for pairs() and debug.pprint() */
		lua_pushcfunction(L, script_pairs_fields);
		lua_setfield(L, mt, "__pairs");
	}
	for (const luaL_Reg *r = cls->meta; r && r->name; r++) {
		lua_pushcfunction(L, r->func);
		lua_setfield(L, mt, r->name);
	}
	lua_pushvalue(L, mt);
	s->classes.table[place].ref = luaL_ref(L, LUA_REGISTRYINDEX);
	s->classes.table[place].cls = cls;
	s->classes.n++;
	return 0;
}

int script_class_register(struct script *s, const struct script_class *cls)
{
	struct script_error err;
	int r = 0;

	for (; cls && r == 0; cls = cls->parent)
		r = script_protect(s, register_class, (void *)(uintptr_t)cls, &err);
	return r;
}

/* A handle made before, if it is still the object's: on the stack. The metatable is at the top and
 * is replaced. */
static bool push_kept(lua_State *L, void *obj, const uint32_t *generation)
{
	const struct handle *h;

	lua_rawgeti(L, -1, MT_HANDLES);
	push_object(L, obj);
	lua_rawget(L, -2);
	h = lua_touserdata(L, -1);
	if (h && h->generation == generation && (!generation || h->value == *generation)) {
		lua_replace(L, -3);
		lua_pop(L, 1);
		return true;
	}
	lua_pop(L, 2);
	return false;
}

static void keep(lua_State *L, void *obj)
{
	lua_rawgeti(L, -2, MT_HANDLES);
	push_object(L, obj);
	lua_pushvalue(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

void script_push(lua_State *L, const struct script_class *cls, void *obj,
		 const uint32_t *generation)
{
	bool kept = cls->flags & SCRIPT_CLASS_EXTENSIBLE;
	struct handle *h;

	if (!obj) {
		lua_pushnil(L);
		return;
	}
	push_metatable(L, cls);
	if (lua_isnil(L, -1))
		luaL_error(L, "class %s is not registered", cls->name);
	if (kept && push_kept(L, obj, generation))
		return;
	h = lua_newuserdata(L, sizeof(*h));
	*h = (struct handle){HANDLE_MAGIC, cls, obj, generation, generation ? *generation : 0};
	lua_pushvalue(L, -2);
	(void)lua_setmetatable(L, -2);
	if (kept)
		keep(L, obj);
	lua_remove(L, -2);
}

void *script_push_object(lua_State *L, const struct script_class *cls, size_t size,
			 const uint32_t *generation)
{
	struct handle *h = lua_newuserdata(L, sizeof(*h) + size);

	*h = (struct handle){HANDLE_MAGIC, cls, h + 1, generation, generation ? *generation : 0};
	memset(h->obj, 0, size);
	push_metatable(L, cls);
	if (lua_isnil(L, -1))
		luaL_error(L, "class %s is not registered", cls->name);
	(void)lua_setmetatable(L, -2);
	return h->obj;
}

void script_class_method(lua_State *L, const struct script_class *cls, const char *name)
{
	push_metatable(L, cls);
	lua_rawgeti(L, -1, MT_MAP);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, name);
	lua_pop(L, 3);
}

void *script_test(lua_State *L, int idx, const struct script_class *cls)
{
	const struct handle *h = to_handle(L, idx);
	const struct script_class *c;
	uint32_t up = 0;

	for (c = h ? h->cls : NULL; c && c != cls; c = c->parent)
		up++;
	if (!c)
		return NULL;
	check_alive(L, h);
	return object_up(h, up);
}

const struct script_class *script_class_of(lua_State *L, int idx)
{
	const struct handle *h = to_handle(L, idx);

	return h ? h->cls : NULL;
}

static bool is_below(const struct script_class *c, const struct script_class *cls)
{
	while (c && c != cls)
		c = c->parent;
	return c != NULL;
}

void *script_check(lua_State *L, int idx, const struct script_class *cls)
{
	void *obj = script_test(L, idx, cls);
	const struct handle *h;

	if (!obj) {
		h = to_handle(L, idx);
		lua_pushfstring(L, "%s expected, got %s%s", cls->name,
				h ? h->cls->name : luaL_typename(L, idx),
				h && is_below(h->cls, cls) ? " without one" : "");
		(void)luaL_argerror(L, idx, lua_tostring(L, -1));
	}
	return obj;
}

void script_forget(struct script *s, const struct script_class *cls, void *obj)
{
	lua_State *L = s->L;
	int top = lua_gettop(L);

	if (!s->classes.n_own)
		return;
	push_metatable(L, cls);
	if (lua_istable(L, -1)) {
		lua_rawgeti(L, -1, MT_OWN);
		push_object(L, obj);
		lua_rawget(L, -2);
		if (!lua_isnil(L, -1)) { /* the key is there: nothing is allocated */
			push_object(L, obj);
			lua_pushnil(L);
			lua_rawset(L, -4);
			s->classes.n_own--;
		}
	}
	lua_settop(L, top);
}
