/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The normalised tree completed: values inherited by networks from the globals and by subnets from
 * their network, and missing subnet ids. A complete tree stays unchanged, so that loading
 * the result gives an equal tree and hash.
 */
#include "config/config_load.h"

#include "base/error.h"

static const char *const life_keys[] = {"valid-lifetime", "min-valid-lifetime",
					"max-valid-lifetime"};
enum { LIFE_DEFAULT = 7200 };

static int put_int(struct load *l, struct json *map, const char *key, int64_t v)
{
	struct json *node = json_int(l->a, v);

	if (node)
		node->pos = node->key_pos = map->pos;
	return load_put(l, map, key, node);
}

/* Fills in the lifetimes. Each is inherited by itself, and valid-lifetime has a default. whole: the
 * bounds that are missing then follow from it; those of an outer scope are not, for an inner scope
 * may have another valid-lifetime. */
static int fill_lifetimes(struct load *l, struct json *map, const struct json *outer, bool whole)
{
	int64_t v[3];
	bool has[3];

	for (int i = 0; i < 3; i++)
		has[i] = json_get_int(map, life_keys[i], &v[i]) ||
			 json_get_int(outer, life_keys[i], &v[i]);
	if (!has[0])
		v[0] = LIFE_DEFAULT;
	has[0] = true;
	for (int i = 0; i < 3; i++) {
		int r = 0;

		if (!has[i] && whole)
			v[i] = v[0];
		if ((has[i] || whole) && !json_get(map, life_keys[i]))
			r = put_int(l, map, life_keys[i], v[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Fills in the keys that ctx inherits, from outer; if that has none, the default of keys that begin
 * at ctx. */
static int fill_inherited(struct load *l, enum schema_ctx ctx, struct json *map,
			  const struct json *outer)
{
	for (size_t i = 0; i < schema_n_keys; i++) {
		const struct schema_key *k = &schema_keys[i];
		const struct json *from;
		struct json *v;
		int r;

		if (!(k->maps >> ctx & 1) || !(k->flags & SCHEMA_INH) || json_get(map, k->name))
			continue;
		from = json_get(outer, k->name);
		if (!from)
			from = load_default(l, k);
		if (!from)
			continue;
		v = json_copy(l->a, from);
		if (v)
			v->pos = v->key_pos = map->pos;
		r = load_put(l, map, k->name, v);
		if (r < 0)
			return r;
	}
	return fill_lifetimes(l, map, outer, ctx == SCHEMA_SUBNET);
}

/* --- subnet ids ------------------------------------------------------------------------------- */

struct ids {
	struct config_map used;
	uint32_t next;
};

static struct span id_key(uint32_t id, uint8_t out[8])
{
	return load_addr_key(id, 0, out);
}

static int note_ids(struct load *l, const struct json *subnets, struct ids *ids)
{
	uint8_t key[8];
	uint32_t old;
	int64_t id;

	for (const struct json *s = subnets ? subnets->first : NULL; s; s = s->next)
		if (json_get_int(s, "id", &id) &&
		    config_map_put(&ids->used, l->a, id_key((uint32_t)id, key), 0, &old) < 0)
			return load_no_memory(l);
	return 0;
}

static int give_ids(struct load *l, struct json *subnets, struct ids *ids)
{
	uint8_t key[8];
	uint32_t old;

	for (struct json *s = subnets ? subnets->first : NULL; s; s = s->next) {
		int r;

		if (json_get(s, "id"))
			continue;
		while (config_map_get(&ids->used, id_key(ids->next, key), &old))
			ids->next++;
		r = put_int(l, s, "id", ids->next++);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Numbers the subnets. Ids given come first; the rest get the lowest free numbers in order. */
static int fill_ids(struct load *l)
{
	struct json *subnets = json_get(l->dhcp4, "subnet4");
	struct json *networks = json_get(l->dhcp4, "shared-networks");
	struct ids ids = {.next = 1};
	int r = note_ids(l, subnets, &ids);

	for (struct json *n = networks->first; n && r == 0; n = n->next)
		r = note_ids(l, json_get(n, "subnet4"), &ids);
	if (r == 0)
		r = give_ids(l, subnets, &ids);
	for (struct json *n = networks->first; n && r == 0; n = n->next)
		r = give_ids(l, json_get(n, "subnet4"), &ids);
	return r;
}

/* --- all -------------------------------------------------------------------------------------- */

int load_fill_subnet(struct load *l, struct json *subnet, const struct json *outer)
{
	return fill_inherited(l, SCHEMA_SUBNET, subnet, outer);
}

static int fill_subnets(struct load *l, struct json *outer)
{
	int r = 0;

	for (struct json *s = json_get(outer, "subnet4")->first; s && r == 0; s = s->next)
		r = load_fill_subnet(l, s, outer);
	return r;
}

int load_fill(struct load *l)
{
	int r = fill_lifetimes(l, l->dhcp4, NULL, false);

	for (struct json *n = json_get(l->dhcp4, "shared-networks")->first; n && r == 0;
	     n = n->next) {
		r = fill_inherited(l, SCHEMA_NETWORK, n, l->dhcp4);
		if (r == 0)
			r = fill_subnets(l, n);
	}
	if (r == 0)
		r = fill_subnets(l, l->dhcp4);
	if (r == 0)
		r = load_fill_sockets(l);
	return r < 0 ? r : fill_ids(l);
}
