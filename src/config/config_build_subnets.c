/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Shared networks and subnets, built in ascending order of subnet id, which is the order that
 * selection follows. Ids, prefixes and names of networks are unique.
 */
#include "config/config_load.h"

#include "base/error.h"
#include "base/ip.h"

#include <stdlib.h>

/* A subnet before it is built: its place in the tree. */
struct subnet_ref {
	const struct json *node;
	const struct config_network *network;
	uint32_t id, order;
};

/* --- parts of both ---------------------------------------------------------------------------- */

static int load_relays(struct load *l, const struct json *map, const uint32_t **ret, size_t *ret_n)
{
	const struct json *list = json_get(json_get(map, "relay"), "ip-addresses");
	uint32_t *addrs = list ? arena_array(l->a, uint32_t, list->count) : NULL;
	size_t n = 0;

	if (list && !addrs)
		return load_no_memory(l);
	for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
		if (ip_parse(v->s, v->n, &addrs[n]) < 0)
			return load_fail(l, v, "not an IPv4 address");
		n++;
	}
	*ret = addrs;
	*ret_n = n;
	return 0;
}

/* --- subnets ---------------------------------------------------------------------------------- */

/* Parses "192.0.2.0/24", with blanks where Kea allows them. */
static int parse_prefix(struct load *l, const struct json *v, uint32_t *ret_prefix,
			uint8_t *ret_len)
{
	char text[64];
	size_t n = 0;
	unsigned len = 0;
	const char *slash;
	size_t i = 1;

	for (const char *s = v->s; *s && n < sizeof(text) - 1; s++)
		if (*s != ' ' && *s != '\t')
			text[n++] = *s;
	text[n] = '\0';
	slash = strchr(text, '/');
	if (!slash || ip_parse(text, (size_t)(slash - text), ret_prefix) < 0)
		return load_fail(l, v, "'%.64s' is not a subnet, expected one like 192.0.2.0/24",
				 v->s);
	for (; slash[i] >= '0' && slash[i] <= '9' && i < 4; i++)
		len = len * 10 + (unsigned)(slash[i] - '0');
	if (i == 1 || slash[i] || len > 32)
		return load_fail(l, v, "'%.64s' is not a prefix length, expected 0 to 32",
				 slash + 1);
	*ret_len = (uint8_t)len;
	return 0;
}

static int build_prefix(struct load *l, const struct json *node, struct config_subnet *s)
{
	const struct json *v = json_get(node, "subnet");
	char text[IP_TEXT_LEN];
	int r = parse_prefix(l, v, &s->prefix, &s->prefix_len);

	if (r < 0) {
		s->prefix = 0;
		s->text = "";
		return r;
	}
	if (s->prefix & ~ip_mask(s->prefix_len))
		load_warn(l, v, "'%s' has bits behind its prefix, which are ignored", v->s);
	s->prefix &= ip_mask(s->prefix_len);
	s->text = arena_printf(l->a, "%s/%u", ip_text(s->prefix, text), s->prefix_len);
	return s->text ? 0 : load_no_memory(l);
}

int load_subnet(struct load *l, const struct json *node, const struct config_network *network,
		struct config_subnet *s)
{
	int r;

	s->node = node;
	s->id = load_u32(node, "id", 0);
	s->network = network;
	s->interface = load_str(node, "interface", "");
	r = build_prefix(l, node, s);
	s->refused = r < 0;
	r = load_both(r, load_relays(l, node, &s->relays, &s->n_relays));
	r = load_both(r, load_class_list(l, node, "client-classes", &s->classes));
	r = load_both(r, load_class_list(l, node, "evaluate-additional-classes", &s->additional));
	r = load_both(r,
		      load_params(l, node, network ? &network->params : &l->c->params, &s->params));
	r = load_both(r, load_options(l, node, &s->options));
	return load_both(r, load_pools(l, s));
}

static int compare_ids(const void *a, const void *b)
{
	const struct subnet_ref *x = a;
	const struct subnet_ref *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	/* equal ids in the order of the text, so that the second is reported */
	if (x->node->pos.line != y->node->pos.line)
		return x->node->pos.line < y->node->pos.line ? -1 : 1;
	return (x->node->pos.col > y->node->pos.col) - (x->node->pos.col < y->node->pos.col);
}

static int check_ids(struct load *l, const struct subnet_ref *refs, size_t n)
{
	int r = 0;

	for (size_t i = 1; i < n; i++)
		if (refs[i].id == refs[i - 1].id)
			r = load_fail(l, json_get(refs[i].node, "id"),
				      "subnet id %u is already used at %s", refs[i].id,
				      load_place(l, json_get(refs[i - 1].node, "id")));
	return r;
}

static int check_prefix(struct load *l, struct config_map *seen, const struct config_subnet *s,
			const struct config_subnet *all)
{
	uint8_t key[8];
	uint32_t old;
	int r = config_map_put(seen, l->a, load_addr_key(s->prefix, s->prefix_len, key), s->index,
			       &old);

	if (r < 0)
		return load_no_memory(l);
	if (r == 0)
		return load_fail(l, json_get(s->node, "subnet"),
				 "subnet %s is already defined at %s", s->text,
				 load_place(l, json_get(all[old].node, "subnet")));
	return 0;
}

static int build_subnets(struct load *l, struct subnet_ref *refs, size_t n)
{
	struct config_subnet *subnets = arena_array(l->a, struct config_subnet, n);
	struct config_map seen = {0};
	int r;

	if (!subnets)
		return load_no_memory(l);
	qsort(refs, n, sizeof(*refs), compare_ids);
	r = check_ids(l, refs, n);
	for (size_t i = 0; i < n && !load_fatal(r); i++) {
		subnets[i].index = (uint32_t)i;
		subnets[i].order = refs[i].order;
		r = load_both(r, load_subnet(l, refs[i].node, refs[i].network, &subnets[i]));
		if (!subnets[i].refused && !load_fatal(r))
			r = load_both(r, check_prefix(l, &seen, &subnets[i], subnets));
	}
	l->c->subnets = subnets;
	l->c->n_subnets = n;
	return r;
}

/* --- networks --------------------------------------------------------------------------------- */

static int build_network(struct load *l, const struct json *node, struct config_network *n)
{
	int r;

	n->node = node;
	n->name = load_str(node, "name", "");
	n->interface = load_str(node, "interface", "");
	r = load_relays(l, node, &n->relays, &n->n_relays);
	r = load_both(r, load_class_list(l, node, "client-classes", &n->classes));
	r = load_both(r, load_class_list(l, node, "evaluate-additional-classes", &n->additional));
	r = load_both(r, load_params(l, node, &l->c->params, &n->params));
	return load_both(r, load_options(l, node, &n->options));
}

static int build_networks(struct load *l, const struct json *list)
{
	struct config_network *networks = arena_array(l->a, struct config_network, list->count);
	struct config_map seen = {0};
	uint32_t i = 0;
	int bad = 0;

	if (!networks)
		return load_no_memory(l);
	for (const struct json *v = list->first; v; v = v->next, i++) {
		uint32_t old;
		int r = build_network(l, v, &networks[i]);

		if (load_fatal(r))
			return r;
		bad = load_both(bad, r);
		r = config_map_put(&seen, l->a, span_str(networks[i].name), i, &old);
		if (r == 0)
			bad = load_fail(l, json_get(v, "name"),
					"shared network '%s' is already defined at %s",
					networks[i].name,
					load_place(l, json_get(networks[old].node, "name")));
		if (r < 0)
			return load_no_memory(l);
	}
	l->c->networks = networks;
	l->c->n_networks = list->count;
	return bad;
}

/* Links each network to its finished subnets, by id. */
static int link_networks(struct load *l)
{
	struct config_network *networks = (struct config_network *)(uintptr_t)l->c->networks;

	for (size_t i = 0; i < l->c->n_networks; i++) {
		networks[i].subnets = arena_array(l->a, const struct config_subnet *,
						  load_count(networks[i].node, "subnet4"));
		if (!networks[i].subnets)
			return load_no_memory(l);
	}
	for (size_t i = 0; i < l->c->n_subnets; i++) {
		const struct config_subnet *s = &l->c->subnets[i];
		struct config_network *n;

		if (!s->network)
			continue;
		n = &networks[s->network - l->c->networks];
		((const struct config_subnet **)(uintptr_t)n->subnets)[n->n_subnets++] = s;
	}
	return 0;
}

/* --- all -------------------------------------------------------------------------------------- */

static size_t collect(const struct json *list, const struct config_network *network,
		      struct subnet_ref *refs)
{
	size_t n = 0;

	for (const struct json *v = list->first; v; v = v->next) {
		refs[n] = (struct subnet_ref){v, network, load_u32(v, "id", 0), (uint32_t)n};
		n++;
	}
	return n;
}

int load_subnets(struct load *l)
{
	const struct json *networks = json_get(l->dhcp4, "shared-networks");
	const struct json *alone = json_get(l->dhcp4, "subnet4");
	size_t n = alone->count;
	struct subnet_ref *refs;
	size_t i = 0;
	int r = build_networks(l, networks);

	for (const struct json *v = networks->first; v; v = v->next)
		n += load_count(v, "subnet4");
	refs = arena_array(l->a, struct subnet_ref, n);
	if (!refs)
		return load_no_memory(l);
	n = collect(alone, NULL, refs);
	for (const struct json *v = networks->first; v; v = v->next)
		n += collect(json_get(v, "subnet4"), l->c->networks ? &l->c->networks[i++] : NULL,
			     refs + n);
	if (!load_fatal(r))
		r = load_both(r, build_subnets(l, refs, n));
	return load_fatal(r) ? r : load_both(r, link_networks(l));
}
