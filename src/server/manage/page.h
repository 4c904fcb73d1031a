/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The data of the web page: read-only endpoints below /api/v1/, and one event a second for all open
 * pages. Each answer is bounded in size and in work.
 */
#pragma once

#include "base/attr.h"
#include "http/http.h"

struct json;
struct page;
struct server_daemon;

/* The routes of the page; ctx is the daemon. */
extern const struct http_route page_routes[];
extern const size_t page_n_routes;

/* Creates the page of a daemon. Returns 0 or -ENOMEM. */
int page_new(struct server_daemon *d, struct page **ret) must_check;
/* Ends the event streams. Accepts NULL. */
void page_free(struct page *p);

/* Answers the request of a route; ctx is the daemon. */
void page_subnets(void *daemon, struct http_request *r);
void page_networks(void *daemon, struct http_request *r);
void page_leases(void *daemon, struct http_request *r);
void page_reservations(void *daemon, struct http_request *r);
void page_config(void *daemon, struct http_request *r);
void page_health(void *daemon, struct http_request *r);

/* Returns a number of the query between 0 and max; dflt if it is absent or no number. */
uint64_t page_number(const struct http_request *r, const char *name, uint64_t dflt, uint64_t max);
/* Returns "file:line" of a value, or "" where a default stands. In the arena. */
const char *page_place(struct arena *a, const struct json *v);
