/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of dissectors that were registered at run time.
 */
#include "gate/engine/plugin.h"

#include "wire/ipv4.h"

#include <errno.h>
#include <stdlib.h>

static struct gate_plugin *find_plugin(struct gate *g, int d)
{
	unsigned i = (unsigned)(d - GATE_FIRST_PLUGIN);

	return d >= GATE_FIRST_PLUGIN && i < GATE_MAX_PLUGINS && g->plugins[i].name[0]
		       ? &g->plugins[i]
		       : NULL;
}

const struct gate_plugin *gate_plugin(const struct gate *g, int d)
{
	unsigned i = (unsigned)(d - GATE_FIRST_PLUGIN);

	return d >= GATE_FIRST_PLUGIN && i < GATE_MAX_PLUGINS && g->plugins[i].name[0]
		       ? &g->plugins[i]
		       : NULL;
}

static bool is_complete(const struct gate_plugin *d)
{
	if (!d->name[0] || !memchr(d->name, '\0', sizeof(d->name)))
		return false;
	if (d->proto == IPV4_PROTO_TCP)
		return d->data;
	return d->receive && (d->proto == IPV4_PROTO_UDP || (d->proto == 0 && d->port == 0));
}

int gate_plugin_add(struct gate *g, const struct gate_plugin *d)
{
	int free = -1;

	if (!is_complete(d))
		return -EINVAL;
	if (gate_dissector_find(d->name) != DISSECT_N)
		return -EEXIST;
	for (int i = GATE_MAX_PLUGINS - 1; i >= 0; i--) {
		if (strcmp(g->plugins[i].name, d->name) == 0)
			return -EEXIST;
		free = g->plugins[i].name[0] ? free : i;
	}
	if (free < 0)
		return -ENOSPC;
	g->plugins[free] = *d;
	g->plugins[free].seen = 0;
	if (d->proto)
		gate_load(g, d->proto == IPV4_PROTO_TCP ? DISSECT_TCP_CONNECTION
							: DISSECT_UDP_CONNECTION);
	return GATE_FIRST_PLUGIN + free;
}

void gate_plugin_remove(struct gate *g, const void *ctx)
{
	for (unsigned i = 0; i < GATE_MAX_PLUGINS; i++)
		if (g->plugins[i].ctx == ctx)
			g->plugins[i] = (struct gate_plugin){0};
}

int gate_plugins_new(struct gate *g)
{
	g->plugins = calloc(GATE_MAX_PLUGINS, sizeof(*g->plugins));
	return g->plugins ? 0 : -ENOMEM;
}

void gate_plugins_free(struct gate *g)
{
	free(g->plugins);
	g->plugins = NULL;
}

int gate_plugin_by_port(const struct gate *g, uint8_t proto, uint16_t port)
{
	for (int i = 0; i < GATE_MAX_PLUGINS; i++)
		if (g->plugins[i].name[0] && g->plugins[i].proto == proto &&
		    g->plugins[i].port == port && port)
			return GATE_FIRST_PLUGIN + i;
	return -1;
}

void gate_plugin_begin(struct gate_walk *w, struct flow *f)
{
	struct gate_plugin *x = find_plugin(w->g, f->app);

	if (!x)
		return;
	x->seen++;
	if (x->begin)
		x->begin(x->ctx, w, f);
}

void gate_plugin_end(struct gate_walk *w, struct flow *f)
{
	const struct gate_plugin *x = find_plugin(w->g, f->app);

	if (x && x->end)
		x->end(x->ctx, w, f);
}

int gate_plugin_receive(struct gate_walk *w, int d)
{
	struct gate_plugin *x = find_plugin(w->g, d);

	/* over TCP the connection has handled its packets before */
	if (!x || !x->receive)
		return GATE_ACCEPT;
	if (x->proto && !(w->p->flow && w->p->flow->app == d)) {
		/* a policy has sent it where it cannot be read */
		gate_drop(w->p, GATE_DROP_RULE_FAILED);
		return GATE_DROP;
	}
	x->seen += x->proto == 0;
	return x->receive(x->ctx, w);
}

bool gate_plugin_send(struct gate_walk *w, int d)
{
	struct gate_plugin *x = find_plugin(w->g, d);

	return !x || !x->send || x->send(x->ctx, w, d);
}
