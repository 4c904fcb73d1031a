/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command channel: a unix stream socket. A client writes one JSON object, gets one JSON object
 * back, and the connection is closed (Kea's framing). Bounded in every direction: connections,
 * size, depth, idle time. Runs in the management loop, never in a worker.
 */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct channel;
struct config_problems;
struct json;
struct log;
struct loop;

/*
 * An answer that is made as it is read: next appends some of it, and is called again when that has
 * been sent. False: that was the end. A client that reads slowly costs a piece of it, not the
 * whole.
 */
struct buf;
struct control_stream {
	bool (*next)(void *ctx, struct buf *out);
	void (*fini)(void *ctx);
	void *ctx;
};

struct channel_opts {
	const char *path;
	mode_t mode;		  /* of the socket; Kea's is 0660 */
	size_t max_request;	  /* octets; 0: 32 MiB */
	unsigned max_connections; /* 0: 64; a few more have a moment to send a request */
	size_t max_held;	  /* octets of requests and answers of all connections; 0: 96 MiB */
	int64_t idle_ns;    /* for a whole request, then without progress of the answer; 0: 10 s */
	unsigned max_depth; /* 0: 64 */
	struct log *log;
	/* Answers a request (a map). The answer lives in arena. */
	struct json *(*handle)(void *ctx, const struct json *request, struct arena *arena);
	/*
	 * NULL, or called for a request whose text has problems that the parser stepped over.
	 * Returns the answer, which lives in arena, or NULL: a list of these problems will do.
	 */
	struct json *(*invalid)(void *ctx, const struct json *request,
				const struct config_problems *problems, struct arena *arena);
	/* NULL, or called before handle() or invalid() with the user at the other end
	 * (SO_PEERCRED); (uid_t)-1: unknown. */
	void (*from)(void *ctx, uid_t uid);
	/* NULL, or called after handle(): true if the answer is *ret, and not the result of
	 * handle(). */
	bool (*take_stream)(void *ctx, struct control_stream *ret);
	void *ctx;
	/* NULL, or the caller's list of channels that are closed and still have connections to
	 * finish. */
	struct channel **closing;
};

/* Checks whether a channel could be opened at the path, and changes nothing. Returns 0 or
 * -errno: -EADDRINUSE, a running server listens there; -EEXIST, it is no socket. */
int channel_check(const char *path) must_check;
/* Opens a channel. A path where a running server listens is refused with -EADDRINUSE; the socket
 * of an ended one is replaced. */
int channel_open(struct loop *loop, const struct channel_opts *o, struct channel **ret) must_check;
const char *channel_path(const struct channel *c);
/*
 * Removes the socket. Without a list of closing channels all connections end; with one, present
 * connections are served to their end, and then the channel is freed. May be called from within
 * handle(): the request is still answered.
 */
void channel_close(struct channel *c);
/* Ends all connections of closed channels. */
void channel_end_closing(struct channel **closing);

/* Returns an answer {"result": …, "text": …}; fmt makes the text. */
struct json *control_answer(struct arena *a, int result, const char *fmt, ...) printf_like(3, 4);

/* Kea's result codes. */
enum control_result {
	CONTROL_OK = 0,
	CONTROL_ERROR = 1,
	CONTROL_UNSUPPORTED = 2,
	CONTROL_EMPTY = 3,
	CONTROL_CONFLICT = 4,
};
