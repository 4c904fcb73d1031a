/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Commands of the control channel, one function each (commands.def). They run in the management
 * thread; a command that changes leases answers when the change is on disk.
 */
#pragma once

#include "base/attr.h"
#include "config/json/json.h"
#include "control/channel.h"
#include "server/manage/daemon.h"

struct command {
	struct server_daemon *d;
	const struct json *args; /* "arguments"; NULL: none */
	struct arena *arena;	 /* of the answer */
};

#define COMMAND(name, fn, needs, does, args) struct json *fn(struct command *c);
#include "server/manage/commands.def"
#undef COMMAND

/* The functions that answer on the control sockets (daemon_opts.commands). */
extern const struct daemon_commands server_commands;
/* Returns the refusal of config-test or config-set whose text has problems p; NULL: the request is
 * another command. */
struct json *command_invalid(void *daemon, const struct json *request,
			     const struct config_problems *p, struct arena *arena);

/* Answers: {"result": 0, "text": …}, with arguments. */
struct json *command_ok(struct command *c, struct json *arguments, const char *fmt, ...)
	printf_like(3, 4);
struct json *command_fail(struct command *c, const char *fmt, ...) printf_like(2, 3);
/* Returns a text argument; NULL if absent or of another type. The function below reads an
 * integer and returns false then. */
const char *command_str(const struct command *c, const char *name);
bool command_int(const struct command *c, const char *name, int64_t *ret);
bool command_bool(const struct command *c, const char *name, bool *ret);
/* Waits until a change of leases is on disk; NULL, or the answer that says it is not. */
struct json *command_durable(struct command *c, uint64_t seq);
