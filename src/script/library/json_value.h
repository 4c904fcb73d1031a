/* SPDX-License-Identifier: MPL-2.0 */
/* Values of JSON in Lua, and values of Lua as JSON. Both may raise, and charge for each value. */
#pragma once

#include <lua.h>

struct arena;
struct json;

/* Pushes a value: maps and lists are tables, null is nil. */
void script_push_json(lua_State *L, const struct json *v);
/*
 * Makes JSON of the value at idx, in arena: a table with the keys 1 to n is a list, one with text
 * keys a map, an address is a text. Raises for values without a form in JSON; NULL: out of memory.
 */
struct json *script_to_json(lua_State *L, int idx, struct arena *arena);
