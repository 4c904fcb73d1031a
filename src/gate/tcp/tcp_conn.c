/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The life of a connection's state, from its place in the table to the end of its streams.
 */
#include "gate/tcp/tcp_conn.h"

#include "gate/engine/app.h"
#include "wire/ipv4.h"

struct tcp_conn *gate_tcp(const struct flow *f)
{
	return f->transport;
}

struct tcp_conn *gate_tcp_take(struct gate *g)
{
	struct tcp_conn *c = g->conn_free;

	if (c)
		g->conn_free = c->next;
	else if (g->conn_fresh < g->n_conns)
		c = &g->conns[g->conn_fresh++];
	if (c)
		*c = (struct tcp_conn){0};
	return c;
}

static void lose_segment(void *ctx, struct held *h)
{
	struct gate *g = ctx;

	gate_release(g, h, GATE_DROP, GATE_DROP_TCP_ENDED);
}

void gate_tcp_streams_end(struct gate_walk *w, struct flow *f)
{
	struct tcp_conn *c = f->key.proto == IPV4_PROTO_TCP ? f->transport : NULL;

	for (int d = GATE_UP; c && d <= GATE_DOWN; d++) {
		if (c->script[d])
			w->g->stream_ops->ended(c->script[d], w);
		c->script[d] = NULL;
	}
}

void gate_tcp_end(struct gate_walk *w, struct flow *f)
{
	struct gate *g = w->g;
	struct tcp_conn *c = f->transport;

	if (!c)
		return;
	gate_tcp_streams_end(w, f);
	f->transport = NULL;
	tcp_stream_end(&c->stream[GATE_UP], g->tcp_pool, lose_segment, g);
	tcp_stream_end(&c->stream[GATE_DOWN], g->tcp_pool, lose_segment, g);
	tcp_history_end(&c->history[GATE_UP], g->history_pool);
	tcp_history_end(&c->history[GATE_DOWN], g->history_pool);
	c->next = g->conn_free;
	g->conn_free = c;
}

int tcp_finish(struct gate_walk *w, bool kept)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	struct tcp_conn *c = p->flow->transport;
	struct held *last = c && kept ? c->stream[p->direction].segments : NULL;

	p->drop = p->drop ? p->drop : GATE_DROP_FLOW_DROPPED;
	while (last && last->next)
		last = last->next;
	if (last)
		gate_release(g, last, GATE_DROP, p->drop);
	gate_tcp_end(w, p->flow);
	gate_app_end(w, p->flow);
	return kept ? GATE_HOLD : GATE_DROP;
}
