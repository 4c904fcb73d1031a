/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The table of applications, and the choice of a flow's application.
 */
#include "gate/engine/app.h"

#include "gate/app/dissect_dns.h"
#include "gate/app/dissect_http.h"
#include "gate/engine/plugin.h"
#include "wire/ipv4.h"

#include <errno.h>

static const struct gate_app apps[DISSECT_N] = {
#define APPLICATION(symbol, transport, server, prefix, stream) \
	[DISSECT_##symbol] = {                                 \
		.proto = IPV4_PROTO_##transport,               \
		.port = (server),                              \
		.new = prefix##_new,                           \
		.free = prefix##_free,                         \
		.begin = prefix##_begin,                       \
		.end = prefix##_end,                           \
		.data = (stream),                              \
	},
#include "gate/engine/apps.def"
#undef APPLICATION
};

/* Of IPv4; 0: it is nobody that a flow can speak. */
static uint8_t proto_of(const struct gate *g, int d)
{
	const struct gate_plugin *x = gate_plugin(g, d);

	if (x)
		return x->proto;
	return d >= 0 && d < DISSECT_N ? apps[d].proto : 0;
}

static void begin(struct gate *g, struct flow *f, int d)
{
	f->app = (uint8_t)d;
	if (d < DISSECT_N)
		apps[d].begin(g, f);
	else
		gate_plugin_begin(g, f);
}

uint32_t gate_app_data(struct gate *g, struct gate_view *v)
{
	const struct gate_plugin *x = gate_plugin(g, v->flow->app);

	return x ? x->data(x->ctx, g, v) : apps[v->flow->app].data(g, v);
}

int gate_apps_new(struct gate *g, uint32_t max_flows)
{
	int r = 0;

	for (unsigned d = 0; d < DISSECT_N && r == 0; d++)
		if (apps[d].proto)
			r = apps[d].new(g, max_flows);
	return r;
}

void gate_apps_free(struct gate *g)
{
	for (unsigned d = 0; d < DISSECT_N; d++)
		if (apps[d].proto)
			apps[d].free(g);
}

int gate_app_port(struct gate *g, enum gate_dissector d, uint16_t port)
{
	if ((unsigned)d >= DISSECT_N || !apps[d].proto)
		return -EINVAL;
	if (g->n_ports == GATE_MAX_PORTS)
		return -ENOSPC;
	g->ports[g->n_ports].dissector = (uint8_t)d;
	g->ports[g->n_ports++].port = port;
	return 0;
}

/* DISSECT_N: nobody's. */
static enum gate_dissector by_port(const struct gate *g, uint8_t proto, uint16_t port)
{
	int plugin;

	for (uint32_t i = 0; i < g->n_ports; i++) {
		enum gate_dissector d = (enum gate_dissector)g->ports[i].dissector;

		if (g->ports[i].port == port && apps[d].proto == proto && gate_loaded(g, d))
			return d;
	}
	for (unsigned d = 0; d < DISSECT_N; d++)
		if (apps[d].proto == proto && apps[d].port == port &&
		    gate_loaded(g, (enum gate_dissector)d))
			return (enum gate_dissector)d;
	plugin = gate_plugin_by_port(g, proto, port);
	return plugin >= 0 ? (enum gate_dissector)plugin : DISSECT_N;
}

int gate_app_choose(struct gate *g, struct flow *f, enum gate_dissector d)
{
	if (proto_of(g, (int)d) != f->key.proto)
		return -EINVAL;
	gate_app_end(g, f);
	gate_load(g, d);
	begin(g, f, (int)d);
	return 0;
}

static enum gate_dissector by_ports(const struct gate *g, const struct flow_key *k)
{
	enum gate_dissector d = by_port(g, k->proto, k->dport);

	/* the question was not seen: an answer comes first */
	return d == DISSECT_N && k->proto == IPV4_PROTO_UDP ? by_port(g, k->proto, k->sport) : d;
}

int gate_app_begin(struct gate *g, struct gate_packet *p, bool by_itself)
{
	struct flow *f = p->flow;
	bool udp = f->key.proto == IPV4_PROTO_UDP;
	int next;

	if (f->app != DISSECT_N)
		return GATE_ACCEPT;
	next = gate_next_dissector(g, by_itself ? by_ports(g, &f->key) : DISSECT_N);
	if (g->on_next)
		next = g->on_next(g->policy_ctx, g, p,
				  udp ? DISSECT_UDP_CONNECTION : DISSECT_TCP_CONNECTION, next);
	if (next >= 0 && proto_of(g, next) == f->key.proto)
		begin(g, f, next);
	return next == GATE_DROP ? GATE_DROP : GATE_ACCEPT;
}

bool gate_app_is(struct gate_packet *p, enum gate_dissector d)
{
	if (p->flow && p->flow->app == d)
		return true;
	gate_drop(p, GATE_DROP_RULE_FAILED);
	return false;
}

void gate_app_end(struct gate *g, struct flow *f)
{
	if (f->app < DISSECT_N)
		apps[f->app].end(g, f);
	else if (f->app > DISSECT_N)
		gate_plugin_end(g, f);
	f->app = DISSECT_N;
}
