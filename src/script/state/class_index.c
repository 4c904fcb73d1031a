/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Metamethods of handles. __index and __newindex hold as their first upvalue the flattened map from
 * names to entries (own fields first, then each parent's), an entry being a lightuserdata, a method
 * the function itself.
 */
#include "script/state/class_impl.h"

#include "base/nearest.h"

#include <stdio.h>

/* Checks argument 1 of a metamethod of class `cls`: metamethods may be called with anything. */
static void check_handle(lua_State *L, const struct class_handle *h, const struct script_class *cls)
{
	if (!h || h->cls != cls)
		luaL_error(L, "an object of another class");
	class_check_alive(L, h);
}

/* Returns argument 1 of a metamethod, checked. Upvalue 2: the class. */
static const struct class_handle *check_self(lua_State *L)
{
	const struct class_handle *h = class_to_handle(L, 1);

	check_handle(L, h, lua_touserdata(L, lua_upvalueindex(2)));
	return h;
}

/* Returns the nearest name of a field or method of a class or one above it; NULL: none is near. */
static const char *find_nearest(const struct script_class *cls, const char *name)
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
	const char *near = find_nearest(cls, name);

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

static noinline_fn int index_own(lua_State *L, const struct class_handle *h)
{
	uint32_t up;

	if (class_find_extensible(h->cls, &up)) {
		class_push_own(L, h, false);
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

/* Called for each access to a member of a handle. Upvalue 1: the map. (A field is the frequent
 * case: its entry knows the class, so that upvalue 2 is not read.) */
static int index_handle(lua_State *L)
{
	const struct class_handle *h = class_to_handle(L, 1);
	const struct class_entry *e;
	void *obj;

	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	switch (lua_type(L, -1)) {
	case LUA_TLIGHTUSERDATA:
		e = lua_touserdata(L, -1);
		check_handle(L, h, e->cls);
		obj = e->up ? class_object_up(h, e->up) : h->obj;
		return obj ? e->field->get(L, obj) : 0;
	case LUA_TNIL:
		return index_own(L, check_self(L));
	default:
		(void)check_self(L);
		return 1;
	}
}

static void set_own_field(lua_State *L, const struct class_handle *h)
{
	class_push_own(L, h, true);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_rawset(L, -3);
}

static const char *get_key_text(lua_State *L)
{
	return lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : luaL_typename(L, 2);
}

static int refuse_name(lua_State *L, const struct script_class *cls)
{
	script_push_missed(L, cls, get_key_text(L));
	return luaL_error(L, "%s", lua_tostring(L, -1));
}

static int set_handle_field(lua_State *L)
{
	const struct class_handle *h = check_self(L);
	const struct class_entry *e;
	uint32_t up;
	void *obj;

	lua_settop(L, 3);
	lua_pushvalue(L, 2);
	lua_rawget(L, lua_upvalueindex(1));
	e = lua_islightuserdata(L, -1) ? lua_touserdata(L, -1) : NULL;
	if (!e && !lua_isnil(L, -1))
		return luaL_error(L, "%s.%s is a method and cannot be set", h->cls->name,
				  get_key_text(L));
	lua_pop(L, 1);
	if (!e) {
		if (h->cls->newindex && h->cls->newindex(L, h->obj))
			return 0;
		if (!class_find_extensible(h->cls, &up) || lua_isnil(L, 2))
			return refuse_name(L, h->cls);
		set_own_field(L, h);
		return 0;
	}
	obj = class_object_up(h, e->up);
	if (!e->field->set)
		return luaL_error(L, "%s.%s is read-only", h->cls->name, get_key_text(L));
	if (!obj)
		return luaL_error(L, "%s.%s: there is no such part", h->cls->name, get_key_text(L));
	e->field->set(L, obj, 3);
	return 0;
}

static int push_handle_text(lua_State *L)
{
	const struct class_handle *h = check_self(L);

	if (h->cls->tostring)
		return h->cls->tostring(L, h->obj);
	lua_pushfstring(L, "<%s>", h->cls->name);
	return 1;
}

static int compare_handles(lua_State *L)
{
	const struct class_handle *a = class_to_handle(L, 1);
	const struct class_handle *b = class_to_handle(L, 2);

	lua_pushboolean(L, a && b && a->cls == b->cls && a->obj == b->obj &&
				   a->generation == b->generation && a->value == b->value);
	return 1;
}

/* Pushes the next field. Upvalues: the number of the next field; the handle, used in place of the
 * caller's argument. */
static int push_next_field(lua_State *L)
{
	const struct class_handle *h = lua_touserdata(L, lua_upvalueindex(2));
	lua_Integer i = lua_tointeger(L, lua_upvalueindex(1));
	const struct script_field *f = h->cls->fields ? &h->cls->fields[i] : NULL;
	int n = 0;

	class_check_alive(L, h);
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
	if (!class_to_handle(L, 1))
		return luaL_error(L, "pairs: an object expected, got %s", luaL_typename(L, 1));
	lua_pushinteger(L, 0);
	lua_pushvalue(L, 1);
	lua_pushcclosure(L, push_next_field, 2);
	lua_pushvalue(L, 1);
	return 2;
}

static void set_metamethod(lua_State *L, int mt, int map, const char *name, lua_CFunction fn)
{
	lua_pushvalue(L, map);
	lua_pushvalue(L, 1); /* the class */
	lua_pushcclosure(L, fn, 2);
	lua_setfield(L, mt, name);
}

void class_set_metamethods(lua_State *L, const struct script_class *cls, int mt, int map)
{
	set_metamethod(L, mt, map, "__index", index_handle);
	set_metamethod(L, mt, map, "__newindex", set_handle_field);
	set_metamethod(L, mt, map, "__tostring", push_handle_text);
	lua_pushcfunction(L, compare_handles);
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
}
