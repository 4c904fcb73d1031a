/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Updates of the DNS: requests come from any thread into a bounded queue, and a thread of its own
 * sends them to kea-dhcp-ddns. Nobody waits for it. It lives as long as the server; a configuration
 * is swapped in, and requests that wait are sent by the new one.
 */
#pragma once

#include "ddns/ddns_request.h"

struct ddns;
struct log;

struct ddns_opts {
	struct log *log;
	/* Called for each request in the place of a queue: nothing is sent. May be NULL. */
	void (*sink)(void *ctx, const struct ddns_request *r);
	void *ctx;
};

struct ddns_stats {
	uint64_t queued, sent, failed, lost, merged; /* since the start */
	uint32_t waiting, room;
	bool enabled, away; /* away: the last attempts failed, and requests wait */
};

int ddns_new(const struct ddns_opts *o, struct ddns **ret) must_check;
/* Ends the thread. Requests that wait are sent first, if this takes at most a second. NULL is
 * accepted. */
void ddns_free(struct ddns *d);
/* Puts a configuration into effect; the first one that has updates enabled starts the thread. 0 or
 * negative: then nothing is sent until the next one. */
int ddns_configure(struct ddns *d, const struct config_ddns *cfg) must_check;
/*
 * Adds a request to the queue; NULL, or updates that are not enabled: it is dropped. A full queue
 * gives up an addition that a later request makes void, else it drops the new request; both are
 * counted, and logged once a minute. Any thread; waits for nothing.
 */
void ddns_submit(struct ddns *d, const struct ddns_request *r);
void ddns_stats(struct ddns *d, struct ddns_stats *ret);
