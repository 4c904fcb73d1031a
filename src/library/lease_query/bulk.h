/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bulk queries of leases over TCP (RFC 6926): the queries (bulk_query.c), their way through the
 * lease table (bulk_walk.c), and the server (bulk_server.c), which has a thread of its own. Packets
 * never wait for it.
 */
#pragma once

#include "library/lease_query/lease_query.h"

struct log;
struct usher_lib;

/* --- Queries ---------------------------------------------------------------------------------- */

/* RFC 6926 6.2.2 */
enum bulk_status {
	BULK_SUCCESS = 0,
	BULK_UNSPEC_FAIL = 1,
	BULK_MALFORMED = 3,
	BULK_NOT_ALLOWED = 4,
};

enum bulk_key { BULK_CLIENT_ID, BULK_HARDWARE, BULK_RELAY_ID, BULK_REMOTE_ID };

struct bulk_query {
	uint32_t xid;
	enum bulk_status status;
	const char *reason; /* with another status than SUCCESS */
	enum bulk_key by;
	uint8_t key_len;
	uint8_t key[UINT8_MAX];
	int64_t first, last; /* of the client's last transaction, inclusive */
};

/* Finds the first message in a stream: its length is in the two octets before it. Returns the
 * octets of both; 0: the message is not complete. */
size_t bulk_frame_next(struct span stream, struct span *ret_message);
/* Reads a DHCPBULKLEASEQUERY; arena: for a moment. 0, also for a query that will be answered by a
 * status alone; -USHER_E_MALFORMED: another message, or none. RFC 6926 7 */
int bulk_query_read(struct span message, struct arena *arena, struct bulk_query *ret) must_check;

/*
 * Returns the next leases of a query, at most n, and their number. *at: 0 at the beginning,
 * UINT64_MAX after the last one. Examines a bounded number of leases, so there may be none though
 * it continues. Contexts are in arena.
 */
size_t bulk_walk_next(struct lease_db *db, const struct bulk_query *q, uint64_t *at, int64_t now_s,
		      struct arena *arena, struct lease *ret, size_t n);

/* --- Server ----------------------------------------------------------------------------------- */

struct bulk_params {
	bool enabled;
	uint32_t ip; /* that it listens at, and its server identifier */
	uint16_t port;
	uint32_t max_connections;
	uint32_t max_queries; /* of a connection, at the same time; 0: BULK_QUERIES_MAX */
	uint32_t idle_s;
	uint32_t fetch; /* leases of one step of a query */
};

enum { BULK_QUERIES_MAX = 256, BULK_FETCH_MAX = 512 };

struct bulk_server;

/* The values of a configuration. They, cfg and requesters must live as long as they are in use. */
struct bulk_use {
	struct bulk_params params;
	const struct lease_query_requesters *requesters;
	const struct config *cfg;
	const struct usher_lib *lib; /* whose events are counted; NULL: they are not */
	struct bulk_server *server;
	struct bulk_use *next; /* the configuration before it */
};

struct bulk_server_opts {
	uint32_t ip;
	uint16_t port;
	struct log *log;
	struct lease_db *db;
	const struct clock_src *clock;
};

/* Listens, and starts the thread. 0, -errno of the socket. */
int bulk_server_open(const struct bulk_server_opts *o, struct bulk_server **ret) must_check;
struct bulk_server *bulk_server_ref(struct bulk_server *s);
/* Releases a reference; the last one ends the thread and all connections. Accepts NULL. */
void bulk_server_unref(struct bulk_server *s);
bool bulk_server_is_at(const struct bulk_server *s, uint32_t ip, uint16_t port);
/* Puts the values of a configuration into effect, until bulk_server_leave(). Takes a reference. */
void bulk_server_use(struct bulk_server *s, struct bulk_use *u);
/* Ends the effect: those of the configuration before come back, if it is there. */
void bulk_server_leave(struct bulk_use *u);
