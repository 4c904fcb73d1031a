/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The control channel: a unix socket of whole messages (SOCK_SEQPACKET, mode 0600). Each message is
 * one JSON request, {"command": NAME, "arguments": {…}}, and has one JSON answer, {"result": 0,
 * "text": …, "arguments": …}; a connection may send many requests. After `events` it receives a
 * message for each event. The client waits for no peer: a peer that does not accept an answer or an
 * event at once loses its connection.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct arena;
struct control;
struct control_requester;
struct json;
struct loop;

/* The user of a channel. */
struct control_owner {
	/* Answers a request. *ret_subscribe: the connection wants events from now on. */
	struct json *(*answer)(void *ctx, const struct json *request,
			       const struct control_requester *from, struct arena *a,
			       bool *ret_subscribe);
	/* Reports a failure of the channel: the failed operation and the cause. */
	void (*problem)(void *ctx, const char *what, const char *cause);
	void *ctx;
};

enum { CONTROL_CLIENTS = 8, CONTROL_REQUEST_MAX = 8192, CONTROL_ANSWER_MAX = 65536 };

/* Opens the channel and creates its directory if it is absent. A path where a running client
 * listens: -EADDRINUSE; the socket of an ended one is replaced. Returns 0 or -errno. */
int control_open(const struct control_owner *o, struct loop *loop, const char *path,
		 struct control **ret) must_check;
void control_close(struct control *c);
/* Returns whether a connection is subscribed; c may be NULL. */
bool control_listened(const struct control *c);
/* Sends an event to every subscriber. */
void control_event(struct control *c, struct span json);
