/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Requests to RADIUS servers over UDP, in a thread of its own: workers add requests, and continue
 * with other packets.
 */
#pragma once

#include "wire/radius.h"

#include <netinet/in.h>
#include <stdatomic.h>

struct log;

/* Requests in progress, of both services: each has a socket. */
enum { RADIUS_PENDING_MAX = 512 };

struct radius_server {
	const char *name; /* as configured */
	struct sockaddr_in addr;
	struct span secret;
	_Atomic int64_t dead_until; /* monotonic; asked behind the others until then */
};

struct radius_service {
	struct radius_server *servers;
	size_t n_servers;
	unsigned retries; /* a server gets one request more */
	int64_t timeout_ns, deadtime_ns;
	bool with_mac;		/* Message-Authenticator, in requests and responses */
	struct in_addr bind_to; /* any: the kernel selects */
};

enum radius_result { RADIUS_OK, RADIUS_REJECTED, RADIUS_TIMEOUT, RADIUS_FAILED };

/* A request. Its memory is the caller's until done is called, which is the last access. */
struct radius_request {
	struct radius_service *service;
	enum radius_code code;
	struct span attrs;    /* encoded, without a password */
	struct span password; /* with has_password */
	bool has_password;
	/* Called in the client's thread. response: NULL unless OK or REJECTED. */
	void (*done)(void *ctx, enum radius_result result, const struct radius_msg *response);
	void *ctx;
	/* of the client */
	struct radius_request *next;
	uint64_t tried, postponed; /* bits of servers */
	size_t server;
	unsigned attempt;
	int fd;
	int64_t deadline_ns;
	size_t len;
	uint8_t *octets; /* RADIUS_LEN_MAX */
};

enum { RADIUS_SERVERS_MAX = 64 };

struct radius_client;

/* Starts the thread, which calls turn after it handled events. silent: it sends nothing, and
 * requests time out. 0 or -errno. */
int radius_client_new(struct log *log, bool silent, void (*turn)(void *ctx), void *ctx,
		      struct radius_client **ret) must_check;
/* Ends the thread; requests in progress end with RADIUS_FAILED. Accepts NULL. */
void radius_client_free(struct radius_client *c);
/* Adds a request. 0; -EAGAIN: RADIUS_PENDING_MAX are in progress. Any thread. */
int radius_client_send(struct radius_client *c, struct radius_request *r) must_check;
