/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands of the control channel, one function each (commands.def). They run in the management
 * thread, long work beside it; a command that changes leases answers when the change is on disk.
 */
#pragma once

#include "base/attr.h"
#include "config/json/json.h"
#include "control/plane.h"
#include "control/rows.h"
#include "server/manage/daemon.h"

struct snapshot;

/* Returns the daemon that runs the command. */
static inline struct server_daemon *daemon_of(const struct control_call *c)
{
	return c->program;
}

#define COMMAND(...) CONTROL_DECLARE(__VA_ARGS__)
#include "server/manage/commands.def"
#undef COMMAND

/* The commands of the control sockets (daemon_opts.commands). */
extern const struct daemon_commands server_commands;
/* Returns whether a name is one of the server's own commands. */
bool command_is_own(const char *name);
/* Returns whether a request is checked as a configuration although its text has problems. */
bool command_takes_problems(const struct control_call *c);

/* Answers: {"result": 0, "text": …}, with arguments. */
struct json *command_ok(struct control_call *c, struct json *arguments, const char *fmt, ...)
	printf_like(3, 4);
struct json *command_fail(struct control_call *c, const char *fmt, ...) printf_like(2, 3);
/*
 * Returns the answer of a command that streams it: *s, which is taken, is sent as it is read; or
 * its whole text, where callouts of command_processed receive the answer.
 */
struct json *command_stream(struct control_call *c, const struct control_stream *s);
/* Returns a text argument; NULL if absent or of another type. The function below reads an
 * integer and returns false then. */
const char *command_str(const struct control_call *c, const char *name);
bool command_int(const struct control_call *c, const char *name, int64_t *ret);
bool command_bool(const struct control_call *c, const char *name, bool *ret);
/* Waits until a change of leases is on disk; NULL, or the answer that says it is not. */
struct json *command_durable(struct control_call *c, uint64_t seq);
/* Returns the configuration in effect, with the values that commands have changed since. */
struct json *command_running_config(struct control_call *c, const struct snapshot *s);
/* Makes the reading of a command, beside the loop: control_call.result. NULL: out of memory. */
struct daemon_reading *command_begin_reading(struct control_call *c);
