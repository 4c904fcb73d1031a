/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lease caching: a lease that an early renewal does not change stays as it is, and the client gets
 * the rest of its lifetime (cache-threshold, cache-max-age).
 */
#pragma once

#include "server/core/exchange.h"

/* Returns whether the client's lease `old` may be repeated in the place of `new`, which is of this
 * moment. *ret_left: its remaining lifetime. */
bool reuse_allowed(const struct exchange *x, const struct lease *old, const struct lease *new,
		   uint32_t *ret_left);
/* Counts and logs that a lease is repeated. left: its remaining lifetime. */
void reuse_count(struct exchange *x, const struct lease *l, uint32_t left);
