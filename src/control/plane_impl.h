/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The management plane from inside: its rows (plane.c), one call (plane_call.c), requests that wait
 * for the thread of long commands (transport.c).
 */
#pragma once

#include "control/plane.h"
#include "control/transport.h"
#include "runtime/background.h"

struct control_counts;

struct control_plane {
	struct control_plane_opts o;
	const struct control_command **rows; /* [n_rows], by name */
	size_t n_rows;
	struct control_pending *pending; /* long commands that wait or run */
	unsigned n_pending;
	struct control_counts *counts; /* of the requests that were answered */
};

/* A long command from its request to its answer. */
struct control_pending {
	struct background_job job; /* first */
	struct control_pending *next;
	struct control_plane *plane;
	struct control_request request;
	struct control_call call;
	const struct control_command *row; /* NULL: it was removed */
	struct control_reply reply;	   /* done NULL: nobody waits for the answer */
};

const struct control_command *control_row_find(const struct control_plane *p, const char *name);
/* Fills in a call of the request's command. */
struct control_call control_call_begin(const struct control_plane *p, const struct json *request,
				       const struct control_requester *from, struct arena *arena);
/* Checks a call, and logs its arrival. Returns the refusal, or NULL and the row to run. */
struct json *control_call_check(const struct control_plane *p, const struct json *request,
				struct control_call *c, const struct control_command **ret_row);
/* Runs fn of the row, after its work, and what follows every command: the program's function, the
 * audit line. answer: the refusal after work, or NULL. Returns the answer. */
struct json *control_call_end(const struct control_plane *p, const struct control_command *row,
			      struct control_call *c, struct json *answer);
