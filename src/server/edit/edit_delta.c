/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The merge of subnet4-delta-add and subnet4-delta-del. Maps are merged member by member. Pools
 * and options are found by their keys; other elements of lists by equality.
 */
#include "server/edit/edit_subnet.h"

#include "config/json/json.h"

#include <string.h>

/* --- Elements of lists ------------------------------------------------------------------------ */

/* A kind of list whose elements have keys. */
struct keyed {
	const char *list;
	const char *const *keys; /* members that name an element; ends with NULL */
	bool (*same)(const struct json *a, const struct json *b);
};

static bool same_text(const struct json *a, const struct json *b, const char *key,
		      const char *by_default)
{
	const char *x = json_get_str(a, key);
	const char *y = json_get_str(b, key);

	x = x ? x : by_default;
	y = y ? y : by_default;
	return x && y && strcmp(x, y) == 0;
}

static bool same_pool(const struct json *a, const struct json *b)
{
	return same_text(a, b, "pool", NULL);
}

static bool same_option(const struct json *a, const struct json *b)
{
	int64_t x;
	int64_t y;

	if (!same_text(a, b, "space", "dhcp4"))
		return false;
	if (json_get_int(a, "code", &x) && json_get_int(b, "code", &y))
		return x == y;
	return same_text(a, b, "name", NULL);
}

static const char *const subnet_keys[] = {"id", "subnet", NULL};
static const char *const pool_keys[] = {"pool", NULL};
static const char *const option_keys[] = {"code", "name", "space", NULL};

static const struct keyed keyed_lists[] = {
	{"pools", pool_keys, same_pool},
	{"option-data", option_keys, same_option},
};

static const struct keyed *find_keyed(const char *list)
{
	for (size_t i = 0; i < ARRAY_LEN(keyed_lists); i++)
		if (strcmp(keyed_lists[i].list, list) == 0)
			return &keyed_lists[i];
	return NULL;
}

static bool is_key(const char *const *keys, const char *name)
{
	while (keys && *keys && strcmp(*keys, name) != 0)
		keys++;
	return keys && *keys;
}

/* Returns the element of a list that v names, or equals. */
static struct json *find_element(const struct json *list, const struct keyed *k,
				 const struct json *v)
{
	for (struct json *m = list->first; m; m = m->next)
		if (k ? k->same(m, v) : json_equal(m, v))
			return m;
	return NULL;
}

/* --- Addition --------------------------------------------------------------------------------- */

static void add_members(struct arena *a, struct json *to, const struct json *from);

static void add_elements(struct arena *a, struct json *to, const struct json *from)
{
	const struct keyed *k = find_keyed(from->key);

	for (const struct json *v = from->first; v; v = v->next) {
		struct json *old = find_element(to, k, v);

		if (old && k)
			add_members(a, old, v);
		else if (!old)
			(void)json_add(a, to, NULL, json_copy(a, v));
	}
}

static void add_members(struct arena *a, struct json *to, const struct json *from)
{
	for (const struct json *v = from->first; v; v = v->next) {
		struct json *old = json_get(to, v->key);

		if (old && old->type == JSON_MAP && v->type == JSON_MAP)
			add_members(a, old, v);
		else if (old && old->type == JSON_LIST && v->type == JSON_LIST)
			add_elements(a, old, v);
		else
			(void)json_set(a, to, v->key, json_copy(a, v));
	}
}

/* Removes bounds of a lifetime that follow from the lifetime. */
static void drop_implied(struct json *subnet)
{
	int64_t valid;
	int64_t bound;

	if (!json_get_int(subnet, "valid-lifetime", &valid))
		return;
	if (json_get_int(subnet, "min-valid-lifetime", &bound) && bound == valid)
		json_remove(subnet, "min-valid-lifetime");
	if (json_get_int(subnet, "max-valid-lifetime", &bound) && bound == valid)
		json_remove(subnet, "max-valid-lifetime");
}

void edit_delta_add(struct edit *e, struct json *to, const struct json *from)
{
	drop_implied(to);
	add_members(e->c->arena, to, from);
}

/* --- Removal ---------------------------------------------------------------------------------- */

static void remove_members(struct json *from, const struct json *members, const char *const *keys);

/* Returns whether an element has nothing but its keys, and empty lists. */
static bool has_keys_only(const struct json *v, const char *const *keys)
{
	for (const struct json *m = v->first; m; m = m->next)
		if (!is_key(keys, m->key) && !(m->type == JSON_LIST && !m->count))
			return false;
	return true;
}

static void remove_elements(struct json *from, const struct json *list)
{
	const struct keyed *k = find_keyed(list->key);

	for (const struct json *v = list->first; v; v = v->next) {
		struct json *old = find_element(from, k, v);

		/* an option is removed whole, whatever the command says about it */
		if (old && k && k->keys == pool_keys && !has_keys_only(v, k->keys))
			remove_members(old, v, k->keys);
		else if (old)
			json_unlink(from, old);
	}
}

static void remove_members(struct json *from, const struct json *members, const char *const *keys)
{
	for (const struct json *v = members->first; v; v = v->next) {
		struct json *old = json_get(from, v->key);

		if (!old || is_key(keys, v->key))
			continue;
		if (old->type == JSON_MAP && v->type == JSON_MAP)
			remove_members(old, v, NULL);
		else if (old->type == JSON_LIST && v->type == JSON_LIST)
			remove_elements(old, v);
		else
			json_remove(from, v->key);
	}
}

void edit_delta_del(struct edit *e, struct json *to, const struct json *from)
{
	(void)e;
	drop_implied(to);
	remove_members(to, from, subnet_keys);
}
