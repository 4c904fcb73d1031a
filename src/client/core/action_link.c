/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Changes of the client's interface, its sockets and its address.
 */
#include "client/core/action.h"
#include "client/core/timing.h"

enum { LINK_GRACE_S = 5, RESTORES_MAX = 3, RESTORE_WINDOW_S = 60 };

void action_wait_for_link(struct client_step *s)
{
	step_notify(s, CLIENT_NOTICE_NO_LINK);
}

/* Notes the loss of the link. The address stays for a short while, so that a link that returns
 * at once costs nothing; it is confirmed then. */
void action_lose_link(struct client_step *s)
{
	struct client *c = s->c;

	step_notify(s, CLIENT_NOTICE_LINK_DOWN);
	step_timers_held(s);
	c->xact.active = c->inform.active = false;
	c->probe_end_ns = 0;
	c->confirm = c->kept == CLIENT_KEPT_VALID;
	if (c->configured)
		step_timer(s, CLIENT_TIMER_LINK_GRACE, LINK_GRACE_S * NS_PER_S);
}

/* Ends the client after its interface vanished. Most addresses vanished with it; an interface
 * that became the port of a bridge still has them, so they are removed. */
void action_vanish(struct client_step *s)
{
	struct client *c = s->c;

	step_script(s, CLIENT_REASON_STOP, NULL, c->configured ? &c->lease : NULL);
	step_unconfigure(s);
	c->xact.active = c->inform.active = false;
	step_timers_off(s);
	step_timer_off(s, CLIENT_TIMER_GIVE_UP);
	step_notify(s, CLIENT_NOTICE_LINK_GONE);
	s->exit = true;
	s->exit_code = CLIENT_EXIT_LINK_GONE;
}

static void close_one(struct client_step *s, bool *open, enum effect_kind close)
{
	if (*open)
		(void)effects_add(s->fx, close);
	*open = false;
}

void action_socket_failed(struct client_step *s)
{
	struct client *c = s->c;

	close_one(s, &c->arp, EFFECT_CLOSE_ARP);
	close_one(s, &c->udp, EFFECT_CLOSE_UDP);
	close_one(s, &c->raw, EFFECT_CLOSE_RAW);
	/* several errors of one failure count as one failure */
	if (c->deadline[CLIENT_TIMER_REOPEN])
		return;
	c->reopens++;
	step_timer(s, CLIENT_TIMER_REOPEN, client_reopen_wait_ns(c->reopens));
	step_notify(s, CLIENT_NOTICE_SOCKET_FAILED);
}

/* Opens the sockets of the state again. Its own timer repeats the pending request. */
void action_reopen(struct client_step *s)
{
	struct client *c = s->c;
	bool bound = c->state == CLIENT_BOUND || c->state == CLIENT_RENEWING ||
		     c->state == CLIENT_REBINDING;

	if (bound ? c->opts->probe != CLIENT_PROBE_OFF && c->configured : c->probe_end_ns != 0)
		step_listen_arp(s, bound ? c->lease.address : c->offer.address);
	else if (c->state == CLIENT_REBOOTING && c->configured && c->node)
		step_listen_arp(s, c->lease.address);
	if (c->inform.active || (bound && c->xact.active))
		step_listen_udp(s);
	if (c->xact.active && (!bound || c->state == CLIENT_REBINDING || c->xact.fell_back))
		step_listen_raw(s);
}

void action_mark_removed(struct client_step *s)
{
	if (s->c->configured)
		step_notify(s, CLIENT_NOTICE_ADDRESS_REMOVED);
	s->c->configured = false;
	step_timer_off(s, CLIENT_TIMER_LINK_GRACE);
}

/* Restores the address, because its removal may have been a mistake. Repeated removals in a
 * short time are intended; then the state changes (ADDRESS_LOST). */
void action_restore_address(struct client_step *s)
{
	struct client *c = s->c;

	if (!c->configured)
		return;
	if (!c->restore_ns || s->now - c->restore_ns >= RESTORE_WINDOW_S * NS_PER_S) {
		c->restore_ns = s->now;
		c->restored = 0;
	}
	if (c->restored++ == RESTORES_MAX) {
		s->raise = CLIENT_EV_ADDRESS_LOST;
		return;
	}
	step_configure(s);
	step_notify(s, CLIENT_NOTICE_ADDRESS_RESTORED);
}

/* Gives the address up for a pause. Keeps the lease, to be confirmed afterwards. */
void action_yield_address(struct client_step *s)
{
	struct client *c = s->c;

	step_notify(s, CLIENT_NOTICE_ADDRESS_LOST);
	step_script(s, CLIENT_REASON_EXPIRE, NULL, &c->lease);
	step_unconfigure(s);
	step_timers_off(s);
	c->xact.active = c->inform.active = false;
	c->confirm = c->kept == CLIENT_KEPT_VALID;
	step_begin_after(s, RESTORE_WINDOW_S * NS_PER_S);
}
