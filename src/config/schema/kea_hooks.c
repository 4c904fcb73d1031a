/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Kea's hook libraries, known by the names of their files.
 */
#include "config/schema/kea_hooks.h"

#include <string.h>

const char *const hook_symbols[HOOK_SYMBOLS] = {"usher_hook_version", "usher_hook_load"};

static const struct kea_hook libraries[] = {
#define LIBRARY(file, kind, reason) {file, KEA_HOOK_##kind, reason},
#include "config/schema/kea_hooks.def"
#undef LIBRARY
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

struct kea_hook kea_hook_of(const char *path)
{
	const char *name = base_name(path);

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++)
		if (strcmp(name, libraries[i].file) == 0)
			return libraries[i];
	/* all of Kea's libraries for its servers begin like this, those of its other programs
	 * too */
	if (strncmp(name, "libdhcp_", 8) == 0 || strncmp(name, "libca_", 6) == 0 ||
	    strncmp(name, "libddns_", 8) == 0)
		return (struct kea_hook){name, KEA_HOOK_LATER, ""};
	return (struct kea_hook){name, KEA_HOOK_NOT_KEAS, ""};
}

unsigned kea_command_library(const char *file)
{
	static const char *const names[] = {"libdhcp_class_cmds.so", "libdhcp_host_cmds.so",
					    "libdhcp_subnet_cmds.so", "libdhcp_lease_cmds.so",
					    "libdhcp_stat_cmds.so"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(file, names[i]) == 0)
			return 1U << i;
	return 0;
}
