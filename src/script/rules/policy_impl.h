/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Policies, as the files that fill them and decide by them share them. Entries are userdata of the
 * state, kept alive by the registry.
 */
#pragma once

#include "script/rules/filter.h"
#include "script/rules/policy.h"

enum action_kind { ACTION_ACCEPT, ACTION_DROP, ACTION_HOST, ACTION_LUA };

struct action {
	enum action_kind kind;
	const struct script_action *host;
	int ref; /* of a function */
};

struct entry {
	struct entry *next;
	const struct script_filter *filter; /* of a host's policy */
	int criteria; /* of a script's: the registry's table {name = criterion} */
	char where[SCRIPT_WHERE_LEN];
	bool all_c;
	unsigned n;
	struct action actions[];
};

struct policy {
	char dissector[SCRIPT_NAME_LEN];
	char name[SCRIPT_NAME_LEN];
	const struct script_filter_field *fields; /* NULL: a script's own */
	struct entry *entries;
};

struct policy_table {
	unsigned n;
	int run_actions; /* a C function, made once */
	struct policy list[SCRIPT_POLICIES];
};
