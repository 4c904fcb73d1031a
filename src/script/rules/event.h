/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Events that a host raises, and their listeners: rules in Lua (haka.rule, haka.rule_group)
 * and functions in C, in the order of registration. A rule's `when` is compiled into
 * conditions over fields that the host declares, and checked before Lua is entered; an event
 * without listeners costs one load.
 *
 * Lua sees haka.dissectors.<dissector>.events.<name>; an event without dissector is
 * haka.events.<name>. Each listener is an outermost call of its own: one that exceeds a limit does
 * not use up that of the next.
 */
#pragma once

#include "script/rules/field.h"
#include "script/state/script.h"
#include "script/state/script_head.h"

enum { SCRIPT_ARGS = 8 };

enum {
	/* Rules may say options = {streamed = true}: they run as a coroutine, one a stream (struct
	   script_raise). */
	SCRIPT_EVENT_STREAMED = 1,
};

/* Defines a new event. 0, -USHER_E_EXISTS, -USHER_E_LIMIT, -USHER_E_SCRIPT (memory). dissector may
 * be NULL. */
int script_event_define(struct script *s, const char *dissector, const char *name, unsigned flags,
			unsigned *ret_id) must_check;
/* Sets the fields that `when` may name for this event. The table ends with an empty name and is
 * borrowed for the life of the state. */
void script_event_fields(struct script *s, unsigned id, const struct script_filter_field *fields);
/* Pushes the table haka.dissectors.<name>, made if there is none. May raise. */
void script_push_dissector(lua_State *L, const char *name);

/* Returns whether there is an event of this number. */
bool script_event_known(const struct script *s, unsigned id);
/* Returns whether an event has a listener. */
static inline bool script_event_any(const struct script *s, unsigned id)
{
	return ((const struct script_head *)(const void *)s)->listeners[id] != 0;
}

/* Returns whether one of the listeners is a streamed rule. */
bool script_event_streamed(const struct script *s, unsigned id);

struct script_raise {
	void *ctx;		/* of all functions here */
	const void *filter_ctx; /* of the fields' get; NULL: ctx */
	/*
	 * Pushes the arguments, at most SCRIPT_ARGS, and returns how many. Called once, and only if
	 * a listener's conditions hold; once more for streamed listeners, when a coroutine starts.
	 * May raise.
	 */
	int (*push)(lua_State *L, void *ctx, bool streamed);
	/* Asked after each listener: has it ended the matter (a drop)? Then the others are not
	 * called. NULL: never. */
	bool (*stopped)(void *ctx);
	/* Called for each fault, after it was logged and counted. NULL: never. */
	void (*on_fault)(void *ctx, const struct script_error *err);
	/* Identifies the stream of a streamed event; each streamed rule has one coroutine for
	 * it. */
	const void *stream;
	/* Only coroutines of that stream that wait are called: to see that it ends, or that no more
	 * can be held. */
	bool resume;
};

enum { SCRIPT_RAISE_FAULT = 1, SCRIPT_RAISE_ABORTED = 2 };

/*
 * Calls the listeners of an event. 0, or a set of the above: ABORTED means haka.abort(), after
 * which no further listener is called and the host leaves the processing of the packet; after a
 * fault the next listener is called unless stopped().
 */
unsigned script_raise(struct script *s, unsigned id, const struct script_raise *r);
/* Releases the coroutines of a stream that has ended. (Raise the event once more before, so that
 * they see the end.) */
void script_stream_forget(struct script *s, const void *stream);

typedef void (*script_event_fn)(void *ctx, void *raise_ctx);
/* Adds a listener in C, in the order of registration with those in Lua. 0, or -USHER_E_SCRIPT. */
int script_event_listen_c(struct script *s, unsigned id, script_event_fn fn, void *ctx) must_check;

/* Raises haka.events.started; script_exiting() raises haka.events.exiting. The return values are
 * those of script_raise(). */
unsigned script_started(struct script *s);
unsigned script_exiting(struct script *s);

enum { SCRIPT_NAME_LEN = 64, SCRIPT_WHERE_LEN = 128 };

struct script_rule {
	char event[2 * SCRIPT_NAME_LEN];
	char name[SCRIPT_NAME_LEN];
	char where[SCRIPT_WHERE_LEN]; /* "file:line" */
	uint64_t calls;
	uint64_t faults;
	uint64_t skipped; /* conditions did not hold */
	uint64_t ns;	  /* in its calls: estimated from every 64th, exact while timing is on */
};

/* Returns statistics of rules in the order of registration: fills at most n, returns how many there
 * are. For the thread of the state, or any other while no script file is being run. */
size_t script_rules(const struct script *s, struct script_rule *ret, size_t n);
/* Measures the time of every call, not of every 64th. */
void script_rules_timing(struct script *s, bool on);
