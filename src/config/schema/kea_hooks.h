/* SPDX-License-Identifier: MPL-2.0 */
/* The hook libraries of Kea (kea_hooks.def). Constant; any thread. */
#pragma once

enum kea_hook_kind {
	KEA_HOOK_NOT_KEAS, /* a library for this server, or of another origin */
	KEA_HOOK_NATIVE,   /* a library of this server has that name */
	KEA_HOOK_COMMANDS, /* its commands are part of this server, and there when it is loaded */
	KEA_HOOK_ALWAYS,   /* its effect is there without loading anything */
	KEA_HOOK_LATER,	   /* not supported yet */
	KEA_HOOK_REFUSED,  /* not supported, for a reason */
};

/* The libraries with commands that are there only while they are loaded: bits of
 * config.command_libraries. */
enum kea_command_library {
	KEA_CLASS_CMDS = 1,
	KEA_HOST_CMDS = 2,
	KEA_SUBNET_CMDS = 4,
	KEA_LEASE_CMDS = 8,
	KEA_STAT_CMDS = 16,
};

struct kea_hook {
	const char *file;
	enum kea_hook_kind kind;
	const char *reason; /* REFUSED */
};

/* The functions that a library for this server exports (include/usher/hook.h). */
enum { HOOK_SYMBOLS = 2 };
extern const char *const hook_symbols[HOOK_SYMBOLS];

/* Returns the library of "hooks-libraries" with this name of a file; the directory does not matter.
 */
struct kea_hook kea_hook_of(const char *path);
/* Returns the bit of a library of enum kea_command_library, by the name of its file; 0: another
 * one. */
unsigned kea_command_library(const char *file);
