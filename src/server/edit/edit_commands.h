/* SPDX-License-Identifier: MPL-2.0 */
/* The functions of edit_commands.def: the plan of a change, or a look-up with its answer. */
#pragma once

struct edit;

#define EDIT_DECLARE(name_, function, ...) void function(struct edit *e);
#define CLASS_CMDS(...)			   EDIT_DECLARE(__VA_ARGS__)
#define HOST_CMDS(...)			   EDIT_DECLARE(__VA_ARGS__)
#define SUBNET_CMDS(...)		   EDIT_DECLARE(__VA_ARGS__)
#include "server/edit/edit_commands.def"
#undef EDIT_DECLARE
