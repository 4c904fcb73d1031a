/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Makes the table haka.policy of the files of policies.
 */
#include "script/rules/rules_impl.h"

void script_open_policy(lua_State *L)
{
	script_push_haka(L);
	lua_newtable(L);
	script_add_criteria(L);
	policy_open_own(L);
	policy_open_actions(L);
	policy_open_entries(L);
	lua_setfield(L, -2, "policy");
	lua_pop(L, 1);
	policy_open_decisions(L);
	script_run_part(L, "core/policy", 0, 0);
}
