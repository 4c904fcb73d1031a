/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The TCP floor for the engine (dissectors.def): its memory, timers, the end of a flow.
 */
#include "base/pages.h"
#include "gate/engine/app.h"
#include "gate/tcp/early_ack.h"
#include "wire/ipv4.h"

#include <errno.h>

int gate_tcp_init(struct gate *g, const struct gate_opts *o)
{
	int r;

	g->n_conns = o->flows.max_flows;
	g->conns = pages_new_huge(g->n_conns, sizeof(*g->conns));
	if (!g->conns)
		return -ENOMEM;
	r = tcp_pool_new(o->max_streams, TCP_GROWN_MAX, g->held, &g->tcp_pool);
	if (r == 0)
		r = tcp_pool_new(2 * o->max_streams, TCP_HISTORY_LEN, g->held, &g->history_pool);
	if (r < 0)
		return r;
	tcp_pool_limit(g->history_pool, TCP_HISTORY_ALL);
	return early_acks_new(g);
}

void gate_tcp_fini(struct gate *g)
{
	tcp_pool_free(g->tcp_pool);
	tcp_pool_free(g->history_pool);
	early_acks_free(g);
	pages_free(g->conns, g->n_conns, sizeof(*g->conns));
}

struct tcp_memory gate_tcp_memory(const struct gate *g)
{
	return (struct tcp_memory){.unacknowledged = tcp_pool_octets(g->history_pool),
				   .buffers = tcp_pool_used(g->tcp_pool)};
}

void gate_tcp_tick(struct gate *g, int64_t now_ns)
{
	early_acks_tick(g, now_ns);
}

void tcp_flow_end(struct gate_walk *w, struct flow *f)
{
	if (f->key.proto != IPV4_PROTO_TCP)
		return;
	(void)gate_raise(w, EVENT_TCP_CONNECTION_end_connection, f);
	gate_app_end(w, f);
	gate_tcp_end(w, f);
}

void gate_tcp_drain(struct gate *g)
{
	struct gate_walk w = gate_walk_without_packet(g);
	struct flow *f;
	uint32_t at = 0;

	/* flows that hold segments would wait for ever */
	while ((f = flow_each(g->flows, &at)) != NULL)
		if (f->transport)
			gate_tcp_end(&w, f);
}
