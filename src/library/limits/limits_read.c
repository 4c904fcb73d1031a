/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The limits of a configuration: user-context.limits of classes and subnets, as a table for
 * packets.
 */
#include "library/limits/limits.h"
#include "library/common/library.h"

#include "base/log.h"
#include "config/config.h"

#include <stdlib.h>

static const struct {
	const char *name;
	int64_t seconds;
} periods[] = {{"second", 1},	    {"minute", 60},	   {"hour", 3600},	 {"day", 86400},
	       {"week", 7 * 86400}, {"month", 30 * 86400}, {"year", 365 * 86400}};

/* --- Values ----------------------------------------------------------------------------------- */

static int64_t find_period(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(periods); i++)
		if (strcmp(periods[i].name, name) == 0)
			return periods[i].seconds;
	return 0;
}

/* Reads digits. Returns the end of them, or NULL if the number is too large or absent. */
static const char *read_number(const char *text, uint32_t *ret)
{
	const char *p = text;
	uint64_t v = 0;

	while (*p >= '0' && *p <= '9' && v <= UINT32_MAX)
		v = v * 10 + (uint64_t)(*p++ - '0');
	*ret = (uint32_t)v;
	return p > text && v <= UINT32_MAX ? p : NULL;
}

static bool read_rate(const char *text, struct rate *ret)
{
	static const char one[] = " packet per ", many[] = " packets per ";
	const char *p = read_number(text, &ret->n);

	if (!p)
		return false;
	if (strncmp(p, one, sizeof(one) - 1) == 0)
		p += sizeof(one) - 1;
	else if (strncmp(p, many, sizeof(many) - 1) == 0)
		p += sizeof(many) - 1;
	else
		return false;
	ret->period_ns = find_period(p) * NS_PER_S;
	ret->text = text;
	return ret->period_ns > 0;
}

static bool check_number(struct library_problems *p, const struct json *v)
{
	if (v->type == JSON_INT && v->i >= 0 && v->i <= UINT32_MAX)
		return true;
	library_problem(p, &v->pos, "'%s' must be a number from 0 to 4294967295", v->key);
	return false;
}

/* Reads the limits of one class or subnet. */
static void read_limit(struct library_problems *p, const struct json *node, struct limit *ret)
{
	const struct json *map = json_get(json_get(node, "user-context"), "limits");
	const struct json *rate = json_get(map, "rate-limit");
	const struct json *address = json_get(map, "address-limit");
	const struct json *prefix = json_get(map, "prefix-limit");

	if (map && map->type != JSON_MAP)
		library_problem(p, &map->pos, "'limits' must be a map");
	ret->has_rate = rate && rate->type == JSON_STRING && read_rate(rate->s, &ret->rate);
	if (rate && !ret->has_rate)
		library_problem(
			p, &rate->pos,
			"'rate-limit' must have the form \"<n> packets per <unit>\", "
			"with n from 0 to 4294967295 and the unit second, minute, hour, day, "
			"week, month or year");
	ret->has_address = address && check_number(p, address);
	ret->address = ret->has_address ? (uint32_t)address->i : 0;
	if (prefix)
		(void)check_number(p, prefix); /* of DHCPv6 */
}

/* --- The table -------------------------------------------------------------------------------- */

static struct limit *next_limit(struct limits_table *t, const struct limit *value)
{
	struct limit *l = &t->all[t->n_all++];

	*l = *value;
	return l;
}

/* Puts a template behind those with longer names. */
static void insert_template(struct limits_table *t, struct limit *l)
{
	size_t i = t->n_templates++;

	for (; i > 0 && strlen(t->templates[i - 1]->name) < strlen(l->name); i--)
		t->templates[i] = t->templates[i - 1];
	t->templates[i] = l;
}

static void read_class(struct library_problems *p, struct limits_table *t,
		       const struct config_class *c)
{
	struct limit v = {.name = c->name, .class_id = c->id};
	struct limit *l;

	read_limit(p, c->node, &v);
	if (!c->template_test && !v.has_rate && !v.has_address)
		return;
	l = next_limit(t, &v);
	if (c->template_test)
		insert_template(t, l);
	else
		t->by_class[c->id] = l;
	t->rates |= l->has_rate;
	t->addresses |= l->has_address;
}

static void read_subnet(struct library_problems *p, struct limits_table *t,
			const struct config_subnet *s)
{
	struct limit v = {.subnet_id = s->id};

	read_limit(p, s->node, &v);
	if (v.has_rate || v.has_address)
		t->by_subnet[s->index] = next_limit(t, &v);
}

void limits_read(struct library_problems *p, const struct config *cfg, struct limits_table *t)
{
	t->all = arena_array(&t->arena, struct limit, cfg->n_classes + cfg->n_subnets + 1);
	t->by_class = arena_calloc(&t->arena, cfg->n_class_names + 1, sizeof(struct limit *));
	t->by_subnet = arena_calloc(&t->arena, cfg->n_subnets + 1, sizeof(struct limit *));
	t->templates = arena_calloc(&t->arena, cfg->n_classes + 1, sizeof(struct limit *));
	if (!t->all || !t->by_class || !t->by_subnet || !t->templates) {
		library_problem(p, NULL, "out of memory");
		return;
	}
	for (size_t i = 0; i < cfg->n_classes; i++)
		if (cfg->classes[i].node)
			read_class(p, t, &cfg->classes[i]);
	for (size_t i = 0; i < cfg->n_subnets; i++)
		if (cfg->subnets[i].node)
			read_subnet(p, t, &cfg->subnets[i]);
}

bool limits_connect(struct limits_table *t, struct limiters *all)
{
	t->limiters = all;
	for (size_t i = 0; i < t->n_all; i++) {
		struct limit *l = &t->all[i];
		const char *key = l->name ? arena_printf(&t->arena, "class %s", l->name)
					  : arena_printf(&t->arena, "subnet %u", l->subnet_id);

		if (!l->has_rate)
			continue;
		l->limiter = key ? limiter_ref(all, key) : NULL;
		if (!l->limiter)
			return false;
	}
	return true;
}

void limits_free(void *table)
{
	struct limits_table *t = table;

	for (size_t i = 0; t->limiters && i < t->n_all; i++)
		limiter_unref(t->limiters, t->all[i].limiter);
	arena_fini(&t->arena);
	free(t);
}

static void log_limit(const struct limit *l, struct log *log)
{
	if (l->has_rate && l->name)
		log_msg(log, LOG_LIMITS_CONFIGURED_RATE_LIMIT_BY_CLIENT_CLASS,
			"client class %s has a rate limit of %s", l->name, l->rate.text);
	else if (l->has_rate)
		log_msg(log, LOG_LIMITS_CONFIGURED_RATE_LIMIT_BY_SUBNET,
			"subnet %u has a rate limit of %s", l->subnet_id, l->rate.text);
	if (l->has_address && l->name)
		log_msg(log, LOG_LIMITS_CONFIGURED_ADDRESS_LIMIT_BY_CLIENT_CLASS,
			"client class %s has a limit of %u leases", l->name, l->address);
	else if (l->has_address)
		log_msg(log, LOG_LIMITS_CONFIGURED_ADDRESS_LIMIT_BY_SUBNET,
			"subnet %u has a limit of %u leases", l->subnet_id, l->address);
}

void limits_log(const struct limits_table *t, struct log *log)
{
	for (size_t i = 0; i < t->n_all; i++)
		log_limit(&t->all[i], log);
}
