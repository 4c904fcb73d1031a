/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The scopes of option values, innermost first, and the search through them.
 */
#include "config/config.h"
#include "server/fill.h"
#include "server/fill_sources.h"

static void add(struct fill_sources *s, const struct config_options *o)
{
	if (o->n && s->n < FILL_SOURCES_MAX)
		s->scope[s->n++] = o;
}

void fill_sources(const struct exchange *x, struct fill_sources *s)
{
	s->n = 0;
	if (x->host)
		add(s, &x->host->options);
	if (x->pool)
		add(s, &x->pool->options);
	if (x->subnet)
		add(s, &x->subnet->options);
	if (x->subnet && x->subnet->network)
		add(s, &x->subnet->network->options);
	for (uint32_t i = 0; i < x->n_class_order; i++)
		for (size_t j = 0; j < x->cfg->n_classes; j++)
			if (x->cfg->classes[j].id == x->class_order[i])
				add(s, &x->cfg->classes[j].options);
	add(s, &x->cfg->options);
}

const struct config_option *fill_source_option(const struct exchange *x, const struct fill_sources *s,
					       const char *space, uint32_t code)
{
	const struct config_option *found = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const struct config_option *o = config_option_find(s->scope[i], space, code);

		if (!o || !exchange_class_ok(x, &o->classes))
			continue;
		if (o->never_send)
			return NULL;
		if (!found)
			found = o;
	}
	return found;
}

const struct config_option *fill_find_option(const struct exchange *x, const char *space, uint32_t code)
{
	struct fill_sources s;

	fill_sources(x, &s);
	return fill_source_option(x, &s, space, code);
}
