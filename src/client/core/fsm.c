/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The state table in memory, and questions to it. RFC 2131 4.4, figure 5.
 */
#include "client/core/fsm.h"

#include "base/error.h"
#include "client/core/action.h"

#include <strings.h>

static const struct client_transition table[CLIENT_N_STATES][CLIENT_N_EVENTS] = {
#define STATE(symbol, name, sentence) [CLIENT_##symbol] = {
#define ON(event, action, next) \
	[CLIENT_EV_##event] = {action_##action, CLIENT_##next, true, #action},
#define NOT(event) [CLIENT_EV_##event] = {NULL, CLIENT_OFF, true, ""},
#define END \
	}   \
	,
#include "client/core/fsm.def"
};

static const struct {
	const char *name, *sentence;
} states[] = {
#define STATE(symbol, name, sentence) {name, sentence},
#include "client/core/fsm.def"
};

static const struct {
	const char *name, *sentence;
	enum client_event_kind kind;
} events[] = {
#define EVENT(symbol, kind, sentence) {#symbol, sentence, CLIENT_KIND_##kind},
#include "client/core/fsm.def"
};

const struct client_transition *client_fsm(enum client_state s, enum client_event e)
{
	return &table[s][e];
}

const char *client_state_name(enum client_state s)
{
	return states[s].name;
}

const char *client_state_sentence(enum client_state s)
{
	return states[s].sentence;
}

int client_state_parse(const char *name, enum client_state *ret)
{
	for (unsigned i = 0; i < CLIENT_N_STATES; i++) {
		if (strcasecmp(states[i].name, name) == 0) {
			*ret = (enum client_state)i;
			return 0;
		}
	}
	return -USHER_E_UNKNOWN;
}

const char *client_event_name(enum client_event e)
{
	return events[e].name;
}

const char *client_event_sentence(enum client_event e)
{
	return events[e].sentence;
}

enum client_event_kind client_event_kind_of(enum client_event e)
{
	return events[e].kind;
}
