/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The one place that knows all floors: fills in the table of dissectors, creates an engine with its
 * memory and limits, and ends it.
 */
#include "gate/assembly.h"

#include "gate/app/dissect_dhcp.h"
#include "gate/app/dissect_dns.h"
#include "gate/app/dissect_http.h"
#include "gate/engine/held.h"
#include "gate/engine/plugin.h"
#include "gate/net/net.h"
#include "gate/tcp/tcp_conn.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <stdlib.h>

enum { ARENA_LEN = 64 * 1024, HELD_PER_LARGE = 64 };

static const struct gate_dissector_row rows[DISSECT_N] = {
#define DISSECTOR(symbol, name, parents, receive_fn, send_fn, init_fn, fini_fn, tick_fn, drain_fn, \
		  flow_end_fn, what)                                                               \
	[DISSECT_##symbol].receive = (receive_fn), [DISSECT_##symbol].send = (send_fn),            \
	[DISSECT_##symbol].init = (init_fn), [DISSECT_##symbol].fini = (fini_fn),                  \
	[DISSECT_##symbol].tick = (tick_fn), [DISSECT_##symbol].drain = (drain_fn),                \
	[DISSECT_##symbol].flow_end = (flow_end_fn),
#include "gate/engine/dissectors.def"
#undef DISSECTOR
#define APPLICATION(symbol, transport, server, begin_fn, end_fn, data_fn)                      \
	[DISSECT_##symbol].proto = IPV4_PROTO_##transport, [DISSECT_##symbol].port = (server), \
	[DISSECT_##symbol].begin = (begin_fn), [DISSECT_##symbol].end = (end_fn),              \
	[DISSECT_##symbol].data = (data_fn),
#include "gate/engine/apps.def"
#undef APPLICATION
};

void gate_opts_default(struct gate_opts *o)
{
	*o = (struct gate_opts){
		.max_held = 8192,
		.max_streams = 4096,
		.defrag = {.max_datagrams = 1024, .max_fragments = 64, .timeout_ns = 30 * NS_PER_S},
		.flows =
			{
				.max_flows = 1 << 20,
				.timeout_ns =
					{
						[FLOW_NEW] = 30 * NS_PER_S,
						[FLOW_CLOSING] = 60 * NS_PER_S,
						[FLOW_DATAGRAMS] = 60 * NS_PER_S,
						[FLOW_ESTABLISHED] = 7200 * NS_PER_S,
					},
			},
	};
}

static int64_t packet_time(void *ctx)
{
	return ((const struct gate *)ctx)->now_ns;
}

static void end_flow(void *ctx, struct flow *f, bool evicted)
{
	const struct gate *g = ctx;
	struct gate_walk w = gate_walk_without_packet(ctx);

	(void)evicted;
	for (unsigned i = 0; i < g->n_flow_ends; i++)
		g->flow_end[i](&w, f);
}

/* Copies the options. */
static void set_options(struct gate *g, const struct gate_opts *o)
{
	g->rows = rows;
	for (unsigned d = 0; d < DISSECT_N; d++) {
		g->receive[d] = rows[d].receive;
		g->send[d] = rows[d].send;
		if (rows[d].flow_end)
			g->flow_end[g->n_flow_ends++] = rows[d].flow_end;
	}
	g->packet_walk = (struct gate_walk){.g = g, .p = &g->slot};
	g->net = &gate_net_ops;
	g->frames = o->frames;
	g->clock = (struct clock_src){packet_time, packet_time, g};
	g->log = o->log;
	gate_alarm(g, NULL, NULL, NULL);
	/* a passive source can hold nothing back */
	g->pass_through = o->pass_through || (o->frames && frames_passive(o->frames));
	g->recorded = o->frames && frames_recorded(o->frames);
	g->fail_open = o->fail_open;
	g->keep_snapped = o->keep_snapped;
	g->seed = hash_u32(
		(uint32_t)hash_bytes(&o->hash_key, span_of(&o->max_held, sizeof(o->max_held))));
	g->ignore_checksums = o->ignore_checksums;
	g->midstream = o->midstream;
	g->drop_overlaps = o->drop_overlaps;
	gate_load(g, DISSECT_RAW);
}

static int take_memory(struct gate *g)
{
	void *arena = malloc(ARENA_LEN);

	if (arena)
		arena_init_fixed(&g->slot.p.arena, arena, ARENA_LEN);
	g->scratch = malloc(FRAME_MAX_LEN);
	g->piece = malloc(FRAME_MAX_LEN);
	g->whole = malloc(FRAME_MAX_LEN);
	g->octets = malloc(TCP_GROWN_MAX);
	return arena && g->scratch && g->piece && g->whole && g->octets ? 0 : -ENOMEM;
}

int gate_new(const struct gate_opts *o, struct gate **ret)
{
	struct gate *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	set_options(g, o);
	r = take_memory(g);
	if (r == 0)
		r = flow_table_new(&o->flows, &o->hash_key, end_flow, g, &g->flows);
	if (r == 0)
		r = held_pool_new(o->max_held, o->max_held / HELD_PER_LARGE + 1, !o->pass_through,
				  &g->held);
	if (r == 0)
		r = gate_plugins_new(g);
	for (unsigned d = 0; d < DISSECT_N && r == 0; d++)
		if (rows[d].init)
			r = rows[d].init(g, o);
	if (r < 0) {
		gate_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void gate_free(struct gate *g)
{
	if (!g)
		return;
	flow_table_free(g->flows);
	for (unsigned d = DISSECT_N; d > 0; d--)
		if (rows[d - 1].fini)
			rows[d - 1].fini(g);
	gate_plugins_free(g);
	held_pool_free(g->held);
	free(g->slot.p.arena.base);
	free(g->scratch);
	free(g->piece);
	free(g->whole);
	free(g->octets);
	free(g);
}
