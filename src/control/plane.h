/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The management plane: every command of a program is a row, regardless of its owner (the program,
 * a hook library, a script) and of the transport that carried the request. The plane checks a
 * request, its arguments, the requester's access and the row's preconditions, calls the functions
 * of the row, and logs commands that change state. All of it belongs to the thread of the event
 * loop, but control_command.work. Transports use control/transport.h.
 */
#pragma once

#include "control/command.h"

#include <stddef.h>

struct background;
struct control_plane;

struct control_plane_opts {
	void *program;
	const char *service; /* the only one that a request may name: "dhcp4"; NULL: any */
	/* Runs the work of long commands; it is freed before the plane. NULL: the loop's thread
	 * does. */
	struct background *background;
	unsigned max_waiting; /* long commands that wait or run; one more is refused; 0: 16 */
	/* NULL, or writes a line of the log. */
	void (*write_line)(void *program, enum control_line kind, const char *text);
	/* NULL, or called before an answer leaves: writes the lines so far, unless an output hangs.
	 */
	void (*flush_lines)(void *program);
	/* Returns the reason why the preconditions do not hold now; NULL: they hold. */
	const char *(*refuse)(void *program, unsigned needs);
	/* NULL, or called with the answer of each known command; returns the answer to send. */
	struct json *(*processed)(struct control_call *c, struct json *answer);
	/*
	 * NULL, or returns whether a command runs although the text of its request has problems
	 * that the parser stepped over (c->problems), so that it can add its own. It returns its
	 * refusal, or NULL: the list of the problems is the answer.
	 */
	bool (*takes_problems)(const struct control_call *c);
};

/* Creates a plane without rows. Returns 0 or -ENOMEM. */
int control_plane_new(const struct control_plane_opts *o, struct control_plane **ret) must_check;
/* Accepts NULL. No request may wait for its answer any more. */
void control_plane_free(struct control_plane *p);
/*
 * Adds n rows, which are borrowed until they are removed. Returns 0; -USHER_E_EXISTS: a name is
 * taken, and no row was added; -USHER_E_SYNTAX: a description of arguments is malformed; -ENOMEM.
 */
int control_plane_add(struct control_plane *p, const struct control_command *rows, size_t n)
	must_check;
/* Removes all rows of an owner, of which none may be at work. Waiting requests for them are
 * refused. */
void control_plane_remove(struct control_plane *p, const void *owner);
/* Removes the rows of an owner (NULL: none) and adds n others in one step. The results of
 * control_plane_add(); on failure nothing changed. */
int control_plane_replace(struct control_plane *p, const void *owner,
			  const struct control_command *rows, size_t n) must_check;
/* Returns a list with name, purpose, arguments and access of each row, or of one. NULL: there is no
 * such row, or no memory. */
struct json *control_plane_describe(const struct control_plane *p, const char *name,
				    struct arena *a);
/* Calls fn for each row, in the order of the names. */
void control_plane_each(const struct control_plane *p,
			void (*fn)(void *ctx, const struct control_command *row), void *ctx);
