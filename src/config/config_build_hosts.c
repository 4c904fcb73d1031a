/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reservations, global ones and those of subnets. One identifier each; an identifier is unique in
 * its subnet, and so is an address unless ip-reservations-unique is off. The hash tables that find
 * duplicates are the ones that serve look-ups later.
 */
#include "config/config_load.h"

#include "base/buf.h"
#include "base/error.h"
#include "base/ip.h"

#include <string.h>

/* --- Identifiers as texts ---------------------------------------------------------------------- */

const char *const config_host_id_names[HOST_ID_N] = {
	[HOST_ID_HW_ADDRESS] = "hw-address", [HOST_ID_DUID] = "duid",
	[HOST_ID_CIRCUIT_ID] = "circuit-id", [HOST_ID_CLIENT_ID] = "client-id",
	[HOST_ID_FLEX_ID] = "flex-id",
};

enum config_host_id config_host_id_find(const char *name)
{
	unsigned i = 0;

	while (i < HOST_ID_N && strcmp(config_host_id_names[i], name) != 0)
		i++;
	return (enum config_host_id)i;
}

bool config_host_id_parse(struct arena *a, const char *text, struct span *ret)
{
	size_t n = strlen(text);
	uint8_t *octets;
	int len;

	if (n >= 2 && text[0] == '\'' && text[n - 1] == '\'') {
		*ret = span_of(text + 1, n - 2);
		return true;
	}
	octets = arena_alloc(a, n / 2 + 1);
	len = octets ? hex_parse(text, n, octets, n / 2 + 1) : -1;
	*ret = span_of(octets, len > 0 ? (size_t)len : 0);
	return len >= 0;
}

char *config_host_id_text(struct arena *a, enum config_host_id type, struct span id)
{
	bool colons = type == HOST_ID_HW_ADDRESS || type == HOST_ID_DUID;
	struct buf b;
	char *text;

	buf_init(&b);
	if (colons)
		buf_hex(&b, id, ':');
	else
		for (size_t i = 0; i < id.n; i++)
			buf_printf(&b, "%02X", id.p[i]);
	text = b.failed ? NULL : arena_strdup(a, b.p ? b.p : "");
	buf_fini(&b);
	return text;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* The most octets of each identifier. */
static const size_t id_max[HOST_ID_N] = {
	[HOST_ID_HW_ADDRESS] = 20,	    [HOST_ID_DUID] = 130,
	[HOST_ID_CIRCUIT_ID] = HOST_ID_MAX, [HOST_ID_CLIENT_ID] = HOST_ID_MAX,
	[HOST_ID_FLEX_ID] = HOST_ID_MAX,
};

/* Parses an identifier: hexadecimal digits, or text in single quotes. */
static int parse_id(struct load *l, const struct json *v, enum config_host_id type,
		    struct span *ret)
{
	uint8_t buf[HOST_ID_MAX];
	int n;

	if (v->n >= 2 && v->s[0] == '\'' && v->s[v->n - 1] == '\'' && type != HOST_ID_HW_ADDRESS) {
		*ret = span_of(v->s + 1, v->n - 2);
	} else {
		n = hex_parse(v->s, v->n, buf, sizeof(buf));
		if (n == -USHER_E_SYNTAX)
			return load_fail(l, v, "'%.64s' is not hexadecimal%s", v->s,
					 type == HOST_ID_HW_ADDRESS ? ""
								    : " nor text in single quotes");
		*ret = span_of(n >= 0 ? arena_memdup(l->a, buf, (size_t)n) : NULL,
			       n < 0 ? HOST_ID_MAX + 1 : (size_t)n);
		if (n >= 0 && !ret->p)
			return load_no_memory(l);
	}
	if (!ret->n || ret->n > id_max[type])
		return load_fail(l, v, "'%s' needs 1 to %zu octets", config_host_id_names[type],
				 id_max[type]);
	return 0;
}

static int find_id(struct load *l, const struct json *node, struct config_host *h)
{
	const struct json *found = NULL;

	for (size_t i = 0; i < HOST_ID_N; i++) {
		const struct json *v = json_get(node, config_host_id_names[i]);

		if (!v)
			continue;
		if (found)
			return load_fail(
				l, v,
				"a reservation has one identifier, this one has '%s' and '%s'",
				found->key, v->key);
		found = v;
		h->id_type = (enum config_host_id)i;
	}
	if (!found)
		return load_fail(
			l, node,
			"a reservation needs one of hw-address, duid, circuit-id, client-id, flex-id");
	return parse_id(l, found, h->id_type, &h->id);
}

static int note_id(struct load *l, const struct config_host *h, uint32_t index)
{
	uint8_t key[HOST_KEY_MAX];
	uint32_t old;
	int r = config_map_put(&l->host_ids, l->a,
			       load_host_key(h->subnet_id, h->id_type, h->id, key), index, &old);
	const char *name = config_host_id_names[h->id_type];

	if (r < 0)
		return load_no_memory(l);
	l->c->host_id_types |= 1U << h->id_type;
	if (r == 0)
		return load_fail(l, json_get(h->node, name), "%s '%.64s' is already reserved at %s",
				 name, load_str(h->node, name, ""),
				 load_place(l, json_get(l->hosts[old].node, name)));
	return 0;
}

static int note_addr(struct load *l, const struct config_host *h, uint32_t index)
{
	uint8_t key[8];
	uint32_t old;
	int r;

	if (!h->addr)
		return 0;
	r = config_map_put(&l->host_addrs, l->a, load_addr_key(h->subnet_id, h->addr, key), index,
			   &old);
	if (r < 0)
		return load_no_memory(l);
	if (r == 0 && l->c->ip_reservations_unique)
		return load_fail(l, json_get(h->node, "ip-address"),
				 "address %s is already reserved at %s",
				 load_str(h->node, "ip-address", ""),
				 load_place(l, json_get(l->hosts[old].node, "ip-address")));
	return 0;
}

int load_host_index(struct load *l, const struct config_host *h, uint32_t index)
{
	int r = h->id.n ? note_id(l, h, index) : 0;

	return load_fatal(r) ? r : load_both(r, note_addr(l, h, index));
}

static int check_host_addr(struct load *l, const struct config_host *h,
			   const struct config_subnet *s)
{
	const struct json *v = json_get(h->node, "ip-address");

	if (v && !h->addr)
		return load_fail(l, v, "0.0.0.0 cannot be reserved");
	if (v && s && !s->refused && (h->addr & ip_mask(s->prefix_len)) != s->prefix)
		return load_fail(l, v, "address %s is not in subnet %s", v->s, s->text);
	return 0;
}

int load_host(struct load *l, const struct json *node, const struct config_subnet *s,
	      struct config_host *h)
{
	int r;

	h->node = node;
	h->subnet_id = s ? s->id : 0;
	h->addr = load_addr(node, "ip-address");
	h->hostname = load_str(node, "hostname", "");
	r = find_id(l, node, h);
	r = load_both(r, check_host_addr(l, h, s));
	r = load_both(r, load_class_list(l, node, "client-classes", &h->classes));
	r = load_both(r, load_boot_fields(l, node, &h->has_next_server, &h->next_server,
					  &h->server_hostname, &h->boot_file_name));
	return load_both(r, load_options(l, node, &h->options));
}

static int build_list(struct load *l, const struct json *list, const struct config_subnet *s)
{
	int bad = 0;

	for (const struct json *v = list->first; v; v = v->next) {
		uint32_t index = l->n_hosts++;
		struct config_host *h = &l->hosts[index];
		int r = load_host(l, v, s, h);

		h->host_id = index + 1;
		if (!load_fatal(r))
			r = load_both(r, load_host_index(l, h, index));
		if (load_fatal(r))
			return r;
		bad = load_both(bad, r);
	}
	return bad;
}

int load_hosts(struct load *l)
{
	struct config *c = l->c;
	size_t n = load_count(l->dhcp4, "reservations");
	int r;

	for (size_t i = 0; i < c->n_subnets; i++)
		n += load_count(c->subnets[i].node, "reservations");
	l->hosts = arena_array(l->a, struct config_host, n);
	if (!l->hosts)
		return load_no_memory(l);
	r = build_list(l, json_get(l->dhcp4, "reservations"), NULL);
	for (size_t i = 0; i < c->n_subnets && !load_fatal(r); i++)
		r = load_both(r, build_list(l, json_get(c->subnets[i].node, "reservations"),
					    &c->subnets[i]));
	c->hosts = l->hosts;
	c->n_hosts = l->n_hosts;
	return r;
}
