/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The user-context of an exchange's lease, for callouts (struct hook_services). Called in the
 * worker that owns the exchange.
 */
#pragma once

#include "base/attr.h"

struct lease;

/* Reads the context that the table has for the lease, if it is still the lease of its client, into
 * the packet's memory; NULL: none. 0, -ENOSPC. */
int exchange_stored_context(void *exchange, const struct lease *l, const char **ret) must_check;
/* Stores the context of the exchange's lease, and lets the answer wait for that row. 0; -EINVAL:
 * the exchange has stored no lease; -ESTALE: it was changed meanwhile; -ENOMEM. */
int exchange_update_lease(void *exchange) must_check;
