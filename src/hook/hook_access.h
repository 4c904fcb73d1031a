/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Libraries that decide about requests over HTTP. All of them must accept a request. Used by the
 * thread of the management plane.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

struct control_requester;
struct hook_registry;

enum hook_access { HOOK_ACCESS_OK, HOOK_ACCESS_UNAUTHORIZED, HOOK_ACCESS_FORBIDDEN };

/* access: enum control_access, -1: there is no such command. */
struct hook_asked {
	const struct control_requester *from;
	const char *command;
	int access;
};

/* Returns the decision of the libraries; r may be NULL. */
enum hook_access hook_access_check(struct hook_registry *r, const struct hook_asked *asked);
/* Returns whether the answer to list-commands must not name the command. */
bool hook_access_hides(struct hook_registry *r, const struct hook_asked *asked);
