/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Outgoing requests from inside: destinations and requests (outgoing.c), libcurl on the event loop
 * (outgoing_loop.c).
 */
#pragma once

#include "base/buf.h"
#include "base/rng.h"
#include "control/outgoing.h"

#include <curl/curl.h>

struct outgoing_dest {
	struct outgoing *o;
	struct outgoing_dest *next;
	char *url, *user, *password, *ca_file, *cert_file, *key_file;
	const void *owner;
	int64_t first_pause_ns, longest_pause_ns;
	int64_t pause_ns, until_ns; /* of now; 0: the last connection was accepted */
};

struct outgoing_request {
	struct outgoing_dest *dest;
	struct outgoing_request *next;
	CURL *easy; /* NULL: it waits */
	struct buf body, answer;
	int64_t deadline_ns;
	bool too_long;
	char text[CURL_ERROR_SIZE];
	outgoing_done done;
	void *ctx;
};

struct outgoing {
	struct outgoing_opts opts;
	CURLM *multi;
	struct curl_slist *headers;
	struct loop_timer *timer; /* of libcurl */
	struct loop_timer *wake;  /* of requests that wait */
	struct outgoing_dest *dests;
	struct outgoing_request *requests, **end; /* all, in the order of arrival */
	unsigned running, waiting;
	struct rng rng;
};

/* Lets libcurl name its descriptors and its timer to the loop. Returns 0 or -ENOMEM. */
int outgoing_loop_open(struct outgoing *o) must_check;
/* Finishes the transfers that libcurl reports as over, and starts requests that wait. */
void outgoing_finish(struct outgoing *o);
