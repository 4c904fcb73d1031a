/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The record of a hook library of Kea that is built in (libraries.def), and the common parts of all
 * of them: reading of parameters, with a place for each mistake, and expressions on the packet of a
 * call. Used while a configuration is read, and by workers.
 */
#pragma once

#include "base/log.h"
#include "config/expr.h"
#include "hook/hook.h"
#include "hook/hook_access.h"
#include "hook/hook_cost.h"

struct config_error;

/* The mistakes in the parameters of one library. */
struct library_problems {
	const char *library;
	const struct json_pos *at; /* the entry of hooks-libraries */
	void (*fn)(void *ctx, const struct config_error *e);
	void *ctx;
	size_t n;
};

/* Reports a mistake, with the library's name before the text. */
void library_problem(struct library_problems *p, const struct json_pos *at, const char *fmt, ...)
	printf_like(3, 4);

/* A member that a map may have. */
struct library_key {
	const char *name;
	enum json_type type;
};

/* Reports members that are unknown or of another type. Returns whether there were none. */
bool library_check_keys(struct library_problems *p, const struct json *map,
			const struct library_key *keys, size_t n);
/* Compiles an expression. Returns NULL if the text is absent, empty or refused. condition: a
 * boolean expression, else a string. */
const struct expr *library_expr(struct library_problems *p, const struct config *cfg,
				const struct json *text, bool condition, struct arena *arena);

/* Evaluates expressions on a message of the call, the query or the response. Returns 0, or
 * -USHER_E_EVAL with a reason in ret_why. */
int library_text(usher_call *call, const struct expr *e, const usher_msg *msg, struct span *ret,
		 const char **ret_why) must_check;
int library_condition(usher_call *call, const struct expr *e, const usher_msg *msg, bool *ret,
		      const char **ret_why) must_check;

struct library_file {
	const char *name;
	int dir; /* enum config_dir_kind */
};

/* The messages about a library's life. */
struct library_log {
	enum log_id loaded, refused, unloaded;
};

/*
 * A library. Its record is size octets of zeros, and begins with the arena of the library's memory.
 */
struct library {
	const char *name; /* of Kea's file */
	size_t size;
	const struct library_log *log; /* NULL: HOOKS_LIBRARY_LOADED and _UNLOADED suffice */
	/* Fills the record from the parameters (NULL: none), and reports all mistakes. Without
	 * effect outside of the record. */
	void (*parse)(struct library_problems *p, const struct config *cfg,
		      const struct json *parameters, void *record);
	/* Gives the record the parts of the server that it uses, before start. NULL: it uses
	 * none. */
	void (*attach)(void *record, const struct hook_registry_opts *o);
	/* The parameters that name files which it runs or writes; ends with an empty name. NULL:
	 * there are none. */
	const struct library_file *files;
	/* Takes parts of the library that this one will replace, whose record keeps them, too.
	 * Called before start. NULL: there are none. */
	void (*adopt)(void *record, void *before);
	/* Registers callouts and commands. Threads and files have to wait for dhcp4_srv_configured:
	 * a configuration that is only tested starts its libraries, too. 0, or a negative errno. */
	int (*start)(usher_lib *lib, void *record);
	/* Calls fn for each statistic of the library. NULL: it has none. */
	void (*statistics)(void *record, hook_statistic_fn *fn, void *ctx);
	/* Decide about requests over HTTP (hook_access.h). NULL: all are accepted. */
	enum hook_access (*check_request)(void *record, const struct hook_asked *asked);
	bool (*hides_command)(void *record, const struct hook_asked *asked);
	/* Frees the memory beside the arena. NULL: there is none. */
	void (*stop)(void *record);
};

#define LIBRARY(symbol) extern const struct library library_##symbol;
#include "library/common/libraries.def"
#undef LIBRARY
