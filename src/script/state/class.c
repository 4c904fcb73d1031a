/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Classes and their handles: a class has a metatable, in the registry, which is made when it is
 * registered; handles are pushed, and checked when they come back as arguments.
 */
#include "script/state/class_impl.h"

#include <stdio.h>
#include <string.h>

static size_t count_fields(const struct script_class *cls)
{
	size_t n = 0;

	for (; cls; cls = cls->parent)
		for (const struct script_field *f = cls->fields; f && f->name; f++)
			n++;
	return n;
}

/* Returns whether a name is free in the map at the top, and a class `up` steps above may give it.
 */
static bool may_map(lua_State *L, const char *name, uint32_t up)
{
	bool free;

	lua_getfield(L, -1, name);
	free = lua_isnil(L, -1) && (up == 0 || name[0] != '_');
	lua_pop(L, 1);
	return free;
}

/* Pushes the map of a class. Its values point to `entries`, in the userdata below. */
static void push_names(lua_State *L, const struct script_class *cls, struct class_entry *entries)
{
	const struct script_class *own = cls;
	uint32_t up = 0;

	lua_newtable(L);
	for (; cls; cls = cls->parent, up++) {
		for (const struct script_field *f = cls->fields; f && f->name; f++) {
			if (!may_map(L, f->name, up))
				continue;
			*entries = (struct class_entry){f, own, up};
			lua_pushlightuserdata(L, entries++);
			lua_setfield(L, -2, f->name);
		}
		for (const struct script_method *m = cls->methods; m && m->name; m++) {
			if (!may_map(L, m->name, up))
				continue;
			lua_pushcfunction(L, m->fn);
			lua_setfield(L, -2, m->name);
		}
	}
}

static int register_class(lua_State *L)
{
	const struct script_class *cls = lua_touserdata(L, 1);
	struct script *s = script_of(L);
	unsigned place = class_find_place(s, cls);
	int mt = 2;
	int map = 4;

	if (s->classes.table[place].cls)
		return 0;
	if (s->classes.n >= SCRIPT_CLASSES / 4 * 3)
		return luaL_error(L, "more than %d classes", SCRIPT_CLASSES / 4 * 3);
	lua_settop(L, 1);
	lua_newtable(L);
	push_names(L, cls,
		   lua_newuserdata(L, (count_fields(cls) + 1) * sizeof(struct class_entry)));
	lua_pushvalue(L, 3);
	lua_rawseti(L, mt, CLASS_MT_ENTRIES);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	(void)lua_setmetatable(L, -2);
	lua_rawseti(L, mt, CLASS_MT_HANDLES);
	lua_newtable(L);
	lua_rawseti(L, mt, CLASS_MT_OWN);
	lua_pushvalue(L, map);
	lua_rawseti(L, mt, CLASS_MT_MAP);
	class_set_metamethods(L, cls, mt, map);
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

/* Pushes a handle made before, if it is still the object's. The metatable is at the top and is
 * replaced. */
static bool push_kept_handle(lua_State *L, void *obj, const uint32_t *generation)
{
	const struct class_handle *h;

	lua_rawgeti(L, -1, CLASS_MT_HANDLES);
	class_push_key(L, obj);
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

static void keep_handle(lua_State *L, void *obj)
{
	lua_rawgeti(L, -2, CLASS_MT_HANDLES);
	class_push_key(L, obj);
	lua_pushvalue(L, -3);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

void script_push(lua_State *L, const struct script_class *cls, void *obj,
		 const uint32_t *generation)
{
	bool kept = cls->flags & SCRIPT_CLASS_EXTENSIBLE;
	struct class_handle *h;

	if (!obj) {
		lua_pushnil(L);
		return;
	}
	class_push_metatable(L, cls);
	if (lua_isnil(L, -1))
		luaL_error(L, "class %s is not registered", cls->name);
	if (kept && push_kept_handle(L, obj, generation))
		return;
	h = lua_newuserdata(L, sizeof(*h));
	*h = (struct class_handle){CLASS_HANDLE_MAGIC, cls, obj, generation,
				   generation ? *generation : 0};
	lua_pushvalue(L, -2);
	(void)lua_setmetatable(L, -2);
	if (kept)
		keep_handle(L, obj);
	lua_remove(L, -2);
}

void *script_push_object(lua_State *L, const struct script_class *cls, size_t size,
			 const uint32_t *generation)
{
	struct class_handle *h = lua_newuserdata(L, sizeof(*h) + size);

	*h = (struct class_handle){CLASS_HANDLE_MAGIC, cls, h + 1, generation,
				   generation ? *generation : 0};
	memset(h->obj, 0, size);
	class_push_metatable(L, cls);
	if (lua_isnil(L, -1))
		luaL_error(L, "class %s is not registered", cls->name);
	(void)lua_setmetatable(L, -2);
	return h->obj;
}

void script_class_method(lua_State *L, const struct script_class *cls, const char *name)
{
	class_push_metatable(L, cls);
	lua_rawgeti(L, -1, CLASS_MT_MAP);
	lua_pushvalue(L, -3);
	lua_setfield(L, -2, name);
	lua_pop(L, 3);
}

void *script_test(lua_State *L, int idx, const struct script_class *cls)
{
	const struct class_handle *h = class_to_handle(L, idx);
	const struct script_class *c;
	uint32_t up = 0;

	for (c = h ? h->cls : NULL; c && c != cls; c = c->parent)
		up++;
	if (!c)
		return NULL;
	class_check_alive(L, h);
	return class_object_up(h, up);
}

const struct script_class *script_class_of(lua_State *L, int idx)
{
	const struct class_handle *h = class_to_handle(L, idx);

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
	const struct class_handle *h;

	if (!obj) {
		h = class_to_handle(L, idx);
		lua_pushfstring(L, "%s expected, got %s%s", cls->name,
				h ? h->cls->name : luaL_typename(L, idx),
				h && is_below(h->cls, cls) ? " without one" : "");
		(void)luaL_argerror(L, idx, lua_tostring(L, -1));
	}
	return obj;
}
