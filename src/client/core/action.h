/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Actions of the rows of fsm.def. An action changes the client and appends effects; the state is
 * the row's `next` already when it runs. It may raise one event, which runs in the same step. The
 * groups below name the file of each action. Only fsm.c, client.c and the action files include
 * this.
 */
#pragma once

#include "client/core/accept.h"
#include "client/core/client.h"

struct client_step {
	struct client *c;
	struct effects *fx;
	const struct client_msg *msg; /* of packet events */
	int64_t now;
	enum client_event event;
	enum client_state from;
	int raise; /* enum client_event; -1: none */
	bool exit;
	enum client_exit exit_code;
};

/* action_begin.c: from nothing to a REQUEST */
client_action action_begin, action_restart, action_restart_identity, action_new_identity,
	action_discover, action_discover_again, action_discover_now, action_select_offer,
	action_request_again, action_request_reboot, action_reboot_again, action_pause_v6only,
	action_give_up;
/* action_lease.c: the life of a lease */
client_action action_take_lease, action_bind, action_extend, action_renew, action_renew_again,
	action_rebind, action_rebind_again, action_note_send_failed, action_refused,
	action_start_over, action_expire, action_drop_address, action_decline, action_release,
	action_forget, action_stop;
/* action_probe.c: ARP */
client_action action_probe_tick, action_note_probe_ok, action_note_conflict, action_note_node,
	action_defend, action_announce_again;
/* action_link.c: the interface, sockets, addresses */
client_action action_wait_for_link, action_lose_link, action_vanish, action_socket_failed,
	action_reopen, action_mark_removed, action_restore_address, action_yield_address;
/* action_inform.c: options without a lease */
client_action action_send_inform, action_inform_again, action_take_options, action_merge_options;

/* --- for actions (step.c) --------------------------------------------------------------------- */

void step_timer(struct client_step *s, enum client_timer t, int64_t after_ns);
void step_timer_at(struct client_step *s, enum client_timer t, int64_t when_ns);
void step_timer_off(struct client_step *s, enum client_timer t);
void step_timers_off(struct client_step *s); /* all but GIVE_UP */
void step_notify(struct client_step *s, enum client_notice n);
void step_script(struct client_step *s, enum client_reason r, const struct client_lease *now,
		 const struct client_lease *old);
/* Opens the raw socket: the only socket effect that must precede the packets sent through it. */
void step_listen_raw(struct client_step *s);
void step_listen_udp(struct client_step *s);
void step_listen_arp(struct client_step *s, uint32_t address);
/* Starts a new transaction: draws another xid, and counts secs from now. */
void step_new_xact(struct client_step *s, struct client_xact *x);
/* Returns a 32-bit number from the client's randomness. */
uint32_t step_random(struct client_step *s);
/* Removes the address and the routes from the interface. Keeps the lease itself. */
void step_unconfigure(struct client_step *s);
/* Removes the address and routes of a kept lease, which an earlier run may have left. */
void step_remove_leftovers(struct client_step *s);
/* Begins at INIT again after a pause; 0 or less: at once. */
void step_begin_after(struct client_step *s, int64_t after_ns);
/* Puts the lease into use: sets its address and routes. */
void step_configure(struct client_step *s);
/* Called when the wanted state is reached: ends the client with -q; without -f moves it to the
 * background. */
void step_ready(struct client_step *s);
/* Removes an ended lease from the interface and from the disk, and raises GIVE_UP. */
void step_forget(struct client_step *s);
/* Stops all timers but GIVE_UP and the expiry of a lease whose address is on the interface. */
void step_timers_held(struct client_step *s);
/* Sets the timers of the lease: T1, T2 and expiry. */
void step_lease_timers(struct client_step *s);
/* Starts the probe of an address (action_probe.c). */
void step_probe_start(struct client_step *s, uint32_t address);
void step_announce(struct client_step *s);
/* Remembers the station whose answer later proves that the client is still on the lease's
 * network. step_ask_node() asks it, once a call. */
void step_remember_node(struct client_step *s);
void step_ask_node(struct client_step *s);
