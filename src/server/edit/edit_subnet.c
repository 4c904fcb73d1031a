/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands subnet4-* of subnet_cmds. They change one subnet, next to any number of others.
 */
#include "server/edit/edit_subnet.h"

#include "base/ip.h"
#include "config/json/json.h"
#include "config/schema/config_schema.h"
#include "server/edit/edit_commands.h"

#include <string.h>

static const char failed[] = "subnet configuration failed: ";

static struct json *subnet_entry(struct edit *e, uint32_t id, const char *prefix)
{
	struct arena *a = e->c->arena;
	struct json *m = json_map(a);

	(void)json_add(a, m, "id", json_int(a, id));
	(void)json_add(a, m, "subnet", json_str(a, prefix));
	return m;
}

/* --- Bodies ----------------------------------------------------------------------------------- */

/* Returns the type that a value must have; NULL: it has one. */
static const char *wrong_type(const struct schema_key *k, const struct json *v)
{
	switch (k->type) {
	case SCHEMA_BOOL:
		return v->type == JSON_BOOL ? NULL : "a boolean";
	case SCHEMA_INT:
		return v->type == JSON_INT ? NULL : "an integer";
	case SCHEMA_REAL:
		return v->type == JSON_REAL || v->type == JSON_INT ? NULL : "a real";
	case SCHEMA_TEXT:
	case SCHEMA_ENUM:
	case SCHEMA_ADDR:
		return v->type == JSON_STRING ? NULL : "a string";
	case SCHEMA_STRINGS:
	case SCHEMA_ADDRS:
	case SCHEMA_MAPS:
		return v->type == JSON_LIST ? NULL : "a list";
	case SCHEMA_MAP:
		return v->type == JSON_MAP ? NULL : "a map";
	case SCHEMA_ANY:
		break;
	}
	return NULL;
}

/* Checks the names and types of the members of a map, and of maps in it. */
static void check_body(struct edit *e, enum schema_ctx ctx, const struct json *map)
{
	for (const struct json *m = map->first; m && !e->ended; m = m->next) {
		const struct schema_key *k = schema_find(ctx, m->key);
		const char *wrong = k ? wrong_type(k, m) : NULL;

		if (!k && !schema_find_old(ctx, m->key) && strcmp(m->key, "comment") != 0)
			edit_refuse(e, "%sunsupported parameter '%s' of %s", failed, m->key,
				    schema_ctx_name(ctx));
		else if (wrong)
			edit_refuse(e, "'%s' parameter is not %s", m->key, wrong);
		else if (k && k->type == SCHEMA_MAP)
			check_body(e, k->sub, m);
		else if (k && k->type == SCHEMA_MAPS)
			for (const struct json *v = m->first; v && !e->ended; v = v->next) {
				if (v->type == JSON_MAP)
					check_body(e, k->sub, v);
				else
					edit_refuse(e, "%san element of '%s' is not a map", failed,
						    m->key);
			}
	}
}

/* Checks the members of a subnet. */
static void check_subnet(struct edit *e, const struct json *v)
{
	if (!json_get(v, "subnet"))
		edit_refuse(
			e,
			"%smandatory 'subnet' parameter is missing for a subnet being configured",
			failed);
	else
		check_body(e, SCHEMA_SUBNET, v);
}

static void check_id(struct edit *e, int64_t id)
{
	if (id < 1 || id >= UINT32_MAX)
		edit_refuse(e,
			    "The 'id' value (%" PRId64 ") is not within expected range: (1 - %u)",
			    id, UINT32_MAX - 1);
}

/* Returns the subnet in the arguments without reservations; NULL: refused. */
static const struct json *read_subnet_body(struct edit *e, const char *advice)
{
	const struct json *v = edit_arguments(e) ? edit_one_element(e, "subnet4", "subnet", true)
						 : NULL;

	if (v && json_get(v, "reservations"))
		edit_refuse(e, "must not specify host reservations with '%s'.%s", e->c->name,
			    advice);
	return e->ended ? NULL : v;
}

const struct json *edit_read_subnet(struct edit *e, const struct config_subnet **ret_subnet)
{
	const struct json *v = read_subnet_body(e, "");
	const struct json *id = json_get(v, "id");

	if (!v)
		return NULL;
	if (!id)
		edit_refuse(e, "must specify subnet id with '%s' command.", e->c->name);
	else if (id->type != JSON_INT)
		edit_refuse(e, "'id' parameter is not an integer");
	else
		check_id(e, id->i);
	if (e->ended)
		return NULL;
	*ret_subnet = config_subnet_by_id(e->cfg, (uint32_t)id->i);
	if (!*ret_subnet)
		edit_refuse(e, "Can't find subnet '%" PRId64 "' to update", id->i);
	else
		check_subnet(e, v);
	return e->ended ? NULL : v;
}

/* --- Changes ---------------------------------------------------------------------------------- */

static const struct config_subnet *find_prefix(const struct config *cfg, const char *text)
{
	for (size_t i = 0; i < cfg->n_subnets; i++)
		if (strcmp(cfg->subnets[i].text, text) == 0)
			return &cfg->subnets[i];
	return NULL;
}

/* Refuses a prefix that excludes reservations of the subnet. */
static void check_prefix(struct edit *e, const struct config *made)
{
	const struct config_subnet *k = config_subnet_by_id(made, e->changes[0].id);
	uint32_t mask = ip_mask(k->prefix_len);

	for (size_t i = 0; i < made->n_hosts && !e->ended; i++) {
		const struct config_host *h = &made->hosts[i];

		if (h->subnet_id == k->id && h->addr && (h->addr & mask) != k->prefix)
			edit_refuse(
				e, "%sthe subnet has a reservation of an address that is not in %s",
				failed, k->text);
	}
}

void edit_put_subnet(struct edit *e, const struct config_subnet *old, const struct json *node)
{
	const struct json *id = json_get(node, "id");
	const char *prefix = json_get_str(node, "subnet");
	const struct config_subnet *same = find_prefix(e->cfg, prefix);

	if (same && same->id != id->i) {
		edit_refuse(e, "subnet with the prefix of '%s' already exists", prefix);
		return;
	}
	e->changes[0] = (struct config_change){.kind = CHANGE_PUT_SUBNET,
					       .id = (uint32_t)id->i,
					       .node = node};
	e->n_changes = 1;
	e->prefix = failed;
	e->check = check_prefix;
	edit_answer(e, edit_list_of(e, "subnets", subnet_entry(e, (uint32_t)id->i, prefix)),
		    "IPv4 subnet %s", old ? "updated" : "added");
}

void edit_subnet_add(struct edit *e)
{
	const struct json
		*v = read_subnet_body(e, " Use 'reservation-add' to add a reservation to a subnet");
	const struct json *id = json_get(v, "id");

	if (!v)
		return;
	if (!id)
		edit_refuse(e, "%smissing parameter 'id' of the subnet", failed);
	else
		check_subnet(e, v);
	if (!e->ended)
		check_id(e, id->i);
	if (!e->ended && config_subnet_by_id(e->cfg, (uint32_t)id->i))
		edit_refuse(e, "ID of the new IPv4 subnet '%" PRId64 "' is already in use", id->i);
	if (!e->ended)
		edit_put_subnet(e, NULL, v);
}

void edit_subnet_update(struct edit *e)
{
	const struct config_subnet *old = NULL;
	const struct json *v = edit_read_subnet(e, &old);

	if (v)
		edit_put_subnet(e, old, v);
}

/* Plans a change of some members. */
static void plan_delta(struct edit *e,
		       void (*merge)(struct edit *e, struct json *to, const struct json *from))
{
	const struct config_subnet *old = NULL;
	const struct json *v = edit_read_subnet(e, &old);
	struct json *node = v ? json_copy(e->c->arena, old->node) : NULL;

	if (!v)
		return;
	if (!node) {
		edit_refuse(e, "out of memory");
		return;
	}
	node->key = NULL;
	node->next = NULL;
	json_remove(node, "reservations");
	merge(e, node, v);
	edit_put_subnet(e, old, node);
}

void edit_subnet_delta_add(struct edit *e)
{
	plan_delta(e, edit_delta_add);
}

void edit_subnet_delta_del(struct edit *e)
{
	plan_delta(e, edit_delta_del);
}

void edit_subnet_del(struct edit *e)
{
	const struct json *args = edit_arguments(e);
	const struct json *id = json_get(args, "id");
	const struct config_subnet *s = NULL;

	if (!args)
		return;
	if (args->count != 1)
		edit_refuse(e,
			    "invalid number of arguments specified for the '%s command. Expected "
			    "subnet identifier",
			    e->c->name);
	else if (!id)
		edit_refuse(e, "subnet identifier is required for the '%s' command", e->c->name);
	else if (id->type != JSON_INT)
		edit_refuse(e, "subnet identifier specified for the '%s' is not a number",
			    e->c->name);
	else if (id->i > 0 && id->i < UINT32_MAX)
		s = config_subnet_by_id(e->cfg, (uint32_t)id->i);
	if (!e->ended && !s)
		edit_empty(e, NULL, "no subnet with id %" PRId64 " found", id->i);
	if (e->ended)
		return;
	e->changes[0] = (struct config_change){.kind = CHANGE_DELETE_SUBNET, .id = s->id};
	e->n_changes = 1;
	edit_answer(e, edit_list_of(e, "subnets", subnet_entry(e, s->id, s->text)),
		    "IPv4 subnet %s (id %u) deleted", s->text, s->id);
}

/* --- Look-ups --------------------------------------------------------------------------------- */

void edit_subnet_get(struct edit *e)
{
	const struct json *args = edit_arguments(e);
	const struct json *prefix = json_get(args, "subnet");
	const struct json *id = json_get(args, "id");
	const struct config_subnet *s = NULL;
	struct json *node;

	if (!args)
		return;
	if (args->count != 1)
		edit_refuse(e,
			    "invalid number of arguments %zu for the '%s' command. Expecting 'id' "
			    "or 'subnet'",
			    args->count, e->c->name);
	else if (prefix && prefix->type != JSON_STRING)
		edit_refuse(e, "'subnet' parameter must be a string");
	else if (!prefix && id && id->type != JSON_INT)
		edit_refuse(e, "'id' parameter must be an integer");
	else if (!prefix && !id)
		edit_refuse(e, "'id' or 'subnet' parameter required");
	else if (prefix)
		s = find_prefix(e->cfg, prefix->s);
	else if (id->i > 0 && id->i < UINT32_MAX)
		s = config_subnet_by_id(e->cfg, (uint32_t)id->i);
	if (!e->ended && !s && prefix)
		edit_empty(e, NULL, "No %s subnet found", prefix->s);
	else if (!e->ended && !s)
		edit_empty(e, NULL, "No subnet with id %" PRId64 " found", id->i);
	if (e->ended)
		return;
	node = json_copy(e->c->arena, s->node);
	json_remove(node, "reservations");
	edit_answer(e, edit_list_of(e, "subnet4", node),
		    "Info about IPv4 subnet %s (id %u) returned", s->text, s->id);
}

void edit_subnet_list(struct edit *e)
{
	const struct config *cfg = e->cfg;
	struct arena *a = e->c->arena;
	struct json *list = json_list(a);
	struct json *m = json_map(a);

	for (size_t i = 0; i < cfg->n_subnets; i++) {
		const struct config_subnet *s = &cfg->subnets[i];
		struct json *v = subnet_entry(e, s->id, s->text);
		struct json *network = s->network ? json_str(a, s->network->name)
						  : arena_new(a, struct json);

		(void)json_add(a, v, "shared-network-name", network);
		(void)json_add(a, list, NULL, v);
	}
	(void)json_add(a, m, "subnets", list);
	if (cfg->n_subnets)
		edit_answer(e, m, "%zu IPv4 subnet%s found", cfg->n_subnets,
			    cfg->n_subnets == 1 ? "" : "s");
	else
		edit_empty(e, m, "0 IPv4 subnets found");
}
