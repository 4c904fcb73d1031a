/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Look-ups in a finished configuration. Subnets by prefix: one hash look-up for each prefix length
 * in use; by relay and by interface: sorted lists; by id: the subnets themselves are sorted. Hosts
 * and classes: hash tables made while building.
 */
#include "config/config_load.h"

#include "base/error.h"
#include "base/ip.h"
#include "config/class_index.h"

#include <stdlib.h>

struct index_relay {
	uint32_t addr, subnet; /* index in subnets */
};

struct index_iface {
	const char *name;
	uint32_t subnet;
};

/* --- making ----------------------------------------------------------------------------------- */

static int by_addr(const void *a, const void *b)
{
	const struct index_relay *x = a;
	const struct index_relay *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (x->subnet > y->subnet) - (x->subnet < y->subnet);
}

static int by_name(const void *a, const void *b)
{
	const struct index_iface *x = a;
	const struct index_iface *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->subnet > y->subnet) - (x->subnet < y->subnet);
}

/* Returns a subnet's own relays, else its network's. */
static const uint32_t *relays_of(const struct config_subnet *s, size_t *ret_n)
{
	bool own = s->n_relays || !s->network;

	*ret_n = own ? s->n_relays : s->network->n_relays;
	return own ? s->relays : s->network->relays;
}

static int index_relays(struct load *l, struct config_index *x)
{
	const struct config *c = l->c;
	size_t total = 0;
	size_t n;

	for (size_t i = 0; i < c->n_subnets; i++) {
		(void)relays_of(&c->subnets[i], &n);
		total += n;
	}
	x->relays = arena_array(l->a, struct index_relay, total);
	if (!x->relays)
		return load_no_memory(l);
	for (size_t i = 0; i < c->n_subnets; i++) {
		const uint32_t *relays = relays_of(&c->subnets[i], &n);

		for (size_t k = 0; k < n; k++)
			x->relays[x->n_relays++] = (struct index_relay){relays[k], (uint32_t)i};
	}
	qsort(x->relays, x->n_relays, sizeof(*x->relays), by_addr);
	return 0;
}

static int index_ifaces(struct load *l, struct config_index *x)
{
	const struct config *c = l->c;

	x->ifaces = arena_array(l->a, struct index_iface, c->n_subnets);
	if (!x->ifaces)
		return load_no_memory(l);
	for (size_t i = 0; i < c->n_subnets; i++)
		if (*c->subnets[i].interface)
			x->ifaces[x->n_ifaces++] = (struct index_iface){c->subnets[i].interface,
									(uint32_t)i};
	qsort(x->ifaces, x->n_ifaces, sizeof(*x->ifaces), by_name);
	return 0;
}

static int index_prefixes(struct load *l, struct config_index *x)
{
	for (size_t i = 0; i < l->c->n_subnets; i++) {
		const struct config_subnet *s = &l->c->subnets[i];
		uint8_t key[8];
		uint32_t old;

		int r = config_map_put(&x->prefixes, l->a,
				       load_addr_key(s->prefix, s->prefix_len, key), s->index,
				       &old);

		if (r < 0)
			return load_no_memory(l);
		if (r == 0)
			return load_fail(l, json_get(s->node, "subnet"),
					 "subnet %s is already defined with id %u", s->text,
					 l->c->subnets[old].id);
		x->prefix_lens |= 1ULL << s->prefix_len;
	}
	return 0;
}

static int index_classes(struct load *l)
{
	const struct config_class **by_id = arena_array(l->a, const struct config_class *,
							l->n_names);

	if (!by_id)
		return load_no_memory(l);
	for (size_t i = 0; i < l->c->n_classes; i++)
		by_id[l->c->classes[i].id] = &l->c->classes[i];
	for (size_t i = 0; i < l->n_names; i++)
		l->c->names_vendor_classes |= strncmp(l->class_names[i], "VENDOR_CLASS_", 13) == 0;
	l->c->class_by_id = by_id;
	return class_index_new(l->c, l->a, &l->c->class_index) < 0 ? load_no_memory(l) : 0;
}

int load_index_subnets(struct load *l, struct config_index *x)
{
	int r = index_prefixes(l, x);

	if (r == 0)
		r = index_relays(l, x);
	return r < 0 ? r : index_ifaces(l, x);
}

int load_index(struct load *l)
{
	struct config_index *x = arena_new(l->a, struct config_index);
	int r;

	if (!x)
		return load_no_memory(l);
	x->class_ids = l->class_ids;
	x->host_ids = l->host_ids;
	x->host_addrs = l->host_addrs;
	l->c->index = x;
	l->c->class_names = l->class_names;
	l->c->n_class_names = l->n_names;
	r = index_classes(l);
	return r < 0 ? r : load_index_subnets(l, x);
}

/* --- subnets ---------------------------------------------------------------------------------- */

/* Searches all prefix lengths. Subnets are sorted by id, so the smallest index behind that of prev
 * is the next in order. */
const struct config_subnet *config_subnet_containing(const struct config *c, uint32_t addr,
						     const struct config_subnet *prev)
{
	const struct config_subnet *best = NULL;

	for (uint64_t lens = c->index->prefix_lens; lens; lens &= lens - 1) {
		unsigned len = (unsigned)__builtin_ctzll(lens);
		uint8_t key[8];
		uint32_t i;

		if (!config_map_get(&c->index->prefixes,
				    load_addr_key(addr & ip_mask(len), len, key), &i))
			continue;
		if ((!prev || i > prev->index) && (!best || i < best->index))
			best = &c->subnets[i];
	}
	return best;
}

const struct config_subnet *config_subnet_by_relay(const struct config *c, uint32_t giaddr,
						   const struct config_subnet *prev)
{
	struct index_relay want = {giaddr, prev ? prev->index + 1 : 0};
	size_t lo = 0;
	size_t hi = c->index->n_relays;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_addr(&c->index->relays[mid], &want) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == c->index->n_relays || c->index->relays[lo].addr != giaddr)
		return NULL;
	return &c->subnets[c->index->relays[lo].subnet];
}

const struct config_subnet *config_subnet_by_interface(const struct config *c, const char *ifname,
						       const struct config_subnet *prev)
{
	struct index_iface want = {ifname, prev ? prev->index + 1 : 0};
	size_t lo = 0;
	size_t hi = c->index->n_ifaces;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_name(&c->index->ifaces[mid], &want) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == c->index->n_ifaces || strcmp(c->index->ifaces[lo].name, ifname) != 0)
		return NULL;
	return &c->subnets[c->index->ifaces[lo].subnet];
}

const struct config_subnet *config_subnet_by_id(const struct config *c, uint32_t id)
{
	size_t lo = 0;
	size_t hi = c->n_subnets;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->subnets[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < c->n_subnets && c->subnets[lo].id == id ? &c->subnets[lo] : NULL;
}

/* --- hosts, classes --------------------------------------------------------------------------- */

const struct config_host *config_host_by_id(const struct config *c, uint32_t subnet_id,
					    enum config_host_id type, struct span id)
{
	uint8_t key[HOST_KEY_MAX];
	uint32_t i;

	if (id.n > HOST_ID_MAX ||
	    !config_map_get(&c->index->host_ids, load_host_key(subnet_id, type, id, key), &i))
		return NULL;
	return &c->hosts[i];
}

const struct config_host *config_host_by_addr(const struct config *c, uint32_t subnet_id,
					      uint32_t addr)
{
	uint8_t key[8];
	uint32_t i;

	if (!config_map_get(&c->index->host_addrs, load_addr_key(subnet_id, addr, key), &i))
		return NULL;
	return &c->hosts[i];
}

int config_class_by_name(const struct config *c, const char *name)
{
	uint32_t id;

	return config_map_get(&c->index->class_ids, span_str(name), &id) ? (int)id
									 : -USHER_E_NOTFOUND;
}
