/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The hook library "lua" from the inside, shared by its own files: lua_hook.c (parameters, states,
 * callouts), lua_call.c (the view of a call in rules), lua_command.c (commands), lua_expr.c
 * (expressions), lua_when.c (fields of `when`), lua_park.c (handles of parked packets).
 *
 * There is one Lua state a worker, and one more. A worker's thread claims a state when it first
 * calls and keeps it, so no lock is taken for packets. The last state serves all other threads, one
 * at a time: the management thread's calls have no packet (commands, leases that expire, the
 * configuration).
 */
#pragma once

#include "control/command.h"
#include "hook/hook.h"
#include "script/library/command.h"
#include "script/values/dhcp.h"
#include "script/rules/event.h"
#include "server/core/server.h"

#include <pthread.h>

struct lua_hook;
struct lua_parked;
struct lua_state;
struct script_opts;

/* A lease as Lua sees it. */
struct lua_lease {
	struct lease *lease; /* NULL: none */
	struct lua_state *st;
	bool fixed; /* may not be changed here */
};

/* One state. The members of a call are set for its duration; generation moves when it ends. */
struct lua_state {
	struct lua_hook *hook;
	struct script *script;
	bool running; /* the script was run to its end */
	_Atomic bool claimed;
	_Atomic bool owned; /* `owner` may be read */
	pthread_t owner;
	unsigned events[HOOK_N_POINTS];

	usher_call *call;
	uint32_t generation;
	struct script_dhcp query, response;
	struct lua_lease lease, deleted;
};

/* The context of a command of the script. */
struct lua_command {
	struct lua_hook *hook;
	const struct script_command *command;
};

/* The context of the callout of a hook point. */
struct lua_point {
	struct lua_hook *hook;
	enum hook_point point;
};

struct lua_hook {
	struct usher_lib *lib;
	struct log *log;
	bool drop_on_error;
	struct lua_point points[HOOK_N_POINTS];
	struct lua_command commands[SCRIPT_COMMANDS_MAX];
	struct lua_state states[SERVER_MAX_WORKERS + 1];
	unsigned n_states;	     /* the last one is shared, under the lock */
	struct shared_store *tables; /* of haka.shared(), of all states */
	pthread_mutex_t shared;

	pthread_mutex_t park_lock; /* of the members below, and of the contents of handles */
	struct lua_parked *parked;
	struct lua_parked **parked_end;
	bool retired;
};

/* --- lua_hook.c ------------------------------------------------------------------------------- */
/* Opens a state with all classes and events in it. 0, -ENOMEM, -USHER_E_SCRIPT. lua_state_close()
 * also after a failure. */
int lua_state_open(struct lua_state *st, struct lua_hook *h, const struct script_opts *so)
	must_check;
void lua_state_close(struct lua_state *st);
/* Calls the rules of a state that listen to a hook point. The return values of script_raise(). */
unsigned lua_state_call(struct lua_state *st, enum hook_point point, usher_call *call);

/* --- lua_call.c ------------------------------------------------------------------------------- */
extern const struct script_class lua_call_class;
int lua_call_register(struct lua_state *st) must_check;
/* Makes a call visible in the state; ends that. */
void lua_call_begin(struct lua_state *st, usher_call *call);
void lua_call_end(struct lua_state *st);

/* --- lua_command.c ---------------------------------------------------------------------------- */
/* Refuses a command that the server cannot have, for the script's registration; ctx is the hook. */
bool lua_command_refuse(void *ctx, const char *name, const char *args, char *why, size_t n);
/* Registers the commands of the script. 0, or the result of usher_register_command(). */
int lua_commands_register(struct lua_hook *h) must_check;

/* --- lua_expr.c ------------------------------------------------------------------------------- */
/* Adds haka.expression() and its class. 0, or -USHER_E_SCRIPT (memory). */
int lua_expression_register(struct lua_state *st) must_check;

/* --- lua_when.c ------------------------------------------------------------------------------- */
/* The fields that `when` may name. Their context is the state. */
extern const struct script_filter_field lua_when_fields[];

/* --- lua_park.c ------------------------------------------------------------------------------- */

/* Registers the class of handles in the state. */
int lua_park_register(struct lua_state *st) must_check;
/* Implements call:park(). */
int lua_call_park(lua_State *L);
/* Returns the handles that this state took for the current call, because its rule failed. */
void lua_park_undo(struct lua_state *st, bool drop);
/* Returns all handles; later calls of park() get none. Any thread. */
void lua_park_retire(struct lua_hook *h);
