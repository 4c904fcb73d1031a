/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Operations that several actions share: timers, sockets, notices, the address on the interface.
 */
#include "client/core/action.h"

#include "client/core/timing.h"

/* --- timers ----------------------------------------------------------------------------------- */

void step_timer_at(struct client_step *s, enum client_timer t, int64_t when_ns)
{
	s->c->deadline[t] = when_ns > 0 ? when_ns : 1;
}

void step_timer(struct client_step *s, enum client_timer t, int64_t after_ns)
{
	step_timer_at(s, t, s->now + after_ns);
}

void step_timer_off(struct client_step *s, enum client_timer t)
{
	s->c->deadline[t] = 0;
}

void step_timers_off(struct client_step *s)
{
	int64_t give_up = s->c->deadline[CLIENT_TIMER_GIVE_UP];

	memset(s->c->deadline, 0, sizeof(s->c->deadline));
	s->c->deadline[CLIENT_TIMER_GIVE_UP] = give_up;
}

void step_timers_held(struct client_step *s)
{
	const struct client_lease *l = &s->c->lease;

	step_timers_off(s);
	if (s->c->configured && l->lease_s != CLIENT_LEASE_INFINITE)
		step_timer_at(s, CLIENT_TIMER_EXPIRY, l->start_ns + l->lease_s * NS_PER_S);
}

void step_lease_timers(struct client_step *s)
{
	struct client *c = s->c;
	const struct client_lease *l = &c->lease;

	step_timer_off(s, CLIENT_TIMER_T1);
	step_timer_off(s, CLIENT_TIMER_T2);
	step_timer_off(s, CLIENT_TIMER_EXPIRY);
	if (l->lease_s == CLIENT_LEASE_INFINITE)
		return;
	step_timer_at(s, CLIENT_TIMER_EXPIRY, l->start_ns + l->lease_s * NS_PER_S);
	if (l->t1_s < l->lease_s) {
		step_timer_at(s, CLIENT_TIMER_T1, l->start_ns + l->t1_s * NS_PER_S);
		step_timer_at(s, CLIENT_TIMER_T2, l->start_ns + l->t2_s * NS_PER_S);
	}
}

void step_begin_after(struct client_step *s, int64_t after_ns)
{
	if (after_ns > 0) {
		step_timer(s, CLIENT_TIMER_RETRY, after_ns);
		return;
	}
	s->raise = CLIENT_EV_TIMEOUT;
}

uint32_t step_random(struct client_step *s)
{
	return s->c->random.u32(s->c->random.ctx);
}

/* --- notices ---------------------------------------------------------------------------------- */

void step_notify(struct client_step *s, enum client_notice n)
{
	struct effect *e = effects_add(s->fx, EFFECT_NOTIFY);

	e->notice.what = n;
	e->notice.from = s->from;
	e->notice.to = s->c->state;
	e->notice.event = s->event;
}

void step_script(struct client_step *s, enum client_reason r, const struct client_lease *now,
		 const struct client_lease *old)
{
	struct effect *e = effects_add(s->fx, EFFECT_SCRIPT);

	e->script.reason = r;
	e->script.now = now;
	e->script.old = old;
}

/* --- sockets ---------------------------------------------------------------------------------- */

void step_listen_raw(struct client_step *s)
{
	if (s->c->raw)
		return;
	s->c->raw = true;
	effects_add(s->fx, EFFECT_LISTEN_RAW)->xid = s->c->xact.xid;
}

void step_listen_udp(struct client_step *s)
{
	if (s->c->udp)
		return;
	s->c->udp = true;
	effects_add(s->fx, EFFECT_LISTEN_UDP)->address = s->c->lease.address;
}

void step_listen_arp(struct client_step *s, uint32_t address)
{
	struct client *c = s->c;
	struct effect *e = effects_add(s->fx, EFFECT_LISTEN_ARP);

	c->arp = true;
	c->arp_node = c->state == CLIENT_REBOOTING && c->configured && c->node;
	e->arp.address = address;
	e->arp.node = c->arp_node ? c->node : 0;
}

void step_new_xact(struct client_step *s, struct client_xact *x)
{
	bool raw = s->c->raw && x == &s->c->xact;

	*x = (struct client_xact){
		.active = true,
		.xid = step_random(s),
		.start_ns = s->now,
		.broadcast = s->c->opts->broadcast == CLIENT_BROADCAST_ALWAYS,
	};
	/* open sockets receive for the former xid */
	if (raw)
		effects_add(s->fx, EFFECT_LISTEN_RAW)->xid = x->xid;
}

/* --- the address ------------------------------------------------------------------------------ */

static uint32_t valid_s(const struct client_step *s)
{
	const struct client_lease *l = &s->c->lease;
	int64_t left;

	if (l->lease_s == CLIENT_LEASE_INFINITE)
		return UINT32_MAX;
	/* the kernel's own count is the net below ours: never shorter */
	left = (l->start_ns + l->lease_s * NS_PER_S - s->now + NS_PER_S - 1) / NS_PER_S;
	return left < 1 ? 1 : left > UINT32_MAX - 1 ? UINT32_MAX - 1 : (uint32_t)left;
}

static void del_address(struct client_step *s, const struct client_lease *l)
{
	struct effect *e = effects_add(s->fx, EFFECT_DEL_ADDRESS);

	e->addr.address = l->address;
	e->addr.prefix_len = (uint8_t)client_prefix_len(l->mask);
}

void step_configure(struct client_step *s)
{
	struct client *c = s->c;
	struct effect *e;

	c->configured = true;
	if (c->opts->dry_run)
		return;
	e = effects_add(s->fx, EFFECT_SET_ADDRESS);
	e->addr.address = c->lease.address;
	e->addr.broadcast = c->lease.broadcast;
	e->addr.prefix_len = (uint8_t)client_prefix_len(c->lease.mask);
	e->addr.valid_s = valid_s(s);
	effects_add(s->fx, EFFECT_SET_ROUTES)->lease = &c->lease;
}

void step_unconfigure(struct client_step *s)
{
	struct client *c = s->c;

	step_timer_off(s, CLIENT_TIMER_LINK_GRACE);
	step_timer_off(s, CLIENT_TIMER_ANNOUNCE);
	if (!c->configured)
		return;
	c->configured = false;
	if (c->opts->dry_run)
		return;
	(void)effects_add(s->fx, EFFECT_DEL_ROUTES);
	del_address(s, &c->lease);
}

void step_remove_leftovers(struct client_step *s)
{
	struct client *c = s->c;

	if (c->configured || c->kept == CLIENT_KEPT_NONE || c->opts->dry_run)
		return;
	(void)effects_add(s->fx, EFFECT_DEL_ROUTES);
	del_address(s, &c->lease);
}

void step_ready(struct client_step *s)
{
	struct client *c = s->c;

	step_timer_off(s, CLIENT_TIMER_GIVE_UP);
	c->failed = false;
	c->succeeded = true;
	if (c->opts->quit) {
		s->exit = true;
		s->exit_code = CLIENT_EXIT_OK;
	} else if (!c->opts->foreground && !c->in_background) {
		c->in_background = true;
		(void)effects_add(s->fx, EFFECT_BACKGROUND);
	}
}

void step_forget(struct client_step *s)
{
	struct client *c = s->c;

	step_unconfigure(s);
	if (c->kept != CLIENT_KEPT_NONE && !c->opts->dry_run)
		(void)effects_add(s->fx, EFFECT_DELETE_LEASE);
	c->kept = CLIENT_KEPT_NONE;
	c->confirm = false;
	c->xact.active = false;
	c->inform.active = false;
	step_timers_off(s);
}
