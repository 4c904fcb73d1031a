/* SPDX-License-Identifier: MPL-2.0 */
/*
 * sanity-checks: whether the leases of the file belong to the subnets of the configuration
 * (lease-checks), and the relay's information in their contexts (extended-info-checks).
 */
#pragma once

#include "base/attr.h"

#include <stdint.h>

struct arena;
struct config;
struct lease;
struct server;

/* Checks every lease and takes the configured action (warn, fix, fix-del, del). Returns the number
 * that did not fit. Called once, before serving. */
uint64_t lease_check(struct server *srv, const struct config *cfg);
/* Checks the context of a lease that a command is about to store; a replacement is in the arena.
 * Returns whether it changed; -ENOMEM. */
int lease_check_context(struct server *srv, const struct config *cfg, struct arena *a,
			struct lease *l) must_check;
