/* SPDX-License-Identifier: MPL-2.0 */
/*
 * From nothing, or from a lease that is to be confirmed, to a REQUEST. The broadcast flag is sent
 * by need: not at first, then with every other try, because some networks lose unicast to a host
 * without an address and others lose broadcast; the REQUEST does as the OFFER came. RFC
 * 2131 3.1, 3.2, 4.4.1, 4.4.2.
 */
#include "client/core/action.h"
#include "client/core/message.h"
#include "client/core/timing.h"

/* Returns the event that follows INIT. */
static enum client_event choose_beginning(const struct client_step *s)
{
	struct client *c = s->c;

	if (!c->link.up)
		return CLIENT_EV_NO_LINK;
	if (c->opts->inform)
		return CLIENT_EV_OPTIONS_ONLY;
	return c->kept == CLIENT_KEPT_VALID && c->confirm ? CLIENT_EV_REBOOT : CLIENT_EV_DISCOVER;
}

/* Makes a kept lease that ended in the meantime a hint. */
static void age_lease(struct client_step *s)
{
	struct client *c = s->c;

	if (c->kept == CLIENT_KEPT_VALID && c->lease.lease_s != CLIENT_LEASE_INFINITE &&
	    c->lease.start_ns + c->lease.lease_s * NS_PER_S <= s->now)
		c->kept = CLIENT_KEPT_HINT;
}

void action_begin(struct client_step *s)
{
	struct client *c = s->c;

	step_timer_off(s, CLIENT_TIMER_RETRY);
	step_timer_off(s, CLIENT_TIMER_LINK_GRACE);
	/* RFC 2131 3.1.5: a link that goes down and up does not shorten the pause after a
	 * DECLINE; a command does */
	if (s->event == CLIENT_EV_LINK_UP && s->now < c->pause_end_ns) {
		step_timer_at(s, CLIENT_TIMER_RETRY, c->pause_end_ns);
		return;
	}
	c->pause_end_ns = 0;
	if (s->from == CLIENT_OFF)
		step_script(s, CLIENT_REASON_PREINIT, NULL, NULL);
	if (!c->failed && !c->deadline[CLIENT_TIMER_GIVE_UP])
		step_timer(s, CLIENT_TIMER_GIVE_UP, c->opts->timeout_s * NS_PER_S);
	age_lease(s);
	s->raise = (int)choose_beginning(s);
}

void action_restart(struct client_step *s)
{
	if (s->c->configured)
		step_script(s, CLIENT_REASON_STOP, NULL, &s->c->lease);
	step_forget(s);
	s->c->refusals = s->c->declines = 0;
	s->raise = CLIENT_EV_TIMEOUT;
}

void action_new_identity(struct client_step *s)
{
	step_notify(s, CLIENT_NOTICE_MAC_CHANGED);
}

/* Restarts after a change of the hardware address. The lease belongs to the former one; the
 * server decides whether the client may keep it. */
void action_restart_identity(struct client_step *s)
{
	struct client *c = s->c;

	step_notify(s, CLIENT_NOTICE_MAC_CHANGED);
	step_timers_held(s);
	c->xact.active = c->inform.active = false;
	c->confirm = c->kept == CLIENT_KEPT_VALID;
	s->raise = CLIENT_EV_TIMEOUT;
}

/* --- DISCOVER --------------------------------------------------------------------------------- */

static void alternate_broadcast(struct client *c)
{
	if (c->opts->broadcast == CLIENT_BROADCAST_AUTO)
		c->xact.broadcast = !c->xact.broadcast;
}

static void send_discover(struct client_step *s)
{
	struct client_xact *x = &s->c->xact;
	int64_t elapsed = (s->now - x->start_ns) / NS_PER_S;

	x->tries++;
	x->secs = (uint16_t)(elapsed < 1 ? 1 : elapsed > UINT16_MAX ? UINT16_MAX : elapsed);
	step_send_raw(s, CLIENT_MSG_DISCOVER, NULL);
	step_timer(s, CLIENT_TIMER_RETRY, client_backoff_ns(x->tries, step_random(s)));
}

void action_discover(struct client_step *s)
{
	struct client *c = s->c;

	c->reboot = false;
	c->probe_end_ns = 0;
	step_timer_off(s, CLIENT_TIMER_PROBE);
	step_new_xact(s, &c->xact);
	send_discover(s);
}

void action_discover_again(struct client_step *s)
{
	alternate_broadcast(s->c);
	send_discover(s);
}

/* Sends a DISCOVER at once, on demand, and restarts the back-off. */
void action_discover_now(struct client_step *s)
{
	s->c->xact.tries = 0;
	send_discover(s);
}

/* --- REQUEST ---------------------------------------------------------------------------------- */

static void send_select(struct client_step *s)
{
	struct client_xact *x = &s->c->xact;

	x->tries++;
	step_send_raw(s, CLIENT_MSG_SELECT, &s->c->offer);
	step_timer(s, CLIENT_TIMER_RETRY, client_backoff_ns(x->tries, step_random(s)));
}

void action_select_offer(struct client_step *s)
{
	struct client *c = s->c;

	c->offer = *s->msg->lease;
	c->xact.tries = 0;
	if (c->opts->broadcast == CLIENT_BROADCAST_AUTO)
		c->xact.broadcast = s->msg->broadcast;
	send_select(s);
	/* the address is known already: the probe need not wait for the ACK */
	step_probe_start(s, c->offer.address);
}

void action_request_again(struct client_step *s)
{
	if (s->c->xact.tries >= CLIENT_REQUEST_TRIES) {
		step_notify(s, CLIENT_NOTICE_NO_ANSWER);
		s->raise = CLIENT_EV_DISCOVER;
		return;
	}
	alternate_broadcast(s->c);
	send_select(s);
}

/* --- INIT-REBOOT ------------------------------------------------------------------------------ */

static void send_reboot(struct client_step *s)
{
	struct client_xact *x = &s->c->xact;

	x->tries++;
	step_send_raw(s, CLIENT_MSG_REBOOT, &s->c->lease);
	step_ask_node(s);
	step_timer(s, CLIENT_TIMER_RETRY, client_reboot_wait_ns(x->tries, step_random(s)));
}

void action_request_reboot(struct client_step *s)
{
	struct client *c = s->c;

	step_timer_off(s, CLIENT_TIMER_LINK_GRACE);
	c->confirm = false;
	c->reboot = true;
	c->offer = c->lease;
	if (c->lease.lease_s != CLIENT_LEASE_INFINITE)
		step_timer_at(s, CLIENT_TIMER_EXPIRY,
			      c->lease.start_ns + c->lease.lease_s * NS_PER_S);
	step_new_xact(s, &c->xact);
	c->node_found = c->arp_node = false;
	send_reboot(s);
	step_probe_start(s, c->lease.address);
}

/*
 * Repeats the INIT-REBOOT request; after the last try turns to DISCOVER. Then no server knows the
 * lease, or none can be reached. RFC 2131 3.2: an address that is still on the interface may be
 * used until its lease ends, while a new one is sought. The condition is that the network is the
 * lease's, which the answer of the station that the lease came through proves (RFC 4436). So hosts
 * keep their addresses while a server is down, and no host uses an address on another network.
 */
void action_reboot_again(struct client_step *s)
{
	if (s->c->xact.tries >= CLIENT_REBOOT_TRIES) {
		step_notify(s, CLIENT_NOTICE_NO_ANSWER);
		if (s->c->configured && !s->c->node_found)
			action_drop_address(s);
		s->raise = CLIENT_EV_DISCOVER;
		return;
	}
	alternate_broadcast(s->c);
	send_reboot(s);
}

/* --- no lease --------------------------------------------------------------------------------- */

/* Pauses IPv4 for the time that the server gave, and forgets the lease. RFC 8925 3.2. */
void action_pause_v6only(struct client_step *s)
{
	if (s->c->configured)
		step_script(s, CLIENT_REASON_EXPIRE, NULL, &s->c->lease);
	step_forget(s);
	step_timer(s, CLIENT_TIMER_RETRY, s->msg->v6only_s * NS_PER_S);
	step_notify(s, CLIENT_NOTICE_V6ONLY);
}

void action_give_up(struct client_step *s)
{
	struct client *c = s->c;

	c->failed = true;
	step_script(s, CLIENT_REASON_FAIL, NULL, NULL);
	step_notify(s, CLIENT_NOTICE_NO_LEASE);
	/* a daemon waits through later failures of the servers */
	if (c->opts->now && !c->succeeded) {
		s->exit = true;
		s->exit_code = CLIENT_EXIT_NO_LEASE;
	} else if (c->opts->background && !c->in_background && !c->opts->foreground) {
		c->in_background = true;
		(void)effects_add(s->fx, EFFECT_BACKGROUND);
	}
}
