/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The part of a state that its library needs: the host's functions for it, the console, the shared
 * tables, and the commands.
 */
#pragma once

#include "script/library/command.h"
#include "script/library/shared.h"
#include "script/state/script_impl.h"

struct script_opts;

struct library_state {
	/* of the host, as in struct script_opts */
	void (*print)(void *ctx, struct span);
	void (*exit)(void *ctx);
	void (*log_level)(void *ctx, const char *level, const char *section);
	bool (*prompt)(void *ctx, const char *prompt, struct buf *line);
	bool (*refuse_command)(void *ctx, const char *name, const char *args, char *why, size_t n);
	void *ctx;
	bool color;
	struct buf *captured;			  /* where print() goes; NULL: to the host */
	struct buf line;			  /* the last one that a person typed */
	struct shared_store *shared, *own_shared; /* own: where the host has none */
	struct buf shared_text;			  /* copied texts, kept for their memory */
	struct script_command *commands[SCRIPT_COMMANDS_MAX]; /* of haka.command() */
	size_t n_commands;
	bool commands_closed; /* the host has read them */
	int command_call;     /* registry reference of the function that calls one */
};

/* Makes s->library. 0, or -ENOMEM. */
int library_new(struct script *s, const struct script_opts *o) must_check;
void library_free(struct script *s);

/* Opens one part, as the functions below do, in a protected call. */
void script_open_sandbox(lua_State *L);
void script_open_say(lua_State *L);
void script_open_languages(lua_State *L);
void script_open_commands(lua_State *L);
int script_open_shared(struct script *s) must_check;
/* Gives the state haka.interactive_rule(). 0, or -USHER_E_SCRIPT (memory). */
int script_open_console(struct script *s) must_check;
/* Opens the module color. */
int script_open_color(lua_State *L);
