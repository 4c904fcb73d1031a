/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The first part of every struct script: counts that hosts read without a call, for each packet.
 */
#pragma once

#include <stdint.h>

enum { SCRIPT_EVENTS = 256, SCRIPT_POLICIES = 128 };

struct script_head {
	uint16_t listeners[SCRIPT_EVENTS];  /* of each event (script/rules/event.h) */
	uint16_t policies[SCRIPT_POLICIES]; /* entries of each (script/rules/policy.h) */
};
