/* SPDX-License-Identifier: MPL-2.0 */
/* sanity-checks.lease-checks: whether the leases of the file belong to the subnets of the
 * configuration. */
#pragma once

#include <stdint.h>

struct config;
struct server;

/* Checks every lease and takes the configured action (warn, fix, fix-del, del). Returns the number
 * that did not fit. Called once, before serving. */
uint64_t lease_check(struct server *srv, const struct config *cfg);
