/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Policies, as the files that fill them and decide by them share them. Entries are userdata of the
 * state, kept alive by the registry.
 */
#pragma once

#include "script/rules/filter.h"
#include "script/rules/policy.h"

#include <lauxlib.h>

enum action_kind { ACTION_ACCEPT, ACTION_DROP, ACTION_HOST, ACTION_LUA };

struct policy_action {
	enum action_kind kind;
	const struct script_action *host;
	int ref; /* of a function */
};

struct policy_entry {
	struct policy_entry *next;
	const struct script_filter *filter; /* of a host's policy */
	int criteria; /* of a script's: the registry's table {name = criterion} */
	char where[SCRIPT_WHERE_LEN];
	bool all_c;
	unsigned n;
	struct policy_action actions[];
};

struct policy {
	char dissector[SCRIPT_NAME_LEN];
	char name[SCRIPT_NAME_LEN];
	const struct script_filter_field *fields; /* NULL: a script's own */
	struct policy_entry *entries;
};

struct policy_table {
	unsigned n;
	int run_actions; /* a C function, made once */
	struct policy list[SCRIPT_POLICIES];
};

extern const char policy_key_meta; /* of the registry: the metatable of policies */

/* Returns the policy at idx, and its number; NULL: it is something else. */
struct policy *policy_at(lua_State *L, int idx, unsigned *ret_id);
/* Pushes the policy of a number. */
void policy_push(lua_State *L, unsigned id);
/* Makes a metatable that is kept in the registry under a key. */
void policy_new_meta(lua_State *L, const char *key, const char *name, const luaL_Reg *functions);
/* Takes the action at the top. */
struct policy_action policy_take_action(lua_State *L);

/* Adds its part to the table haka.policy, at the top, as the functions below do. */
void policy_open_own(lua_State *L);
void policy_open_actions(lua_State *L);
void policy_open_entries(lua_State *L);
/* Makes the C function that runs actions. */
void policy_open_decisions(lua_State *L);
