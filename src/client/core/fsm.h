/* SPDX-License-Identifier: MPL-2.0 */
/*
 * States and events of the client, and the table between them (fsm.def). Only client.c runs the
 * table; other files read it.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

enum client_state {
#define STATE(symbol, name, sentence, group) CLIENT_##symbol,
#include "client/core/fsm.def"
	CLIENT_N_STATES
};

enum client_event {
#define EVENT(symbol, kind, sentence) CLIENT_EV_##symbol,
#include "client/core/fsm.def"
	CLIENT_N_EVENTS
};

enum client_event_kind {
	CLIENT_KIND_PACKET,
	CLIENT_KIND_TIMER,
	CLIENT_KIND_LINK,
	CLIENT_KIND_PROBE,
	CLIENT_KIND_INNER,
	CLIENT_KIND_COMMAND,
};

struct client_step;
typedef void client_action(struct client_step *s);

struct client_transition {
	client_action *action; /* NULL: the pair is ignored */
	enum client_state next;
	bool decided;	  /* false would be a hole in the table */
	const char *name; /* of the action; "" */
};

/* Returns the row of a state for an event: its own one, or that of its group. */
struct client_transition client_fsm(enum client_state s, enum client_event e);
const char *client_state_name(enum client_state s);
const char *client_state_sentence(enum client_state s);
/* Parses the name of a state: the RFC's, in any case. Returns 0 or -USHER_E_UNKNOWN. */
int client_state_parse(const char *name, enum client_state *ret) must_check;
const char *client_event_name(enum client_event e);
const char *client_event_sentence(enum client_event e);
enum client_event_kind client_event_kind_of(enum client_event e);
