/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Server-sent events (WHATWG HTML, 9.2): answers without an end. The owner of a subject sends at
 * least every 15 seconds, so that nothing between it and the reader takes the connection for dead.
 */
#pragma once

#include "base/attr.h"
#include "base/span.h"

struct http_events;
struct http_request;

/* Creates a subject with at most `max` readers. Returns 0 or -ENOMEM. */
int http_events_new(unsigned max, struct http_events **ret) must_check;
/* Ends all its answers. Accepts NULL. */
void http_events_free(struct http_events *e);
unsigned http_events_readers(const struct http_events *e);
/* Sends an event to all readers: `data` is one line. A reader that is too slow is dropped. */
void http_events_send(struct http_events *e, const char *name, struct span data);
/* Answers a request with the events from now on; with 503 when there are too many readers. */
void http_answer_events(struct http_request *r, struct http_events *e);
