/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The scopes of option values, innermost first, and the search through them.
 */
#include "config/config.h"
#include "server/fill.h"
#include "server/fill_sources.h"

static void add(struct fill_sources *s, const struct config_options *o)
{
	if (!o->n || s->n == FILL_SOURCES_MAX)
		return;
	s->scope[s->n++] = o;
	s->always |= o->always;
	for (size_t i = 0; i < 4; i++)
		s->codes.bits[i] |= o->codes.bits[i];
}

void fill_sources(const struct exchange *x, struct fill_sources *s)
{
	s->n = 0;
	s->codes = x->cfg->containers;
	s->always = false;
	if (x->host)
		add(s, &x->host->options);
	if (x->pool)
		add(s, &x->pool->options);
	if (x->subnet)
		add(s, &x->subnet->options);
	if (x->subnet && x->subnet->network)
		add(s, &x->subnet->network->options);
	for (uint32_t i = 0; i < x->n_class_order; i++) {
		const struct config_class *c = x->cfg->class_by_id[x->class_order[i]];

		if (c)
			add(s, &c->options);
	}
	add(s, &x->cfg->options);
}

/* Of a scope: the first whose class tag fits. */
static const struct config_option *first_fitting(const struct exchange *x, const struct config_options *scope,
						 const char *space, uint32_t code)
{
	const struct config_option *o = config_option_find(scope, space, code);

	while (o && !exchange_class_ok(x, &o->classes))
		o = config_option_next(scope, o);
	return o;
}

const struct config_option *fill_source_option(const struct exchange *x, const struct fill_sources *s,
					       const char *space, uint32_t code)
{
	const struct config_option *found = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct config_option *o = first_fitting(x, s->scope[i], space, code);

		if (!o)
			continue;
		if (o->never_send)
			return NULL;
		if (!found)
			found = o;
	}
	return found;
}

const struct config_option *fill_top_option(const struct exchange *x, const struct fill_sources *s, uint8_t code)
{
	return code_set_has(&s->codes, code) ? fill_source_option(x, s, OPTION_SPACE_DHCP4, code) : NULL;
}

const struct config_option *fill_find_option(const struct exchange *x, const char *space, uint32_t code)
{
	struct fill_sources s;

	fill_sources(x, &s);
	return fill_source_option(x, &s, space, code);
}
