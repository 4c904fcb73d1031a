/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Fields that scripts write into objects of extensible classes: a table for each object, which is
 * void when the object has another generation.
 */
#include "script/state/class_impl.h"

static const char key_generation;

const struct script_class *class_find_extensible(const struct script_class *cls, uint32_t *ret_up)
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

static bool is_of_generation(lua_State *L, const struct class_handle *h)
{
	bool same;

	lua_pushlightuserdata(L, (void *)(uintptr_t)&key_generation);
	lua_rawget(L, -2);
	same = lua_tonumber(L, -1) == h->value;
	lua_pop(L, 1);
	return same;
}

void class_push_own(lua_State *L, const struct class_handle *h, bool make)
{
	uint32_t up = 0;
	const struct script_class *cls = class_find_extensible(h->cls, &up);
	void *obj = class_object_up(h, up);

	class_push_metatable(L, cls);
	lua_rawgeti(L, -1, CLASS_MT_OWN);
	class_push_key(L, obj);
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
	class_push_key(L, obj);
	lua_pushvalue(L, -2);
	lua_rawset(L, -4);
}

void script_forget(struct script *s, const struct script_class *cls, void *obj)
{
	lua_State *L = s->L;
	int top = lua_gettop(L);

	if (!s->classes.n_own)
		return;
	class_push_metatable(L, cls);
	if (lua_istable(L, -1)) {
		lua_rawgeti(L, -1, CLASS_MT_OWN);
		class_push_key(L, obj);
		lua_rawget(L, -2);
		if (!lua_isnil(L, -1)) { /* the key is there: nothing is allocated */
			class_push_key(L, obj);
			lua_pushnil(L);
			lua_rawset(L, -4);
			s->classes.n_own--;
		}
	}
	lua_settop(L, top);
}
