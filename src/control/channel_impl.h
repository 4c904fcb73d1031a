/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The command channel from inside: a channel (channel.c) and its connections (channel_conn.c).
 */
#pragma once

#include "base/buf.h"
#include "control/channel.h"
#include "control/framing.h"
#include "control/transport.h"

struct channel;

struct control_conn {
	struct channel *ch;
	struct control_conn *next;
	int fd;
	struct loop_source *source;
	struct loop_timer *idle;
	struct framing framing;
	struct buf in, out;
	size_t sent, held;		 /* held: octets counted in the channel's sum */
	struct control_stream stream;	 /* more of the answer; next NULL: none */
	struct control_pending *pending; /* the answer comes later; NULL: it does not */
	bool answering;
	bool trial;   /* beyond the places there are: it has a moment to send its request */
	bool refused; /* answered, and read to its end so that the reason arrives */
};

struct channel {
	struct channel_opts o;
	char *path;
	struct loop *loop;
	int fd;
	struct loop_source *source;
	struct control_conn *conns;
	unsigned n_conns;
	size_t held;   /* octets of all connections' requests and answers */
	unsigned busy; /* callbacks that are running */
	bool closed;   /* freed by the last callback, or with the last connection */
	struct channel *next_closing;
};

/* Accepts the next connection. NULL: there is none, or it cannot be taken. */
struct control_conn *control_conn_accept(struct channel *ch);
/* Reads from a connection, and answers a request that is complete. */
void control_conn_read(struct control_conn *c);
/* Ends the oldest connection on trial if there are too many: it makes room for one that may have a
 * request. */
void control_end_oldest_trial(struct channel *ch);

/* Closes all connections and frees the channel. */
void channel_free(struct channel *c);
/* Called at the end of each callback: frees a closed channel whose connections are served. */
void channel_leave(struct channel *c);
