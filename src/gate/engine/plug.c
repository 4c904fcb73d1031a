/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of dissectors that were registered at run time.
 */
#include "gate/engine/plug.h"

#include "wire/ipv4.h"

#include <errno.h>
#include <stdlib.h>

static struct gate_plug *find(struct gate *g, int d)
{
	unsigned i = (unsigned)(d - GATE_FIRST_PLUG);

	return d >= GATE_FIRST_PLUG && i < GATE_MAX_PLUGS && g->plugs[i].name[0] ? &g->plugs[i]
										 : NULL;
}

const struct gate_plug *gate_plug(const struct gate *g, int d)
{
	unsigned i = (unsigned)(d - GATE_FIRST_PLUG);

	return d >= GATE_FIRST_PLUG && i < GATE_MAX_PLUGS && g->plugs[i].name[0] ? &g->plugs[i]
										 : NULL;
}

static bool complete(const struct gate_plug *d)
{
	if (!d->name[0] || !memchr(d->name, '\0', sizeof(d->name)))
		return false;
	if (d->proto == IPV4_PROTO_TCP)
		return d->data;
	return d->receive && (d->proto == IPV4_PROTO_UDP || (d->proto == 0 && d->port == 0));
}

int gate_plug_add(struct gate *g, const struct gate_plug *d)
{
	int free = -1;

	if (!complete(d))
		return -EINVAL;
	if (gate_dissector_find(d->name) != DISSECT_N)
		return -EEXIST;
	for (int i = GATE_MAX_PLUGS - 1; i >= 0; i--) {
		if (strcmp(g->plugs[i].name, d->name) == 0)
			return -EEXIST;
		free = g->plugs[i].name[0] ? free : i;
	}
	if (free < 0)
		return -ENOSPC;
	g->plugs[free] = *d;
	g->plugs[free].seen = 0;
	if (d->proto)
		gate_load(g, d->proto == IPV4_PROTO_TCP ? DISSECT_TCP_CONNECTION
							: DISSECT_UDP_CONNECTION);
	return GATE_FIRST_PLUG + free;
}

void gate_plug_remove(struct gate *g, const void *ctx)
{
	for (unsigned i = 0; i < GATE_MAX_PLUGS; i++)
		if (g->plugs[i].ctx == ctx)
			g->plugs[i] = (struct gate_plug){0};
}

int gate_plugs_new(struct gate *g)
{
	g->plugs = calloc(GATE_MAX_PLUGS, sizeof(*g->plugs));
	return g->plugs ? 0 : -ENOMEM;
}

void gate_plugs_free(struct gate *g)
{
	free(g->plugs);
	g->plugs = NULL;
}

int gate_plug_by_port(const struct gate *g, uint8_t proto, uint16_t port)
{
	for (int i = 0; i < GATE_MAX_PLUGS; i++)
		if (g->plugs[i].name[0] && g->plugs[i].proto == proto && g->plugs[i].port == port &&
		    port)
			return GATE_FIRST_PLUG + i;
	return -1;
}

void gate_plug_begin(struct gate *g, struct flow *f)
{
	struct gate_plug *x = find(g, f->app);

	if (!x)
		return;
	x->seen++;
	if (x->begin)
		x->begin(x->ctx, g, f);
}

void gate_plug_end(struct gate *g, struct flow *f)
{
	const struct gate_plug *x = find(g, f->app);

	if (x && x->end)
		x->end(x->ctx, g, f);
}

int gate_plug_receive(struct gate *g, struct gate_packet *p, int d)
{
	struct gate_plug *x = find(g, d);

	/* over TCP its packets have been seen to when they come by here */
	if (!x || !x->receive)
		return GATE_ACCEPT;
	if (x->proto &&
	    !(p->flow && p->flow->app == d)) { /* a policy has sent it where it cannot be read */
		gate_drop(p, GATE_DROP_RULE_FAILED);
		return GATE_DROP;
	}
	x->seen += x->proto == 0;
	return x->receive(x->ctx, g, p);
}

bool gate_plug_send(struct gate *g, struct gate_packet *p, int d)
{
	struct gate_plug *x = find(g, d);

	return !x || !x->send || x->send(x->ctx, g, p, d);
}
