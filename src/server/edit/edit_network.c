/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands network4-* of subnet_cmds. A shared network gives its subnets values, so that a
 * change of one loads the configuration whole.
 */
#include "server/edit/edit.h"

#include "config/json/json.h"
#include "server/edit/edit_commands.h"

#include <string.h>

static const struct config_network *find_network(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_networks; i++)
		if (strcmp(cfg->networks[i].name, name) == 0)
			return &cfg->networks[i];
	return NULL;
}

static struct json *name_list(struct edit *e, const char *name)
{
	struct arena *a = e->c->arena;
	struct json *m = json_map(a);

	(void)json_add(a, m, "name", json_str(a, name));
	return edit_list_of(e, "shared-networks", m);
}

/* Moves an element from one list to the end of another. */
static void move_element(struct json *from, struct json *to, struct json *element)
{
	json_unlink(from, element);
	element->next = NULL;
	json_append(to, element);
}

/* --- Networks --------------------------------------------------------------------------------- */

void edit_network_add(struct edit *e)
{
	const struct json *v = edit_arguments(e)
				       ? edit_one_element(e, "shared-networks", "network", false)
				       : NULL;
	const struct json *name = json_get(v, "name");
	struct json *list;

	if (!v)
		return;
	if (!name || name->type != JSON_STRING || !name->n) {
		edit_refuse(e, name ? "the name of a shared network must be a string that is not "
				      "empty"
				    : "missing parameter 'name' of the shared network");
		return;
	}
	if (find_network(e->cfg, name->s)) {
		edit_refuse(e, "duplicate network '%s' found in the configuration", name->s);
		return;
	}
	list = edit_tree_list(e, edit_tree(e), "shared-networks");
	(void)json_add(e->c->arena, list, NULL, json_copy(e->c->arena, v));
	edit_answer(e, name_list(e, name->s), "A new IPv4 shared network '%s' added", name->s);
}

/* Reads subnets-action: true is "delete". */
static bool read_action(struct edit *e, const struct json *args)
{
	const struct json *v = json_get(args, "subnets-action");

	if (v && v->type != JSON_STRING)
		edit_refuse(e,
			    "subnets-action parameter for %s command must be a string. Supported "
			    "values are: 'keep' and 'delete'.",
			    e->c->name);
	else if (v && strcmp(v->s, "keep") != 0 && strcmp(v->s, "delete") != 0)
		edit_refuse(e,
			    "Invalid value for subnets-action parameter: %s, Supported values: "
			    "'keep' and 'delete'.",
			    v->s);
	return v && v->type == JSON_STRING && strcmp(v->s, "delete") == 0;
}

void edit_network_del(struct edit *e)
{
	const struct json *args = edit_arguments(e);
	const struct json *name = json_get(args, "name");
	struct json *dhcp4;
	struct json *list;
	struct json *network;
	bool deletes;

	if (args && !name)
		edit_refuse(e, "network name ('name') is required for the '%s' command",
			    e->c->name);
	else if (args && name->type != JSON_STRING)
		edit_refuse(e, "network name ('name') specified for the '%s' is not a string",
			    e->c->name);
	deletes = read_action(e, args);
	if (!e->ended && !find_network(e->cfg, name->s))
		edit_empty(e, NULL, "no shared network with name '%s' found", name->s);
	dhcp4 = e->ended ? NULL : edit_tree(e);
	if (!dhcp4)
		return;
	list = edit_tree_list(e, dhcp4, "shared-networks");
	network = edit_find_text(list, "name", name->s);
	if (!deletes) {
		struct json *from = json_get(network, "subnet4");
		struct json *to = edit_tree_list(e, dhcp4, "subnet4");

		while (from && to && from->first)
			move_element(from, to, from->first);
	}
	json_unlink(list, network);
	edit_answer(e, name_list(e, name->s), "IPv4 shared network '%s' deleted", name->s);
}

/* --- Subnets of a network --------------------------------------------------------------------- */

/* The lists in which a subnet moves. */
struct places {
	const char *name; /* of the network */
	const struct config_subnet *subnet;
	struct json *alone; /* subnets without a network */
	struct json *in;    /* those of the network */
	struct json *node;  /* of the subnet; NULL: the command ended */
};

/* Reads the name of a network and the id of a subnet; member: the subnet is one of the network. */
static struct places read_places(struct edit *e, bool member)
{
	const struct json *args = edit_arguments(e);
	const struct json *name = json_get(args, "name");
	const struct json *id = json_get(args, "id");
	const struct config_network *network = NULL;
	struct places p = {0};
	struct json *dhcp4;

	if (args && !name)
		edit_refuse(e, "missing 'name' argument for the '%s' command", e->c->name);
	else if (args && name->type != JSON_STRING)
		edit_refuse(e, "'name' argument specified for the '%s' command is not a string",
			    e->c->name);
	else if (args && !id)
		edit_refuse(e, "missing 'id' argument for the '%s' command", e->c->name);
	else if (args && id->type != JSON_INT)
		edit_refuse(e, "'id' argument specified for the '%s' command is not an integer",
			    e->c->name);
	if (e->ended)
		return p;
	p.name = name->s;
	network = find_network(e->cfg, name->s);
	p.subnet = id->i > 0 && id->i <= UINT32_MAX ? config_subnet_by_id(e->cfg, (uint32_t)id->i)
						    : NULL;
	if (!network)
		edit_empty(e, NULL, "no IPv4 shared network with name '%s' found", name->s);
	else if (member && (!p.subnet || p.subnet->network != network))
		edit_empty(e, NULL,
			   "The IPv4 subnet with id %" PRId64
			   " is not part of the shared network with name '%s' found",
			   id->i, name->s);
	else if (!p.subnet)
		edit_empty(e, NULL, "no IPv4 subnet with id '%" PRId64 "' found", id->i);
	else if (!member && p.subnet->network)
		edit_refuse(e,
			    "subnet %u being added to a shared network already belongs to a shared "
			    "network",
			    p.subnet->id);
	dhcp4 = e->ended ? NULL : edit_tree(e);
	if (!dhcp4)
		return p;
	p.alone = edit_tree_list(e, dhcp4, "subnet4");
	p.in = edit_tree_list(e,
			      edit_find_text(json_get(dhcp4, "shared-networks"), "name", name->s),
			      "subnet4");
	p.node = edit_find_id(member ? p.in : p.alone, p.subnet->id);
	return p;
}

void edit_network_subnet_add(struct edit *e)
{
	struct places p = read_places(e, false);

	if (!p.node)
		return;
	move_element(p.alone, p.in, p.node);
	edit_answer(e, NULL, "IPv4 subnet %s (id %u) is now part of shared network '%s'",
		    p.subnet->text, p.subnet->id, p.name);
}

void edit_network_subnet_del(struct edit *e)
{
	struct places p = read_places(e, true);

	if (!p.node)
		return;
	move_element(p.in, p.alone, p.node);
	edit_answer(e, NULL, "IPv4 subnet %s (id %u) is now removed from shared network '%s'",
		    p.subnet->text, p.subnet->id, p.name);
}

/* --- Look-ups --------------------------------------------------------------------------------- */

/* Returns the full element of a network. */
static struct json *show_network(struct edit *e, const struct config_network *n)
{
	struct arena *a = e->c->arena;
	struct json *m = json_map(a);
	struct json *list = json_list(a);

	for (const struct json *v = n->node->first; m && v; v = v->next)
		if (strcmp(v->key, "subnet4") != 0)
			(void)json_add(a, m, v->key, json_copy(a, v));
	for (size_t i = 0; i < n->n_subnets; i++) {
		struct json *v = json_copy(a, n->subnets[i]->node);

		json_remove(v, "reservations");
		(void)json_add(a, list, NULL, v);
	}
	(void)json_add(a, m, "subnet4", list);
	return m;
}

void edit_network_get(struct edit *e)
{
	const struct json *args = edit_arguments(e);
	const struct json *name = json_get(args, "name");
	const struct config_network *n = NULL;

	if (args && !name)
		edit_refuse(e, "invalid '%s': missing mandatory 'name' parameter", e->c->name);
	else if (args && name->type != JSON_STRING)
		edit_refuse(e, "'name' parameter must be a string");
	else if (args)
		n = find_network(e->cfg, name->s);
	if (!e->ended && !n)
		edit_empty(e, NULL, "No '%s' shared network found", name->s);
	if (e->ended || !n)
		return;
	edit_answer(e, edit_list_of(e, "shared-networks", show_network(e, n)),
		    "Info about IPv4 shared network '%s' returned", name->s);
}

void edit_network_list(struct edit *e)
{
	const struct config *cfg = e->cfg;
	struct arena *a = e->c->arena;
	struct json *list = json_list(a);
	struct json *m = json_map(a);

	for (size_t i = 0; i < cfg->n_networks; i++) {
		struct json *v = json_map(a);

		(void)json_add(a, v, "name", json_str(a, cfg->networks[i].name));
		(void)json_add(a, list, NULL, v);
	}
	(void)json_add(a, m, "shared-networks", list);
	if (cfg->n_networks)
		edit_answer(e, m, "%zu IPv4 network%s found", cfg->n_networks,
			    cfg->n_networks == 1 ? "" : "s");
	else
		edit_empty(e, m, "0 IPv4 networks found");
}
