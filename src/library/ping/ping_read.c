/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The parameters of ping_check, of the library and of subnets (user-context.ping-check).
 */
#include "library/common/library.h"
#include "library/ping/ping_check.h"

#include "config/config.h"

const struct ping_params ping_defaults = {.enable = true,
					  .requests = 1,
					  .timeout_ms = 100,
					  .cltt_s = 60};

/* Reads a whole number; an absent one stays. */
static void read_whole(struct library_problems *p, const struct json *map, const char *key,
		       uint32_t least, uint32_t *ret)
{
	const struct json *v = json_get(map, key);

	if (!v || v->type != JSON_INT)
		return; /* of another type: reported */
	if (v->i < least || v->i > UINT32_MAX)
		library_problem(p, &v->pos, "'%s' must be a number from %u to 4294967295", key,
				least);
	else
		*ret = (uint32_t)v->i;
}

static void read_values(struct library_problems *p, const struct json *map, struct ping_params *ret)
{
	(void)json_get_bool(map, "enable-ping-check", &ret->enable);
	(void)json_get_bool(map, "arp-check", &ret->arp);
	read_whole(p, map, "min-ping-requests", 1, &ret->requests);
	read_whole(p, map, "reply-timeout", 1, &ret->timeout_ms);
	read_whole(p, map, "ping-cltt-secs", 0, &ret->cltt_s);
}

/* The keys of a subnet; those of the library have one more in front. */
static const struct library_key keys[] = {{"ping-channel-threads", JSON_INT},
					  {"enable-ping-check", JSON_BOOL},
					  {"min-ping-requests", JSON_INT},
					  {"reply-timeout", JSON_INT},
					  {"ping-cltt-secs", JSON_INT},
					  {"arp-check", JSON_BOOL}};

struct ping_params ping_read_library(struct library_problems *p, const struct json *map)
{
	struct ping_params params = ping_defaults;
	uint32_t threads;

	(void)library_check_keys(p, map, keys, ARRAY_LEN(keys));
	read_values(p, map, &params);
	read_whole(p, map, "ping-channel-threads", 0, &threads);
	return params;
}

void ping_read_subnets(struct library_problems *p, const struct config *cfg,
		       const struct ping_params *library, struct ping_table *t)
{
	t->subnets = arena_array(&t->arena, struct ping_params, cfg->n_subnets + 1);
	if (!t->subnets) {
		library_problem(p, NULL, "out of memory");
		return;
	}
	for (size_t i = 0; i < cfg->n_subnets; i++) {
		const struct json *map = json_get(json_get(cfg->subnets[i].node, "user-context"),
						  "ping-check");

		t->subnets[i] = *library;
		if (map && map->type != JSON_MAP)
			library_problem(p, &map->pos, "'ping-check' must be a map");
		(void)library_check_keys(p, map, keys + 1, ARRAY_LEN(keys) - 1);
		read_values(p, map, &t->subnets[i]);
		t->enabled |= t->subnets[i].enable;
	}
}
