/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The state table in memory, and questions to it. RFC 2131 4.4, figure 5. A state has the rows of
 * its group for the events that it does not decide itself.
 */
#include "client/core/fsm.h"

#include "base/error.h"
#include "client/core/action.h"

#include <strings.h>

/* The states and, behind them, the groups: all have rows, and a group whose rows complete them. */
enum owner {
	OWNER_BEFORE_GROUPS = CLIENT_N_STATES - 1,
#define GROUP(symbol, parent, sentence) GROUP_##symbol,
#include "client/core/fsm.def"
	N_OWNERS,
	GROUP_NONE = N_OWNERS
};

static const uint8_t group_of[N_OWNERS] = {
#define STATE(symbol, name, sentence, group) [CLIENT_##symbol] = GROUP_##group,
#define GROUP(symbol, parent, sentence)	     [GROUP_##symbol] = GROUP_##parent,
#include "client/core/fsm.def"
};

/* The state does not change. */
enum { CLIENT_STAY = CLIENT_N_STATES };

struct row {
	client_action *action;
	uint8_t next; /* enum client_state, or CLIENT_STAY */
	bool decided;
	const char *name;
};

static const struct row table[N_OWNERS][CLIENT_N_EVENTS] = {
#define STATE(symbol, name, sentence, group) [CLIENT_##symbol] = {
#define GROUP(symbol, parent, sentence)	     [GROUP_##symbol] = {
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
#define STATE(symbol, name, sentence, group) {name, sentence},
#include "client/core/fsm.def"
};

static const struct {
	const char *name, *sentence;
	enum client_event_kind kind;
} events[] = {
#define EVENT(symbol, kind, sentence) {#symbol, sentence, CLIENT_KIND_##kind},
#include "client/core/fsm.def"
};

struct client_transition client_fsm(enum client_state s, enum client_event e)
{
	unsigned owner = s;
	const struct row *r = &table[owner][e];

	while (!r->decided && group_of[owner] != GROUP_NONE) {
		owner = group_of[owner];
		r = &table[owner][e];
	}
	return (struct client_transition){
		.action = r->action,
		.next = r->next == CLIENT_STAY ? s : (enum client_state)r->next,
		.decided = r->decided,
		.name = r->name,
	};
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
