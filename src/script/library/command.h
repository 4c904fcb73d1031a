/* SPDX-License-Identifier: MPL-2.0 */
/*
 * haka.command{name=, args=, help=, access=, eval=}: commands of scripts for the control channel of
 * their host. A script registers them while it is run; the host reads them then, and calls eval for
 * each request.
 */
#pragma once

#include "script/state/script.h"

struct arena;
struct json;

enum { SCRIPT_COMMANDS_MAX = 64, SCRIPT_COMMAND_NAME_LEN = 64 };

struct script_command {
	char name[SCRIPT_COMMAND_NAME_LEN];
	char *args; /* a description of arguments; "" if the script gives none */
	char *help;
	bool writes;	/* the command changes state: access='write' */
	int eval;	/* registry reference */
	char where[96]; /* file and line of the registration */
};

/* Returns the i-th command that the script registered, or NULL. */
const struct script_command *script_command_at(const struct script *s, size_t i);
/*
 * Calls eval(arguments, requester) of a command, within the limits of a call. args: a map, or NULL.
 * requester: its author, for people. Returns the answer in arena, with a result of 1 where eval
 * returns nil and a text; NULL: eval failed, or returned a value that has no form in JSON, and *err
 * is filled.
 */
struct json *script_command_run(struct script *s, const struct script_command *c,
				const struct json *args, const char *requester, struct arena *arena,
				struct script_error *err) must_check;
