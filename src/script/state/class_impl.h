/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Handles of objects, as the files of classes share them. A handle is a full userdata {class,
 * object, generation}; an object that lives in its handle lies behind it. Scripts never see a
 * lightuserdata, and cannot get at a metatable.
 */
#pragma once

#include "script/state/script_impl.h"

#include <lauxlib.h>

#define CLASS_HANDLE_MAGIC 0x9d1c5a70e5b3f24bULL

/* Of an extensible class: handles by object, weak; and fields that scripts wrote, by object. */
enum { CLASS_MT_HANDLES = 1, CLASS_MT_ENTRIES = 2, CLASS_MT_MAP = 3, CLASS_MT_OWN = 4 };

struct class_handle {
	uint64_t magic;
	const struct script_class *cls;
	void *obj;
	const uint32_t *generation;
	uint32_t value;
};

struct class_entry {
	const struct script_field *field;
	const struct script_class *cls; /* of the map */
	uint32_t up;			/* steps to the parent that has it */
};

static inline const struct class_handle *class_to_handle(lua_State *L, int idx)
{
	const struct class_handle *h = lua_touserdata(L, idx);

	/* a light userdata has no length */
	return h && lua_objlen(L, idx) >= sizeof(*h) && h->magic == CLASS_HANDLE_MAGIC ? h : NULL;
}

static inline void class_check_alive(lua_State *L, const struct class_handle *h)
{
	if (h->generation && *h->generation != h->value)
		luaL_error(L, "%s: object has been destroyed", h->cls->name);
}

static inline void *class_object_up(const struct class_handle *h, uint32_t up)
{
	const struct script_class *cls = h->cls;
	void *obj = h->obj;

	for (; up && obj; up--) {
		obj = cls->to_parent(obj);
		cls = cls->parent;
	}
	return obj;
}

/* Pushes an object as a key, one to one. Addresses themselves fill LuaJIT's tables with long
 * chains. */
static inline void class_push_key(lua_State *L, const void *obj)
{
	uint64_t x = (uintptr_t)obj * UINT64_C(0x9e3779b97f4a7c15) & ((UINT64_C(1) << 48) - 1);

	lua_pushnumber(L, (lua_Number)(x ^ x >> 24));
}

/* Returns where a class is in the table, or would be. (LuaJIT's own hash of addresses is slow:
 * those of constants lie in a row.) */
static inline unsigned class_find_place(const struct script *s, const struct script_class *cls)
{
	unsigned i = (unsigned)((uintptr_t)cls >> 3) * 0x9e3779b1U >> 16;

	while (s->classes.table[i % SCRIPT_CLASSES].cls &&
	       s->classes.table[i % SCRIPT_CLASSES].cls != cls)
		i++;
	return i % SCRIPT_CLASSES;
}

/* Pushes the metatable of a class; nil if it is not registered. */
static inline void class_push_metatable(lua_State *L, const struct script_class *cls)
{
	const struct script *s = script_of(L);
	unsigned i = class_find_place(s, cls);

	if (s->classes.table[i].cls)
		lua_rawgeti(L, LUA_REGISTRYINDEX, s->classes.table[i].ref);
	else
		lua_pushnil(L);
}

/* Returns the extensible class above cls, which holds the script's own fields, and the steps to it;
 * NULL: none. */
const struct script_class *class_find_extensible(const struct script_class *cls, uint32_t *ret_up);
/* Pushes the table of the fields that scripts wrote; nil if there are none and make is not set. */
void class_push_own(lua_State *L, const struct class_handle *h, bool make);
/* Fills the metatable at idx of a class with the metamethods over the map at `map`. The class is
 * argument 1. */
void class_set_metamethods(lua_State *L, const struct script_class *cls, int idx, int map);
