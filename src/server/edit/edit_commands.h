/* SPDX-License-Identifier: MPL-2.0 */
/* The functions of edit_commands.def. */
#pragma once

#include "control/rows.h"

struct json;

#define CLASS_CMDS(...)	 CONTROL_DECLARE(__VA_ARGS__)
#define HOST_CMDS(...)	 CONTROL_DECLARE(__VA_ARGS__)
#define SUBNET_CMDS(...) CONTROL_DECLARE(__VA_ARGS__)
#include "server/edit/edit_commands.def"
