/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The options of a state: its limits, and functions of the host.
 */
#pragma once

#include "script/state/script.h"

struct buf;
struct shared_store;

enum {
	SCRIPT_INSTRUCTIONS = 10 * 1000 * 1000, /* about 50 ms; 16 octets allocated count as one */
	SCRIPT_MEMORY = 64 * 1024 * 1024,
	SCRIPT_CALL_MS = 1000,
};

struct script_opts {
	enum script_profile profile;
	uint64_t instructions; /* of an outermost call; 0: SCRIPT_INSTRUCTIONS. RESTRICTED only */
	size_t memory;	       /* octets of the state; 0: SCRIPT_MEMORY */
	unsigned call_ms;      /* of an outermost call; 0: SCRIPT_CALL_MS. RESTRICTED only */
	const char *const
		*paths; /* where require() looks, behind the directory of the file that is run */
	size_t n_paths;
	bool color;		       /* does somebody see colours of require('color')? */
	bool timers;		       /* the host fires timers (timer.h); else scripts have none */
	unsigned thread;	       /* result of haka.current_thread() */
	struct log *log;	       /* borrowed; NULL: nothing is written */
	const struct clock_src *clock; /* clock of haka.network_time(); NULL: the machine's */
	void (*print)(void *ctx,
		      struct span); /* a line of print(), without its end; NULL: to stdout */
	void (*exit)(void *ctx);    /* haka.exit(); NULL: refused with an error */
	/* haka.setloglevel(): level "debug" .. "fatal", section or NULL. NULL: only the script's
	 * own threshold moves */
	void (*log_level)(void *ctx, const char *level, const char *section);
	/* Asks a person for a line, for haka.interactive_rule(). False: the end of input. NULL:
	 * there is nobody to ask */
	bool (*prompt)(void *ctx, const char *prompt, struct buf *line);
	/* Refuses the name and the description of arguments of haka.command(), with the reason in
	 * why[n]. NULL: the host takes any, and calls none of them */
	bool (*refuse_command)(void *ctx, const char *name, const char *args, char *why, size_t n);
	void *ctx; /* of the functions above */
	/* Tables of haka.shared(), borrowed: the same for the states of all workers. NULL: one of
	 * the state's own */
	struct shared_store *shared;
};
