/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The server's data for the web page: read-only endpoints below /api/v1/. Each answer is bounded in
 * size and in work.
 */
#pragma once

#include "base/attr.h"

struct arena;
struct control_requester;
struct http_page;
struct http_request;
struct json;
struct server_daemon;

/* Creates the page of a daemon (http/page.h). Returns 0 or -ENOMEM. */
int page_new(struct server_daemon *d, struct http_page **ret) must_check;

/* Answers the request of a route; ctx is the daemon. */
void page_drops(void *daemon, struct http_request *r);
void page_subnets(void *daemon, struct http_request *r);
void page_networks(void *daemon, struct http_request *r);
void page_leases(void *daemon, struct http_request *r);
void page_reservations(void *daemon, struct http_request *r);
void page_config(void *daemon, struct http_request *r);
void page_health(void *daemon, struct http_request *r);

/* Returns "file:line" of a value, or "" where a default stands. In the arena. */
const char *page_place(struct arena *a, const struct json *v);
/*
 * Decides about a request over HTTP by the hook libraries, for http_opts.authorize: returns 0, 401
 * or 403. command: its name; NULL: the request is for the page at path, which needs the right to
 * the command with the contents of the page.
 */
unsigned page_authorize(void *daemon, const struct control_requester *from, const char *command,
			const char *path);
