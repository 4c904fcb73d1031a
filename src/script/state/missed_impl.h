/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Explanations of errors (missed.c): the last name that an object or table has not.
 */
#pragma once

#include "script/state/class.h"

struct script_missed {
	const struct script_class *cls; /* of the object; NULL: a table */
	char name[32];
};

/* Makes errors about absent members name the table at the top, which stays. */
void script_watch_table(lua_State *L, const char *name);
/* Notes the name of an absent member of the table at 1: an __index. */
int script_table_missed(lua_State *L);
/* Adds names to the error at the top: those near to the member that is nil; that of the function at
 * an index (0: unknown). Returns how many names were compared. */
unsigned script_explain(lua_State *L, int function);
/* Writes the name of a function into "bad argument #1 to '?'" at the top; other texts stay as they
 * are. */
void script_name_function(lua_State *L, const char *name);
/* Pushes the message about a name that a class has not: "ipv4 has no 'drp'; did you mean
 * 'drop'?" */
void script_push_missed(lua_State *L, const struct script_class *cls, const char *name);
