/* SPDX-License-Identifier: MPL-2.0 */
/*
 * struct usher_lib and the registry from the inside, for the files of this folder only.
 */
#pragma once

#include "base/arena.h"
#include "control/command.h"
#include "hook/hook.h"
#include "usher/hook.h"

#include <stdatomic.h>

enum { HOOK_MAX_CALLOUTS = 32 };

/* Counters of the libraries of one path, shared by the registries that follow each other. */
struct hook_counter {
	_Atomic unsigned refs;
	_Atomic uint64_t calls, ns, lost;
	_Atomic uint64_t events[HOOK_N_EVENTS];
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
	_Atomic unsigned hanging; /* calls that do not return */
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

struct callout {
	usher_callout fn;
	void *ctx;
	struct usher_lib *lib;
};

struct hook_registry {
	struct hook_points points; /* first: hook_any looks there */
	_Atomic int refs;
	struct log *log;
	const struct clock_src *clock;
	struct hook_registry *before; /* while it is being made */
	struct config *cfg;	      /* it was made from: libraries keep parts of it */
	bool has_expressions;	      /* compiled with the definitions of that configuration */
	struct usher_lib libs[HOOK_MAX_LIBS];
	unsigned n_libs;
	struct callout callouts[HOOK_N_POINTS][HOOK_MAX_CALLOUTS];
	uint8_t n_callouts[HOOK_N_POINTS];
	_Atomic uint64_t failures;
	struct hook_commands commands;
};

struct hook_commands *hook_commands_of(struct hook_registry *r);
/* Counts and logs a call of a library that failed with e. where: the hook point or command. */
void hook_count_failure(struct hook_registry *r, const char *where, const struct usher_lib *lib,
			int e);
/* Takes a reference to the counters of a path, of this registry or the one before. */
struct hook_counter *hook_counter_take(const struct hook_registry *r, const char *path) must_check;
/* Releases a reference; accepts NULL. */
void hook_counter_drop(struct hook_counter *c);
