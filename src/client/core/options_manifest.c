/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The manifest of the client: a JSON file with an address to begin with and whether the lease is
 * kept.
 */
#include "client/core/options.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"
#include "client/core/lease.h"
#include "config/json/json.h"

#include <stdio.h>

static int read_address(const struct json *root, const char *file, uint32_t *ret, char *err,
			size_t cap)
{
	const struct json *v = json_get(root, "default_ip");
	uint32_t a;

	*ret = 0;
	if (!v)
		return 0;
	if (v->type != JSON_STRING) {
		(void)snprintf(err, cap,
			       "%s:%u:%u: default_ip: expected an address in quotes, got %s", file,
			       v->pos.line, v->pos.col, json_type_name(v->type));
		return -USHER_E_TYPE;
	}
	if (ip_parse(v->s, v->n, &a) < 0 || !client_address_is_unicast(a)) {
		(void)snprintf(err, cap,
			       "%s:%u:%u: default_ip: expected an address that a host may have, "
			       "got \"%s\"",
			       file, v->pos.line, v->pos.col, v->s);
		return -USHER_E_RANGE;
	}
	*ret = a;
	return 0;
}

static int read_keep_lease(const struct json *root, const char *file, bool *ret, char *err,
			   size_t cap)
{
	const struct json *v = json_get(root, "keep_lease");

	*ret = v && v->type == JSON_BOOL && v->b;
	if (!v || v->type == JSON_BOOL)
		return 0;
	(void)snprintf(err, cap, "%s:%u:%u: keep_lease: expected true or false, got %s", file,
		       v->pos.line, v->pos.col, json_type_name(v->type));
	return -USHER_E_TYPE;
}

int client_opts_manifest(struct span text, const char *file, uint32_t *ret_address,
			 bool *ret_keep_lease, char *err, size_t err_cap)
{
	struct json_opts o = {.file = file};
	struct config_error e = {0};
	struct arena arena;
	struct json *root = NULL;
	int r;

	arena_init(&arena);
	r = json_parse(text, &o, &arena, &root, &e);
	if (r < 0)
		(void)snprintf(err, err_cap, "%s:%u:%u: %s", file, e.pos.line, e.pos.col, e.text);
	if (r == 0 && root->type != JSON_MAP) {
		r = -USHER_E_TYPE;
		(void)snprintf(err, err_cap, "%s: expected a map", file);
	}
	if (r == 0)
		r = read_address(root, file, ret_address, err, err_cap);
	if (r == 0)
		r = read_keep_lease(root, file, ret_keep_lease, err, err_cap);
	arena_fini(&arena);
	return r;
}
