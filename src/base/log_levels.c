/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Kea's debug levels (log_levels.def).
 */
#include "base/log.h"

enum { LEVEL_DEFAULT = 40 };

int log_debuglevel(enum log_id id)
{
	static const uint8_t levels[LOG_N_IDS] = {
#define DEBUG_LEVEL(id, level) [LOG_##id] = (level),
#include "base/log_levels.def"
#undef DEBUG_LEVEL
	};

	return levels[id] ? levels[id] : LEVEL_DEFAULT;
}

int log_least_debuglevel(void)
{
	static const enum log_id ids[] = {
#define DEBUG_LEVEL(id, level) LOG_##id,
#include "base/log_levels.def"
#undef DEBUG_LEVEL
	};
	int least = LEVEL_DEFAULT;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (log_debuglevel(ids[i]) < least)
			least = log_debuglevel(ids[i]);
	return least;
}
