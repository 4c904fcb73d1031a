/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Pools: "first - last" or a prefix, inside their subnet, not overlapping within it (between
 * subnets overlap is allowed, as in Kea). All pools of the configuration are numbered in order of
 * building.
 */
#include "config/config_load.h"

#include "base/error.h"
#include "base/ip.h"

#include <stdlib.h>

static bool trimmed_ip(const char *s, size_t n, uint32_t *ret)
{
	while (n && (*s == ' ' || *s == '\t')) {
		s++;
		n--;
	}
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	return ip_parse(s, n, ret) == 0;
}

static bool parse_len(const char *s, unsigned *ret)
{
	char *end;
	unsigned long v;

	while (*s == ' ')
		s++;
	if (*s < '0' || *s > '9')
		return false;
	v = strtoul(s, &end, 10);
	while (*end == ' ')
		end++;
	*ret = (unsigned)v;
	return !*end && v <= 32;
}

static int parse_range(struct load *l, const struct json *v, struct config_pool *p)
{
	const char *dash = strchr(v->s, '-');
	const char *slash = strchr(v->s, '/');
	unsigned len;

	if (dash && trimmed_ip(v->s, (size_t)(dash - v->s), &p->first) &&
	    trimmed_ip(dash + 1, strlen(dash + 1), &p->last))
		return 0;
	if (slash && trimmed_ip(v->s, (size_t)(slash - v->s), &p->first) &&
	    parse_len(slash + 1, &len)) {
		p->first &= ip_mask(len);
		p->last = p->first | ~ip_mask(len);
		return 0;
	}
	return load_fail(l, v, "'%.64s' is not a pool, expected 'first - last' or 'prefix/length'",
			 v->s);
}

static int check_range(struct load *l, const struct json *v, struct config_pool *p,
		       const struct config_subnet *s)
{
	uint32_t last = s->prefix | ~ip_mask(s->prefix_len);

	if (p->first > p->last)
		return load_fail(l, v, "pool '%s' ends before it begins", v->s);
	if (s->refused)
		return 0;
	if (strchr(v->s, '/') && p->first <= s->prefix && p->last >= last) {
		if (p->first != s->prefix || p->last != last)
			load_warn(l, v, "pool '%s' is larger than subnet %s, which is used", v->s,
				  s->text);
		p->first = s->prefix;
		p->last = last;
	}
	if (p->first < s->prefix || p->last > last)
		return load_fail(l, v, "pool '%s' is not inside subnet %s", v->s, s->text);
	return 0;
}

/* Loads a pool's own rules for clients' names, if it has one of the keys. */
static int pool_names(struct load *l, const struct json *node, const struct config_subnet *s,
		      struct config_pool *p)
{
	static const char *const keys[] = {"ddns-replace-client-name",
					   "ddns-generated-prefix",
					   "ddns-qualifying-suffix",
					   "hostname-char-set",
					   "hostname-char-replacement",
					   "ddns-send-updates",
					   "ddns-override-no-update",
					   "ddns-override-client-update",
					   "ddns-update-on-renew",
					   "ddns-conflict-resolution-mode",
					   "ddns-ttl",
					   "ddns-ttl-min",
					   "ddns-ttl-max",
					   "ddns-ttl-percent"};
	struct config_names *names;
	bool own = false;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		own |= json_get(node, keys[i]) != NULL;
	if (!own)
		return 0;
	names = arena_new(l->a, struct config_names);
	if (!names)
		return load_no_memory(l);
	p->names = names;
	return load_names(l, node, &s->params.names, names);
}

static int build_pool(struct load *l, const struct json *node, const struct config_subnet *s,
		      struct config_pool *p)
{
	const struct json *v = json_get(node, "pool");
	int r = parse_range(l, v, p);

	if (r == 0)
		r = check_range(l, v, p, s);
	if (r < 0)
		p->first = p->last = 0;
	p->node = node;
	p->pool_id = load_u32(node, "pool-id", 0);
	r = load_both(r, pool_names(l, node, s, p));
	r = load_both(r, load_class_list(l, node, "client-classes", &p->classes));
	r = load_both(r, load_class_list(l, node, "evaluate-additional-classes", &p->additional));
	return load_both(r, load_options(l, node, &p->options));
}

static int by_first(const void *a, const void *b)
{
	const struct config_pool *x = *(const struct config_pool *const *)a;
	const struct config_pool *y = *(const struct config_pool *const *)b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x > y) - (x < y);
}

static int check_overlap(struct load *l, const struct config_pool *pools, size_t n)
{
	const struct config_pool **refs = arena_array(l->a, const struct config_pool *, n);
	const struct config_pool *widest;
	int r = 0;

	if (!refs)
		return load_no_memory(l);
	for (size_t i = 0; i < n; i++)
		refs[i] = &pools[i];
	qsort(refs, n, sizeof(*refs), by_first);
	widest = n ? refs[0] : NULL;
	for (size_t i = 1; i < n; i++) {
		const struct config_pool *second = refs[i] > widest ? refs[i] : widest;
		const struct config_pool *first = refs[i] > widest ? widest : refs[i];

		if (refs[i]->first <= widest->last && widest->last)
			r = load_fail(l, json_get(second->node, "pool"),
				      "pool '%s' overlaps pool '%s' at %s",
				      load_str(second->node, "pool", ""),
				      load_str(first->node, "pool", ""),
				      load_place(l, json_get(first->node, "pool")));
		if (refs[i]->last >= widest->last)
			widest = refs[i];
	}
	return r;
}

/* Gives a pool its number. The list doubles when its size reaches a power of two. */
static int number_pool(struct load *l, struct config_pool *p, const struct config_subnet *s)
{
	uint32_t n = l->n_pools;

	if ((n & (n - 1)) == 0) {
		const struct config_pool **pools = arena_array(l->a, const struct config_pool *,
							       n ? 2 * n : 1);
		const struct config_subnet **subnets = arena_array(l->a,
								   const struct config_subnet *,
								   n ? 2 * n : 1);

		if (!pools || !subnets)
			return load_no_memory(l);
		for (uint32_t i = 0; i < n; i++) {
			pools[i] = l->pools[i];
			subnets[i] = l->pool_subnets[i];
		}
		l->pools = pools;
		l->pool_subnets = subnets;
	}
	p->index = n;
	l->pools[n] = p;
	l->pool_subnets[n] = s;
	l->n_pools++;
	return 0;
}

int load_pools(struct load *l, struct config_subnet *s)
{
	const struct json *list = json_get(s->node, "pools");
	struct config_pool *pools = arena_array(l->a, struct config_pool, list->count);
	int r = pools ? 0 : load_no_memory(l);

	for (const struct json *v = list->first; v && !load_fatal(r); v = v->next) {
		struct config_pool *p = &pools[s->n_pools++];

		r = load_both(r, build_pool(l, v, s, p));
		if (!load_fatal(r))
			r = load_both(r, number_pool(l, p, s));
	}
	s->pools = pools;
	l->c->pools = l->pools;
	l->c->pool_subnets = l->pool_subnets;
	l->c->n_pools = l->n_pools;
	return load_fatal(r) ? r : load_both(r, check_overlap(l, pools, s->n_pools));
}
