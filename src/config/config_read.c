/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Readers of the effective tree, whose values are present and of the right type; the keys of the
 * indexes; and the directories of files that are named without one, as in Kea 3: lease files,
 * control sockets, logs, hook libraries and their scripts. The environment can move each directory.
 * A name with a slash stays unchanged. Every part of a load uses them.
 */
#include "config/config_load.h"

#include "base/ip.h"

#include <stdlib.h>

/* --- readers ---------------------------------------------------------------------------------- */

const char *load_str(const struct json *map, const char *key, const char *dflt)
{
	const char *s = json_get_str(map, key);

	return s ? s : dflt;
}

uint32_t load_u32(const struct json *map, const char *key, uint32_t dflt)
{
	int64_t v;

	return json_get_int(map, key, &v) ? (uint32_t)v : dflt;
}

bool load_bool(const struct json *map, const char *key)
{
	bool b;

	return json_get_bool(map, key, &b) && b;
}

double load_real(const struct json *map, const char *key)
{
	const struct json *v = json_get(map, key);

	return v && v->type == JSON_REAL ? v->r : 0.0;
}

uint32_t load_addr(const struct json *map, const char *key)
{
	const struct json *v = json_get(map, key);
	uint32_t addr;

	return v && v->type == JSON_STRING && ip_parse(v->s, v->n, &addr) == 0 ? addr : 0;
}

size_t load_count(const struct json *map, const char *key)
{
	const struct json *v = json_get(map, key);

	return v && (v->type == JSON_LIST || v->type == JSON_MAP) ? v->count : 0;
}

/* --- keys of the indexes ---------------------------------------------------------------------- */

static void put_be32(uint8_t *out, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(v >> (24 - 8 * i));
}

struct span load_addr_key(uint32_t a, uint32_t b, uint8_t out[8])
{
	put_be32(out, a);
	put_be32(out + 4, b);
	return span_of(out, 8);
}

struct span load_host_key(uint32_t subnet_id, enum config_host_id type, struct span id,
			  uint8_t out[HOST_KEY_MAX])
{
	size_t n = id.n < HOST_ID_MAX ? id.n : HOST_ID_MAX;

	put_be32(out, subnet_id);
	out[4] = (uint8_t)type;
	if (n)
		memcpy(out + 5, id.p, n);
	return span_of(out, n + 5);
}

/* --- names of files --------------------------------------------------------------------------- */

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
