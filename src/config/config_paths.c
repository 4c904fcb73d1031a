/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The directories of files that are named without one, as in Kea 3: lease files, control sockets,
 * logs, hook libraries and their scripts. The environment can move each directory. A name with a
 * slash stays unchanged.
 */
#include "config/config_load.h"

#include <stdlib.h>

static const struct {
	const char *ours, *kea, *fallback;
} dirs[] = {
	[CONFIG_DIR_DATA] = {"USHER_DATA_DIR", "KEA_DHCP_DATA_DIR", "/var/lib/kea"},
	[CONFIG_DIR_SOCKETS] = {"USHER_CONTROL_SOCKET_DIR", "KEA_CONTROL_SOCKET_DIR", "/run/kea"},
	[CONFIG_DIR_LOGS] = {"USHER_LOG_FILE_DIR", "KEA_LOG_FILE_DIR", "/var/log/kea"},
	[CONFIG_DIR_HOOKS] = {"USHER_HOOKS_PATH", "KEA_HOOKS_PATH", USHER_LIBDIR "/usher"},
	[CONFIG_DIR_SCRIPTS] = {"USHER_HOOK_SCRIPTS_PATH", "KEA_HOOK_SCRIPTS_PATH",
				"/usr/share/kea/scripts"},
	[CONFIG_DIR_LEGAL_LOG] = {"USHER_LEGAL_LOG_DIR", "KEA_LEGAL_LOG_DIR", NULL},
};

const char *config_dir(enum config_dir_kind kind)
{
	const char *dir = getenv(dirs[kind].ours);

	if (!dir || !dir[0])
		dir = getenv(dirs[kind].kea);
	if (dir && dir[0])
		return dir;
	return dirs[kind].fallback ? dirs[kind].fallback : config_dir(CONFIG_DIR_LOGS);
}

const char *config_file_name(struct arena *a, enum config_dir_kind kind, const char *name)
{
	if (!name[0] || strchr(name, '/'))
		return name;
	return arena_printf(a, "%s/%s", config_dir(kind), name);
}

const char *load_file_name(struct load *l, enum config_dir_kind kind, const char *name)
{
	return config_file_name(l->a, kind, name);
}
