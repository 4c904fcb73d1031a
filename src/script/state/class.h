/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Typed handles: the view of a C object in Lua. A class is a constant table of fields and methods,
 * and may have a parent: fields that it lacks are read from and written to the parent's
 * object (Haka's field delegation; names that begin with '_' are not delegated). Reading a field is
 * one table look-up and one C call.
 *
 * A handle borrows its object. It remembers the value of a generation counter when it was made;
 * once the host has changed the counter, every use raises "object has been destroyed".
 *
 * All functions here may raise: call them from C functions that Lua called, from push callbacks of
 * events, or inside script_protect().
 */
#pragma once

#include "script/state/script.h"

struct script_field {
	const char *name;
	/* Pushes the value and returns 1; 0 counts as nil. */
	int (*get)(lua_State *L, void *obj);
	/* Takes the value at idx; NULL: the field is read-only. */
	void (*set)(lua_State *L, void *obj, int idx);
};

struct script_method {
	const char *name;
	lua_CFunction fn; /* takes its object by script_check(L, 1, cls) */
};

enum {
	/*
	 * Scripts may write fields of their own (`flow.user_field = 1`), which live until
	 * script_forget(), or until an object at the same address has another generation. As long
	 * as a script refers to it an object has one handle: so it is identical to itself and may
	 * be a table key. Classes below one share its fields.
	 */
	SCRIPT_CLASS_EXTENSIBLE = 1,
};

struct script_class {
	const char *name;
	const struct script_field *fields; /* each ends with an empty name; NULL: none */
	const struct script_method *methods;
	const struct script_class *parent;
	void *(*to_parent)(void *obj); /* NULL: there is none now, its fields read as nil */
	unsigned flags;
	/* Keys that are no field's name, at index 2 (value at 3); index pushes and returns 1, or 0
	 * for nil. */
	int (*index)(lua_State *L, void *obj);
	/* False: no such field either; the usual error is raised. */
	bool (*newindex)(lua_State *L, void *obj);
	int (*tostring)(lua_State *L, void *obj);
	const struct luaL_Reg
		*meta; /* more metamethods (__len, __pairs, __call); ends with an empty row */
};

/* Makes the class known to the state (and its parents); again is no fault. 0, or -USHER_E_SCRIPT
 * (memory). */
int script_class_register(struct script *s, const struct script_class *cls) must_check;
/* Pushes a handle; nil if obj is NULL. generation may be NULL: the object outlives the state. */
void script_push(lua_State *L, const struct script_class *cls, void *obj,
		 const uint32_t *generation);
/* Pushes a handle that holds its object itself: `size` octets, which are zero, for the caller to
 * fill. It lives as long as scripts refer to it, or until the generation changes. */
void *script_push_object(lua_State *L, const struct script_class *cls, size_t size,
			 const uint32_t *generation);
/* Makes the function at the top, which is taken, a method of a class that is registered. */
void script_class_method(lua_State *L, const struct script_class *cls, const char *name);
/* Lists a class's own fields in pairs() and debug.pprint(): the metamethod __pairs of classes with
 * fields and without a text of their own. Other classes name it in `meta`. */
int script_pairs_fields(lua_State *L);
/* Returns the object of a handle of this class or one below it, or raises an argument error. */
void *script_check(lua_State *L, int idx, const struct script_class *cls);
/* Returns the object of a handle of this class or one below it, NULL if it is something else.
 * Raises if the object has been destroyed. */
void *script_test(lua_State *L, int idx, const struct script_class *cls);
/* Returns the class of the handle at idx; NULL: it is no handle. */
const struct script_class *script_class_of(lua_State *L, int idx);
/* Releases the fields of an extensible object that is gone. cls is the class that has them: the
 * last extensible one upwards. */
void script_forget(struct script *s, const struct script_class *cls, void *obj);

/* Returns a value for setters and arguments, as the functions below do; `what` ("ipv4.ttl") opens
 * the message. */
uint64_t script_check_uint(lua_State *L, int idx, uint64_t max, const char *what);
bool script_check_bool(lua_State *L, int idx, const char *what);
struct span script_check_span(lua_State *L, int idx, const char *what);
double script_check_number(lua_State *L, int idx, const char *what);
/* Raises "NAME: EXPECTED expected, got TYPE", with `what` as NAME. */
void __attribute__((noreturn))
script_expected(lua_State *L, int idx, const char *what, const char *expected);
