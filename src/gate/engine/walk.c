/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The walk. A packet goes down the dissectors: each owns it until it names the next one. When one
 * accepts, the walk goes back up, and each completes its header. The result is one verdict for
 * each received frame. The order is in dissectors.def; this file has only the walk.
 */
#include "gate/engine/dissect.h"

#include "base/clock.h"
#include "gate/engine/plugin.h"
#include "gate/engine/verdict.h"
#include "wire/ipv4.h"

#include <errno.h>

enum { EXPIRE_A_TURN = 256 };

/* --- Down and up ------------------------------------------------------------------------------ */

static int walk_down(struct gate_walk *w)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	int d = DISSECT_RAW, next;

	while (d >= 0 && p->depth < GATE_MAX_DEPTH) {
		p->stack[p->depth++] = (uint8_t)d;
		if (unlikely(d > DISSECT_N)) {
			d = gate_plugin_receive(w, d);
			continue;
		}
		g->counters.seen[d]++;
		next = g->receive[d](w);
		/* the application of a flow is chosen once, when the flow begins (app.c) */
		if (unlikely(g->on_next) && next >= GATE_ACCEPT && !g->rows[d].flow_end)
			next = g->on_next(g->policy_ctx, w, (enum gate_dissector)d, next);
		d = next;
	}
	return d < 0 ? d : GATE_ACCEPT;
}

/* The event that a dissector raises on the way up, plus one; 0: none. */
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

/* Walks upwards, where each dissector completes its own header. False: a listener stopped the
 * packet on its way out. */
static bool walk_up(struct gate_walk *w)
{
	struct gate *g = w->g;
	struct gate_packet *p = w->p;
	bool unready = p->frame.flags & FRAME_CSUM_NOT_READY && !frames_offload(g->frames);

	p->sending = true;
	for (unsigned i = p->depth; i > 0; i--) {
		unsigned d = p->stack[i - 1];

		if (unlikely(d > DISSECT_N)) {
			if (!gate_plugin_send(w, (int)d) || p->stopped)
				return false;
			continue;
		}
		if (send_events[d] &&
		    !gate_raise(w, (enum gate_event)(send_events[d] - 1), p->flow))
			return false;
		if ((p->dirty || unready) && g->send[d])
			g->send[d](g, p);
		if (unlikely(p->stopped))
			return false;
	}
	return true;
}

/* --- Verdicts --------------------------------------------------------------------------------- */

static void give_verdict(struct gate *g, struct gate_packet *p, int how)
{
	struct span data;

	if (p->fragments) {
		g->net->release_fragments(g, p, how);
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
	    !g->pass_through && g->net->release_longer(g, p))
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

int gate_send_now(struct gate_walk *w)
{
	struct gate_packet *p = w->p;
	bool of_connection = p->flow && p->flow->key.proto == IPV4_PROTO_TCP;

	if (p->sending || p->stopped || of_connection)
		return -EPERM;
	give_verdict(w->g, p, walk_up(w) ? GATE_ACCEPT : GATE_DROP);
	(void)frames_flush(w->g->frames);
	p->given = p->stopped = true;
	p->generation++;
	return 0;
}

/* --- One packet ------------------------------------------------------------------------------- */

/* Returns when a frame came, in the time that time-outs run on. */
static int64_t time_of(const struct gate *g, const struct frame *f)
{
	return g->live_ns ? g->live_ns : f->ts_ns;
}

static void begin_packet(struct gate *g, struct gate_packet *p, const struct frame *f, uint8_t hops,
			 int64_t now_ns)
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
	p->hops = hops;
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

/* Handles one frame. g->packet_walk.hint is set by the caller. */
static void walk_packet(struct gate *g, const struct frame *f, uint8_t hops)
{
	struct gate_packet *p = &g->slot;
	struct gate_walk *w = &g->packet_walk;
	int64_t now_ns = time_of(g, f);
	int how;

	/* in a capture hours may lie between two packets of one batch */
	if (now_ns - g->ticked_ns >= NS_PER_S)
		gate_tick(g, now_ns);
	begin_packet(g, p, f, hops, now_ns);
	if (unlikely(f->flags & FRAME_DAMAGED)) {
		refuse_damaged(g, p);
	} else {
		how = walk_down(w);
		if (how == GATE_ACCEPT && !p->given && !walk_up(w))
			how = GATE_DROP;
		if (likely(!p->given))
			give_verdict(g, p, how);
	}
	/* handles of scripts are void from now on */
	p->generation++;
}

/* Processes the packets that rules injected while the current one was handled. */
static void walk_injected(struct gate *g)
{
	const struct frame *f;
	uint8_t hops;

	g->packet_walk.hint = NULL;
	while ((f = g->net->next_injected(g, &hops)) != NULL) {
		walk_packet(g, f, hops);
		(void)frames_flush(g->frames);
	}
}

/* --- A batch, and time ------------------------------------------------------------------------ */

static inline void fire_alarm(struct gate *g, int64_t until_ns)
{
	if (unlikely(*g->alarm_ns <= until_ns))
		g->on_alarm(g->alarm_ctx, g, until_ns);
}

int gate_turn(struct gate *g)
{
	int n = frames_recv(g->frames, g->batch, FRAMES_BATCH);

	g->live_ns = frames_now(g->frames);
	g->hinted = false;
	if (n > 1)
		g->net->expect_flows(g, (uint32_t)n);
	for (int i = 0; i < n; i++) {
		fire_alarm(g, time_of(g, &g->batch[i]));
		g->packet_walk.hint = g->hinted ? &g->hints[i] : NULL;
		walk_packet(g, &g->batch[i], 0);
		if (unlikely(g->n_created))
			walk_injected(g);
	}
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
	for (unsigned d = 0; d < DISSECT_N; d++)
		if (g->rows[d].tick)
			g->rows[d].tick(g, g->now_ns);
	(void)flow_expire(g->flows, g->now_ns, EXPIRE_A_TURN);
	if (unlikely(g->n_created))
		walk_injected(g);
}

void gate_release_held(struct gate *g)
{
	for (unsigned d = DISSECT_N; d > 0; d--)
		if (g->rows[d - 1].drain)
			g->rows[d - 1].drain(g);
	(void)frames_flush(g->frames);
}
