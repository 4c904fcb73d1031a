/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The choice of a flow's application.
 */
#include "gate/engine/app.h"

#include "gate/engine/plugin.h"
#include "wire/ipv4.h"

#include <errno.h>

/* Returns the transport of an application (of IPv4); 0: flows cannot speak it. */
static uint8_t proto_of(const struct gate *g, int d)
{
	const struct gate_plugin *x = gate_plugin(g, d);

	if (x)
		return x->proto;
	return d >= 0 && d < DISSECT_N ? g->rows[d].proto : 0;
}

static void begin_app(struct gate_walk *w, struct flow *f, int d)
{
	f->app = (uint8_t)d;
	if (d < DISSECT_N)
		w->g->rows[d].begin(w, f);
	else
		gate_plugin_begin(w, f);
}

uint32_t gate_app_data(struct gate_view *v)
{
	const struct gate *g = v->walk->g;
	const struct gate_plugin *x = gate_plugin(g, v->flow->app);

	return x ? x->data(x->ctx, v) : g->rows[v->flow->app].data(v);
}

int gate_app_port(struct gate *g, enum gate_dissector d, uint16_t port)
{
	if ((unsigned)d >= DISSECT_N || !g->rows[d].proto)
		return -EINVAL;
	if (g->n_ports == GATE_MAX_PORTS)
		return -ENOSPC;
	g->ports[g->n_ports].dissector = (uint8_t)d;
	g->ports[g->n_ports++].port = port;
	return 0;
}

/* Returns the application whose servers are at a port; DISSECT_N: none. */
static enum gate_dissector find_by_port(const struct gate *g, uint8_t proto, uint16_t port)
{
	int plugin;

	for (uint32_t i = 0; i < g->n_ports; i++) {
		enum gate_dissector d = (enum gate_dissector)g->ports[i].dissector;

		if (g->ports[i].port == port && g->rows[d].proto == proto && gate_loaded(g, d))
			return d;
	}
	for (unsigned d = 0; d < DISSECT_N; d++)
		if (g->rows[d].proto == proto && g->rows[d].port == port &&
		    gate_loaded(g, (enum gate_dissector)d))
			return (enum gate_dissector)d;
	plugin = gate_plugin_by_port(g, proto, port);
	return plugin >= 0 ? (enum gate_dissector)plugin : DISSECT_N;
}

int gate_app_choose(struct gate_walk *w, struct flow *f, enum gate_dissector d)
{
	if (proto_of(w->g, (int)d) != f->key.proto)
		return -EINVAL;
	gate_app_end(w, f);
	gate_load(w->g, d);
	begin_app(w, f, (int)d);
	return 0;
}

static enum gate_dissector find_by_ports(const struct gate *g, const struct flow_key *k)
{
	enum gate_dissector d = find_by_port(g, k->proto, k->dport);

	/* the question was not seen: an answer comes first */
	return d == DISSECT_N && k->proto == IPV4_PROTO_UDP ? find_by_port(g, k->proto, k->sport)
							    : d;
}

int gate_app_begin(struct gate_walk *w, bool by_port)
{
	struct gate *g = w->g;
	struct flow *f = w->p->flow;
	bool udp = f->key.proto == IPV4_PROTO_UDP;
	int next;

	if (f->app != DISSECT_N)
		return GATE_ACCEPT;
	next = gate_next_dissector(g, by_port ? find_by_ports(g, &f->key) : DISSECT_N);
	if (g->on_next)
		next = g->on_next(g->policy_ctx, w,
				  udp ? DISSECT_UDP_CONNECTION : DISSECT_TCP_CONNECTION, next);
	if (next >= 0 && proto_of(g, next) == f->key.proto)
		begin_app(w, f, next);
	return next == GATE_DROP ? GATE_DROP : GATE_ACCEPT;
}

bool gate_app_is(struct gate_packet *p, enum gate_dissector d)
{
	if (p->flow && p->flow->app == d)
		return true;
	gate_drop(p, GATE_DROP_RULE_FAILED);
	return false;
}

void gate_app_end(struct gate_walk *w, struct flow *f)
{
	if (f->app < DISSECT_N)
		w->g->rows[f->app].end(w, f);
	else if (f->app > DISSECT_N)
		gate_plugin_end(w, f);
	f->app = DISSECT_N;
}
