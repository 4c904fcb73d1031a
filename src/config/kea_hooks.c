/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Kea's hook libraries, known by the names of their files. If this server has the functions of a
 * library built in, naming it in the configuration loads nothing. Others are not supported yet.
 */
#include "config/kea_hooks.h"

#include <string.h>

const char *const hook_symbols[HOOK_SYMBOLS] = {"usher_hook_version", "usher_hook_load"};

static const char *const built_in[] = {"libdhcp_lease_cmds.so", "libdhcp_stat_cmds.so"};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

enum kea_hook kea_hook_kind(const char *path)
{
	const char *name = base_name(path);

	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
		if (strcmp(name, built_in[i]) == 0)
			return KEA_HOOK_BUILT_IN;
	/* all of Kea's libraries for its servers begin like this, those of its other programs
	 * too */
	if (strncmp(name, "libdhcp_", 8) == 0 || strncmp(name, "libca_", 6) == 0 ||
	    strncmp(name, "libddns_", 8) == 0)
		return KEA_HOOK_UNSUPPORTED;
	return KEA_HOOK_NOT_KEAS;
}
