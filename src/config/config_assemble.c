/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The tree of a configuration, made of the nodes of its parts. The lists of subnets, networks and
 * reservations follow the typed objects, which edits change; all other nodes are those of the
 * load. Copies are shallow: a copied node shares its members.
 */
#include "config/config_memory.h"

#include "config/config_load.h"

#include <stdlib.h>

/* A tree that is being made. */
struct assembly {
	const struct config *c;
	struct arena *a;
	struct json **reservations;	      /* by index of the subnet; the last one: global */
	const struct config_subnet **subnets; /* in the order of the text */
	bool failed;
};

/* Returns a copy of a node that has the same members, or NULL. */
static struct json *copy_node(struct assembly *m, const struct json *node)
{
	struct json *v = arena_memdup(m->a, node, sizeof(*node));

	if (v)
		v->next = NULL;
	else
		m->failed = true;
	return v;
}

static void append_node(struct json *to, struct json *v)
{
	if (to && v)
		json_append(to, v);
}

/* Returns an empty list at the place of another one, with its key. */
static struct json *empty_list(struct assembly *m, const struct json *like)
{
	struct json *v = copy_node(m, like);

	if (v) {
		v->first = v->last = NULL;
		v->count = 0;
	}
	return v;
}

static void collect_reservations(struct assembly *m)
{
	const struct config *c = m->c;

	for (size_t i = 0; i < c->n_hosts && !m->failed; i++) {
		const struct config_host *h = &c->hosts[i];
		const struct config_subnet *s = h->subnet_id ? config_subnet_by_id(c, h->subnet_id)
							     : NULL;
		const struct json *of = s ? s->node : c->dhcp4;
		struct json **list = &m->reservations[s ? s->index : c->n_subnets];

		if (h->stored || (h->subnet_id && !s))
			continue;
		if (!*list)
			*list = empty_list(m, json_get(of, "reservations"));
		append_node(*list, copy_node(m, h->node));
	}
}

static int compare_orders(const void *a, const void *b)
{
	const struct config_subnet *x = *(const struct config_subnet *const *)a;
	const struct config_subnet *y = *(const struct config_subnet *const *)b;

	return (x->order > y->order) - (x->order < y->order);
}

/* Returns the node of a subnet with its reservations. */
static struct json *subnet_node(struct assembly *m, const struct config_subnet *s)
{
	struct json *list = m->reservations[s->index];
	const struct json *old = json_get(s->node, "reservations");
	struct json *v;

	if (!list && (!old || !old->count))
		return copy_node(m, s->node);
	v = empty_list(m, s->node);
	for (const struct json *k = s->node->first; k && v; k = k->next)
		append_node(v, k != old ? copy_node(m, k) : list ? list : empty_list(m, old));
	return v;
}

/* Returns a list of those subnets that are in a network; NULL: outside of any. */
static struct json *subnet_list(struct assembly *m, const struct config_network *network,
				const struct json *like)
{
	struct json *list = empty_list(m, like);

	for (size_t i = 0; i < m->c->n_subnets && list; i++)
		if (m->subnets[i]->network == network)
			append_node(list, subnet_node(m, m->subnets[i]));
	return list;
}

/* Returns the list of the subnets of a network, which has them by id, in the order of the text. */
static struct json *member_list(struct assembly *m, const struct config_network *n,
				const struct json *like)
{
	struct json *list = empty_list(m, like);
	const struct config_subnet **members = arena_array(m->a, const struct config_subnet *,
							   n->n_subnets + 1);

	if (!members) {
		m->failed = true;
		return NULL;
	}
	for (size_t i = 0; i < n->n_subnets; i++)
		members[i] = n->subnets[i];
	qsort(members, n->n_subnets, sizeof(*members), compare_orders);
	for (size_t i = 0; i < n->n_subnets; i++)
		append_node(list, subnet_node(m, members[i]));
	return list;
}

static struct json *network_list(struct assembly *m, const struct json *like)
{
	struct json *list = empty_list(m, like);

	for (size_t i = 0; i < m->c->n_networks && list; i++) {
		const struct config_network *n = &m->c->networks[i];
		const struct json *old = json_get(n->node, "subnet4");
		struct json *v = empty_list(m, n->node);

		for (const struct json *k = n->node->first; k && v; k = k->next)
			append_node(v, k == old ? member_list(m, n, old) : copy_node(m, k));
		append_node(list, v);
	}
	return list;
}

static struct json *dhcp4_node(struct assembly *m)
{
	const struct json *dhcp4 = m->c->dhcp4;
	struct json *v = empty_list(m, dhcp4);

	for (const struct json *k = dhcp4->first; k && v && !m->failed; k = k->next) {
		struct json *global = m->reservations[m->c->n_subnets];

		if (strcmp(k->key, "subnet4") == 0)
			append_node(v, subnet_list(m, NULL, k));
		else if (strcmp(k->key, "shared-networks") == 0)
			append_node(v, network_list(m, k));
		else if (strcmp(k->key, "reservations") == 0)
			append_node(v, global ? global : empty_list(m, k));
		else
			append_node(v, copy_node(m, k));
	}
	return v;
}

const struct json *config_assemble(const struct config *c, struct arena *a)
{
	struct assembly m = {.c = c, .a = a};
	struct json *root = json_map(a);
	struct json *dhcp4;

	m.reservations = arena_array(a, struct json *, c->n_subnets + 1);
	m.subnets = arena_array(a, const struct config_subnet *, c->n_subnets + 1);
	if (!root || !m.reservations || !m.subnets)
		return NULL;
	for (size_t i = 0; i < c->n_subnets; i++)
		m.subnets[i] = &c->subnets[i];
	qsort(m.subnets, c->n_subnets, sizeof(*m.subnets), compare_orders);
	collect_reservations(&m);
	dhcp4 = dhcp4_node(&m);
	if (m.failed || !dhcp4)
		return NULL;
	dhcp4->key = "Dhcp4";
	append_node(root, dhcp4);
	return root;
}
