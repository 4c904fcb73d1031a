/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Libraries that are built into the program: their table, and functions for them beside the ABI's.
 */
#include "hook/hook.h"
#include "hook/hook_lib.h"

#include <string.h>

const struct hook_builtin *hook_builtin_find(const struct hook_builtin *builtins, const char *name)
{
	for (const struct hook_builtin *b = builtins; b && b->name; b++)
		if (strcmp(b->name, name) == 0)
			return b;
	return NULL;
}

struct dhcp4_msg *hook_answer(struct usher_call *call, enum dhcp4_type type)
{
	struct dhcp4_msg *m = NULL;

	if (call->point == HOOK_BUFFER4_RECEIVE && call->services)
		m = call->services->answer(call->ctx, type);
	call->answered = m != NULL;
	return m;
}
