/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client for one interface, as a pure machine: (client, event, time, randomness) -> (client,
 * effects). It makes no system call, reads no clock and allocates nothing; the same inputs give the
 * same effects. The driver owns the struct, calls one of the functions below for each input, and
 * carries out the effects of each call before the next. One thread.
 *
 * Times are CLOCK_BOOTTIME in nanoseconds (suspend counts). One timer is enough: EFFECT_ARM has the
 * nearest deadline, and client_tick() is called when it is reached, however late.
 */
#pragma once

#include "base/clock.h"
#include "client/core/effects.h"
#include "client/core/fsm.h"
#include "client/core/lease.h"
#include "client/core/options.h"
#include "packet/packet.h"
#include "wire/dhcp4.h"

/* In the order in which they count when several are due (after a suspend): the most decisive
 * first. */
enum client_timer {
	CLIENT_TIMER_EXPIRY,
	CLIENT_TIMER_T2,
	CLIENT_TIMER_T1,
	CLIENT_TIMER_GIVE_UP,
	CLIENT_TIMER_LINK_GRACE,
	CLIENT_TIMER_RETRY,
	CLIENT_TIMER_PROBE,
	CLIENT_TIMER_ANNOUNCE,
	CLIENT_TIMER_INFORM,
	CLIENT_TIMER_REOPEN,
	CLIENT_N_TIMERS
};

/* Unpredictable 32 bits: the kernel's in the daemon, repeatable in tests. */
struct client_random {
	uint32_t (*u32)(void *ctx);
	void *ctx;
};

/* The interface, as far as the machine needs it. Ethernet only. */
struct client_link {
	uint8_t mac[6];
	uint16_t mtu;
	bool up;	  /* administratively up and with carrier */
	uint32_t address; /* --inform: the address that the administrator set */
};

struct client_stats {
	uint64_t sent[DHCP4_N_TYPES], received[DHCP4_N_TYPES]; /* received: accepted ones */
	uint64_t arp_sent, arp_received;
	uint64_t frame_drop[DROP_N];	 /* packet/drop.def */
	uint64_t drop[CLIENT_N_DROPS];	 /* client/core/drop.def */
	uint64_t odd_source_port;	 /* accepted, from a port other than 67 */
	uint64_t enter[CLIENT_N_STATES]; /* how often each state was entered */
	uint64_t ran[CLIENT_N_STATES];	 /* bit by event: rows of the table that ran */
	/* ends of attempts to extend a lease: by its server, by any server, by a NAK, by its end */
	uint64_t renewed, rebound, refused, expired;
	int64_t offer_ns, ack_ns; /* last DISCOVER to OFFER, last REQUEST to ACK */
};

/* One exchange of messages. */
struct client_xact {
	bool active;
	uint32_t xid;
	int64_t start_ns; /* secs counts from here */
	int64_t sent_ns;  /* the last message */
	uint16_t secs;	  /* of the last DISCOVER; its REQUEST repeats it */
	unsigned tries;
	bool broadcast; /* the flag in the next message */
	bool fell_back; /* this try went by broadcast, because unicast could not be sent */
};

_Static_assert(CLIENT_N_EVENTS <= 64, "client_stats.ran has a bit for each event");

enum client_kept { CLIENT_KEPT_NONE, CLIENT_KEPT_HINT, CLIENT_KEPT_VALID };

struct client {
	const struct client_opts *opts; /* borrowed */
	struct client_random random;
	struct client_link link;
	enum client_state state;
	int64_t deadline[CLIENT_N_TIMERS]; /* 0: not running */
	int64_t armed_ns;		   /* deadline of the last EFFECT_ARM */
	struct client_xact xact, inform;

	enum client_kept kept;	   /* validity of lease; HINT: only its address counts */
	bool configured;	   /* lease.address is on the interface */
	bool confirm;		   /* lease is VALID, and to be confirmed by INIT-REBOOT first */
	bool reboot;		   /* the exchange that runs began at INIT-REBOOT */
	struct client_lease lease; /* in force, or kept */
	struct client_lease offer; /* asked for; becomes lease at bind */
	struct client_lease old;   /* before the last change, for scripts */
	struct client_lease in;	   /* of the packet that is being read */
	bool has_old;
	char said[128]; /* option 56 of the last NAK, printable; "": nothing */

	/* address probe */
	unsigned probes;
	int64_t probe_end_ns;
	bool probe_ok, probe_conflict;
	/* RFC 4436: a station of the lease's network, whose answer says that we are there still */
	uint32_t node; /* 0: none is known */
	uint8_t node_mac[6];
	bool node_found;      /* in this REBOOTING */
	bool arp_node;	      /* the ARP socket receives its packets, too */
	int64_t defended_ns;  /* last ARP conflict while bound; 0: none */
	unsigned declines;    /* in a row: the back-off */
	unsigned refusals;    /* NAKs in a row */
	unsigned restored;    /* how often the address was put back since restore_ns */
	int64_t restore_ns;   /* 0: never */
	int64_t pause_end_ns; /* no exchange begins before, after a DECLINE; 0: at once */
	unsigned reopens;

	bool raw, udp, arp; /* sockets that are to be open */
	int64_t told_ns;    /* last DROPPED notice: one a second is enough */
	bool failed;	    /* GIVE_UP was reported */
	bool succeeded;	    /* there was a lease: -n is over */
	bool in_background;
	struct client_stats stats;
	uint8_t scratch[4096]; /* arena of the message being built */
};

/*
 * Initializes a client in OFF. opts is borrowed, and may be completed (request_address) until
 * START. client_keep() adds a lease of an earlier run: VALID for one still in force (INIT-REBOOT),
 * HINT for one of which only the address is of use. The kept lease is ignored where -r requests
 * another address.
 */
void client_init(struct client *c, const struct client_opts *opts, const struct client_link *link,
		 const struct client_random *random);
void client_keep(struct client *c, const struct client_lease *lease, enum client_kept kept);

/* Each of these runs one step (and the events that it raises), and replaces fx. */

/* Runs a command or a link event. Returns false where the state ignores it; a command is refused
 * then. */
bool client_event(struct client *c, enum client_event e, int64_t now_ns, struct effects *fx);
/* Sets the present state of the link; call it before the event LINK_UP, MAC_CHANGED or an MTU
 * change. */
void client_set_link(struct client *c, const struct client_link *link);
/*
 * Runs a packet of a socket: with its Ethernet header, or (PACKET_NO_L2) the payload of the UDP
 * socket with app, app_len, src and sport set. Decodes it (packet_decode, in its arena), checks it,
 * and runs its event. Returns the event, or -1 for a packet that was dropped and counted. *ret_drop
 * (may be NULL) is the reason then; CLIENT_DROP_NONE stands for a row of packet/drop.def.
 */
int client_receive(struct client *c, struct packet *p, int64_t now_ns, struct effects *fx,
		   enum client_drop *ret_drop);
/* Runs a frame of the ARP socket, with its Ethernet header. Returns and sets *ret_drop as
 * client_receive() does. */
int client_receive_arp(struct client *c, struct span frame, int64_t now_ns, struct effects *fx,
		       enum client_drop *ret_drop);
/* Runs the timers that are due. Early calls do no harm. */
void client_tick(struct client *c, int64_t now_ns, struct effects *fx);

/*
 * Finds the command that leads from the present state to another one (`transition TO` of the
 * control channel). Tries each on a copy, *scratch, with the present link and lease. INIT counts as
 * reached where a row leads there, although the client leaves it at once. Returns 0 with the event
 * in *ret, or -USHER_E_UNSUPPORTED: no command leads there, or the state is reached already.
 */
int client_way_to(const struct client *c, enum client_state to, int64_t now_ns,
		  struct client *scratch, struct effects *fx, enum client_event *ret) must_check;

/* Returns the nearest deadline; 0: none. */
int64_t client_deadline(const struct client *c);
enum client_event client_timer_event(enum client_timer t);
