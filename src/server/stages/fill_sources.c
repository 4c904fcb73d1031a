/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The scopes of option values, innermost first, and the search through them.
 */
#include "config/config.h"
#include "server/stages/fill.h"
#include "server/stages/fill_sources.h"

static void add_scope(struct fill_sources *s, const struct config_options *o)
{
	if (!o->n || s->n == s->cap)
		return;
	s->scope[s->n++] = o;
	s->always |= o->always;
	for (size_t i = 0; i < 4; i++)
		s->codes.bits[i] |= o->codes.bits[i];
}

/* Returns the number of classes with options among those of the exchange. */
static size_t count_class_scopes(const struct exchange *x)
{
	size_t n = 0;

	for (uint32_t i = 0; i < x->n_class_order; i++) {
		const struct config_class *c = x->cfg->class_by_id[x->class_order[i]];

		n += c && c->options.n;
	}
	return n;
}

void fill_sources(struct exchange *x, struct fill_sources *s)
{
	s->n = 0;
	s->cap = EXCHANGE_FIXED_SCOPES + count_class_scopes(x);
	s->scope = arena_alloc(&x->pkt.arena, s->cap * sizeof(*s->scope));
	if (!s->scope)
		s->cap = 0;
	s->codes = x->cfg->containers;
	s->always = false;
	if (x->host)
		add_scope(s, &x->host->options);
	if (x->pool)
		add_scope(s, &x->pool->options);
	if (x->subnet)
		add_scope(s, &x->subnet->options);
	if (x->subnet && x->subnet->network)
		add_scope(s, &x->subnet->network->options);
	for (uint32_t i = 0; i < x->n_class_order; i++) {
		const struct config_class *c = x->cfg->class_by_id[x->class_order[i]];

		if (c)
			add_scope(s, &c->options);
	}
	add_scope(s, &x->cfg->options);
}

/* Returns the value of a scope, from o on: the first with a class tag that fits, in any order;
 * else the last without a tag, as in Kea. */
static const struct config_option *find_fitting(const struct exchange *x,
						const struct config_option *o)
{
	const struct config_option *untagged = NULL;

	for (; o; o = config_option_next(o)) {
		if (!o->classes.n)
			untagged = o;
		else if (exchange_class_ok(x, &o->classes))
			return o;
	}
	return untagged;
}

/* Walks the scopes, the innermost first. Returns false where a scope forbids the option. */
static bool consider_option(const struct config_option *o, const struct config_option **found)
{
	if (o && o->never_send)
		return false;
	if (o && !*found)
		*found = o;
	return true;
}

const struct config_option *fill_source_option(const struct exchange *x,
					       const struct fill_sources *s, const char *space,
					       uint32_t code)
{
	const struct config_option *found = NULL;

	for (size_t i = 0; i < s->n; i++)
		if (!consider_option(find_fitting(x, config_option_find(s->scope[i], space, code)),
				     &found))
			return NULL;
	return found;
}

const struct config_option *fill_top_option(const struct exchange *x, const struct fill_sources *s,
					    uint8_t code)
{
	const struct config_option *found = NULL;

	if (!code_set_has(&s->codes, code))
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		if (!consider_option(find_fitting(x, config_option_top(s->scope[i], code)), &found))
			return NULL;
	return found;
}

const struct config_option *fill_find_option(struct exchange *x, const char *space, uint32_t code)
{
	size_t mark = arena_mark(&x->pkt.arena);
	const struct config_option *o;
	struct fill_sources s;

	fill_sources(x, &s);
	o = fill_source_option(x, &s, space, code);
	arena_rewind(&x->pkt.arena, mark);
	return o;
}
