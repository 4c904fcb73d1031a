/* SPDX-License-Identifier: MPL-2.0 */
/* Errors and servers of the past, for the control channel: the last errors, and the servers of
 * earlier leases. Fixed size. */
#pragma once

#include "base/attr.h"
#include "client/core/lease.h"

enum { HISTORY_ERRORS = 16, HISTORY_SERVERS = 8, HISTORY_TEXT = 120 };

struct history_error {
	int64_t wall_ns;
	char what[24], cause[HISTORY_TEXT];
};

struct history_server {
	uint32_t server_id, ip, address; /* address: the last one it gave us */
	uint8_t mac[6];
	uint32_t n_acks;
	int64_t first_wall_ns, last_wall_ns;
};

struct history {
	uint32_t n_errors; /* ever; the ring holds the last ones */
	struct history_error error[HISTORY_ERRORS];
	uint32_t n_servers; /* known; the newest first */
	struct history_server server[HISTORY_SERVERS];
};

void history_error(struct history *h, int64_t wall_ns, const char *what, const char *cause);
/* Returns the i-th newest error; NULL: there are fewer. */
const struct history_error *history_error_at(const struct history *h, size_t i);
/* Records an ACK that the client accepted. */
void history_served(struct history *h, int64_t wall_ns, const struct client_lease *l);
