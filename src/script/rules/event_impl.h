/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Listeners, as the files that make them (rule.c) and call them (event.c) share them. They are
 * userdata of the state, kept alive by the registry: so they count as its memory, and go with it.
 */
#pragma once

#include "script/rules/filter.h"
#include "script/state/script_impl.h"

enum listener_kind { LISTENER_RULE, LISTENER_GROUP, LISTENER_C };

struct rule_stats {
	struct rule_stats *next; /* of all rules, in the order of registration */
	unsigned event;
	char name[SCRIPT_NAME_LEN];
	char where[SCRIPT_WHERE_LEN];
	_Atomic uint64_t calls;
	_Atomic uint64_t faults;
	_Atomic uint64_t skipped;
	_Atomic uint64_t ns;
};

/* References are the registry's; LUA_NOREF: none. */
struct group_rule {
	struct group_rule *next;
	int eval;
	struct rule_stats stats;
};

struct listener {
	struct listener *next;
	enum listener_kind kind;
	bool streamed;
	int self; /* the listener itself */
	int eval;
	const struct script_filter *filter; /* NULL: always */
	int filter_ref;
	int init, proceed, final; /* of a group */
	struct group_rule *rules;
	struct group_rule **rules_end;
	script_event_fn fn;
	void *ctx;
	struct rule_stats stats;
};

struct event {
	char dissector[SCRIPT_NAME_LEN];
	char name[SCRIPT_NAME_LEN];
	unsigned flags;
	bool streamed; /* a streamed rule listens */
	const struct script_filter_field *fields;
	struct listener *first;
	struct listener **end;
};

struct event_table {
	unsigned n;
	unsigned started, exiting;
	bool timing;
	int push_args, call_only, streamed_step; /* C functions, made once */
	struct rule_stats *stats;
	struct rule_stats **stats_end;
	struct event list[SCRIPT_EVENTS];
};

/* A streamed rule's next step: starts its coroutine, or resumes it (event_table.streamed_step). */
struct event_step {
	struct script *s;
	const struct script_raise *r;
	const struct listener *l;
};
/* Returns whether a coroutine of the listener waits for the stream. Allocates nothing. */
bool event_follows(struct script *s, const struct listener *l, const void *stream);
void event_streams_open(lua_State *L);

/* Writes the name of an event, "dissector.name" or "haka.name", and returns `out`. */
const char *event_text(const struct event *e, char out[2 * SCRIPT_NAME_LEN]);
/* Returns the key of an index function, which is at idx, or the name of its type. */
const char *event_key_text(lua_State *L, int idx);
/* Writes the place in the script that is running. */
void event_find_place(lua_State *L, char out[SCRIPT_WHERE_LEN]);
/* Returns the event at idx, and its number; NULL if it is something else. */
struct event *event_at(lua_State *L, int idx, unsigned *ret_id);
/* Appends a listener that is complete. */
void event_attach(struct script *s, unsigned id, struct listener *l);
void event_count_rule(struct script *s, unsigned id, struct rule_stats *stats);
