/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command channel: a unix stream socket. A client writes one JSON object, gets one JSON object
 * back, and the connection is closed (Kea's framing). Bounded in every direction: connections,
 * size, depth, idle time. Runs in the management loop, never in a worker.
 */
#pragma once

#include "base/attr.h"
#include "control/plane.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct channel;
struct log;
struct loop;

struct channel_opts {
	const char *path;
	mode_t mode;		  /* of the socket; Kea's is 0770 */
	size_t max_request;	  /* octets; 0: 32 MiB */
	unsigned max_connections; /* 0: 64; a few more have a moment to send a request */
	size_t max_held;	  /* octets of requests and answers of all connections; 0: 96 MiB */
	int64_t idle_ns;    /* for a whole request, then without progress of the answer; 0: 10 s */
	unsigned max_depth; /* 0: 64 */
	struct log *log;
	struct control_plane *plane; /* answers the requests */
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
/* Returns the number of its connections. */
unsigned channel_connections(const struct channel *c);
/*
 * Removes the socket. Without a list of closing channels all connections end; with one, present
 * connections are served to their end, and then the channel is freed. A command that arrived over
 * the channel may call it: the request is still answered.
 */
void channel_close(struct channel *c);
/* Ends all connections of closed channels. */
void channel_end_closing(struct channel **closing);
