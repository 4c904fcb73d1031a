/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An edit: the changed objects are read as a load would read them, with the values that they
 * inherit, and put into copies of the two tables, subnets and reservations. The tables are made
 * anew when they change: a copy of ten thousand subnets takes less time than the text of ten.
 */
#include "config/edit/config_edit.h"

#include "base/error.h"
#include "config/edit/config_edit_tables.h"
#include "config/config_memory.h"

#include <errno.h>
#include <stdlib.h>

/* --- Subnets ---------------------------------------------------------------------------------- */

/* Returns the place of the subnet of an id, or the place to insert it. */
static size_t find_subnet(const struct edit *e, uint32_t id, bool *ret_found)
{
	size_t lo = 0;
	size_t hi = e->n_subnets;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (e->subnets[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_found = lo < e->n_subnets && e->subnets[lo].id == id;
	return lo;
}

static int put_subnet(struct edit *e, const struct config_change *k)
{
	struct load *l = &e->l;
	struct config_subnet s = {0};
	const struct config_network *network = NULL;
	struct json *node = NULL;
	bool found = false;
	size_t at = 0;
	int r = load_check_map(l, SCHEMA_SUBNET, k->node, &node);

	if (r == 0 && !json_get(k->node, "id"))
		r = load_fail(l, k->node, "the subnet needs 'id'");
	if (r < 0 || l->n_problems)
		return r < 0 ? r : -USHER_E_CONFIG;
	at = find_subnet(e, load_u32(node, "id", 0), &found);
	network = found ? e->subnets[at].network : NULL;
	r = load_fill_subnet(l, node, network ? network->node : l->dhcp4);
	if (r == 0)
		r = load_subnet(l, node, network, &s);
	if (r < 0)
		return r;
	s.order = found ? e->subnets[at].order : e->c->memory->next_order++;
	if (!found) {
		memmove(e->subnets + at + 1, e->subnets + at,
			(e->n_subnets - at) * sizeof(*e->subnets));
		e->n_subnets++;
	}
	e->subnets[at] = s;
	e->subnets_changed = true;
	return 0;
}

static int delete_subnet(struct edit *e, const struct config_change *k)
{
	size_t kept = 0;
	bool found;
	size_t at = find_subnet(e, k->id, &found);

	if (!found)
		return load_fail(&e->l, NULL, "there is no subnet with id %u", k->id);
	e->n_subnets--;
	memmove(e->subnets + at, e->subnets + at + 1, (e->n_subnets - at) * sizeof(*e->subnets));
	e->subnets_changed = true;
	for (size_t i = 0; i < e->n_hosts; i++)
		if (e->hosts[i].subnet_id != k->id || e->hosts[i].stored)
			e->hosts[kept++] = e->hosts[i];
	e->hosts_changed |= kept < e->n_hosts;
	e->n_hosts = kept;
	return 0;
}

/* --- Reservations ----------------------------------------------------------------------------- */

static bool is_same_host(const struct config_host *a, const struct config_host *b)
{
	return a->subnet_id == b->subnet_id && a->id_type == b->id_type && span_eq(a->id, b->id);
}

static int put_host(struct edit *e, const struct config_change *k)
{
	struct load *l = &e->l;
	struct config_host h = {0};
	struct json *node = NULL;
	bool found = false;
	size_t at = k->id ? find_subnet(e, k->id, &found) : 0;
	int r;

	if (k->id && !found)
		return load_fail(l, k->node, "there is no subnet with id %u", k->id);
	r = load_check_map(l, SCHEMA_HOST, k->node, &node);
	if (r < 0 || l->n_problems)
		return r < 0 ? r : -USHER_E_CONFIG;
	r = load_host(l, node, found ? &e->subnets[at] : NULL, &h);
	if (r < 0)
		return r;
	h.stored = k->stored;
	e->hosts_changed = true;
	if (k->index < e->n_hosts && is_same_host(&e->hosts[k->index], &h)) {
		h.host_id = e->hosts[k->index].host_id;
		e->hosts[k->index] = h;
		return 0;
	}
	h.host_id = e->c->memory->next_host++;
	e->hosts[e->n_hosts++] = h;
	return 0;
}

static int delete_host(struct edit *e, const struct config_change *k)
{
	if (k->index >= e->n_hosts)
		return load_fail(&e->l, NULL, "there is no such reservation");
	e->n_hosts--;
	memmove(e->hosts + k->index, e->hosts + k->index + 1,
		(e->n_hosts - k->index) * sizeof(*e->hosts));
	e->hosts_changed = true;
	return 0;
}

/* --- The edit --------------------------------------------------------------------------------- */

static int make_change(struct edit *e, const struct config_change *k)
{
	static int (*const make[])(struct edit *, const struct config_change *) = {
		[CHANGE_PUT_SUBNET] = put_subnet,
		[CHANGE_DELETE_SUBNET] = delete_subnet,
		[CHANGE_PUT_HOST] = put_host,
		[CHANGE_DELETE_HOST] = delete_host,
	};

	return make[k->kind](e, k);
}

/* Prepares the state of a load that continues that of from. */
static int begin_edit(struct edit *e, const struct config *from, size_t n)
{
	struct load *l = &e->l;
	struct config *c = e->c;

	*c = *from;
	c->refs = 1;
	if (config_memory_share(c, from, e->objects) < 0)
		return load_no_memory(l);
	if (!c->memory->next_order)
		c->memory->next_order = (uint32_t)from->n_subnets;
	if (!c->memory->next_host)
		c->memory->next_host = (uint32_t)from->n_hosts + 1;
	l->c = c;
	l->a = &e->objects->arena;
	l->scratch = &e->scratch;
	/* both are read only: an edit makes no definitions, and no names of classes */
	l->dhcp4 = (struct json *)(uintptr_t)c->dhcp4;
	l->defs = (struct option_defs *)(uintptr_t)c->defs;
	l->class_ids = c->index->class_ids;
	l->names_fixed = true;
	e->subnets = calloc(from->n_subnets + n + 1, sizeof(*e->subnets));
	e->hosts = calloc(from->n_hosts + n + 1, sizeof(*e->hosts));
	if (!e->subnets || !e->hosts)
		return load_no_memory(l);
	if (from->n_subnets)
		memcpy(e->subnets, from->subnets, from->n_subnets * sizeof(*e->subnets));
	if (from->n_hosts)
		memcpy(e->hosts, from->hosts, from->n_hosts * sizeof(*e->hosts));
	e->n_subnets = from->n_subnets;
	e->n_hosts = from->n_hosts;
	return load_begin(l);
}

/* Ends an edit. A name of a class that is missing is no problem of the change. */
static int finish_edit(struct edit *e, int r, struct config **ret)
{
	if (e->l.name_missing)
		r = -ESTALE;
	else if (r == 0 && e->l.n_problems)
		r = -USHER_E_CONFIG;
	if (r < 0)
		config_free(e->c);
	else
		*ret = e->c;
	free(e->subnets);
	free(e->hosts);
	arena_fini(&e->scratch);
	config_piece_unref(e->objects);
	return r;
}

int config_edit(const struct config *from, const struct config_change *changes, size_t n,
		const struct config_load_opts *o, struct config **ret, struct config_error *err)
{
	struct edit e = {.c = calloc(1, sizeof(*e.c)), .objects = config_piece_new()};
	int r;

	arena_init(&e.scratch);
	e.l = (struct load){.c = e.c, .o = o, .err = err};
	if (!e.c || !e.objects)
		return finish_edit(&e, load_no_memory(&e.l), ret);
	e.c->refs = 1;
	if (from->memory->n_edits >= CONFIG_EDITS_MAX)
		return finish_edit(&e, -ESTALE, ret);
	r = begin_edit(&e, from, n);
	for (size_t i = 0; i < n && r == 0; i++)
		r = make_change(&e, &changes[i]);
	if (r == 0)
		r = edit_tables(&e);
	return finish_edit(&e, r, ret);
}
