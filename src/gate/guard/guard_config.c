/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Scalars by config.def; the lists by a function each. An unknown key is an error: a misspelt key
 * would be a guard that does not guard.
 */
#include "gate/guard/guard_config.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"

#include <stdio.h>

enum scope { SCOPE_TOP, SCOPE_LIMITS, SCOPE_AGENT, SCOPE_FILE };
enum kind { KIND_LIST, KIND_BOOL, KIND_INT, KIND_SECONDS, KIND_TEXT, KIND_POLICY };

struct key {
	enum scope scope;
	const char *name;
	enum kind kind;
	size_t offset;
	int64_t min, max;
};

static const struct key keys[] = {
#define KEY(scope, name, kind, field, min, max, what) \
	{SCOPE_##scope, name, KIND_##kind, offsetof(struct guard_opts, field), min, max},
#include "gate/guard/config.def"
#undef KEY
};

struct load {
	struct guard_config *c;
	struct config_error *err;
};

static int expected(const struct load *l, const struct json *v, const char *what)
{
	return config_error_set(l->err, &v->pos, -USHER_E_RANGE, "%s%s%sexpected %s, got %s%s%s%s",
				v->key ? "\"" : "", v->key ? v->key : "", v->key ? "\": " : "",
				what, json_type_name(v->type), v->type == JSON_STRING ? " \"" : "",
				v->type == JSON_STRING ? v->s : "",
				v->type == JSON_STRING ? "\"" : "");
}

static int unknown(const struct load *l, const struct json *v, const char *known)
{
	return config_error_set(l->err, &v->key_pos, -USHER_E_NOTFOUND,
				"\"%s\": no such key; expected one of %s", v->key, known);
}

/* --- Values ----------------------------------------------------------------------------------- */

static int take_int(const struct load *l, const struct json *v, int64_t min, int64_t max,
		    int64_t *ret)
{
	char what[96];

	if (v->type == JSON_INT && v->i >= min && v->i <= max) {
		*ret = v->i;
		return 0;
	}
	(void)snprintf(what, sizeof(what), "an integer from %lld to %lld", (long long)min,
		       (long long)max);
	if (v->type != JSON_INT)
		return expected(l, v, what);
	return config_error_set(l->err, &v->pos, -USHER_E_RANGE, "\"%s\": expected %s, got %lld",
				v->key ? v->key : "", what, (long long)v->i);
}

static int take_text(const struct load *l, const struct json *v, size_t cap, char *ret)
{
	char what[64];

	if (v->type == JSON_STRING && v->n > 0 && v->n < cap && !strpbrk(v->s, " \n")) {
		memcpy(ret, v->s, v->n + 1);
		return 0;
	}
	(void)snprintf(what, sizeof(what), "a string of 1 to %zu octets, without spaces", cap - 1);
	return expected(l, v, what);
}

static int take_mac(const struct load *l, const struct json *v, uint8_t ret[6])
{
	if (v->type == JSON_STRING && hex_parse(v->s, v->n, ret, 6) == 6)
		return 0;
	return expected(l, v, "a hardware address like \"02:00:00:00:00:01\"");
}

static int take_ip(const struct load *l, const struct json *v, uint32_t *ret)
{
	if (v->type == JSON_STRING && ip_parse(v->s, v->n, ret) == 0 && *ret)
		return 0;
	return expected(l, v, "an IPv4 address");
}

static int take_word(const struct load *l, const struct json *v, const char *const words[],
		     unsigned n, const char *what)
{
	for (unsigned i = 0; i < n && v->type == JSON_STRING; i++)
		if (strcmp(v->s, words[i]) == 0)
			return (int)i;
	return expected(l, v, what);
}

static int take_policy(const struct load *l, const struct json *v, enum guard_agent_policy *ret)
{
	static const char *const words[] = {"drop", "keep", "replace"};
	int r = take_word(l, v, words, ARRAY_LEN(words), "\"drop\", \"keep\" or \"replace\"");

	if (r < 0)
		return r;
	*ret = (enum guard_agent_policy)r;
	return 0;
}

static int take_key(const struct load *l, const struct key *k, const struct json *v)
{
	void *field = (char *)&l->c->opts + k->offset;
	int64_t n = 0;
	int r;

	switch (k->kind) {
	case KIND_BOOL:
		if (v->type != JSON_BOOL)
			return expected(l, v, "true or false");
		*(bool *)field = v->b;
		return 0;
	case KIND_INT:
		r = take_int(l, v, k->min, k->max, &n);
		if (r == 0)
			*(uint32_t *)field = (uint32_t)n;
		return r;
	case KIND_SECONDS:
		r = take_int(l, v, k->min, k->max, &n);
		if (r == 0)
			*(int64_t *)field = n * NS_PER_S;
		return r;
	case KIND_TEXT:
		return take_text(l, v, (size_t)k->max + 1, field);
	case KIND_POLICY:
		return take_policy(l, v, field);
	case KIND_LIST:
		break;
	}
	return 0;
}

static int scope_unknown(const struct load *l, enum scope scope, const struct json *v)
{
	char known[512] = "";

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		size_t at = strlen(known);

		if (keys[i].scope == scope)
			(void)snprintf(known + at, sizeof(known) - at, "%s%s", at ? ", " : "",
				       keys[i].name);
	}
	return unknown(l, v, known);
}

static int take_list(const struct load *l, const struct json *v);

static int take_scope(const struct load *l, enum scope scope, const struct json *map)
{
	int r = map->type == JSON_MAP ? 0 : expected(l, map, "a map");

	for (const struct json *v = r == 0 ? map->first : NULL; v && r == 0; v = v->next) {
		size_t i = 0;

		while (i < ARRAY_LEN(keys) &&
		       (keys[i].scope != scope || strcmp(keys[i].name, v->key) != 0))
			i++;
		if (i == ARRAY_LEN(keys))
			return scope_unknown(l, scope, v);
		r = keys[i].kind == KIND_LIST ? take_list(l, v) : take_key(l, &keys[i], v);
	}
	return r;
}

/* --- Lists ------------------------------------------------------------------------------------ */

static int port_key(const struct load *l, const struct json *v, struct guard_port_opts *p)
{
	static const char *const roles[] = {"untrusted", "trusted", "relay", "shared"};
	int64_t n = 0;
	int r;

	if (strcmp(v->key, "name") == 0)
		return take_text(l, v, sizeof(p->name), p->name);
	if (strcmp(v->key, "role") == 0) {
		r = take_word(l, v, roles, ARRAY_LEN(roles),
			      "\"untrusted\", \"trusted\", \"relay\" or \"shared\"");
		p->role = (enum guard_role)(r < 0 ? 0 : r);
		return r < 0 ? r : 0;
	}
	if (strcmp(v->key, "max-clients") == 0) {
		r = take_int(l, v, 1, 1 << 20, &n);
		p->max_clients = (uint32_t)n;
		return r;
	}
	if (strcmp(v->key, "rate") == 0 || strcmp(v->key, "burst") == 0) {
		bool burst = v->key[0] == 'b';

		r = take_int(l, v, burst, 1000000, &n);
		*(burst ? &p->requests.burst : &p->requests.a_second) = (uint32_t)n;
		return r;
	}
	return unknown(l, v, "name, role, max-clients, rate, burst");
}

static int take_port(const struct load *l, const struct json *map)
{
	struct guard_opts *o = &l->c->opts;
	struct guard_port_opts p = {0};
	int r = map->type == JSON_MAP ? 0 : expected(l, map, "a map");

	for (const struct json *v = r == 0 ? map->first : NULL; v && r == 0; v = v->next)
		r = port_key(l, v, &p);
	if (r < 0)
		return r;
	if (!*p.name)
		return config_error_set(l->err, &map->pos, -USHER_E_NOTFOUND,
					"expected a \"name\"");
	if (!p.requests.burst != !json_get(map, "rate"))
		return config_error_set(l->err, &map->pos, -USHER_E_NOTFOUND,
					"expected both \"rate\" and \"burst\", or neither");
	for (unsigned i = 0; i < o->n_ports; i++)
		if (strcmp(o->ports[i].name, p.name) == 0)
			return config_error_set(l->err, &map->pos, -USHER_E_EXISTS,
						"port \"%s\" is there twice", p.name);
	if (o->n_ports == FRAMES_MAX_PORTS)
		return config_error_set(l->err, &map->pos, -USHER_E_LIMIT,
					"expected at most %d ports", FRAMES_MAX_PORTS);
	o->ports[o->n_ports++] = p;
	return 0;
}

static int take_server(const struct load *l, const struct json *v, bool mac)
{
	struct guard_opts *o = &l->c->opts;
	unsigned *n = mac ? &o->n_server_macs : &o->n_server_ips;
	int r;

	if (*n == GUARD_MAX_SERVERS)
		return config_error_set(l->err, &v->pos, -USHER_E_LIMIT,
					"expected at most %d addresses", GUARD_MAX_SERVERS);
	r = mac ? take_mac(l, v, o->server_macs[*n]) : take_ip(l, v, &o->server_ips[*n]);
	*n += r == 0;
	return r;
}

static int take_servers(const struct load *l, const struct json *map)
{
	int r = map->type == JSON_MAP ? 0 : expected(l, map, "a map");

	for (const struct json *v = r == 0 ? map->first : NULL; v && r == 0; v = v->next) {
		bool mac = strcmp(v->key, "hw-addresses") == 0;

		if (!mac && strcmp(v->key, "ip-addresses") != 0)
			return unknown(l, v, "ip-addresses, hw-addresses");
		if (v->type != JSON_LIST)
			return expected(l, v, "a list");
		for (const struct json *a = v->first; a && r == 0; a = a->next)
			r = take_server(l, a, mac);
	}
	return r;
}

static int take_fixed(const struct load *l, const struct json *map, struct guard_fixed *ret)
{
	struct guard_fixed f = {0};
	int r = map->type == JSON_MAP ? 0 : expected(l, map, "a map");
	int64_t vlan = 0;

	for (const struct json *v = r == 0 ? map->first : NULL; v && r == 0; v = v->next) {
		if (strcmp(v->key, "ip-address") == 0)
			r = take_ip(l, v, &f.address);
		else if (strcmp(v->key, "hw-address") == 0)
			r = take_mac(l, v, f.mac);
		else if (strcmp(v->key, "port") == 0)
			r = take_text(l, v, sizeof(f.port), f.port);
		else if (strcmp(v->key, "vlan") == 0)
			r = take_int(l, v, 0, 4094, &vlan);
		else
			r = unknown(l, v, "ip-address, hw-address, port, vlan");
	}
	if (r == 0 && (!json_get(map, "ip-address") || !json_get(map, "hw-address")))
		r = config_error_set(l->err, &map->pos, -USHER_E_NOTFOUND,
				     "expected \"ip-address\" and \"hw-address\"");
	f.vlan = (uint16_t)vlan;
	*ret = f;
	return r;
}

static int take_all_fixed(const struct load *l, const struct json *list)
{
	struct guard_opts *o = &l->c->opts;
	struct guard_fixed *f;
	int r = 0;

	if (list->type != JSON_LIST)
		return expected(l, list, "a list");
	f = arena_zalloc(&l->c->arena, list->count * sizeof(*f) + 1);
	if (!f)
		return config_error_set(l->err, &list->pos, -USHER_E_NOMEM, "no memory");
	o->fixed = f;
	for (const struct json *v = list->first; v && r == 0; v = v->next) {
		r = take_fixed(l, v, &f[o->n_fixed]);
		for (uint32_t i = 0; r == 0 && i < o->n_fixed; i++)
			if (f[i].address == f[o->n_fixed].address &&
			    f[i].vlan == f[o->n_fixed].vlan)
				r = config_error_set(l->err, &v->pos, -USHER_E_EXISTS,
						     "a second binding of this address");
		o->n_fixed += r == 0;
	}
	return r;
}

static int take_list(const struct load *l, const struct json *v)
{
	int r = 0;

	if (strcmp(v->key, "servers") == 0)
		return take_servers(l, v);
	if (strcmp(v->key, "static-bindings") == 0)
		return take_all_fixed(l, v);
	if (strcmp(v->key, "limits") == 0)
		return take_scope(l, SCOPE_LIMITS, v);
	if (strcmp(v->key, "option-82") == 0)
		return take_scope(l, SCOPE_AGENT, v);
	if (strcmp(v->key, "bindings") == 0)
		return take_scope(l, SCOPE_FILE, v);
	if (v->type != JSON_LIST)
		return expected(l, v, "a list");
	for (const struct json *p = v->first; p && r == 0; p = p->next)
		r = take_port(l, p);
	return r;
}

/* --- The whole -------------------------------------------------------------------------------- */

static int take_tree(struct guard_config *c, const struct json *tree, struct config_error *err)
{
	struct load l = {c, err};

	return take_scope(&l, SCOPE_TOP, tree);
}

static void begin(struct guard_config *c)
{
	arena_init(&c->arena);
	guard_opts_default(&c->opts);
}

int guard_config_load(const char *path, struct guard_config *ret, struct config_error *err)
{
	const struct json_opts o = {.file = path, .dialect = true};
	struct json *tree;
	int r;

	begin(ret);
	r = json_parse_file(path, &o, &ret->arena, &tree, err);
	return r < 0 ? r : take_tree(ret, tree, err);
}

int guard_config_parse(struct span text, const char *name, struct guard_config *ret,
		       struct config_error *err)
{
	const struct json_opts o = {.file = name, .comments = true};
	struct json *tree;
	int r;

	begin(ret);
	r = json_parse(text, &o, &ret->arena, &tree, err);
	return r < 0 ? r : take_tree(ret, tree, err);
}

void guard_config_fini(struct guard_config *c)
{
	arena_fini(&c->arena);
}
