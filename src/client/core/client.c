/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The entries of the machine: commands, packets, ARP frames and time come in here, each becomes an
 * event, the table gives the action, effects go out. The state is stored before its action runs,
 * and effects are carried out after the step, so no step is entered twice. RFC 2131 4.4.
 */
#include "client/core/client.h"

#include "base/error.h"
#include "client/core/accept.h"
#include "client/core/action.h"
#include "client/core/arp_check.h"

#include <assert.h>

/* Events that one step may chain: DISCOVER after INIT after START, and so on. A longer chain is a
 * loop. */
enum { STEP_CHAIN = 8 };

void client_init(struct client *c, const struct client_opts *opts, const struct client_link *link,
		 const struct client_random *random)
{
	memset(c, 0, sizeof(*c));
	c->opts = opts;
	c->link = *link;
	c->random = *random;
	c->state = CLIENT_OFF;
}

void client_keep(struct client *c, const struct client_lease *lease, enum client_kept kept)
{
	if (c->opts->request_given && c->opts->request_address != lease->address)
		return;
	c->lease = *lease;
	c->kept = kept;
	c->confirm = kept == CLIENT_KEPT_VALID;
}

void client_set_link(struct client *c, const struct client_link *link)
{
	c->link = *link;
}

/* --- sockets that a state has no use for ------------------------------------------------------ */

static bool keeps_raw(const struct client *c)
{
	enum client_state s = c->state;

	/* INIT pauses for a moment only; closing would cost more than it saves (client of the
	 * peers: 8 to 20 ms) */
	return s == CLIENT_INIT || s == CLIENT_SELECTING || s == CLIENT_REQUESTING ||
	       s == CLIENT_REBOOTING || s == CLIENT_PROBING || s == CLIENT_REBINDING ||
	       (s == CLIENT_RENEWING && c->xact.fell_back);
}

static bool keeps_udp(const struct client *c)
{
	return c->state == CLIENT_RENEWING || c->state == CLIENT_REBINDING || c->inform.active;
}

static bool keeps_arp(const struct client *c)
{
	enum client_state s = c->state;

	if (s == CLIENT_BOUND || s == CLIENT_RENEWING || s == CLIENT_REBINDING)
		return c->opts->probe != CLIENT_PROBE_OFF;
	return s == CLIENT_REQUESTING || s == CLIENT_REBOOTING || s == CLIENT_PROBING;
}

static void close_sockets(struct client *c, struct effects *fx)
{
	if (c->arp && !keeps_arp(c)) {
		c->arp = false;
		(void)effects_add(fx, EFFECT_CLOSE_ARP);
	}
	if (c->udp && !keeps_udp(c)) {
		c->udp = false;
		(void)effects_add(fx, EFFECT_CLOSE_UDP);
	}
	if (c->raw && !keeps_raw(c)) {
		c->raw = false;
		(void)effects_add(fx, EFFECT_CLOSE_RAW);
	}
}

/* --- one step --------------------------------------------------------------------------------- */

int64_t client_deadline(const struct client *c)
{
	int64_t first = 0;

	for (size_t t = 0; t < CLIENT_N_TIMERS; t++)
		if (c->deadline[t] && (!first || c->deadline[t] < first))
			first = c->deadline[t];
	return first;
}

static void finish_step(struct client *c, struct effects *fx)
{
	int64_t first = client_deadline(c);

	if (first != c->armed_ns) {
		c->armed_ns = first;
		effects_add(fx, EFFECT_ARM)->deadline_ns = first;
	}
	close_sockets(c, fx);
}

static void notify_state(struct client_step *s)
{
	struct client *c = s->c;
	struct effect *e;

	if (c->state == s->from)
		return;
	c->stats.enter[c->state]++;
	e = effects_add(s->fx, EFFECT_NOTIFY);
	e->notice.what = CLIENT_NOTICE_STATE;
	e->notice.from = s->from;
	e->notice.to = c->state;
	e->notice.event = s->event;
}

/* Runs an event and the events that it raises. Returns false if this state ignores it. */
static bool run_event(struct client *c, enum client_event e, int64_t now,
		      const struct client_msg *msg, struct effects *fx)
{
	struct client_step s = {.c = c, .fx = fx, .msg = msg, .now = now, .event = e, .raise = -1};
	unsigned n = 0;

	if (!client_fsm(c->state, e).action)
		return false;
	for (int next = (int)e; next >= 0; next = s.raise, n++) {
		const struct client_transition t = client_fsm(c->state, (enum client_event)next);

		assert(n < STEP_CHAIN && t.action);
		s.event = (enum client_event)next;
		s.from = c->state;
		c->stats.ran[c->state] |= 1ULL << next;
		s.raise = -1;
		c->state = t.next;
		t.action(&s);
		notify_state(&s);
	}
	finish_step(c, fx);
	if (s.exit)
		effects_add(fx, EFFECT_EXIT)->exit_code = s.exit_code;
	return true;
}

bool client_event(struct client *c, enum client_event e, int64_t now_ns, struct effects *fx)
{
	assert(client_event_kind_of(e) != CLIENT_KIND_PACKET);
	effects_reset(fx);
	return run_event(c, e, now_ns, NULL, fx);
}

/* --- commands on trial ------------------------------------------------------------------------ */

static uint32_t no_random(void *ctx)
{
	(void)ctx;
	return 0;
}

static bool leads_to(const struct client *c, enum client_event e, enum client_state to, int64_t now,
		     struct client *scratch, struct effects *fx)
{
	const struct client_transition t = client_fsm(c->state, e);

	if (client_event_kind_of(e) != CLIENT_KIND_COMMAND || !t.action)
		return false;
	if (t.next == to && to == CLIENT_INIT)
		return true;
	*scratch = *c;
	scratch->random = (struct client_random){no_random, NULL};
	return client_event(scratch, e, now, fx) && scratch->state == to;
}

int client_way_to(const struct client *c, enum client_state to, int64_t now_ns,
		  struct client *scratch, struct effects *fx, enum client_event *ret)
{
	for (unsigned e = 0; e < CLIENT_N_EVENTS && to != c->state; e++) {
		if (!leads_to(c, (enum client_event)e, to, now_ns, scratch, fx))
			continue;
		*ret = (enum client_event)e;
		return 0;
	}
	return -USHER_E_UNSUPPORTED;
}

/* --- packets ---------------------------------------------------------------------------------- */

static int drop_packet(struct client *c, enum client_drop d, int64_t now, struct effects *fx,
		       enum client_drop *ret_drop)
{
	struct effect *e;

	c->stats.drop[d]++;
	if (ret_drop)
		*ret_drop = d;
	/* foreign traffic is only counted; a refused answer to us is reported, at a limited rate */
	if (d > CLIENT_DROP_XID && d < CLIENT_DROP_ARP_MALFORMED &&
	    (!c->told_ns || now - c->told_ns >= NS_PER_S)) {
		c->told_ns = now;
		e = effects_add(fx, EFFECT_NOTIFY);
		e->notice.what = CLIENT_NOTICE_DROPPED;
		e->notice.from = c->state;
		e->notice.to = d;
	}
	return -1;
}

static void count_message(struct client *c, const struct client_msg *msg, int64_t now)
{
	c->stats.received[msg->type]++;
	c->stats.odd_source_port += msg->odd_port;
	if (msg->event == CLIENT_EV_OFFER)
		c->stats.offer_ns = now - c->xact.sent_ns;
	else if (msg->event == CLIENT_EV_ACK)
		c->stats.ack_ns = now - c->xact.sent_ns;
}

int client_receive(struct client *c, struct packet *p, int64_t now_ns, struct effects *fx,
		   enum client_drop *ret_drop)
{
	struct client_msg msg uninit;
	enum drop f = packet_decode(p);
	enum client_drop d;

	effects_reset(fx);
	if (ret_drop)
		*ret_drop = CLIENT_DROP_NONE;
	if (f != DROP_NONE) {
		c->stats.frame_drop[f]++;
		return -1;
	}
	d = client_accept(c, p, &c->in, &msg);
	if (d != CLIENT_DROP_NONE)
		return drop_packet(c, d, now_ns, fx, ret_drop);
	count_message(c, &msg, now_ns);
	(void)run_event(c, msg.event, now_ns, &msg, fx);
	return (int)msg.event;
}

int client_receive_arp(struct client *c, struct span frame, int64_t now_ns, struct effects *fx,
		       enum client_drop *ret_drop)
{
	enum client_event e;
	enum client_drop d = client_arp_check(c, frame, &e);

	effects_reset(fx);
	if (ret_drop)
		*ret_drop = CLIENT_DROP_NONE;
	if (d == CLIENT_DROP_NONE && !client_fsm(c->state, e).action)
		d = CLIENT_DROP_ARP_OTHER;
	if (d != CLIENT_DROP_NONE)
		return drop_packet(c, d, now_ns, fx, ret_drop);
	c->stats.arp_received++;
	(void)run_event(c, e, now_ns, NULL, fx);
	return (int)e;
}

/* --- time ------------------------------------------------------------------------------------- */

enum client_event client_timer_event(enum client_timer t)
{
	static const enum client_event events[CLIENT_N_TIMERS] = {
		[CLIENT_TIMER_EXPIRY] = CLIENT_EV_EXPIRY,
		[CLIENT_TIMER_T2] = CLIENT_EV_T2,
		[CLIENT_TIMER_T1] = CLIENT_EV_T1,
		[CLIENT_TIMER_GIVE_UP] = CLIENT_EV_GIVE_UP,
		[CLIENT_TIMER_LINK_GRACE] = CLIENT_EV_LINK_GRACE,
		[CLIENT_TIMER_RETRY] = CLIENT_EV_TIMEOUT,
		[CLIENT_TIMER_PROBE] = CLIENT_EV_PROBE_TICK,
		[CLIENT_TIMER_ANNOUNCE] = CLIENT_EV_ANNOUNCE_TICK,
		[CLIENT_TIMER_INFORM] = CLIENT_EV_INFORM_TIMEOUT,
		[CLIENT_TIMER_REOPEN] = CLIENT_EV_REOPEN,
	};

	return events[t];
}

void client_tick(struct client *c, int64_t now_ns, struct effects *fx)
{
	effects_reset(fx);
	c->armed_ns = 0; /* a timer that fired is not set any more */
	/*
	 * The first timer that is due, in the order of the enum: it may stop a later one (expiry
	 * stops T1). The others that are due fire at the next tick, for which the timer is set to
	 * the past.
	 */
	for (size_t t = 0; t < CLIENT_N_TIMERS; t++) {
		if (!c->deadline[t] || c->deadline[t] > now_ns)
			continue;
		c->deadline[t] = 0;
		if (!run_event(c, client_timer_event((enum client_timer)t), now_ns, NULL, fx))
			finish_step(c, fx);
		return;
	}
	finish_step(c, fx);
}
