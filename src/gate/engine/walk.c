/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The walk. A packet goes down the dissectors: each owns it until it names the next one. When one
 * accepts, the walk goes back up, and each completes its header. The result is one verdict for
 * each received frame. The order is in dissectors.def; this file has only the walk.
 */
#include "gate/engine/dissect.h"

#include "base/clock.h"
#include "gate/engine/app.h"
#include "gate/net/created.h"
#include "gate/net/fragment.h"
#include "gate/engine/plugin.h"
#include "gate/tcp/early_ack.h"
#include "wire/ipv4.h"

#include <errno.h>

enum { EXPIRE_A_TURN = 256 };

#define PARENT(symbol) (UINT32_C(1) << DISSECT_##symbol)

static const struct {
	const char *name;
	uint32_t parents;
	int (*receive)(struct gate *g, struct gate_packet *p);
	void (*send)(struct gate *g, struct gate_packet *p);
} dissectors[DISSECT_N] = {
#define DISSECTOR(symbol, name, parents, receive, send, what) \
	[DISSECT_##symbol] = {name, parents, receive, send},
#include "gate/engine/dissectors.def"
#undef DISSECTOR
};

const char *gate_dissector_name(enum gate_dissector d)
{
	return (unsigned)d < DISSECT_N ? dissectors[d].name : "";
}

enum gate_dissector gate_dissector_find(const char *name)
{
	int d = 0;

	while (d < DISSECT_N && strcmp(dissectors[d].name, name) != 0)
		d++;
	return (enum gate_dissector)d;
}

void gate_load(struct gate *g, enum gate_dissector d)
{
	/* those of plugin.h have loaded the dissectors below them */
	if ((unsigned)d >= DISSECT_N || g->loaded & UINT32_C(1) << d)
		return;
	g->loaded |= UINT32_C(1) << d;
	for (unsigned i = 0; i < DISSECT_N; i++)
		if (dissectors[d].parents & UINT32_C(1) << i)
			gate_load(g, (enum gate_dissector)i);
}

bool gate_loaded(const struct gate *g, enum gate_dissector d)
{
	return g->loaded & UINT32_C(1) << d;
}

int gate_listen(struct gate *g, enum gate_event e, gate_listener_fn fn, void *ctx)
{
	struct gate_listeners *l = &g->listeners[e];

	if (l->n == GATE_MAX_LISTENERS)
		return -ENOSPC;
	l->at[l->n].fn = fn;
	l->at[l->n++].ctx = ctx;
	return 0;
}

void gate_unlisten(struct gate *g, enum gate_event e, gate_listener_fn fn, void *ctx)
{
	struct gate_listeners *l = &g->listeners[e];

	for (uint32_t i = 0; i < l->n; i++)
		if (l->at[i].fn == fn && l->at[i].ctx == ctx) {
			memmove(&l->at[i], &l->at[i + 1], (l->n - i - 1) * sizeof(l->at[0]));
			l->n--;
			return;
		}
}

bool gate_raise_slow(struct gate *g, enum gate_event e, struct gate_packet *p, struct flow *f)
{
	const struct gate_listeners *l = &g->listeners[e];

	for (uint32_t i = 0; i < l->n; i++)
		if (!l->at[i].fn(l->at[i].ctx, g, p, f))
			return false;
	return true;
}

void gate_drop(struct gate_packet *p, enum gate_drop why)
{
	p->stopped = true;
	if (p->drop == GATE_DROP_NONE)
		p->drop = why;
}

/* The event that each dissector raises for a malformed packet. The connection dissectors parse on
 * behalf of UDP and TCP, so they raise the events of those layers. */
static const int error_events[DISSECT_N] = {
#define SEND(d, name)
#define ERROR(d, name) [DISSECT_##d] = EVENT_##d##_##name + 1,
#define OTHER(d, name)
#define STREAMED(d, name)
#define EVENT(d, name, kind) kind(d, name)
#include "gate/engine/events.def"
#undef EVENT
#undef STREAMED
#undef OTHER
#undef ERROR
#undef SEND
	[DISSECT_UDP_CONNECTION] = EVENT_UDP_protocol_error + 1,
	[DISSECT_TCP_CONNECTION] = EVENT_TCP_protocol_error + 1,
};

/* False: a listener dropped it. */
static bool raise_error(struct gate *g, struct gate_packet *p, enum gate_drop why)
{
	unsigned d = p->depth ? p->stack[p->depth - 1] : DISSECT_RAW;
	int e = d < DISSECT_N ? error_events[d] : 0; /* those of plugin.h tell it themselves */

	if (!e || gate_drop_info(why)->kind != GATE_KIND_MALFORMED)
		return true;
	g->error = why;
	return gate_raise(g, (enum gate_event)(e - 1), p, p->flow);
}

int gate_undecided(struct gate *g, struct gate_packet *p, enum gate_drop why)
{
	int how;

	/* between packets there is none to show */
	if (g->at_hand && !raise_error(g, p, why))
		return GATE_DROP;
	if (g->at_hand && g->on_undecided && g->on_undecided(g->policy_ctx, g, p, why, &how))
		return how;
	if (g->fail_open) {
		g->counters.failed_open++;
		g->counters.drops[why]++;
		return GATE_ACCEPT;
	}
	p->drop = why;
	return GATE_DROP;
}

struct rd gate_rd(const struct gate_packet *p, uint32_t off)
{
	uint32_t end = p->p.l3 != PACKET_NO_LAYER && off > p->p.l3 ? p->end : p->p.len;

	return rd_init(off <= end ? span_of(p->p.data + off, end - off) : SPAN_NULL);
}

/* --- The walk --------------------------------------------------------------------------------- */

static int walk_down(struct gate *g, struct gate_packet *p)
{
	int d = DISSECT_RAW, next;

	while (d >= 0 && p->depth < GATE_MAX_DEPTH) {
		p->stack[p->depth++] = (uint8_t)d;
		if (unlikely(d > DISSECT_N)) {
			d = gate_plugin_receive(g, p, d);
			continue;
		}
		g->counters.seen[d]++;
		next = dissectors[d].receive(g, p);
		/* a flow's application is chosen once, when it begins (app.c) */
		if (unlikely(g->on_next) && next >= GATE_ACCEPT && d != DISSECT_UDP_CONNECTION &&
		    d != DISSECT_TCP_CONNECTION)
			next = g->on_next(g->policy_ctx, g, p, (enum gate_dissector)d, next);
		d = next;
	}
	return d < 0 ? d : GATE_ACCEPT;
}

/* Which event a dissector raises on the way up, plus one; 0: none. */
static const int send_events[DISSECT_N] = {
#define SEND(d, name) [DISSECT_##d] = EVENT_##d##_##name + 1,
#define ERROR(d, name)
#define OTHER(d, name)
#define STREAMED(d, name)
#define EVENT(d, name, kind) kind(d, name)
#include "gate/engine/events.def"
#undef EVENT
#undef STREAMED
#undef OTHER
#undef ERROR
#undef SEND
};

/* False: a listener stopped it on its way out. */
static bool walk_up(struct gate *g, struct gate_packet *p)
{
	bool unready = p->frame.flags & FRAME_CSUM_NOT_READY && !frames_offload(g->frames);

	p->sending = true;
	for (unsigned i = p->depth; i > 0; i--) {
		unsigned d = p->stack[i - 1];

		if (unlikely(d > DISSECT_N)) {
			if (!gate_plugin_send(g, p, (int)d) || p->stopped)
				return false;
			continue;
		}
		if (send_events[d] &&
		    !gate_raise(g, (enum gate_event)(send_events[d] - 1), p, p->flow))
			return false;
		if (dissectors[d].send && (p->dirty || unready))
			dissectors[d].send(g, p);
		if (unlikely(p->stopped))
			return false;
	}
	return true;
}

void gate_make_right(struct gate *g, struct gate_packet *p)
{
	for (unsigned i = p->depth; i > 0; i--)
		if (p->stack[i - 1] < DISSECT_N && dissectors[p->stack[i - 1]].send)
			dissectors[p->stack[i - 1]].send(g, p);
}

/* When a frame came, in the time that time-outs run on. */
static int64_t time_of(const struct gate *g, const struct frame *f)
{
	return g->live_ns ? g->live_ns : f->ts_ns;
}

static void begin(struct gate *g, struct gate_packet *p, const struct frame *f, int64_t now_ns)
{
	uint32_t generation = p->generation + 1;
	struct packet *k = &p->p;

	/* all members but the arena, which keeps its memory */
	memset(k, 0, offsetof(struct packet, arena));
	memset(&p->generation, 0, sizeof(*p) - offsetof(struct gate_packet, generation));
	k->data = f->data;
	k->cap = k->len = f->len;
	k->l2 = k->l3 = k->l4 = k->app = PACKET_NO_LAYER;
	k->ts_ns = f->ts_ns;
	p->g = g;
	p->frame = *f;
	p->generation = generation;
	p->hops = g->hops;
	if (f->flags & FRAME_CSUM_NOT_READY)
		p->p.flags |= PACKET_CSUM_NOT_READY;
	if (f->flags & FRAME_TRUNCATED)
		p->p.flags |= PACKET_TRUNCATED;
	arena_reset(&p->p.arena);
	/* time does not run backwards because two files are read in turn */
	if (now_ns > g->now_ns)
		g->now_ns = now_ns;
	g->counters.packets++;
}

void gate_release_as(struct gate *g, const struct held *h, struct span octets)
{
	g->counters.accepted++;
	if (frames_verdict(g->frames, &h->frame, FRAME_ACCEPT, octets) < 0)
		g->counters.drops[GATE_DROP_SEND_FAILED]++;
}

void gate_release(struct gate *g, struct held *h, int how, enum gate_drop why)
{
	if (!h->owed)
		return;
	h->owed = false;
	g->counters.held--;
	if (how == GATE_ACCEPT) {
		gate_release_as(g, h, span_of(h->data, h->frame.len));
		return;
	}
	g->counters.dropped++;
	g->counters.drops[why]++;
	(void)frames_verdict(g->frames, &h->frame, FRAME_DROP, SPAN_NULL);
}

static void verdict(struct gate *g, struct gate_packet *p, int how)
{
	struct span data;

	if (p->fragments) {
		gate_release_fragments(g, p, how);
		return;
	}
	if (how == GATE_DROP && !g->pass_through) {
		g->counters.dropped++;
		g->counters.drops[p->drop]++;
		(void)frames_verdict(g->frames, &p->frame, FRAME_DROP, SPAN_NULL);
		return;
	}
	if (how == GATE_HOLD && !g->pass_through)
		return;
	if (unlikely(p->dirty & DIRTY_LENGTH || p->frame.flags & FRAME_CREATED) &&
	    !g->pass_through && gate_release_longer(g, p))
		return;
	g->counters.accepted++;
	g->counters.modified += p->dirty != 0;
	if (p->dirty)
		p->frame.flags |= FRAME_WRITTEN;
	p->frame.not_to = g->pass_through ? 0 : p->frame.not_to;
	data = g->pass_through ? span_of(p->frame.data, p->frame.len)
			       : span_of(p->p.data, p->p.len);
	if (frames_verdict(g->frames, &p->frame, FRAME_ACCEPT, data) < 0)
		g->counters.drops[GATE_DROP_SEND_FAILED]++;
	/* scratch is used again by the next packet */
	if (p->p.data == g->scratch)
		(void)frames_flush(g->frames);
}

/* Drops a frame that differs from the sent one, also under pass-through. */
static void refuse_damaged(struct gate *g, struct gate_packet *p)
{
	g->counters.dropped++;
	g->counters.drops[GATE_DROP_FRAME_DAMAGED]++;
	(void)frames_verdict(g->frames, &p->frame, FRAME_DROP, SPAN_NULL);
}

static void one(struct gate *g, const struct frame *f)
{
	struct gate_packet *p = &g->pkt;
	int64_t now_ns = time_of(g, f);
	int how;

	/* in a capture hours may lie between two packets of one batch */
	if (now_ns - g->ticked_ns >= NS_PER_S)
		gate_tick(g, now_ns);
	begin(g, p, f, now_ns);
	g->at_hand = true;
	if (unlikely(f->flags & FRAME_DAMAGED)) {
		refuse_damaged(g, p);
	} else {
		how = walk_down(g, p);
		if (how == GATE_ACCEPT && !p->given && !walk_up(g, p))
			how = GATE_DROP;
		if (likely(!p->given))
			verdict(g, p, how);
	}
	g->at_hand = false;
	p->generation++;
	/* events between packets (timers, ends of flows, released data) do not belong to this
	 * packet */
	p->flow = NULL;
	p->stopped = false;
}

static inline void fire_alarm(struct gate *g, int64_t until_ns)
{
	if (unlikely(*g->alarm_ns <= until_ns))
		g->on_alarm(g->alarm_ctx, g, until_ns);
}

int gate_send_now(struct gate *g, struct gate_packet *p)
{
	bool of_connection = p->flow && p->flow->key.proto == IPV4_PROTO_TCP;

	if (p->sending || p->stopped || of_connection)
		return -EPERM;
	verdict(g, p, walk_up(g, p) ? GATE_ACCEPT : GATE_DROP);
	(void)frames_flush(g->frames);
	p->given = p->stopped = true;
	p->generation++;
	return 0;
}

/* Processes the packets that rules injected while the current one was handled. */
static void come_in(struct gate *g)
{
	const struct frame *f;

	while ((f = gate_created_next(g)) != NULL) {
		one(g, f);
		(void)frames_flush(g->frames);
	}
}

int gate_turn(struct gate *g)
{
	int n = frames_recv(g->frames, g->batch, FRAMES_BATCH);

	g->live_ns = frames_now(g->frames);
	if (n > 1)
		gate_expect_flows(g, (uint32_t)n);
	for (int i = 0; i < n; i++) {
		g->at = (uint32_t)i;
		fire_alarm(g, time_of(g, &g->batch[i]));
		one(g, &g->batch[i]);
		if (unlikely(g->n_created))
			come_in(g);
	}
	g->hinted = false;
	(void)frames_flush(g->frames);
	gate_tick(g, g->now_ns);
	return n;
}

void gate_tick(struct gate *g, int64_t now_ns)
{
	fire_alarm(g, now_ns);
	if (now_ns > g->now_ns)
		g->now_ns = now_ns;
	g->ticked_ns = g->now_ns;
	defrag_expire(g->defrag, g->now_ns);
	early_acks_tick(g, g->now_ns);
	(void)flow_expire(g->flows, g->now_ns, EXPIRE_A_TURN);
	if (unlikely(g->n_created))
		come_in(g);
}

void gate_source(struct gate *g, struct frames *f)
{
	g->frames = f;
	g->recorded = frames_recorded(f);
}

void gate_release_held(struct gate *g)
{
	struct flow *f;
	uint32_t at = 0;

	/* flows that hold segments would wait for ever */
	while ((f = flow_each(g->flows, &at)) != NULL)
		if (f->transport)
			gate_tcp_end(g, f);
	defrag_expire(g->defrag, INT64_MAX);
	(void)frames_flush(g->frames);
}

void gate_end_flows(struct gate *g)
{
	struct flow *f;
	uint32_t at = 0;

	while ((f = flow_each(g->flows, &at)) != NULL)
		flow_end(g->flows, f);
	(void)frames_flush(g->frames);
}
