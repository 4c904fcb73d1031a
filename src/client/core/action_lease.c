/* SPDX-License-Identifier: MPL-2.0 */
/* The life of a lease: obtained, bound, extended, lost, released. Messages that need the address
 * leave before it is removed; values that stay are not removed. RFC 2131 4.4.1, 4.4.4 to 4.4.6. */
#include "client/core/action.h"
#include "client/core/message.h"
#include "client/core/timing.h"
#include "wire/option_codes.h"

enum { COMMAND_PHASE_S = 240 };

static void save_lease(struct client_step *s)
{
	if (!s->c->opts->dry_run)
		effects_add(s->fx, EFFECT_SAVE_LEASE)->lease = &s->c->lease;
}

/* Dates a lease from the moment its REQUEST was sent (RFC 2131 4.4.1), so the client's lease
 * ends before the server's. */
static void date_lease(struct client_step *s, struct client_lease *l)
{
	l->start_ns = s->c->xact.sent_ns;
	client_lease_times(l, (uint8_t)(step_random(s) >> 24));
}

/* --- getting ---------------------------------------------------------------------------------- */

void action_take_lease(struct client_step *s)
{
	struct client *c = s->c;

	c->offer = *s->msg->lease;
	date_lease(s, &c->offer);
	c->xact.active = false;
	step_timer_off(s, CLIENT_TIMER_RETRY);
	step_timer_off(s, CLIENT_TIMER_EXPIRY);
	if (c->offer.lease_s != CLIENT_LEASE_INFINITE)
		step_timer_at(s, CLIENT_TIMER_EXPIRY,
			      c->offer.start_ns + c->offer.lease_s * NS_PER_S);
	if (c->probe_conflict)
		s->raise = CLIENT_EV_PROBE_CONFLICT;
	else if (c->probe_ok)
		s->raise = CLIENT_EV_PROBE_OK;
}

static void note_routes(struct client_step *s)
{
	if (s->c->lease.n_left_out)
		step_notify(s, CLIENT_NOTICE_ROUTES_LEFT_OUT);
}

void action_bind(struct client_step *s)
{
	struct client *c = s->c;
	bool had = c->configured;

	if (had && c->lease.address != c->offer.address)
		step_unconfigure(s);
	c->old = c->lease;
	c->has_old = had;
	c->lease = c->offer;
	c->kept = CLIENT_KEPT_VALID;
	c->confirm = false;
	c->refusals = c->reopens = 0;
	c->defended_ns = 0;
	c->probe_end_ns = 0;
	step_timer_off(s, CLIENT_TIMER_PROBE);
	step_configure(s);
	step_remember_node(s);
	step_announce(s);
	step_lease_timers(s);
	save_lease(s);
	step_script(s, c->reboot ? CLIENT_REASON_REBOOT : CLIENT_REASON_BOUND, &c->lease,
		    had ? &c->old : NULL);
	step_notify(s, CLIENT_NOTICE_BOUND);
	if (c->opts->request_given && c->lease.address != c->opts->request_address)
		step_notify(s, CLIENT_NOTICE_NOT_GRANTED);
	note_routes(s);
	step_ready(s);
}

/* --- keeping ---------------------------------------------------------------------------------- */

static int64_t phase_end(const struct client_step *s, uint32_t until_s)
{
	const struct client_lease *l = &s->c->lease;
	int64_t end = l->start_ns + until_s * NS_PER_S;

	/* on demand, before T1: the requesting program waits for an answer, not for half a lease
	 * time */
	if (l->lease_s == CLIENT_LEASE_INFINITE || s->now < l->start_ns + l->t1_s * NS_PER_S)
		return s->now + COMMAND_PHASE_S * NS_PER_S;
	return end;
}

static void send_renew(struct client_step *s)
{
	struct client *c = s->c;

	c->xact.tries++;
	c->xact.fell_back = false;
	step_send_udp(s, CLIENT_MSG_RENEW, &c->lease, &c->xact, c->lease.address,
		      c->lease.server_id);
	step_timer(s, CLIENT_TIMER_RETRY,
		   client_reacquire_ns(c->xact.tries, s->now, phase_end(s, c->lease.t2_s)));
}

void action_renew(struct client_step *s)
{
	step_timer_off(s, CLIENT_TIMER_T1);
	step_new_xact(s, &s->c->xact);
	send_renew(s);
}

void action_renew_again(struct client_step *s)
{
	send_renew(s);
}

/*
 * Sends the request by a frame to every server instead, once a try. The datagram failed because the
 * host has no route to the server, the next hop does not answer, or another program uses the UDP
 * port. The socket is opened again for the next datagram.
 */
void action_note_send_failed(struct client_step *s)
{
	struct client *c = s->c;

	if (c->udp)
		(void)effects_add(s->fx, EFFECT_CLOSE_UDP);
	c->udp = false;
	if (c->state == CLIENT_REBINDING || (c->state == CLIENT_RENEWING && c->xact.fell_back))
		return;
	step_notify(s, CLIENT_NOTICE_SEND_FAILED);
	if (c->state != CLIENT_RENEWING || !c->xact.active)
		return;
	c->xact.fell_back = true;
	step_send_raw(s, CLIENT_MSG_REBIND, &c->lease);
}

/*
 * Sends a REQUEST to any server by a packet socket. Broadcast answers do not pass a host firewall
 * that accepts known connections only, and another program may use the UDP port. The UDP socket
 * stays open, because the kernel would answer a unicast ACK with ICMP otherwise.
 */
static void send_rebind(struct client_step *s)
{
	struct client *c = s->c;

	c->xact.tries++;
	step_listen_udp(s);
	step_send_raw(s, CLIENT_MSG_REBIND, &c->lease);
	step_timer(s, CLIENT_TIMER_RETRY,
		   client_reacquire_ns(c->xact.tries, s->now, phase_end(s, c->lease.lease_s)));
}

void action_rebind(struct client_step *s)
{
	step_timer_off(s, CLIENT_TIMER_T1);
	step_timer_off(s, CLIENT_TIMER_T2);
	step_new_xact(s, &s->c->xact);
	send_rebind(s);
}

void action_rebind_again(struct client_step *s)
{
	send_rebind(s);
}

void action_extend(struct client_step *s)
{
	struct client *c = s->c;

	if (s->from == CLIENT_RENEWING)
		c->stats.renewed++;
	else
		c->stats.rebound++;
	c->old = c->lease;
	c->has_old = true;
	c->lease = *s->msg->lease;
	date_lease(s, &c->lease);
	/* a UDP socket does not report it */
	if (c->lease.server_ip == c->old.server_ip)
		memcpy(c->lease.server_mac, c->old.server_mac, sizeof(c->lease.server_mac));
	c->xact.active = false;
	c->declines = c->refusals = c->reopens = 0;
	step_timer_off(s, CLIENT_TIMER_RETRY);
	step_configure(s);
	step_lease_timers(s);
	save_lease(s);
	step_script(s, s->from == CLIENT_RENEWING ? CLIENT_REASON_RENEW : CLIENT_REASON_REBIND,
		    &c->lease, &c->old);
	step_notify(s, CLIENT_NOTICE_RENEWED);
	note_routes(s);
}

/* --- losing ----------------------------------------------------------------------------------- */

/* Keeps the reason of a NAK for the log (RFC 2132 9.9); octets that are not printable ASCII become
 * question marks. */
static void keep_reason(struct client *c, struct span text)
{
	size_t n = text.n < sizeof(c->said) ? text.n : sizeof(c->said) - 1;

	for (size_t i = 0; i < n; i++)
		c->said[i] = text.p[i] >= ' ' && text.p[i] <= '~' ? (char)text.p[i] : '?';
	c->said[n] = '\0';
}

void action_refused(struct client_step *s)
{
	struct client *c = s->c;

	if (s->from == CLIENT_RENEWING || s->from == CLIENT_REBINDING)
		c->stats.refused++;
	keep_reason(c, dhcp4_opt_data(&s->msg->m, DHCP4_OPT_MESSAGE));
	step_notify(s, CLIENT_NOTICE_NAK);
	step_script(s, CLIENT_REASON_NAK, NULL, c->configured ? &c->lease : NULL);
	if (c->configured && s->from != CLIENT_REQUESTING)
		step_script(s, CLIENT_REASON_EXPIRE, NULL, &c->lease);
	/* a NAK to an offer does not concern a lease that we may still hold */
	if (s->from != CLIENT_REQUESTING) {
		step_remove_leftovers(s);
		step_forget(s);
	}
	c->xact.active = false;
	step_timer_off(s, CLIENT_TIMER_PROBE);
	c->probe_end_ns = 0;
	c->refusals++;
	step_begin_after(s, client_refused_wait_ns(c->refusals));
}

/* Removes an ended lease from the interface; its address remains a hint for the next request. */
static void run_out(struct client_step *s)
{
	struct client *c = s->c;

	if (c->configured) {
		c->stats.expired++;
		step_notify(s, CLIENT_NOTICE_EXPIRED);
		step_script(s, CLIENT_REASON_EXPIRE, NULL, &c->lease);
	}
	step_unconfigure(s);
	c->kept = c->kept == CLIENT_KEPT_NONE ? CLIENT_KEPT_NONE : CLIENT_KEPT_HINT;
	c->confirm = false;
}

/* Begins at INIT after a lease ended. With leases of seconds, exchanges begin at least ten
 * seconds apart. */
void action_start_over(struct client_step *s)
{
	struct client *c = s->c;
	const struct client_lease *l = s->from == CLIENT_PROBING ? &c->offer : &c->lease;
	int64_t next = l->lease_s < CLIENT_SHORT_LEASE_S
			       ? l->start_ns + CLIENT_SHORT_LEASE_S * NS_PER_S
			       : s->now;

	run_out(s);
	step_timers_off(s);
	c->xact.active = c->inform.active = false;
	c->probe_end_ns = 0;
	step_begin_after(s, next - s->now);
}

void action_expire(struct client_step *s)
{
	run_out(s);
}

/* Removes the address after the link stayed away, since the host may return on another network.
 * Keeps the lease, to be confirmed. */
void action_drop_address(struct client_step *s)
{
	struct client *c = s->c;

	if (c->configured)
		step_script(s, CLIENT_REASON_EXPIRE, NULL, &c->lease);
	step_unconfigure(s);
}

/* Declines the address: by broadcast and without a source address, because the address is
 * another host's. RFC 2131 3.1.5. */
void action_decline(struct client_step *s)
{
	struct client *c = s->c;
	const struct client_lease *l = s->from == CLIENT_PROBING ? &c->offer : &c->lease;

	step_notify(s, CLIENT_NOTICE_CONFLICT);
	/* a DECLINE has no answer: open sockets need not listen for one */
	c->xact = (struct client_xact){.xid = step_random(s), .start_ns = s->now};
	step_send_raw(s, CLIENT_MSG_DECLINE, l);
	if (c->configured)
		step_script(s, CLIENT_REASON_EXPIRE, NULL, &c->lease);
	step_forget(s);
	c->probe_end_ns = 0;
	c->declines++;
	c->pause_end_ns = s->now + client_decline_wait_ns(c->declines);
	step_timer_at(s, CLIENT_TIMER_RETRY, c->pause_end_ns);
}

/* --- giving back ------------------------------------------------------------------------------ */

/*
 * Returns whether the RELEASE was sent. A frame goes to the station that the lease came through,
 * where that is the server or the router: a datagram could wait for ARP until the address is gone.
 */
static bool send_release(struct client_step *s)
{
	struct client *c = s->c;

	if (!c->configured || !c->link.up)
		return false;
	step_new_xact(s, &c->xact);
	if (c->node && (c->node == c->lease.server_id || c->node == client_lease_router(&c->lease)))
		step_send_raw(s, CLIENT_MSG_RELEASE, &c->lease);
	else
		step_send_udp(s, CLIENT_MSG_RELEASE, &c->lease, &c->xact, c->lease.address,
			      c->lease.server_id);
	step_notify(s, CLIENT_NOTICE_RELEASED);
	return true;
}

void action_release(struct client_step *s)
{
	struct client *c = s->c;

	(void)send_release(s);
	step_script(s, CLIENT_REASON_RELEASE, NULL, c->configured ? &c->lease : NULL);
	step_forget(s);
	step_timer_off(s, CLIENT_TIMER_GIVE_UP);
}

void action_forget(struct client_step *s)
{
	if (s->c->configured)
		step_script(s, CLIENT_REASON_STOP, NULL, &s->c->lease);
	step_forget(s);
}

/* Ends the client and releases the lease, unless it is to be kept or cannot be released now. */
void action_stop(struct client_step *s)
{
	struct client *c = s->c;
	bool keep = c->opts->keep_lease || c->opts->keep_address;
	bool released = !keep && !c->opts->dry_run && send_release(s);

	if (!c->opts->keep_address)
		step_script(s, CLIENT_REASON_STOP, NULL, c->configured ? &c->lease : NULL);
	if (released)
		step_forget(s);
	else if (!c->opts->keep_address)
		step_unconfigure(s);
	step_timers_off(s);
	step_timer_off(s, CLIENT_TIMER_GIVE_UP);
	c->xact.active = c->inform.active = false;
	step_notify(s, CLIENT_NOTICE_STOPPED);
	s->exit = true;
	s->exit_code = CLIENT_EXIT_OK;
}
