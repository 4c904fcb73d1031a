/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct usher_lib from the inside; shared by the loader (hook.c) and the ABI (hook_abi.c) only.
 */
#pragma once

#include "base/arena.h"
#include "control/command.h"
#include "usher/hook.h"

#include <stdatomic.h>

struct hook_builtin;
struct hook_registry;
struct json;
struct log;

/* Counters of the libraries of one path, shared by the registries that follow each other. */
struct hook_counter {
	_Atomic unsigned refs;
	_Atomic uint64_t calls, ns;
};

struct usher_lib {
	struct hook_registry *registry;
	unsigned index; /* slot in a packet's data */
	char *path;
	void *handle;			    /* of dlopen; NULL: built in */
	const struct hook_builtin *builtin; /* NULL: dlopened, or callouts alone */
	bool loading, loaded;
	char *parameters; /* JSON text */
	struct json *params;
	struct arena arena;
	void *data;
	char *refusal; /* of a command that it registered: the configuration is refused */
	struct log *log;
	struct hook_counter *counter;
};

enum { HOOK_MAX_COMMANDS = 64, HOOK_COMMAND_NAME_LEN = 64 };

struct hook_command {
	struct usher_lib *lib;
	usher_callout fn;
	void *ctx;
};

/* The commands of all libraries of a registry. */
struct hook_commands {
	struct control_command rows[HOOK_MAX_COMMANDS];
	struct hook_command commands[HOOK_MAX_COMMANDS];
	size_t n;
	bool (*is_taken)(const char *name); /* by the program; NULL: no name is */
};

struct hook_commands *hook_commands_of(struct hook_registry *r);
/* Counts and logs a call of a library that failed with e. where: the hook point or command. */
void hook_count_failure(struct hook_registry *r, const char *where, const struct usher_lib *lib,
			int e);
