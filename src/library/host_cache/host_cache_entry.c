/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Entries: from Kea's form to a reservation of the configuration, and back. Members for IPv6 are
 * kept and shown, and have no effect. An entry is built twice: the first time to learn how much
 * memory it needs.
 */
#include "library/host_cache/host_cache.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"
#include "config/config.h"
#include "config/edit/config_host.h"

#include <stdlib.h>
#include <string.h>

/* The parts of an entry while it is read. */
struct parts {
	struct arena *a;
	struct json *map; /* as in "reservations" */
	struct json *v6;
	int64_t subnet4, subnet6, host_id;
	bool negative;
	struct config_error *err;
};

static int fail_part(const struct parts *p, const struct json *at, const char *what)
{
	return config_error_set(p->err, &at->pos, -USHER_E_CONFIG, "%s: %s", at->key, what);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Members of Kea's entries, with the name in a reservation. NULL: it is for IPv6. */
static const struct {
	const char *name, *ours;
	enum json_type type;
} members[] = {
	{"hw-address", "hw-address", JSON_STRING},
	{"duid", "duid", JSON_STRING},
	{"circuit-id", "circuit-id", JSON_STRING},
	{"client-id", "client-id", JSON_STRING},
	{"flex-id", "flex-id", JSON_STRING},
	{"ip-address", "ip-address", JSON_STRING},
	{"hostname", "hostname", JSON_STRING},
	{"next-server", "next-server", JSON_STRING},
	{"server-hostname", "server-hostname", JSON_STRING},
	{"boot-file-name", "boot-file-name", JSON_STRING},
	{"client-classes4", "client-classes", JSON_LIST},
	{"option-data4", "option-data", JSON_LIST},
	{"user-context", "user-context", JSON_MAP},
	{"ip-addresses", NULL, JSON_LIST},
	{"prefixes", NULL, JSON_LIST},
	{"client-classes6", NULL, JSON_LIST},
	{"option-data6", NULL, JSON_LIST},
};

/* Reads a member that is a number or a boolean. Returns 1, 0 (it is none of these), or a negative
 * error. */
static int read_number(struct parts *p, const struct json *v)
{
	const struct {
		const char *name;
		int64_t max;
		int64_t *to;
	} numbers[] = {{"subnet-id4", UINT32_MAX, &p->subnet4},
		       {"subnet-id6", UINT32_MAX, &p->subnet6},
		       {"host-id", INT64_MAX, &p->host_id}};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (strcmp(v->key, numbers[i].name) != 0)
			continue;
		if (v->type != JSON_INT || v->i < 0 || v->i > numbers[i].max)
			return fail_part(p, v, "a whole number from 0 on is expected");
		*numbers[i].to = v->i;
		return 1;
	}
	if (strcmp(v->key, "negative") != 0)
		return 0;
	if (v->type != JSON_BOOL)
		return fail_part(p, v, "true or false is expected");
	p->negative = v->b;
	return 1;
}

/* Returns a member as it is, with its place. */
static int keep_member(struct parts *p, const struct json *v, const char *name)
{
	struct json *c = json_add(p->a, name ? p->map : p->v6, name ? name : v->key,
				  json_copy(p->a, v));

	return c ? 0 : -USHER_E_NOMEM;
}

static int read_member(struct parts *p, const struct json *v)
{
	size_t i = 0;
	int r = read_number(p, v);

	if (r)
		return r < 0 ? r : 0;
	while (i < ARRAY_LEN(members) && strcmp(members[i].name, v->key) != 0)
		i++;
	if (i == ARRAY_LEN(members))
		return config_error_set(p->err, &v->key_pos, -USHER_E_CONFIG,
					"unknown parameter: %.64s", v->key);
	if (v->type != members[i].type)
		return fail_part(p, v,
				 members[i].type == JSON_LIST  ? "a list is expected"
				 : members[i].type == JSON_MAP ? "a map is expected"
							       : "a string is expected");
	/* Kea shows an entry without a server as 0.0.0.0 */
	if (members[i].ours && strcmp(v->key, "next-server") == 0 && strcmp(v->s, "0.0.0.0") == 0)
		return 0;
	return keep_member(p, v, members[i].ours);
}

/* Checks that there is one identifier. */
static int check_identifier(const struct parts *p, const struct json *entry)
{
	const char *found = NULL;

	for (const struct json *v = entry->first; v; v = v->next) {
		if (config_host_id_find(v->key) == HOST_ID_N)
			continue;
		if (found)
			return config_error_set(p->err, &v->key_pos, -USHER_E_CONFIG,
						"the '%s' and '%s' are mutually exclusive", v->key,
						found);
		found = v->key;
	}
	return found ? 0 : config_error_set(p->err, &entry->pos, -USHER_E_CONFIG, "no identifier");
}

static int read_parts(struct parts *p, const struct json *entry)
{
	int r;

	p->map = json_map(p->a);
	p->v6 = json_map(p->a);
	if (!p->map || !p->v6)
		return -USHER_E_NOMEM;
	p->map->pos = entry->pos;
	if (entry->type != JSON_MAP)
		return config_error_set(p->err, &entry->pos, -USHER_E_CONFIG,
					"entry: a map is expected");
	r = check_identifier(p, entry);
	for (const struct json *v = entry->first; v && r == 0; v = v->next)
		r = read_member(p, v);
	return r;
}

/* --- Building --------------------------------------------------------------------------------- */

static bool has_class_names(const struct config_host *h)
{
	bool any = h->classes.n > 0;

	for (size_t i = 0; i < h->options.n; i++)
		any |= h->options.items[i].classes.n > 0;
	return any;
}

static int fill_entry(const struct config *cfg, const struct parts *p, struct cached_host *h)
{
	int r = config_host_make(cfg, p->map, &h->arena, &h->host, p->err);

	if (r < 0)
		return r;
	h->host.subnet_id = (uint32_t)p->subnet4;
	h->v6 = json_copy(&h->arena, p->v6);
	return h->v6 && h->host.node ? 0 : -USHER_E_NOMEM;
}

/* Fills the entry in memory of the right size, which was learned from a growing arena. */
static int fill_compactly(const struct config *cfg, const struct parts *p, struct cached_host *h)
{
	struct arena grown;
	int r;

	arena_init(&h->arena);
	r = fill_entry(cfg, p, h);
	if (r < 0)
		return r;
	grown = h->arena;
	h->mem = malloc(grown.used);
	if (!h->mem)
		return -USHER_E_NOMEM;
	arena_init_fixed(&h->arena, h->mem, grown.used);
	r = fill_entry(cfg, p, h);
	arena_fini(&grown);
	if (r == 0 && !h->arena.failed)
		return 0;
	/* more than a block of the arena */
	free(h->mem);
	h->mem = NULL;
	arena_init(&h->arena);
	return fill_entry(cfg, p, h);
}

static int make_entry(const struct config *cfg, const struct parts *p, struct cached_host **ret)
{
	struct cached_host *h = calloc(1, sizeof(*h));
	int r = h ? fill_compactly(cfg, p, h) : -USHER_E_NOMEM;

	if (r < 0) {
		if (h)
			arena_fini(&h->arena);
		free(h);
		return r;
	}
	h->refs = 1;
	h->negative = p->negative;
	h->subnet6 = (uint32_t)p->subnet6;
	h->host_id = (uint64_t)p->host_id;
	h->class_names = cfg->class_names;
	h->has_classes = has_class_names(&h->host);
	*ret = h;
	return 0;
}

int cached_host_read(const struct config *cfg, const struct json *entry, struct cached_host **ret,
		     struct config_error *err)
{
	struct arena a;
	struct parts p = {.a = &a,
			  .subnet4 = HOST_CACHE_NO_SUBNET,
			  .subnet6 = HOST_CACHE_NO_SUBNET,
			  .err = err};
	int r;

	arena_init(&a);
	r = read_parts(&p, entry);
	if (r == 0)
		r = make_entry(cfg, &p, ret);
	arena_fini(&a);
	return r;
}

int cached_host_of_reservation(const struct config *cfg, const struct json *body,
			       struct cached_host **ret, struct config_error *err)
{
	struct arena a;
	struct parts p = {.a = &a, .subnet6 = HOST_CACHE_NO_SUBNET, .err = err};
	int r;

	arena_init(&a);
	(void)json_get_int(body, "subnet-id", &p.subnet4);
	p.map = json_copy(&a, body);
	p.v6 = json_map(&a);
	if (p.map)
		json_remove(p.map, "subnet-id");
	r = p.map && p.v6 ? make_entry(cfg, &p, ret) : -USHER_E_NOMEM;
	arena_fini(&a);
	return r;
}

int cached_host_renew(const struct config *cfg, const struct cached_host *h,
		      struct cached_host **ret)
{
	struct config_error err;
	struct arena a;
	struct parts p = {.a = &a,
			  .subnet4 = h->host.subnet_id,
			  .subnet6 = h->subnet6,
			  .host_id = (int64_t)h->host_id,
			  .negative = h->negative,
			  .err = &err};
	int r;

	arena_init(&a);
	p.map = json_copy(&a, h->host.node);
	p.v6 = json_copy(&a, h->v6);
	r = p.map && p.v6 ? make_entry(cfg, &p, ret) : -USHER_E_NOMEM;
	arena_fini(&a);
	return r;
}

struct cached_host *cached_host_ref(struct cached_host *h)
{
	(void)atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
	return h;
}

void cached_host_unref(struct cached_host *h)
{
	if (!h || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (!h->mem)
		arena_fini(&h->arena);
	free(h->mem);
	free(h);
}

/* --- Showing ---------------------------------------------------------------------------------- */

/* Returns the options; a list of classes that is empty is not shown. */
static struct json *show_options(struct arena *a, const struct json *options)
{
	struct json *list = options ? json_copy(a, options) : json_list(a);

	for (struct json *o = list ? list->first : NULL; o; o = o->next) {
		const struct json *classes = json_get(o, "client-classes");

		if (classes && !classes->count)
			json_remove(o, "client-classes");
	}
	return list;
}

static void show_texts(struct arena *a, const struct json *node, struct json *m)
{
	static const struct {
		const char *name, *absent;
	} texts[] = {{"hostname", ""},
		     {"next-server", "0.0.0.0"},
		     {"server-hostname", ""},
		     {"boot-file-name", ""}};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *s = json_get_str(node, texts[i].name);

		(void)json_add(a, m, texts[i].name, json_str(a, s ? s : texts[i].absent));
	}
}

static struct json *show_list(struct arena *a, const struct json *list)
{
	return list ? json_copy(a, list) : json_list(a);
}

struct json *cached_host_show(struct arena *a, const struct cached_host *h)
{
	const struct json *node = h->host.node;
	const struct json *v = json_get(node, "user-context");
	const char *id = config_host_id_text(a, h->host.id_type, h->host.id);
	struct json *m = json_map(a);

	if (v)
		(void)json_add(a, m, "user-context", json_copy(a, v));
	if (!id || !json_add(a, m, config_host_id_names[h->host.id_type], json_str(a, id)))
		return NULL;
	if (h->host.addr)
		(void)json_add(a, m, "ip-address", json_copy(a, json_get(node, "ip-address")));
	for (v = h->v6->first; v; v = v->next)
		if (strcmp(v->key, "ip-addresses") == 0 || strcmp(v->key, "prefixes") == 0)
			(void)json_add(a, m, v->key, json_copy(a, v));
	show_texts(a, node, m);
	(void)json_add(a, m, "client-classes4", show_list(a, json_get(node, "client-classes")));
	(void)json_add(a, m, "client-classes6", show_list(a, json_get(h->v6, "client-classes6")));
	(void)json_add(a, m, "option-data4", show_options(a, json_get(node, "option-data")));
	(void)json_add(a, m, "option-data6", show_list(a, json_get(h->v6, "option-data6")));
	(void)json_add(a, m, "subnet-id4", json_int(a, h->host.subnet_id));
	(void)json_add(a, m, "subnet-id6", json_int(a, h->subnet6));
	(void)json_add(a, m, "host-id", json_int(a, (int64_t)h->host_id));
	if (h->negative)
		(void)json_add(a, m, "negative", json_bool(a, true));
	return m;
}
