/* SPDX-License-Identifier: MPL-2.0 */
/*
 * All statistics of the server by name: where each value comes from, and the keys of their
 * histories (samples.h). Used by the management thread alone.
 */
#pragma once

#include "server/core/samples.h"

struct config_subnet;
struct lease_counts;
struct server;
struct snapshot;

enum { STAT_NAME_LEN = 160 };

typedef void (*stat_fn)(void *ctx, const struct stat_now *v);

/* Calls fn for each statistic of the server, and for each of a subnet and its pools. */
void stat_walk_server(struct server *srv, stat_fn fn, void *ctx);
void stat_walk_subnet(struct server *srv, const struct snapshot *snap,
		      const struct config_subnet *s, stat_fn fn, void *ctx);
/* Writes and returns Kea's name, such as "subnet[1].pool[0].assigned-addresses". */
const char *stat_name(const struct stat_key *k, char out[STAT_NAME_LEN]);
/* Returns the number of addresses in a subnet's pools. */
uint64_t stat_subnet_size(const struct config_subnet *s);

/* Takes samples of changed statistics: all of the server, and of some subnets beginning with
 * index *from, which it advances. Returns true if a statistic changed. */
bool stat_walk_sample(struct server *srv, size_t *from, size_t n_subnets, int64_t now_ns);
/* Begins the statistics of subnets anew, because a configuration is in effect or the lease file was
 * read. */
void stat_walk_configured(struct server *srv, int64_t now_ns);
