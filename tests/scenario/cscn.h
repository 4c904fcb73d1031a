/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client's scenario runner from the inside: the real machine (struct client) on a virtual
 * clock, packets in, effects out. It shares texts, values and frames with the server's runner
 * (scn.h); of struct scn only the script's members are used. README.md has the grammar.
 */
#pragma once

#include "scn.h"

#include "base/rng.h"
#include "client/core/client.h"

enum { CSCN_EFFECTS = 4096, CSCN_FRAME = 1600, CSCN_START_S = 1000 };

/* An effect as it was when it was asked for. */
struct cscn_effect {
	struct effect e;
	int64_t at_ns;
	bool taken;
	uint8_t frame[CSCN_FRAME]; /* SEND_x, as an Ethernet frame */
	size_t len;
	struct client_lease lease, old; /* copies of the objects behind pointers */
};

struct cscn {
	struct scn s;
	struct client c;
	struct client_opts opts;
	struct client_link link;
	struct rng rng;
	struct effects fx;
	int64_t now;
	bool started;
	struct cscn_effect *effect;
	size_t n_effects;
	uint64_t frame_drop[DROP_N], drop[CLIENT_N_DROPS]; /* before the last input */
	bool tight;					   /* the packet has no memory */
	bool by_udp;					   /* it comes through the UDP socket */
	int last_event;					   /* of the last packet; -1: dropped */
	uint64_t ran[CLIENT_N_STATES];			   /* of all cases */
	bool dropped[CLIENT_N_DROPS];			   /* asserted by a `dropped` */
};

typedef int cscn_directive(struct cscn *x);

/* client_input.c */
cscn_directive cdo_opts, cdo_link, cdo_kept, cdo_start, cdo_event, cdo_send, cdo_arp, cdo_at,
	cdo_wake;
void cscn_world_init(struct cscn *x);
void cscn_world_fini(struct cscn *x);
/* client_expect.c */
cscn_directive cdo_expect, cdo_state, cdo_dropped, cdo_lease, cdo_due, cdo_bound, cdo_said;
/* Effects that the case should have spoken of. -1: reported. */
int cscn_leftover(struct cscn *x);
