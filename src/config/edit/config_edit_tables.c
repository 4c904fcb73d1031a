/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The tables of an edited configuration: subnets with their pools and networks, reservations. They
 * are copied whole, with new numbers and pointers among themselves; the objects that they point to
 * stay in the pieces of their edits.
 */
#include "config/edit/config_edit_tables.h"

#include "base/error.h"
#include "config/config_memory.h"

/* --- Subnets, pools, networks ------------------------------------------------------------------- */

static int copy_networks(struct edit *e, struct arena *a)
{
	struct config *c = e->c;
	struct config_network *networks = arena_array(a, struct config_network, c->n_networks);
	size_t n = 0;

	if (!networks)
		return load_no_memory(&e->l);
	for (size_t i = 0; i < e->n_subnets; i++)
		n += e->subnets[i].network != NULL;
	for (size_t i = 0; i < c->n_networks; i++) {
		networks[i] = c->networks[i];
		networks[i].n_subnets = 0;
		networks[i].subnets = arena_array(a, const struct config_subnet *, n + 1);
		if (!networks[i].subnets)
			return load_no_memory(&e->l);
	}
	/* pointers into the networks before become pointers into these */
	for (size_t i = 0; i < e->n_subnets; i++)
		if (e->subnets[i].network)
			e->subnets[i].network = &networks[e->subnets[i].network - c->networks];
	c->networks = networks;
	return 0;
}

/* Copies the subnets, and links them with their networks. */
static int copy_subnets(struct edit *e, struct arena *a)
{
	struct config_subnet *subnets = arena_array(a, struct config_subnet, e->n_subnets);

	if (!subnets)
		return load_no_memory(&e->l);
	for (size_t i = 0; i < e->n_subnets; i++) {
		struct config_network *n = (struct config_network *)(uintptr_t)e->subnets[i]
						   .network;

		subnets[i] = e->subnets[i];
		subnets[i].index = (uint32_t)i;
		if (n)
			((const struct config_subnet **)(uintptr_t)
				 n->subnets)[n->n_subnets++] = &subnets[i];
	}
	e->c->subnets = subnets;
	e->c->n_subnets = e->n_subnets;
	return 0;
}

/* Copies the pools, and numbers them. */
static int copy_pools(struct edit *e, struct arena *a)
{
	struct config_subnet *subnets = (struct config_subnet *)(uintptr_t)e->c->subnets;
	const struct config_pool **refs;
	const struct config_subnet **of;
	struct config_pool *pools;
	size_t n = 0;

	for (size_t i = 0; i < e->n_subnets; i++)
		n += subnets[i].n_pools;
	pools = arena_array(a, struct config_pool, n);
	refs = arena_array(a, const struct config_pool *, n);
	of = arena_array(a, const struct config_subnet *, n);
	if (!pools || !refs || !of)
		return load_no_memory(&e->l);
	n = 0;
	for (size_t i = 0; i < e->n_subnets; i++) {
		struct config_pool *first = pools + n;

		for (size_t k = 0; k < subnets[i].n_pools; k++, n++) {
			pools[n] = subnets[i].pools[k];
			pools[n].index = (uint32_t)n;
			refs[n] = &pools[n];
			of[n] = &subnets[i];
		}
		subnets[i].pools = first;
	}
	e->c->pools = refs;
	e->c->pool_subnets = of;
	e->c->n_pools = n;
	return 0;
}

static int make_subnets(struct edit *e, struct config_index *x)
{
	struct config_piece *p = config_piece_new();
	struct load *l = &e->l;
	int r;

	if (!p)
		return load_no_memory(l);
	r = copy_networks(e, &p->arena);
	if (r == 0)
		r = copy_subnets(e, &p->arena);
	if (r == 0)
		r = copy_pools(e, &p->arena);
	/* now nothing points into the tables before */
	config_piece_unref(e->c->memory->subnets);
	e->c->memory->subnets = p;
	if (r < 0)
		return r;
	x->prefixes = (struct config_map){0};
	x->prefix_lens = 0;
	x->n_relays = x->n_ifaces = 0;
	l->a = &p->arena;
	return load_index_subnets(l, x);
}

/* --- Reservations ----------------------------------------------------------------------------- */

static int make_hosts(struct edit *e, struct config_index *x)
{
	struct config_piece *p = config_piece_new();
	struct load *l = &e->l;
	int r = 0;

	if (!p)
		return load_no_memory(l);
	config_piece_unref(e->c->memory->hosts);
	e->c->memory->hosts = p;
	l->a = &p->arena;
	l->hosts = arena_array(l->a, struct config_host, e->n_hosts);
	if (!l->hosts)
		return load_no_memory(l);
	if (e->n_hosts)
		memcpy(l->hosts, e->hosts, e->n_hosts * sizeof(*l->hosts));
	e->c->host_id_types = 0;
	for (size_t i = 0; i < e->n_hosts && !load_fatal(r); i++)
		r = load_both(r, load_host_index(l, &l->hosts[i], (uint32_t)i));
	e->c->hosts = l->hosts;
	e->c->n_hosts = e->n_hosts;
	x->host_ids = l->host_ids;
	x->host_addrs = l->host_addrs;
	return r;
}

int edit_tables(struct edit *e)
{
	struct config_index *x = arena_new(&e->c->memory->own, struct config_index);
	int r = 0;

	if (!x)
		return load_no_memory(&e->l);
	*x = *e->c->index;
	e->c->index = x;
	if (e->subnets_changed)
		r = make_subnets(e, x);
	if (r == 0 && e->hosts_changed)
		r = make_hosts(e, x);
	return r;
}
