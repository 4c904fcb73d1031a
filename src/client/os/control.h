/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The control channel: a unix socket of whole messages (SOCK_SEQPACKET, mode 0600). One JSON
 * request a message, {"command": NAME, "arguments": {…}}, one JSON answer, {"result": 0, "text": …,
 * "arguments": …}; a connection may ask many. After `events` it gets a message for each event. The
 * client waits for no peer: a peer that does not take an answer or an event at once loses its
 * connection.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct arena;
struct control;
struct json;
struct loop;

/* The user of a channel. */
struct control_owner {
	/* Answers a request. *ret_subscribe: the connection wants events from now on. */
	struct json *(*answer)(void *ctx, const struct json *request, struct arena *a,
			       bool *ret_subscribe);
	/* Reports a failure of the channel: the failed operation and the cause. */
	void (*problem)(void *ctx, const char *what, const char *cause);
	void *ctx;
};

enum { CONTROL_CLIENTS = 8, CONTROL_REQUEST_MAX = 8192, CONTROL_ANSWER_MAX = 65536 };

/* The directory is made if it is not there. A path that a living client listens on: -EADDRINUSE; a
 * dead one is replaced. 0 or -errno. */
int control_open(const struct control_owner *o, struct loop *loop, const char *path,
		 struct control **ret) must_check;
void control_close(struct control *c);
/* Is anybody subscribed? NULL: no. */
bool control_listened(const struct control *c);
/* To every subscriber. */
void control_event(struct control *c, struct span json);
