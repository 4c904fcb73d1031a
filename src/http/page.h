/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The web page of a program: its files, its description ("about"), its state ("tick") with two
 * events a second while somebody reads, and its log. The program composes description and state;
 * the routes, the events and their timer are here. One thread: that of the event loop.
 */
#pragma once

#include "http/http.h"

struct arena;
struct http_page;
struct http_request;
struct json;
struct log_tail;
struct loop;

struct http_page_opts {
	const char *program, *version;
	const char *const *views; /* names of the views that web/app.js has for the program */
	size_t n_views;
	/* Adds the program's own members to the answer of "about". */
	void (*describe)(void *ctx, struct arena *a, struct json *about);
	/* Adds the state of now to an empty map. Returns NULL, or the reason for which that is not
	 * possible now. */
	const char *(*compose)(void *ctx, struct arena *a, struct json *tick);
	void *ctx;
	struct log_tail *tail; /* NULL: the page has no lines of a log */
};

/* Creates a page. Everything in o is borrowed. Returns 0 or -ENOMEM. */
int http_page_new(struct loop *loop, const struct http_page_opts *o, struct http_page **ret)
	must_check;
/* Ends the event streams. No request may follow. Accepts NULL. */
void http_page_free(struct http_page *p);

/* Returns the page's routes, for http_opts.page. */
struct http_routes http_page_routes(struct http_page *p);

/* Returns a number of the query between 0 and max; dflt if it is absent or no number. */
uint64_t http_page_number(const struct http_request *r, const char *name, uint64_t dflt,
			  uint64_t max);

/* Writers of "about". Each adds to a map or list of the answer. */

void http_page_title(struct arena *a, struct json *titles, const char *of, const char *text);
/* Returns the stage's map, for further members. */
struct json *http_page_stage(struct arena *a, struct json *stages, const char *name,
			     const char *purpose);
void http_page_reason(struct arena *a, struct json *drops, const char *name, const char *sentence);

/* Writers of "tick". */

/* Adds the times and the state of the service as a word. health: "good", "warn" or "bad". */
void http_page_state(struct arena *a, struct json *tick, int64_t started_ns, const char *state,
		     const char *health);
void http_page_count(struct arena *a, struct json *map, const char *name, uint64_t n);
/* Adds the number of drops for a reason, and their last stage. */
void http_page_drop(struct arena *a, struct json *drops, const char *reason, uint64_t n,
		    const char *stage);
/* Adds a value of the page's head. counter: the page draws its growth. */
void http_page_head(struct arena *a, struct json *head, const char *name, uint64_t n, bool counter);
