/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Creation and end of an engine: its memory, its limits, the functions called when a flow ends.
 */
#include "gate/engine/app.h"
#include "gate/engine/dissect.h"
#include "gate/net/created.h"
#include "gate/engine/plugin.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "wire/ipv4.h"

#include <errno.h>
#include <stdlib.h>

enum { ARENA_LEN = 64 * 1024, HELD_PER_LARGE = 64 };

const struct gate_counters *gate_counters(const struct gate *g)
{
	return &g->counters;
}

struct flow_table *gate_flows(struct gate *g)
{
	return g->flows;
}

static int64_t packet_time(void *ctx)
{
	return ((const struct gate *)ctx)->now_ns;
}

const struct clock_src *gate_clock(const struct gate *g)
{
	return &g->clock;
}

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

static void flow_ended(void *ctx, struct flow *f, bool evicted)
{
	struct gate *g = ctx;

	(void)evicted;
	if (f->key.proto == IPV4_PROTO_UDP) {
		(void)gate_raise(g, EVENT_UDP_CONNECTION_end_connection, NULL, f);
		gate_app_end(g, f);
		return;
	}
	(void)gate_raise(g, EVENT_TCP_CONNECTION_end_connection, NULL, f);
	gate_app_end(g, f);
	gate_tcp_end(g, f);
}

static void fragment_lost(void *ctx, struct held *h)
{
	struct gate *g = ctx;

	g->counters.failed_open += g->fail_open && h->owed;
	gate_release(g, h, g->fail_open ? GATE_ACCEPT : GATE_DROP, GATE_DROP_FRAGMENT_TIMEOUT);
	(void)frames_flush(g->frames);
}

void gate_alarm(struct gate *g, const int64_t *due_ns, gate_alarm_fn fn, void *ctx)
{
	static const int64_t never = INT64_MAX;

	g->alarm_ns = due_ns ? due_ns : &never;
	g->on_alarm = fn;
	g->alarm_ctx = ctx;
}

int gate_new(const struct gate_opts *o, struct gate **ret)
{
	struct gate *g = calloc(1, sizeof(*g));
	void *arena = malloc(ARENA_LEN);
	int r = g && arena ? 0 : -ENOMEM;

	if (r == 0) {
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
			(uint32_t)hash_bytes(&o->hash_key,
					     span_of(&o->max_held, sizeof(o->max_held))));
		g->ignore_checksums = o->ignore_checksums;
		g->midstream = o->midstream;
		g->drop_overlaps = o->drop_overlaps;
		g->scratch = malloc(FRAME_MAX_LEN);
		g->piece = malloc(FRAME_MAX_LEN);
		g->whole = malloc(FRAME_MAX_LEN);
		g->octets = malloc(TCP_GROWN_MAX);
		arena_init_fixed(&g->pkt.p.arena, TAKE(arena), ARENA_LEN);
		gate_load(g, DISSECT_RAW);
		r = g->scratch && g->piece && g->whole && g->octets ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = flow_table_new(&o->flows, &o->hash_key, flow_ended, g, &g->flows);
	if (r == 0)
		r = held_pool_new(o->max_held, o->max_held / HELD_PER_LARGE + 1, !o->pass_through,
				  &g->held);
	if (r == 0)
		r = gate_tcp_new(g, o->flows.max_flows, o->max_streams);
	if (r == 0)
		r = gate_apps_new(g, o->flows.max_flows);
	if (r == 0)
		r = gate_plugins_new(g);
	if (r == 0)
		r = gate_created_new(g);
	if (r == 0)
		r = defrag_new(&o->defrag, g->held, fragment_lost, g, &g->defrag);
	if (r < 0) {
		free(arena);
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
	gate_apps_free(g);
	gate_plugins_free(g);
	gate_created_free(g);
	gate_tcp_free(g);
	defrag_free(g->defrag);
	held_pool_free(g->held);
	free(g->pkt.p.arena.base);
	free(g->scratch);
	free(g->piece);
	free(g->whole);
	free(g->octets);
	free(g);
}
