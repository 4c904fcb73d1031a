/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The management plane as transports see it: a request goes in, and its answer comes at once or
 * later. A transport has one function for both. It may end a connection at any time, also within
 * that function.
 */
#pragma once

#include "base/arena.h"
#include "base/attr.h"
#include "base/span.h"
#include "config/json/problems.h"
#include "control/command.h"

struct control_pending;
struct control_plane;

struct control_request {
	struct arena arena;		 /* of root, and of the answer */
	const struct json *root;	 /* NULL: the parser stopped at the last problem */
	struct config_problems problems; /* of the text */
	struct control_requester from;	 /* its texts are borrowed during the call */
};

struct control_reply {
	/* Called once with the answer, or with a stream of its pieces (next not NULL; answer is
	 * NULL then), which the callee owns. The answer is valid until the function returns. */
	void (*done)(void *ctx, const struct json *answer, const struct control_stream *stream);
	void *ctx;
};

/* Returns the author of requests on a connected unix socket. */
struct control_requester control_peer(int fd);
/* Parses the text of a request, of which r keeps copies. Sets all members of r but from. */
void control_request_parse(struct control_request *r, struct span text, unsigned max_depth);
/* Returns whether the command of a request answers problems of its text itself; else their list is
 * the answer. */
bool control_takes_problems(struct control_plane *p, const struct control_request *r);
/*
 * Answers a request, which it takes: {"command": name, "arguments": {...}, "service": [...]}.
 * Returns NULL when done was called; else done will be called in a later round of the loop, unless
 * the caller cancels it.
 */
struct control_pending *control_plane_answer(struct control_plane *p, struct control_request *r,
					     const struct control_reply *reply);
/* Gives up the answer: done will not be called. The command is carried out. Accepts NULL. */
void control_plane_cancel(struct control_pending *c);
/*
 * Answers a request in the caller's thread, also a long one, for planes without a background. The
 * answer lives in arena. A streamed answer is returned in *ret_stream (next not NULL) instead.
 */
struct json *control_plane_answer_now(struct control_plane *p, const struct json *request,
				      const struct control_requester *from, struct arena *arena,
				      struct control_stream *ret_stream);
/* Returns the answer that lists problems of a request's text behind `why`. */
struct json *control_problems_answer(struct arena *a, const struct config_problems *problems,
				     const char *why);
