/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A configuration as it runs: the config, the pools of the lease table built for it, the hook
 * libraries and the subnets' counters. Immutable; swapped whole by a reload. A worker takes one for
 * a batch; a parked exchange keeps the one it began with.
 */
#pragma once

#include "base/attr.h"
#include "hook/hook.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct config_error;
struct config_problems;
struct config_subnet;
struct lease_pools;
struct server;
struct subnet_stats;

struct snapshot {
	_Atomic int refs;
	struct config *cfg;	   /* owned */
	struct lease_pools *pools; /* index = config_pool.index */
	struct hook_registry *hooks;
	struct hook_config_data hook_data[HOOK_MAX_LIBS]; /* index = that of the library */
	struct subnet_stats **subnet_stats;		  /* index = config_subnet.index */
	uint32_t *server_ids; /* option 54 values configured anywhere, sorted */
	size_t n_server_ids;
	size_t packet_memory; /* that the classes, patterns and networks of cfg need in a packet's
				 arena */
	bool affinity;	      /* released and expired leases are kept for their clients */
	uint64_t generation;
	struct snapshot *next_retired;
};

/*
 * Checks that the configuration is within the limits of this server: subnets of a network, loggers,
 * log outputs, hook libraries. Calls problem for each limit that is exceeded. Returns how many
 * those are.
 */
size_t snapshot_limits(const struct config *cfg,
		       void (*problem)(void *ctx, const struct config_error *e), void *ctx);
/*
 * Returns the size of a packet's arena: the message, the lease, the answer and the strings of one
 * expression, which the packet bounds; and the additions of the configuration.
 */
size_t snapshot_packet_memory(const struct config *cfg);
/*
 * Checks whether snapshot_build() would accept this configuration. Loads its hook libraries last,
 * and unloads them. Returns 0, or negative with err filled and every problem in problems (may be
 * NULL).
 */
int snapshot_check(struct server *srv, const struct config *cfg, const struct snapshot *prev,
		   struct config_problems *problems, struct config_error *err) must_check;
/*
 * Builds from cfg, which it takes over on success only. prev (may be NULL) lends the unchanged
 * parts. 0, or negative with the first problem in err, and every one in problems (may be NULL).
 */
int snapshot_build(struct server *srv, struct config *cfg, const struct snapshot *prev,
		   struct snapshot **ret, struct config_problems *problems,
		   struct config_error *err) must_check;
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);
