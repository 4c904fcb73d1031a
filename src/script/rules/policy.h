/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Policies: points of decision that rule files configure with haka.policy{on=, action=,
 * <criterion>=}. The last entry whose criteria all hold wins; only its actions run. A host's
 * policies are compiled over its fields and decided in C; Lua is entered only for an action written
 * in Lua. haka.policy.new() makes policies of a script's own, over Lua values.
 */
#pragma once

#include "script/rules/event.h"

/*
 * Defines a policy haka.dissectors.<dissector>.policies.<name>. The fields (event.h) are names for
 * criteria of entries, and actions get them as `values`; they end with an empty name and are
 * borrowed. 0, -USHER_E_EXISTS, -USHER_E_LIMIT, -USHER_E_SCRIPT.
 */
int script_policy_define(struct script *s, const char *dissector, const char *name,
			 const struct script_filter_field *fields, unsigned *ret_id) must_check;

/* An action of the host's, as a value for scripts (haka.dissectors.x.install). Borrowed for the
 * life of the state. */
struct script_action {
	const char *name;
	void (*run)(void *ctx, void *data); /* ctx is that of the decision */
	void *data;
	lua_CFunction call; /* called by a script as action(policy, ctx, values, desc), with data
			       behind those; NULL: refused */
};
void script_push_action(lua_State *L, const struct script_action *action);

struct script_decision {
	void *ctx;		 /* of all functions here */
	const void *filter_ctx;	 /* of the fields; NULL: ctx */
	void (*drop)(void *ctx); /* haka.policy.drop */
	void (*push)(lua_State *L,
		     void *ctx); /* pushes the one value that actions in Lua get as ctx */
	void (*describe)(
		lua_State *L,
		void *ctx); /* fills the table at the top: fields of an alert. NULL: none */
	void (*on_fault)(void *ctx, const struct script_error *err);
};

/* The result, a set: empty when no entry matched and the host's default applies, or MATCHED with
 * the other flags. */
enum { SCRIPT_POLICY_MATCHED = 1, SCRIPT_POLICY_FAULT = 2, SCRIPT_POLICY_ABORTED = 4 };

/* Returns whether a policy has entries. Costs one load. */
static inline bool script_policy_any(const struct script *s, unsigned id)
{
	return ((const struct script_head *)(const void *)s)->policies[id] != 0;
}
unsigned script_policy_apply(struct script *s, unsigned id, const struct script_decision *d);
